#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 16384 /* bytes asked for at a time when the size is unknown */

/* off_t is signed; the kernel refuses what lies beyond it, and so must we. */
static int
check_range(uint64_t offset, size_t n, struct ops_err *err)
{
	if (n > SSIZE_MAX || offset > (uint64_t)INT64_MAX - n)
		return ops_fail(err, OPS_EUSAGE, "offset out of range");
	return 0;
}

/* One read or pread (at == NULL: read), again after a signal. */
static ssize_t
read_some(int fd, void *p, size_t n, const uint64_t *at)
{
	ssize_t got;

	do {
		got = at == NULL ? read(fd, p, n) : pread(fd, p, n, (off_t)*at);
	} while (got < 0 && errno == EINTR);
	return got;
}

static ssize_t
read_all(int fd, uint8_t *p, size_t n, uint64_t *at, struct ops_err *err)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read_some(fd, p + done, n - done, at);

		if (got < 0)
			return ops_fail_errno(err, "read");
		if (got == 0)
			break;
		done += (size_t)got;
		if (at != NULL)
			*at += (size_t)got;
	}
	return (ssize_t)done;
}

static ssize_t
write_some(int fd, const void *p, size_t n, const uint64_t *at)
{
	ssize_t put;

	do {
		put =
		    at == NULL ? write(fd, p, n) : pwrite(fd, p, n, (off_t)*at);
	} while (put < 0 && errno == EINTR);
	return put;
}

static int
write_all(int fd, const uint8_t *p, size_t n, uint64_t *at, struct ops_err *err)
{
	while (n > 0) {
		ssize_t put = write_some(fd, p, n, at);

		if (put < 0)
			return ops_fail_errno(err, "write");
		if (put == 0)
			return ops_fail(err, OPS_EIO, "write: no progress");
		p += put;
		n -= (size_t)put;
		if (at != NULL)
			*at += (size_t)put;
	}
	return 0;
}

ssize_t
ops_read_full(int fd, void *p, size_t n, struct ops_err *err)
{
	if (check_range(0, n, err) < 0)
		return -1;
	return read_all(fd, p, n, NULL, err);
}

ssize_t
ops_pread_full(int fd, void *p, size_t n, uint64_t offset, struct ops_err *err)
{
	if (check_range(offset, n, err) < 0)
		return -1;
	return read_all(fd, p, n, &offset, err);
}

int
ops_write_full(int fd, const void *p, size_t n, struct ops_err *err)
{
	return write_all(fd, p, n, NULL, err);
}

int
ops_pwrite_full(
    int fd, const void *p, size_t n, uint64_t offset, struct ops_err *err)
{
	if (check_range(offset, n, err) < 0)
		return -1;
	return write_all(fd, p, n, &offset, err);
}

/* Is there more to read?  1, 0 or -1. */
static int
has_more(int fd, struct ops_err *err)
{
	uint8_t byte;
	ssize_t got = read_some(fd, &byte, 1, NULL);

	if (got < 0)
		return ops_fail_errno(err, "read");
	return got > 0;
}

/* Files of /proc say they are empty: read until the end, not until st_size. */
static int
append_all(int fd, struct ops_buf *out, struct ops_err *err)
{
	for (;;) {
		size_t room = out->max > out->len ? out->max - out->len : 0;
		size_t want = room < CHUNK ? room : CHUNK;
		uint8_t *to;
		ssize_t got;

		if (want == 0) {
			int more = has_more(fd, err);

			if (more > 0)
				return ops_fail(err, OPS_EFORMAT,
				    "larger than the limit of %zu bytes",
				    out->max);
			return more;
		}
		to = ops_buf_reserve(out, want);
		if (to == NULL)
			return ops_fail(err, OPS_ENOMEM, "out of memory");
		got = read_all(fd, to, want, NULL, err);
		if (got < 0)
			return -1;
		out->len += (size_t)got;
		if ((size_t)got < want)
			return 0;
	}
}

int
ops_read_file(int dirfd, const char *path, unsigned flags, struct ops_buf *out,
    struct ops_err *err)
{
	size_t before = out->len;
	bool failed_before = out->failed;
	struct stat st;
	int fd, rc = -1;

	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	fd = openat(dirfd, path,
	    O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
		((flags & OPS_IO_FOLLOW) != 0 ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return ops_fail_errno(err, "%s: open", path);
	if (fstat(fd, &st) < 0)
		ops_fail_errno(err, "%s: stat", path);
	else if (!S_ISREG(st.st_mode))
		ops_fail(err, OPS_EFORMAT, "%s: not a regular file", path);
	else if (append_all(fd, out, err) < 0)
		ops_context(err, "%s", path);
	else
		rc = 0;
	close(fd);
	if (rc < 0) {
		out->len = before;
		out->failed = failed_before;
	}
	return rc;
}
