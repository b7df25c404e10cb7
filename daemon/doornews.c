#include "doornews.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/doorpolicy.h"
#include "base/io.h"
#include "glass.h"
#include "installed.h"
#include "logline.h"

#define CONFIG OPSEAL_SYSCONFDIR "/opseal.conf"
#define DOOR OPSEAL_SYSCONFDIR "/door"
#define NEW OPSEAL_SYSCONFDIR "/.door.opseald-new"

/* By what the file says, where no name service answers. */
static void
find_group(
    const char *name, const struct doorpolicy *before, struct doorpolicy *next)
{
	struct ops_err err = { 0 };
	gid_t gid;

	if (name[0] == '\0')
		return;
	if (glass_find(name, &gid, &err) == 0) {
		next->gid = gid;
	} else if (before->has_group && strcmp(before->group, name) == 0) {
		logline("%s; it stays %u", err.msg, (unsigned)before->gid);
		next->gid = before->gid;
	} else {
		logline("%s", err.msg);
		return;
	}
	next->has_group = true;
	(void)snprintf(next->group, sizeof(next->group), "%s", name);
}

static int
sync_folder(struct ops_err *err)
{
	int fd = open(OPSEAL_SYSCONFDIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0
		     ? ops_fail_errno(err, OPSEAL_SYSCONFDIR)
		     : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static int
write_file(const struct ops_buf *b, struct ops_err *err)
{
	int fd, rc;

	(void)unlink(NEW);
	fd = open(
	    NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return ops_fail_errno(err, NEW);
	rc = ops_write_full(fd, b->data, b->len, err);
	if (rc == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		rc = ops_fail_errno(err, NEW);
	if (close(fd) < 0 && rc == 0)
		rc = ops_fail_errno(err, NEW);
	if (rc == 0 && rename(NEW, DOOR) < 0)
		rc = ops_fail_errno(err, DOOR);
	if (rc < 0)
		(void)unlink(NEW);
	return rc < 0 ? -1 : sync_folder(err);
}

static void
renew(const struct config *c, const struct offswitch *off)
{
	struct ops_buf is = { .max = DOORPOLICY_MAX };
	struct ops_buf want = { .max = DOORPOLICY_MAX };
	struct doorpolicy before = { 0 }, next = { 0 };
	char by[OFFSWITCH_BY];
	struct ops_err err = { 0 };

	if (ops_read_file(AT_FDCWD, DOOR, 0, &is, NULL) == 0)
		(void)doorpolicy_parse(
		    (const char *)is.data, is.len, &before, NULL);
	next.refuse = c->on_log_failure == ON_FAILURE_REFUSE;
	find_group(c->break_glass, &before, &next);
	if (off == NULL) {
		memcpy(next.off, before.off, sizeof(next.off));
	} else if (off->off) {
		offswitch_by(off, by);
		(void)snprintf(
		    next.off, sizeof(next.off), "by %s: %s", by, off->reason);
	}
	doorpolicy_put(&want, &next);
	if (ops_buf_check(&want, DOOR, &err) == 0 &&
	    (is.len != want.len || memcmp(is.data, want.data, want.len) != 0) &&
	    write_file(&want, &err) < 0)
		logline("%s: the doors go by what was there before", err.msg);
	ops_buf_free(&is);
	ops_buf_free(&want);
}

void
doornews(const struct config_where *where, const struct config *c,
    const struct offswitch *off)
{
	struct stat st;

	if (geteuid() != 0 || strcmp(where->main, CONFIG) != 0 ||
	    stat(OPSEAL_SYSCONFDIR, &st) < 0)
		return;
	renew(c, off);
}
