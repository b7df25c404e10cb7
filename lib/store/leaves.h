/*
 * leaves - the entries of one log/<n>/leaves file, in order.
 *
 * Knows the bytes of the file and which shapes of its end a crash can leave
 * (design 4.5); what the leaves say is history.h's.  Reads the file as long as
 * it was when it was opened, in chunks.
 *
 * Fuzzed: store, recover
 */
#ifndef OPS_LEAVES_H
#define OPS_LEAVES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "vfs.h"

#define LEAVES_SECTOR 512 /* what a power cut leaves whole or absent */

struct leaves;

struct leaves_entry {
	const uint8_t *p; /* valid until the next call */
	size_t n;
	uint64_t index;
	uint64_t offset;
	bool bad; /* its CRC is wrong, and no crash explains that */
};

enum leaves_end {
	LEAVES_END_CLEAN,
	LEAVES_END_TORN,    /* an append was cut short */
	LEAVES_END_DAMAGED, /* something that is no leaf */
};

/* OPS_ENOENT if the file is missing.  No crash can have touched the first
 * `sealed` entries. */
int leaves_open(struct vfs *v, uint32_t log, uint64_t sealed,
    struct leaves **ret, struct ops_err *err);
void leaves_free(struct leaves *l);
/* 1: *ret.  0: the end, see leaves_end().  -1: it can't be read. */
int leaves_next(
    struct leaves *l, struct leaves_entry *ret, struct ops_err *err);
/* *bytes: those behind the last whole leaf, which ends at *offset. */
enum leaves_end leaves_end(
    const struct leaves *l, uint64_t *offset, uint64_t *bytes);

#endif
