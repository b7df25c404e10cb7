#include "keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define SLOT_MAGIC "OPSRESU1"
#define SLOT_CRC 508

int
keys_prepare(struct vfs *v, struct ops_err *err)
{
	/* Synced also for a name that an earlier start made and could not
	 * sync. */
	if (vfs_make_path(v, "keys", err) < 0 ||
	    vfs_sync_dir(v, "keys", err) < 0)
		return ops_context(err, "keys");
	return 0;
}

static void
log_path(uint32_t n, char out[static 32])
{
	snprintf(out, 32, "keys/log-%" PRIu32, n);
}

int
keys_log_load(
    struct vfs *v, uint32_t n, struct ops_signer **ret, struct ops_err *err)
{
	struct ops_buf b = { .max = OPS_SEED_LEN };
	struct ops_signer *s;
	char path[32];
	int rc = -1;

	log_path(n, path);
	if (vfs_read_file(v, path, OPS_SEED_LEN, &b, err) < 0)
		goto out;
	if (b.len != OPS_SEED_LEN) {
		ops_fail(err, OPS_EFORMAT, "%s: %zu bytes, a key has %d", path,
		    b.len, OPS_SEED_LEN);
		goto out;
	}
	s = ops_signer_new(b.data);
	if (s == NULL) {
		ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
		goto out;
	}
	*ret = s;
	rc = 0;
out:
	if (b.data != NULL)
		ops_wipe(b.data, b.cap);
	ops_buf_free(&b);
	return rc;
}

int
keys_log_create(
    struct vfs *v, uint32_t n, struct ops_signer **ret, struct ops_err *err)
{
	uint8_t seed[OPS_SEED_LEN];
	struct ops_signer *s;
	char path[32];
	int rc;

	log_path(n, path);
	ops_random(seed, sizeof(seed));
	rc = vfs_replace_file(v, path, seed, sizeof(seed), err);
	s = rc == 0 ? ops_signer_new(seed) : NULL;
	ops_wipe(seed, sizeof(seed));
	if (rc < 0)
		return -1;
	if (s == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	*ret = s;
	return 0;
}

static struct ops_signer *
slot_decode(const uint8_t slot[static RESUME_SLOT])
{
	if (memcmp(slot, SLOT_MAGIC, 8) != 0 ||
	    ops_crc32c(0, slot, SLOT_CRC) != ops_getle32(slot + SLOT_CRC))
		return NULL;
	return ops_signer_new(slot + 8);
}

int
resume_load(struct vfs *v, struct resume_keys *ret, struct ops_err *err)
{
	uint8_t slots[2][RESUME_SLOT] = { 0 };
	struct vfs_file *f;
	struct ops_err e = { 0 };
	ssize_t n;

	ret->slot[0] = ret->slot[1] = NULL;
	if (vfs_open(v, "keys/resume", VFS_READ, &f, &e) < 0) {
		if (e.code == OPS_ENOENT)
			return 0;
		if (err != NULL)
			*err = e;
		return -1;
	}
	n = vfs_pread(f, slots, sizeof(slots), 0, err);
	vfs_close(f);
	for (int i = 0; n >= 0 && i < 2; i++)
		ret->slot[i] = slot_decode(slots[i]);
	ops_wipe(slots, sizeof(slots));
	return n < 0 ? -1 : 0;
}

void
resume_free(struct resume_keys *k)
{
	for (int i = 0; i < 2; i++) {
		ops_signer_free(k->slot[i]);
		k->slot[i] = NULL;
	}
}

int
resume_find(const struct resume_keys *k, const uint8_t pub[static OPS_PUB_LEN])
{
	for (int i = 0; i < 2; i++) {
		if (k->slot[i] != NULL &&
		    memcmp(ops_signer_pub(k->slot[i]), pub, OPS_PUB_LEN) == 0)
			return i;
	}
	return -1;
}

/* Overwritten in place: a rename would leave the old secret's block behind. */
static int
slot_write(struct vfs *v, int i, const uint8_t slot[static RESUME_SLOT],
    struct ops_err *err)
{
	struct vfs_file *f;
	bool created = !vfs_exists(v, "keys/resume");
	int rc = 0;

	if (vfs_open(v, "keys/resume", VFS_WRITE | VFS_CREATE, &f, err) < 0)
		return -1;
	if (created) {
		uint8_t zero[2 * RESUME_SLOT] = { 0 };

		rc = vfs_pwrite(f, zero, sizeof(zero), 0, err);
	}
	if (rc == 0)
		rc = vfs_pwrite(
		    f, slot, RESUME_SLOT, (uint64_t)i * RESUME_SLOT, err);
	if (rc == 0)
		rc = vfs_sync(f, err);
	vfs_close(f);
	if (rc < 0)
		return ops_context(err, "keys/resume");
	return created ? vfs_sync_dir(v, "keys", err) : 0;
}

int
resume_stage(struct vfs *v, struct resume_keys *k, int i, struct ops_err *err)
{
	uint8_t slot[RESUME_SLOT] = { 0 };
	struct ops_signer *s;
	int rc;

	memcpy(slot, SLOT_MAGIC, 8);
	ops_random(slot + 8, OPS_SEED_LEN);
	ops_putle32(slot + SLOT_CRC, ops_crc32c(0, slot, SLOT_CRC));
	s = ops_signer_new(slot + 8);
	if (s == NULL)
		rc = ops_fail(err, OPS_ENOMEM, "keys/resume: no memory");
	else
		rc = slot_write(v, i, slot, err);
	ops_wipe(slot, sizeof(slot));
	if (rc < 0) {
		ops_signer_free(s);
		return -1;
	}
	ops_signer_free(k->slot[i]);
	k->slot[i] = s;
	return 0;
}

int
resume_drop(struct vfs *v, struct resume_keys *k, int i, struct ops_err *err)
{
	static const uint8_t zero[RESUME_SLOT];

	if (slot_write(v, i, zero, err) < 0)
		return -1;
	ops_signer_free(k->slot[i]);
	k->slot[i] = NULL;
	return 0;
}
