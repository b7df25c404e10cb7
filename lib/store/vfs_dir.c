/* A vfs over a real folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "vfs.h"

#define IO_MAX (1u << 30) /* bytes of one read(2) or write(2) */
#define FOLDER_NAMES_MAX (1u << 24)

struct dir {
	struct vfs base;
	int fd;      /* of the folder */
	int lock_fd; /* the same folder, opened again to be locked; or -1 */
};

struct dir_file {
	struct vfs_file base;
	int fd;
	char path[]; /* for messages */
};

static struct dir *
dir_of(struct vfs *v)
{
	return (struct dir *)v;
}

static struct dir_file *
file_of(struct vfs_file *f)
{
	return (struct dir_file *)f;
}

/* A path through a file is a path to something missing. */
static int
fail_errno(struct ops_err *err, const char *what)
{
	if (errno == ENOTDIR)
		errno = ENOENT;
	return ops_fail_errno(err, "%s", what);
}

/*
 * Walk to the folder that holds the last name of path, following no symbolic
 * link: whoever can write somewhere in the store must not lead its readers
 * out of it.  Returns a descriptor that the caller closes, and that name.
 */
static int
walk(struct dir *d, const char *path, const char **last, struct ops_err *err)
{
	int at = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);

	if (at < 0)
		return ops_fail_errno(err, "dup");
	for (;;) {
		const char *slash = strchrnul(path, '/');
		size_t n = (size_t)(slash - path);
		char name[NAME_MAX + 1];
		int next;

		if (n == 0 || n > NAME_MAX || strncmp(path, ".", n) == 0 ||
		    (n == 2 && strncmp(path, "..", n) == 0)) {
			close(at);
			return ops_fail(err, OPS_EUSAGE, "not a store path");
		}
		if (*slash == '\0') {
			*last = path;
			return at;
		}
		memcpy(name, path, n);
		name[n] = '\0';
		next = openat(
		    at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			fail_errno(err, "open");
		close(at);
		if (next < 0)
			return -1;
		at = next;
		path = slash + 1;
	}
}

static int
open_flags(unsigned flags)
{
	/* O_NONBLOCK: a fifo in the place of a file must not hang anyone. */
	int f = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;

	f |= (flags & VFS_WRITE) ? O_RDWR : O_RDONLY;
	if (flags & VFS_CREATE)
		f |= O_CREAT;
	if (flags & VFS_EXCL)
		f |= O_EXCL;
	return f;
}

static int
check_regular(int fd, struct ops_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ops_fail_errno(err, "fstat");
	if (!S_ISREG(st.st_mode))
		return ops_fail(err, OPS_EFORMAT, "not a regular file");
	return 0;
}

static int
dir_open(struct vfs *v, const char *path, unsigned flags, struct vfs_file **ret,
    struct ops_err *err)
{
	size_t n = strlen(path) + 1;
	struct dir_file *f;
	const char *name;
	int at, fd;

	at = walk(dir_of(v), path, &name, err);
	if (at < 0)
		return -1;
	fd = openat(at, name, open_flags(flags), 0600);
	if (fd < 0)
		fail_errno(err, "open");
	close(at);
	if (fd < 0)
		return -1;
	f = NULL;
	if (check_regular(fd, err) == 0) {
		f = malloc(sizeof(*f) + n);
		if (f == NULL)
			ops_fail(err, OPS_ENOMEM, "no memory");
	}
	if (f == NULL) {
		close(fd);
		return -1;
	}
	f->base.vfs = v;
	f->fd = fd;
	memcpy(f->path, path, n);
	*ret = &f->base;
	return 0;
}

static void
dir_close(struct vfs_file *f)
{
	close(file_of(f)->fd);
	free(f);
}

static ssize_t
dir_pread(
    struct vfs_file *vf, void *p, size_t n, uint64_t off, struct ops_err *err)
{
	struct dir_file *f = file_of(vf);
	uint8_t *to = p;
	size_t done = 0;

	if (n > IO_MAX || off > (uint64_t)INT64_MAX - n)
		return ops_fail(
		    err, OPS_EUSAGE, "%s: read out of range", f->path);
	while (done < n) {
		ssize_t got =
		    pread(f->fd, to + done, n - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ops_fail_errno(err, "%s: read at %llu", f->path,
			    (unsigned long long)off);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int
dir_pwrite(struct vfs_file *vf, const void *p, size_t n, uint64_t off,
    struct ops_err *err)
{
	struct dir_file *f = file_of(vf);
	const uint8_t *from = p;
	size_t done = 0;

	if (n > IO_MAX || off > (uint64_t)INT64_MAX - n)
		return ops_fail(
		    err, OPS_EUSAGE, "%s: write out of range", f->path);
	while (done < n) {
		ssize_t put =
		    pwrite(f->fd, from + done, n - done, (off_t)(off + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return ops_fail_errno(err, "%s: write at %llu", f->path,
			    (unsigned long long)off);
		done += (size_t)put;
	}
	return 0;
}

static int
dir_sync(struct vfs_file *f, struct ops_err *err)
{
	if (fdatasync(file_of(f)->fd) < 0)
		return ops_fail_errno(err, "%s: fdatasync", file_of(f)->path);
	return 0;
}

static int
dir_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err)
{
	if (len > (uint64_t)INT64_MAX)
		return ops_fail(err, OPS_EUSAGE, "%s: truncate out of range",
		    file_of(f)->path);
	if (ftruncate(file_of(f)->fd, (off_t)len) < 0)
		return ops_fail_errno(err, "%s: truncate", file_of(f)->path);
	return 0;
}

static int
dir_size(struct vfs_file *f, uint64_t *ret, struct ops_err *err)
{
	struct stat st;

	if (fstat(file_of(f)->fd, &st) < 0)
		return ops_fail_errno(err, "%s: fstat", file_of(f)->path);
	*ret = (uint64_t)st.st_size;
	return 0;
}

static int
dir_rename(struct vfs *v, const char *from, const char *to, struct ops_err *err)
{
	const char *old_name, *new_name;
	int old_at, new_at, rc;

	old_at = walk(dir_of(v), from, &old_name, err);
	if (old_at < 0)
		return -1;
	new_at = walk(dir_of(v), to, &new_name, err);
	rc = new_at < 0 ? -1 : renameat(old_at, old_name, new_at, new_name);
	if (new_at >= 0 && rc < 0)
		fail_errno(err, "rename");
	close(old_at);
	if (new_at >= 0)
		close(new_at);
	return rc;
}

static int
remove_name(struct vfs *v, const char *path, int flags, struct ops_err *err)
{
	const char *name;
	int at, rc;

	at = walk(dir_of(v), path, &name, err);
	if (at < 0)
		return -1;
	rc = unlinkat(at, name, flags);
	if (rc < 0)
		fail_errno(err, flags ? "rmdir" : "unlink");
	close(at);
	return rc;
}

static int
dir_unlink(struct vfs *v, const char *path, struct ops_err *err)
{
	return remove_name(v, path, 0, err);
}

static int
dir_rmdir(struct vfs *v, const char *path, struct ops_err *err)
{
	return remove_name(v, path, AT_REMOVEDIR, err);
}

static int
dir_mkdir(struct vfs *v, const char *path, struct ops_err *err)
{
	const char *name;
	struct stat st;
	int at, rc;

	at = walk(dir_of(v), path, &name, err);
	if (at < 0)
		return -1;
	rc = mkdirat(at, name, 0700);
	if (rc < 0 && errno == EEXIST) {
		rc = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW);
		if (rc == 0 && !S_ISDIR(st.st_mode)) {
			errno = EEXIST;
			rc = -1;
		}
	}
	if (rc < 0)
		fail_errno(err, "mkdir");
	close(at);
	return rc;
}

/* A real descriptor (not O_PATH) of a folder; "" is the store itself. */
static int
open_folder(struct dir *d, const char *path, struct ops_err *err)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	const char *name = ".";
	int at, fd;

	at = *path == '\0' ? d->fd : walk(d, path, &name, err);
	if (at < 0)
		return -1;
	fd = openat(at, name, flags);
	if (fd < 0)
		fail_errno(err, "open");
	if (at != d->fd)
		close(at);
	return fd;
}

static int
dir_sync_dir(struct vfs *v, const char *path, struct ops_err *err)
{
	int fd = open_folder(dir_of(v), path, err);
	int rc;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	if (rc < 0)
		ops_fail_errno(err, "fsync");
	close(fd);
	return rc;
}

static int
add_name(
    struct vfs_names *names, size_t *cap, const char *name, struct ops_err *err)
{
	char **grown, *copy;

	if (names->n >= FOLDER_NAMES_MAX)
		return ops_fail(err, OPS_EFORMAT, "too many names");
	if (names->n == *cap) {
		*cap = *cap == 0 ? 16 : *cap * 2;
		grown = reallocarray(names->name, *cap, sizeof(*grown));
		if (grown == NULL)
			return ops_fail(err, OPS_ENOMEM, "no memory");
		names->name = grown;
	}
	copy = strdup(name);
	if (copy == NULL)
		return ops_fail(err, OPS_ENOMEM, "no memory");
	names->name[names->n++] = copy;
	return 0;
}

static int
read_names(DIR *dirp, struct vfs_names *names, struct ops_err *err)
{
	size_t cap = 0;

	for (;;) {
		struct dirent *e;

		errno = 0;
		e = readdir(dirp);
		if (e == NULL && errno != 0)
			return ops_fail_errno(err, "readdir");
		if (e == NULL)
			return 0;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (add_name(names, &cap, e->d_name, err) < 0)
			return -1;
	}
}

static int
dir_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	struct vfs_names names = { 0 };
	int fd = open_folder(dir_of(v), path, err);
	DIR *dirp;
	int rc;

	if (fd < 0)
		return -1;
	dirp = fdopendir(fd);
	if (dirp == NULL) {
		ops_fail_errno(err, "fdopendir");
		close(fd);
		return -1;
	}
	rc = read_names(dirp, &names, err);
	closedir(dirp);
	if (rc < 0)
		vfs_names_free(&names);
	else
		*ret = names;
	return rc;
}

/* The folder itself is locked, so that no lock file lies in the store. */
static int
dir_lock(struct vfs *v, struct ops_err *err)
{
	struct dir *d = dir_of(v);
	int fd;

	if (d->lock_fd >= 0)
		return ops_fail(err, OPS_EBUSY, "this store is locked already");
	fd = open_folder(d, "", err);
	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			ops_fail(
			    err, OPS_EBUSY, "another writer has this store");
		else
			ops_fail_errno(err, "flock");
		close(fd);
		return -1;
	}
	d->lock_fd = fd;
	return 0;
}

static int
dir_space(struct vfs *v, uint64_t *ret, struct ops_err *err)
{
	struct statvfs st;

	if (fstatvfs(dir_of(v)->fd, &st) < 0)
		return ops_fail_errno(err, "fstatvfs");
	if (__builtin_mul_overflow(
		(uint64_t)st.f_bavail, (uint64_t)st.f_frsize, ret))
		*ret = UINT64_MAX;
	return 0;
}

static void
dir_free(struct vfs *v)
{
	struct dir *d = dir_of(v);

	if (d->lock_fd >= 0)
		close(d->lock_fd);
	close(d->fd);
	free(d);
}

static const struct vfs_ops dir_ops = {
	.open = dir_open,
	.close = dir_close,
	.pread = dir_pread,
	.pwrite = dir_pwrite,
	.sync = dir_sync,
	.truncate = dir_truncate,
	.size = dir_size,
	.rename = dir_rename,
	.unlink = dir_unlink,
	.mkdir = dir_mkdir,
	.rmdir = dir_rmdir,
	.sync_dir = dir_sync_dir,
	.list = dir_list,
	.lock = dir_lock,
	.space = dir_space,
	.free = dir_free,
};

int
vfs_dir_new(const char *path, struct vfs **ret, struct ops_err *err)
{
	struct dir *d;
	int fd;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	d = malloc(sizeof(*d));
	if (d == NULL) {
		close(fd);
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	}
	d->base.ops = &dir_ops;
	d->fd = fd;
	d->lock_fd = -1;
	*ret = &d->base;
	return 0;
}
