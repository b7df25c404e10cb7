/*
 * tile - names and sizes of C2SP tlog-tiles.
 *
 *	tile/<L>/<N>[.p/<W>]	   hashes of level L; full width 256
 *	tile/entries/<N>[.p/<W>]   u16 big-endian length, leaf; ...
 *
 * N is written in groups of three digits, all but the last prefixed with x:
 * 1234067 -> x001/x234/067.  A partial tile (W = 1..255) never feeds its
 * parent.  Pure: the files are the store's.
 *
 * Fuzzed: tile
 */
#ifndef OPS_TILE_H
#define OPS_TILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"

#define TILE_WIDTH 256
#define TILE_BYTES (TILE_WIDTH * OPS_HASH_LEN)
#define TILE_LEVELS 8     /* enough for 2^64 leaves */
#define TILE_ENTRIES (-1) /* the level of entry bundles */
#define TILE_PATH_MAX 96

/* "tile/0/x001/234.p/17"; width 0 or 256: full.  Returns length. */
size_t tile_path(
    int level, uint64_t n, unsigned width, char out[static TILE_PATH_MAX]);
/* Parse such a path; refuses any other spelling.  *width is TILE_WIDTH for a
 * full tile. */
int tile_path_parse(const char *path, int *level, uint64_t *n, unsigned *width,
    struct ops_err *err);

/* Full tiles of a level (entries: level TILE_ENTRIES or 0) in a tree of this
 * size, and the width of the partial one after them (0: none). */
uint64_t tile_full(int level, uint64_t size);
unsigned tile_partial(int level, uint64_t size);

/* Next level: the one hash that a full tile (TILE_BYTES) puts into its parent. */
void tile_parent(const uint8_t *tile, uint8_t out[static OPS_HASH_LEN]);

/* Append one entry to a bundle; n <= 65535. */
void tile_entry_put(struct ops_buf *b, const uint8_t *leaf, size_t n);
/* Take one: bytes used, or -1 (OPS_ETRUNC). */
long tile_entry_next(const uint8_t *p, size_t n, const uint8_t **leaf,
    size_t *len, struct ops_err *err);

#endif
