/*
 * keys - the secrets a writer keeps in keys/, never part of a backup.
 *
 *	keys/log-<n>	32 bytes: Ed25519 seed of the key that signs the
 *			checkpoints of log/<n>
 *	keys/resume	two slots of 512 bytes, each "OPSRESU1", 32-byte Ed25519
 *			seed, zeros, CRC32C of bytes 0..507 at 508; an empty
 *			slot is all zero
 *
 * A slot is one sector, so a power cut leaves it old or new.  The secret of a
 * resume key is durable in its slot before the leaf that names it is written;
 * the other slot, with the predecessor, is overwritten after that leaf is
 * durable.  So exactly one of the slots is the key the log named last.
 *
 * Seal keys never touch the disk.
 */
#ifndef OPS_KEYS_H
#define OPS_KEYS_H

#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"
#include "vfs.h"

#define RESUME_SLOT 512

/* Make keys/ if missing. */
int keys_prepare(struct vfs *v, struct ops_err *err);

/* The key of log/<n>; OPS_ENOENT or OPS_EFORMAT if it is not there or not a
 * key.  *ret is the caller's. */
int keys_log_load(
    struct vfs *v, uint32_t n, struct ops_signer **ret, struct ops_err *err);
/* Make and store a new one (replacing what a crashed start may have left). */
int keys_log_create(
    struct vfs *v, uint32_t n, struct ops_signer **ret, struct ops_err *err);

/* The resume keys there are: NULL where a slot is empty or broken. */
struct resume_keys {
	struct ops_signer *slot[2];
};
int resume_load(struct vfs *v, struct resume_keys *ret, struct ops_err *err);
void resume_free(struct resume_keys *k);

/* The slot holding this public key, or -1. */
int resume_find(
    const struct resume_keys *k, const uint8_t pub[static OPS_PUB_LEN]);

/* Make a new key in slot i (0 or 1), durable on return.  The other slot is
 * untouched. */
int resume_stage(
    struct vfs *v, struct resume_keys *k, int i, struct ops_err *err);
/* Overwrite slot i with zeros, durable on return. */
int resume_drop(
    struct vfs *v, struct resume_keys *k, int i, struct ops_err *err);

#endif
