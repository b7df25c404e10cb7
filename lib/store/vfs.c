#include "vfs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_CHUNK 65536

int
vfs_open(struct vfs *v, const char *path, unsigned flags, struct vfs_file **ret,
    struct ops_err *err)
{
	if (v->ops->open(v, path, flags, ret, err) < 0)
		return ops_context(err, "%s", path);
	return 0;
}

void
vfs_close(struct vfs_file *f)
{
	if (f != NULL)
		f->vfs->ops->close(f);
}

ssize_t
vfs_pread(
    struct vfs_file *f, void *p, size_t n, uint64_t off, struct ops_err *err)
{
	return f->vfs->ops->pread(f, p, n, off, err);
}

int
vfs_pwrite(struct vfs_file *f, const void *p, size_t n, uint64_t off,
    struct ops_err *err)
{
	return f->vfs->ops->pwrite(f, p, n, off, err);
}

int
vfs_sync(struct vfs_file *f, struct ops_err *err)
{
	return f->vfs->ops->sync(f, err);
}

int
vfs_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err)
{
	return f->vfs->ops->truncate(f, len, err);
}

int
vfs_size(struct vfs_file *f, uint64_t *ret, struct ops_err *err)
{
	return f->vfs->ops->size(f, ret, err);
}

int
vfs_rename(struct vfs *v, const char *from, const char *to, struct ops_err *err)
{
	if (v->ops->rename(v, from, to, err) < 0)
		return ops_context(err, "%s: rename to %s", from, to);
	return 0;
}

int
vfs_unlink(struct vfs *v, const char *path, struct ops_err *err)
{
	if (v->ops->unlink(v, path, err) < 0)
		return ops_context(err, "%s: remove", path);
	return 0;
}

int
vfs_mkdir(struct vfs *v, const char *path, struct ops_err *err)
{
	if (v->ops->mkdir(v, path, err) < 0)
		return ops_context(err, "%s: make folder", path);
	return 0;
}

int
vfs_rmdir(struct vfs *v, const char *path, struct ops_err *err)
{
	if (v->ops->rmdir(v, path, err) < 0)
		return ops_context(err, "%s: remove folder", path);
	return 0;
}

int
vfs_sync_dir(struct vfs *v, const char *path, struct ops_err *err)
{
	if (v->ops->sync_dir(v, path, err) < 0)
		return ops_context(err, "%s/: sync", path);
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
vfs_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	struct vfs_names names = { 0 };

	if (v->ops->list(v, path, &names, err) < 0)
		return ops_context(err, "%s/: list", path);
	if (names.n > 1)
		qsort(names.name, names.n, sizeof(*names.name), compare_names);
	*ret = names;
	return 0;
}

void
vfs_names_free(struct vfs_names *n)
{
	for (size_t i = 0; i < n->n; i++)
		free(n->name[i]);
	free(n->name);
	*n = (struct vfs_names){ 0 };
}

int
vfs_lock(struct vfs *v, struct ops_err *err)
{
	return v->ops->lock(v, err);
}

int
vfs_space(struct vfs *v, uint64_t *ret, struct ops_err *err)
{
	return v->ops->space(v, ret, err);
}

void
vfs_free(struct vfs *v)
{
	if (v != NULL)
		v->ops->free(v);
}

/* The file may grow while it is read, so it ends where a read finds nothing. */
static int
read_all(
    struct vfs_file *f, size_t limit, struct ops_buf *out, struct ops_err *err)
{
	for (;;) {
		size_t want = READ_CHUNK;
		uint8_t *p;
		ssize_t got;

		if (want > limit - out->len)
			want =
			    limit - out->len + 1; /* one more shows an excess */
		p = ops_buf_reserve(out, want);
		if (p == NULL)
			return ops_fail(
			    err, OPS_ENOMEM, "no memory to read it");
		got = vfs_pread(f, p, want, out->len, err);
		if (got < 0)
			return -1;
		if (got == 0)
			return 0;
		out->len += (size_t)got;
		if (out->len > limit)
			return ops_fail(err, OPS_EFORMAT,
			    "longer than the limit of %zu bytes", limit);
	}
}

int
vfs_read_file(struct vfs *v, const char *path, size_t limit,
    struct ops_buf *out, struct ops_err *err)
{
	struct vfs_file *f;
	int rc;

	assert(limit < SIZE_MAX);
	ops_buf_reset(out);
	if (out->max < limit + 1)
		out->max = limit + 1;
	if (vfs_open(v, path, VFS_READ, &f, err) < 0)
		return -1;
	rc = read_all(f, limit, out, err);
	if (rc < 0) {
		ops_context(err, "%s", path);
		ops_buf_reset(out);
	}
	vfs_close(f);
	return rc;
}

/* Folder of path in buf (which holds a copy of it): "" for the store. */
static const char *
parent_of(char *buf)
{
	char *slash = strrchr(buf, '/');

	if (slash == NULL)
		return "";
	*slash = '\0';
	return buf;
}

static int
write_new(struct vfs *v, const char *path, const void *p, size_t n,
    struct ops_err *err)
{
	struct vfs_file *f;
	int rc;

	if (vfs_open(v, path, VFS_WRITE | VFS_CREATE, &f, err) < 0)
		return -1;
	rc = vfs_truncate(f, 0, err);
	if (rc == 0)
		rc = vfs_pwrite(f, p, n, 0, err);
	if (rc == 0)
		rc = vfs_sync(f, err);
	vfs_close(f);
	if (rc < 0) {
		ops_context(err, "%s", path);
		vfs_unlink(v, path, NULL);
	}
	return rc;
}

int
vfs_replace_file(struct vfs *v, const char *path, const void *p, size_t n,
    struct ops_err *err)
{
	char *tmp = NULL, *dir = strdup(path);
	int rc = -1;

	if (dir == NULL || asprintf(&tmp, "%s.tmp", path) < 0) {
		free(dir);
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	}
	if (write_new(v, tmp, p, n, err) == 0 &&
	    vfs_rename(v, tmp, path, err) == 0)
		rc = vfs_sync_dir(v, parent_of(dir), err);
	free(tmp);
	free(dir);
	return rc;
}

/* One folder of a path; its parent is synced if it gained this name. */
static int
make_one(struct vfs *v, const char *path, struct ops_err *err)
{
	char *copy;
	int rc;

	if (vfs_exists(v, path))
		return vfs_mkdir(v, path, err); /* refuses what is no folder */
	if (vfs_mkdir(v, path, err) < 0)
		return -1;
	copy = strdup(path);
	if (copy == NULL)
		rc = ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	else
		rc = vfs_sync_dir(v, parent_of(copy), err);
	if (rc < 0)
		vfs_rmdir(v, path, NULL); /* so that the next try syncs again */
	free(copy);
	return rc;
}

int
vfs_make_path(struct vfs *v, const char *path, struct ops_err *err)
{
	char *copy = strdup(path);
	int rc = 0;

	if (copy == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	for (char *p = copy; rc == 0 && p != NULL;) {
		p = strchr(p, '/');
		if (p != NULL)
			*p = '\0';
		rc = make_one(v, copy, err);
		if (p != NULL)
			*p++ = '/';
	}
	free(copy);
	return rc;
}

/* A folder can't be opened as a file, but that is not "missing". */
bool
vfs_exists(struct vfs *v, const char *path)
{
	struct ops_err err = { 0 };
	struct vfs_file *f;

	if (v->ops->open(v, path, VFS_READ, &f, &err) == 0) {
		vfs_close(f);
		return true;
	}
	return err.code != OPS_ENOENT;
}
