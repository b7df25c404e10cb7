/*
 * tiles - the C2SP tiles of one log, derived from its leaves.
 *
 * Leaves are added in order; a tile is written when it becomes full, unless it
 * is there already (a start goes through all leaves again).  Nothing in opseal
 * reads tiles: they are for others (merkle/tile.h).  So a tile that can't be
 * written is no failure of the log; the next start makes it again.
 */
#ifndef OPS_TILES_H
#define OPS_TILES_H

#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "vfs.h"

struct tiles;

struct tiles *tiles_new(struct vfs *v, uint32_t log); /* NULL: no memory */
void tiles_free(struct tiles *t);
/* The next leaf, durable by now. */
void tiles_add(struct tiles *t, const uint8_t *leaf, size_t n,
    const uint8_t hash[static OPS_HASH_LEN]);
/* Write the partial tiles of the current size (at a clean stop). */
int tiles_write_partial(struct tiles *t, struct ops_err *err);

#endif
