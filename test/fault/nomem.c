#include "nomem.h"

#include <errno.h>
#include <stdlib.h>

#include "base/crypto.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t size);
struct ops_signer *__real_ops_signer_new(
    const uint8_t seed[static OPS_SEED_LEN]);
struct ops_hmac_key *__real_ops_hmac_key_new(const uint8_t *key, size_t len);
struct ops_sha256 *__real_ops_sha256_new(void);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
struct ops_signer *__wrap_ops_signer_new(
    const uint8_t seed[static OPS_SEED_LEN]);
struct ops_hmac_key *__wrap_ops_hmac_key_new(const uint8_t *key, size_t len);
struct ops_sha256 *__wrap_ops_sha256_new(void);

struct nomem nomem = { .after = -1 };
static _Thread_local unsigned not_counted;

static bool
no_memory(void)
{
	if (not_counted > 0 || !nomem.armed || nomem.after < 0 ||
	    nomem.after-- != 0)
		return false;
	nomem.failed++;
	errno = ENOMEM;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return no_memory() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return no_memory() ? NULL : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return no_memory() ? NULL : __real_reallocarray(p, n, size);
}

/* crypto.h ends the process where a primitive fails: not tried. */
#define UNARMED(call)                                                          \
	do {                                                                   \
		__typeof__(call) p_;                                           \
                                                                               \
		not_counted++;                                                 \
		p_ = (call);                                                   \
		not_counted--;                                                 \
		return p_;                                                     \
	} while (0)

struct ops_signer *
__wrap_ops_signer_new(const uint8_t seed[static OPS_SEED_LEN])
{
	UNARMED(__real_ops_signer_new(seed));
}

struct ops_hmac_key *
__wrap_ops_hmac_key_new(const uint8_t *key, size_t len)
{
	UNARMED(__real_ops_hmac_key_new(key, len));
}

struct ops_sha256 *
__wrap_ops_sha256_new(void)
{
	UNARMED(__real_ops_sha256_new());
}

/* -- a file system that doesn't count as a caller of malloc -- */

static const struct vfs_ops *inner;

#define OUTSIDE(type, call)                                                    \
	do {                                                                   \
		type rc_;                                                      \
                                                                               \
		not_counted++;                                                 \
		rc_ = (call);                                                  \
		not_counted--;                                                 \
		return rc_;                                                    \
	} while (0)

static int
out_open(struct vfs *v, const char *path, unsigned flags, struct vfs_file **ret,
    struct ops_err *err)
{
	OUTSIDE(int, inner->open(v, path, flags, ret, err));
}

static int
out_pwrite(struct vfs_file *f, const void *p, size_t n, uint64_t off,
    struct ops_err *err)
{
	OUTSIDE(int, inner->pwrite(f, p, n, off, err));
}

static int
out_sync(struct vfs_file *f, struct ops_err *err)
{
	OUTSIDE(int, inner->sync(f, err));
}

static int
out_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err)
{
	OUTSIDE(int, inner->truncate(f, len, err));
}

static int
out_rename(struct vfs *v, const char *from, const char *to, struct ops_err *err)
{
	OUTSIDE(int, inner->rename(v, from, to, err));
}

static int
out_unlink(struct vfs *v, const char *path, struct ops_err *err)
{
	OUTSIDE(int, inner->unlink(v, path, err));
}

static int
out_mkdir(struct vfs *v, const char *path, struct ops_err *err)
{
	OUTSIDE(int, inner->mkdir(v, path, err));
}

static int
out_rmdir(struct vfs *v, const char *path, struct ops_err *err)
{
	OUTSIDE(int, inner->rmdir(v, path, err));
}

static int
out_sync_dir(struct vfs *v, const char *path, struct ops_err *err)
{
	OUTSIDE(int, inner->sync_dir(v, path, err));
}

static int
out_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	OUTSIDE(int, inner->list(v, path, ret, err));
}

struct memfs *
nomem_disk(void)
{
	static struct vfs_ops outside;
	struct memfs *m = memfs_new();

	inner = m->vfs.ops;
	outside = *inner;
	outside.open = out_open;
	outside.pwrite = out_pwrite;
	outside.sync = out_sync;
	outside.truncate = out_truncate;
	outside.rename = out_rename;
	outside.unlink = out_unlink;
	outside.mkdir = out_mkdir;
	outside.rmdir = out_rmdir;
	outside.sync_dir = out_sync_dir;
	outside.list = out_list;
	m->vfs.ops = &outside;
	m->forgets = true;
	return m;
}
