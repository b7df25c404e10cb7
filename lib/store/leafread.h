/*
 * leafread - the leaves of one log, in order, each with its hash and what it says.
 *
 * Decoding and hashing is most of what opening a store takes.  So, where that was
 * asked for and the file isn't short, another thread does it ahead of who reads;
 * where no thread can be had, the reader's own does.  What is given is the same.
 *
 * Fuzzed: store, recover
 */
#ifndef OPS_LEAFREAD_H
#define OPS_LEAFREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "leaves.h"
#include "record/leaf.h"

struct leafread;

struct leafread_leaf {
	struct leaves_entry e;
	uint8_t hash[OPS_HASH_LEN]; /* leaf_hash() of its bytes */
	bool good;                  /* `leaf` is what it says; */
	struct ops_err why;         /* or why leaf_decode() failed */
	struct leaf leaf;
};

/* Errors: as leaves_open().  Not for writing: v is read by another thread until
 * leafread_free() or the end. */
int leafread_open(struct vfs *v, uint32_t log, uint64_t sealed, bool ahead,
    struct leafread **ret, struct ops_err *err);
void leafread_free(struct leafread *r);
/* 1: *ret, valid until the next call.  0: the end, see leafread_end().  -1: it can't
 * be read. */
int leafread_next(
    struct leafread *r, const struct leafread_leaf **ret, struct ops_err *err);
/* leaves_end(), once leafread_next() gave 0 or -1. */
enum leaves_end leafread_end(
    const struct leafread *r, uint64_t *offset, uint64_t *bytes);

#endif
