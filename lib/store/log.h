/*
 * log - log/<n> from the writer's side: leaves, tree, checkpoint, tiles.
 *
 * Knows how to append leaves durably and to sign a checkpoint; what the leaves
 * say is the caller's.  One thread at a time.
 */
#ifndef OPS_LOG_H
#define OPS_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "merkle/checkpoint.h"
#include "merkle/tree.h"
#include "record/leaf.h"
#include "vfs.h"

#define LOG_PATH 64
#define LOG_APPEND_MAX (64u << 20) /* bytes of one append */

/* Leaves about to be appended, and the tree with them. */
struct log_append {
	struct ops_buf bytes; /* entries of the leaves file */
	struct tree tree;     /* after them */
	uint64_t from;        /* size before them */
};

struct log {
	struct vfs *v;
	uint32_t n;
	char dir[LOG_PATH];
	char origin[LEAF_ORIGIN_MAX + 1];
	struct ops_signer *signer; /* the log key; owned */
	struct note_key key;
	struct vfs_file *f;  /* leaves */
	uint64_t len;        /* bytes of whole, durable leaves */
	struct tree tree;    /* over them */
	uint64_t sealed;     /* size of the newest checkpoint */
	struct ops_buf note; /* that checkpoint */
	uint64_t stated;     /* size in the checkpoint found at start */
	uint8_t stated_root[OPS_HASH_LEN]; /* root the leaves gave there */
	uint64_t stated_len;               /* and the bytes they took */
	struct tiles *tiles;
};

/* "log/<n>" */
void log_dir(uint32_t n, char out[static LOG_PATH]);
/* The numbers of the logs there are, ascending (0 of them without a folder
 * log/); *ret is the caller's, free(3).  Any other name is passed over. */
int log_list(struct vfs *v, uint32_t **ret, size_t *ret_n, struct ops_err *err);

/* A new log: its folder; its leaves file comes with the first append, whole.
 * signer becomes the log's, unless this fails. */
int log_create(struct vfs *v, uint32_t n, const char *origin,
    struct ops_signer *signer, struct log **ret, struct ops_err *err);

/*
 * Open an existing one: read all leaves, calling seen() for each (its bytes,
 * its place); *torn: bytes after the last whole one.
 * No key yet: log_set_key(),
 * then log_check_checkpoint().  The torn tail is still there: log_cut_tail().
 */
int log_open(struct vfs *v, uint32_t n,
    int (*seen)(void *arg, const struct leaf *l, const uint8_t *bytes,
	size_t len, uint64_t index, struct ops_err *err),
    void *arg, struct log **ret, uint64_t *torn, struct ops_err *err);
int log_set_key(struct log *l, const char *origin, struct ops_signer *signer,
    struct ops_err *err);
/* Cut what is not a whole leaf off the end, durable on return. */
int log_cut_tail(struct log *l, struct ops_err *err);
/* The checkpoint file against the leaves: 1 fits (or there is none), 0 does
 * not (err says why), -1: no memory to tell. */
int log_check_checkpoint(struct log *l, struct ops_err *err);
void log_free(struct log *l);

/* Start an append; add leaves; write it.  a is zero-initialised by begin. */
void log_append_begin(const struct log *l, struct log_append *a);
int log_append_leaf(
    struct log_append *a, const uint8_t *leaf, size_t n, struct ops_err *err);
/* Sign a BOOT or SEAL for its place at the end of a, and add it. */
int log_append_signed(struct log *l, struct log_append *a, struct leaf *leaf,
    const struct ops_signer *key, struct ops_err *err);
/* Durable on return.  After a failure call it again with the same a. */
int log_append_write(struct log *l, struct log_append *a, struct ops_err *err);
void log_append_free(struct log_append *a);

/* Sign and replace the checkpoint for the current size (which ends in a SEAL). */
int log_checkpoint(struct log *l, struct ops_err *err);

/*
 * At start: make the leaves behind the checkpoint durable.  They were read,
 * but perhaps from pages whose fdatasync had failed, which no later one would
 * write: so they are written again.  If they end in a SEAL (`sign`), the
 * checkpoint that is missing over it is made now.
 */
int log_catch_up(struct log *l, bool sign, struct ops_err *err);

/* Write the partial tiles of the current size (clean stop). */
int log_partial_tiles(struct log *l, struct ops_err *err);

#endif
