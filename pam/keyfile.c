#include "keyfile.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "record/sshkey.h"

/* Regular files only, and no wait for whoever would be behind another. */
static int
open_file(const char *path, struct stat *st, struct ops_err *err)
{
	int fd = open(
	    path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	if (fstat(fd, st) < 0) {
		ops_fail_errno(err, "%s", path);
	} else if (!S_ISREG(st->st_mode)) {
		ops_fail(err, OPS_EFORMAT, "%s: not a regular file", path);
	} else {
		return fd;
	}
	close(fd);
	return -1;
}

static int
read_all(int fd, const struct stat *st, const char *path, struct ops_buf *out,
    struct ops_err *err)
{
	uint8_t *to;
	ssize_t n;

	if (st->st_size < 0 || (uint64_t)st->st_size > out->max - out->len)
		return ops_fail(err, OPS_EFORMAT, "%s: more than %zu bytes",
		    path, out->max);
	to = ops_buf_reserve(out, (size_t)st->st_size + 1);
	if (to == NULL)
		return ops_fail(err, OPS_ENOMEM, "%s: no memory", path);
	n = ops_read_full(fd, to, (size_t)st->st_size, err);
	if (n < 0)
		return ops_context(err, "%s", path);
	out->len += (size_t)n;
	return 0;
}

int
keyfile_read_own(const char *path, struct ops_buf *out, struct ops_err *err)
{
	struct stat st;
	int fd = open_file(path, &st, err), rc;

	if (fd < 0)
		return -1;
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		rc = ops_fail(err, OPS_EPERM,
		    "%s: others than root can write it (chown root, chmod "
		    "0644)",
		    path);
	else
		rc = read_all(fd, &st, path, out, err);
	close(fd);
	return rc;
}

static bool
find_in(const struct passwd *pw, const char *name, struct event_text key,
    char out[static EVENT_TEXT_MAX + 1])
{
	struct ops_buf b = { .max = SSHKEY_FILE_MAX + 1 };
	struct event_text comment;
	char path[PATH_MAX];
	bool found = false;
	struct stat st;
	int fd, n;

	n = snprintf(path, sizeof(path), "%s/.ssh/%s", pw->pw_dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	fd = open_file(path, &st, NULL);
	if (fd < 0)
		return false;
	if (st.st_size <= SSHKEY_FILE_MAX &&
	    read_all(fd, &st, path, &b, NULL) == 0 &&
	    sshkey_comment((const char *)b.data, b.len, key, &comment)) {
		size_t len =
		    comment.n < EVENT_TEXT_MAX ? comment.n : EVENT_TEXT_MAX;

		memcpy(out, comment.p, len);
		out[len] = '\0';
		found = true;
	}
	close(fd);
	ops_buf_free(&b);
	return found;
}

/*
 * setfsuid(2) is of one thread, where seteuid(3) is of all: the process isn't
 * ours.  It takes the capabilities that pass file rights with it.  What root's
 * groups may read besides is no secret here: a line that holds this very key.
 */
void
keyfile_comment(const struct passwd *pw, struct event_text key,
    char out[static EVENT_TEXT_MAX + 1])
{
	int gid, uid;

	out[0] = '\0';
	gid = setfsgid(pw->pw_gid);
	uid = setfsuid(pw->pw_uid);
	/* These never say that they failed; asking again does. */
	if ((uid_t)setfsuid(pw->pw_uid) == pw->pw_uid &&
	    !find_in(pw, "authorized_keys", key, out))
		(void)find_in(pw, "authorized_keys2", key, out);
	(void)setfsuid((uid_t)uid);
	(void)setfsgid((gid_t)gid);
}
