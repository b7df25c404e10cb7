#include "hostfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/io.h"

#define XATTR_NAMES 4096
#define XATTR_VALUE 65536

void
hostfile_free(struct hostfile *f)
{
	free(f->path);
	free(f->real);
	ops_buf_free(&f->bytes);
	*f = (struct hostfile){ 0 };
}

static int
read_real(struct hostfile *f, struct ops_err *err)
{
	struct stat st;

	if (stat(f->real, &st) < 0)
		return ops_fail_errno(err, "%.150s", f->path);
	f->mode = st.st_mode & 07777;
	f->uid = st.st_uid;
	f->gid = st.st_gid;
	return ops_read_file(AT_FDCWD, f->real, 0, &f->bytes, err);
}

int
hostfile_read(
    const char *path, size_t max, struct hostfile *ret, struct ops_err *err)
{
	struct hostfile f = { .bytes = { .max = max } };
	struct stat st;
	int rc = 0;

	f.path = strdup(path);
	if (f.path == NULL)
		return ops_fail(err, OPS_ENOMEM, "%.150s: no memory", path);
	f.real = realpath(path, NULL);
	if (f.real != NULL)
		rc = read_real(&f, err);
	else if (errno != ENOENT)
		rc = ops_fail_errno(err, "%.150s", path);
	else if (lstat(path, &st) == 0)
		rc = ops_fail(err, OPS_EFORMAT,
		    "%.150s: it is a link that leads nowhere", path);
	if (rc < 0) {
		hostfile_free(&f);
		return -1;
	}
	*ret = f;
	return 0;
}

int
hostfile_unchanged(const struct hostfile *f, struct ops_err *err)
{
	struct hostfile now = { 0 };
	bool same;

	if (hostfile_read(f->path, f->bytes.max, &now, err) < 0)
		return -1;
	same = (f->real == NULL) == (now.real == NULL) &&
	       (f->real == NULL || strcmp(f->real, now.real) == 0) &&
	       f->bytes.len == now.bytes.len &&
	       (now.bytes.len == 0 ||
		   memcmp(f->bytes.data, now.bytes.data, now.bytes.len) == 0);
	hostfile_free(&now);
	if (!same)
		return ops_fail(err, OPS_EBUSY,
		    "%.150s was changed meanwhile; nothing was done, try again",
		    f->path);
	return 0;
}

/* -- replacing -- */

/* Where the file is to be, in parts. */
struct place {
	char dir[PATH_MAX];
	char name[NAME_MAX + 1];
	char fresh[NAME_MAX + 32]; /* of the new one */
	int fd;                    /* of dir */
};

static int
place_open(const char *path, struct place *ret, struct ops_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t dir = slash == NULL ? 0 : (size_t)(slash - path);
	int n;

	if (slash == NULL || dir >= sizeof(ret->dir) ||
	    strlen(slash + 1) > NAME_MAX - 16)
		return ops_fail(err, OPS_EUSAGE,
		    "%.150s: it is no path from / on, or a long one", path);
	memcpy(ret->dir, dir > 0 ? path : "/", dir > 0 ? dir : 1);
	ret->dir[dir > 0 ? dir : 1] = '\0';
	memcpy(ret->name, slash + 1, strlen(slash + 1) + 1);
	n = snprintf(
	    ret->fresh, sizeof(ret->fresh), ".%s.opseal-new", ret->name);
	if (n < 0 || (size_t)n >= sizeof(ret->fresh))
		return ops_fail(err, OPS_EUSAGE, "%.150s: a long name", path);
	ret->fd = open(ret->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0)
		return ops_fail_errno(err, "%.150s", ret->dir);
	return 0;
}

/* An ACL must come along, as it says who may read; of the others what can. */
static int
copy_xattr(int from, int to, const char *name, struct ops_err *err)
{
	void *value = malloc(XATTR_VALUE);
	ssize_t n;
	int rc = 0;

	if (value == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", name);
	n = fgetxattr(from, name, value, XATTR_VALUE);
	if ((n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0) &&
	    strncmp(name, "system.posix_acl", 16) == 0)
		rc = ops_fail_errno(err, "%s can't be kept", name);
	free(value);
	return rc;
}

static int
copy_xattrs(const char *from, int to, struct ops_err *err)
{
	char names[XATTR_NAMES];
	int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	ssize_t n;

	if (fd < 0)
		return ops_fail_errno(err, "open");
	n = flistxattr(fd, names, sizeof(names));
	if (n < 0 && errno == ERANGE)
		rc = ops_fail_errno(err, "its extended attributes");
	for (const char *p = names; rc == 0 && n > 0 && p < names + n;
	     p += strlen(p) + 1)
		rc = copy_xattr(fd, to, p, err);
	(void)close(fd);
	return rc;
}

static int
fill(int fd, const struct hostfile *f, const void *p, size_t n, mode_t new_mode,
    struct ops_err *err)
{
	bool old = f->real != NULL;

	if (ops_write_full(fd, p, n, err) < 0)
		return -1;
	if (fchown(fd, old ? f->uid : 0, old ? f->gid : 0) < 0)
		return ops_fail_errno(err, "its owner can't be kept");
	if (fchmod(fd, old ? f->mode : new_mode) < 0)
		return ops_fail_errno(err, "its mode can't be kept");
	if (old && copy_xattrs(f->real, fd, err) < 0)
		return -1;
	if (fsync(fd) < 0)
		return ops_fail_errno(err, "sync");
	return 0;
}

static int
replace_in(const struct place *at, const struct hostfile *f, const void *p,
    size_t n, mode_t new_mode, struct ops_err *err)
{
	int fd, rc;

	(void)unlinkat(at->fd, at->fresh, 0);
	fd = openat(at->fd, at->fresh,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ops_fail_errno(
		    err, "a new file can't be made in %.100s", at->dir);
	rc = fill(fd, f, p, n, new_mode, err);
	if (close(fd) < 0 && rc == 0)
		rc = ops_fail_errno(err, "close");
	if (rc == 0 && renameat(at->fd, at->fresh, at->fd, at->name) < 0)
		rc = ops_fail_errno(err, "it can't be replaced");
	if (rc < 0) {
		(void)unlinkat(at->fd, at->fresh, 0);
		return -1;
	}
	if (fsync(at->fd) < 0)
		return ops_fail_errno(err, "sync of %.100s", at->dir);
	return 0;
}

int
hostfile_replace(const struct hostfile *f, const void *p, size_t n,
    mode_t new_mode, struct ops_err *err)
{
	struct place at;
	int rc;

	if (place_open(f->real != NULL ? f->real : f->path, &at, err) < 0)
		return -1;
	rc = replace_in(&at, f, p, n, new_mode, err);
	(void)close(at.fd);
	return rc < 0 ? ops_context(err, "%.100s", f->path) : 0;
}

int
hostfile_remove(const struct hostfile *f, struct ops_err *err)
{
	struct place at;
	int rc = 0;

	if (place_open(f->real != NULL ? f->real : f->path, &at, err) < 0)
		return -1;
	if (unlinkat(at.fd, at.name, 0) < 0 && errno != ENOENT)
		rc =
		    ops_fail_errno(err, "%.150s: it can't be removed", f->path);
	else if (fsync(at.fd) < 0)
		rc = ops_fail_errno(err, "%.100s: sync of its folder", f->path);
	(void)close(at.fd);
	return rc;
}

void
hostfile_clean(const char *path)
{
	char *real = realpath(path, NULL);
	struct place at;
	struct ops_err err = { 0 };

	if (place_open(real != NULL ? real : path, &at, &err) == 0) {
		(void)unlinkat(at.fd, at.fresh, 0);
		(void)close(at.fd);
	}
	free(real);
}
