#include "rootfile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

static int
check(const char *path, const struct stat *st, struct ops_buf *out,
    struct ops_err *err)
{
	if (!S_ISREG(st->st_mode) || st->st_uid != 0 ||
	    (st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return ops_fail(
		    err, OPS_EFORMAT, "%s: not a file of root's alone", path);
	if (st->st_size < 0 || (uint64_t)st->st_size > out->max)
		return ops_fail(
		    err, OPS_EFORMAT, "%s: over %zu bytes", path, out->max);
	if (st->st_size > 0 &&
	    ops_buf_reserve(out, (size_t)st->st_size) == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	return 0;
}

int
rootfile_read(const char *path, struct ops_buf *out, struct ops_err *err)
{
	struct stat st;
	int fd = open(
	    path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t n;
	int rc = -1;

	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	if (fstat(fd, &st) < 0)
		ops_fail_errno(err, "%s", path);
	else
		rc = check(path, &st, out, err);
	if (rc == 0 && st.st_size > 0) {
		n = ops_read_full(
		    fd, out->data + out->len, (size_t)st.st_size, err);
		if (n >= 0 && n != st.st_size)
			ops_fail(err, OPS_ETRUNC, "%s: it changes", path);
		rc = n == st.st_size ? 0 : -1;
		if (rc == 0)
			out->len += (size_t)n;
	}
	close(fd);
	return rc;
}
