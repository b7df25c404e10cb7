/*
 * vfs - the file operations that a store needs, and nothing else.
 *
 * lib/store opens no file itself.  The same writer, recovery, reader and check
 * run over a real folder (vfs_dir_new), over descriptors that the query role
 * hands out one by one (cli/remote.c), and over a file system in memory that
 * can lose unsynced sectors and names (test/fault/memfs.c).
 *
 * Paths are relative to the store, "log/0/leaves", without "." or "..".
 * All calls return 0 or -1 with err set (OPS_ENOENT where a thing is missing; a
 * folder where a file is wanted is there, and so gives another code; a file where
 * a folder is to be listed gives OPS_ENOENT).
 * A vfs may be used from several threads; one vfs_file from one at a time,
 * except vfs_pread(), which any number may call.
 */
#ifndef OPS_VFS_H
#define OPS_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

enum vfs_flags {
	VFS_READ = 0,
	VFS_WRITE = 1,  /* read and write; must exist unless VFS_CREATE */
	VFS_CREATE = 2, /* with VFS_WRITE: make it, mode 0600, if missing */
	VFS_EXCL = 4,   /* with VFS_CREATE: it must not exist */
};

struct vfs;
struct vfs_file;

/* Names in a folder, sorted bytewise, without "." and "..". */
struct vfs_names {
	char **name; /* owned; vfs_names_free() */
	size_t n;
};

struct vfs_ops {
	int (*open)(struct vfs *v, const char *path, unsigned flags,
	    struct vfs_file **ret, struct ops_err *err);
	void (*close)(struct vfs_file *f);
	/* As many of n bytes as there are before the end; bytes read or -1. */
	ssize_t (*pread)(struct vfs_file *f, void *p, size_t n, uint64_t off,
	    struct ops_err *err);
	/* All n bytes, or -1 (some may have been written). */
	int (*pwrite)(struct vfs_file *f, const void *p, size_t n, uint64_t off,
	    struct ops_err *err);
	int (*sync)(struct vfs_file *f, struct ops_err *err); /* fdatasync(2) */
	int (*truncate)(struct vfs_file *f, uint64_t len, struct ops_err *err);
	int (*size)(struct vfs_file *f, uint64_t *ret, struct ops_err *err);

	int (*rename)(struct vfs *v, const char *from, const char *to,
	    struct ops_err *err);
	int (*unlink)(struct vfs *v, const char *path, struct ops_err *err);
	int (*mkdir)(struct vfs *v, const char *path,
	    struct ops_err *err); /* 0700; fine if there */
	int (*rmdir)(struct vfs *v, const char *path,
	    struct ops_err *err); /* must be empty */
	int (*sync_dir)(struct vfs *v, const char *path,
	    struct ops_err *err); /* "" is the store */
	int (*list)(struct vfs *v, const char *path, struct vfs_names *ret,
	    struct ops_err *err);
	/* Take the one-writer lock, held until the vfs is freed.  OPS_EBUSY. */
	int (*lock)(struct vfs *v, struct ops_err *err);
	/* Bytes free for the writer. */
	int (*space)(struct vfs *v, uint64_t *ret, struct ops_err *err);
	void (*free)(struct vfs *v);
};

/* Implementations embed these as their first member. */
struct vfs {
	const struct vfs_ops *ops;
};
struct vfs_file {
	struct vfs *vfs;
};

/* -- the calls, each a thin forwarder that adds the path to an error -- */
int vfs_open(struct vfs *v, const char *path, unsigned flags,
    struct vfs_file **ret, struct ops_err *err);
void vfs_close(struct vfs_file *f); /* NULL is fine */
ssize_t vfs_pread(
    struct vfs_file *f, void *p, size_t n, uint64_t off, struct ops_err *err);
int vfs_pwrite(struct vfs_file *f, const void *p, size_t n, uint64_t off,
    struct ops_err *err);
int vfs_sync(struct vfs_file *f, struct ops_err *err);
int vfs_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err);
int vfs_size(struct vfs_file *f, uint64_t *ret, struct ops_err *err);
int vfs_rename(
    struct vfs *v, const char *from, const char *to, struct ops_err *err);
int vfs_unlink(struct vfs *v, const char *path, struct ops_err *err);
int vfs_mkdir(struct vfs *v, const char *path, struct ops_err *err);
int vfs_rmdir(struct vfs *v, const char *path, struct ops_err *err);
int vfs_sync_dir(struct vfs *v, const char *path, struct ops_err *err);
int vfs_list(struct vfs *v, const char *path, struct vfs_names *ret,
    struct ops_err *err);
void vfs_names_free(struct vfs_names *n);
int vfs_lock(struct vfs *v, struct ops_err *err);
int vfs_space(struct vfs *v, uint64_t *ret, struct ops_err *err);
void vfs_free(struct vfs *v); /* NULL is fine */

/* -- made of the above -- */
/* The whole file, at most limit bytes (more: OPS_EFORMAT); out is reset. */
int vfs_read_file(struct vfs *v, const char *path, size_t limit,
    struct ops_buf *out, struct ops_err *err);
/* Replace path by these bytes: write path.tmp, fdatasync, rename, sync the
 * folder.  After a crash path holds the old bytes or the new ones. */
int vfs_replace_file(struct vfs *v, const char *path, const void *p, size_t n,
    struct ops_err *err);
/* mkdir -p, syncing each parent that gained a name. */
int vfs_make_path(struct vfs *v, const char *path, struct ops_err *err);
bool vfs_exists(struct vfs *v, const char *path);

/* A real folder.  path must exist; symbolic links below it are not followed. */
int vfs_dir_new(const char *path, struct vfs **ret, struct ops_err *err);

#endif
