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
	/* found at start: */
	uint64_t tail;  /* bytes behind `len` */
	uint64_t seals; /* SEALs that the checkpoint does not cover */
	bool ends_in_seal;
	bool damaged;     /* there is what no crash leaves */
	bool end_damaged; /* so is what follows the last signed leaf */
	struct tiles *tiles;
};

/* Whom log_open() tells of what it reads. */
struct log_reader {
	/* A leaf, once a BOOT or SEAL was read that signs for it. */
	int (*seen)(void *arg, const struct leaf *l, const uint8_t *bytes,
	    size_t len, struct ops_err *err);
	/* The key that must have signed this BOOT or SEAL, given all that was
	 * seen; NULL: there is none. */
	const uint8_t *(*key)(void *arg, const struct leaf *l);
	void *arg;
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
 * Open an existing one and read its leaves.  A leaf counts when a BOOT or SEAL
 * signs for it: those behind the last of them are not seen, and not part of
 * tree and len.  Signatures are checked behind the checkpoint only, which
 * vouches for the others once log_check_checkpoint() found that it fits.
 *
 * If there is what no crash leaves, `damaged` is set, and the log must not be
 * written again.  Its leaves are seen all the same, as far as they can be
 * read, so that what they speak of is not overwritten.  If the damage is at
 * the end, tree and len take in all of it.
 *
 * Origin and key are those that the first leaf names; if that can't be read,
 * the origin is the checkpoint's, or empty, and the key zero.
 */
int log_open(struct vfs *v, uint32_t n, const struct log_reader *r,
    struct log **ret, struct ops_err *err);
/* Its signer, which becomes the log's. */
void log_set_signer(struct log *l, struct ops_signer *signer);
/* Cut what is behind `len` off the end, durable on return.  Not if
 * end_damaged. */
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
