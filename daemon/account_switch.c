#include "account_switch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account_file.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "logline.h"

#define NEXT "next" /* a file before it has its number */
/* The kernel pauses below 2 % of space and goes on at 4; it looks every 30 s. */
#define TIGHT_PERCENT 5
#define TIGHT_FOR UINT64_C(40000000000) /* ns */

/* Where the packages of the distributions keep it. */
static const char *const usual[] = { "/var/log/account/pacct",
	"/var/account/pacct", "/var/log/pacct", "/var/adm/pacct" };

/* -- does it grow? -- */

/* A process ends: its record is written before we hear of it. */
static bool
end_a_process(void)
{
	pid_t pid = fork(), got;

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return false;
	do
		got = waitpid(pid, NULL, 0);
	while (got < 0 && errno == EINTR);
	return got == pid;
}

static off_t
size_of(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : -1;
}

/* Whose file the accounting goes into. */
enum whose { OURS, NOT_OURS, UNKNOWN };

static bool
is_tight(int fd)
{
	struct statvfs fs;

	return fstatvfs(fd, &fs) < 0 ||
	       fs.f_bavail < fs.f_blocks * TIGHT_PERCENT / 100;
}

/* Nothing is written while it is paused for want of space, nor is a process
 * made where there is no room for one: that says nothing of whose it is. */
static enum whose
whose(const struct account_switch *a)
{
	off_t before = size_of(a->fd);

	if (before < 0 || !end_a_process())
		return UNKNOWN;
	if (size_of(a->fd) > before)
		return OURS;
	if (a->tight > ops_boottime() || is_tight(a->fd))
		return UNKNOWN;
	return NOT_OURS;
}

/* Another's file that it goes into; NULL: none that we know of. */
static const char *
others(void)
{
	off_t before[OPS_ARRAY_LEN(usual)];
	struct stat st;

	for (size_t i = 0; i < OPS_ARRAY_LEN(usual); i++)
		before[i] = stat(usual[i], &st) == 0 ? st.st_size : -1;
	if (!end_a_process())
		return NULL;
	for (size_t i = 0; i < OPS_ARRAY_LEN(usual); i++)
		if (before[i] >= 0 && stat(usual[i], &st) == 0 &&
		    st.st_size > before[i])
			return usual[i];
	return NULL;
}

/* -- files; as the user that owns them -- */

static void
put_state(const struct account_switch *a, const char *text)
{
	int fd;

	if (a->dir < 0 || drop_act_as(a->user, NULL) < 0)
		return;
	fd = openat(a->dir, ACCOUNT_STATE,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		(void)ops_write_full(fd, text, strlen(text), NULL);
		close(fd);
	}
	drop_act_back(a->user);
}

static int
open_dir(struct account_switch *a, struct ops_err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" ACCOUNT_DIR, a->run);
	uint64_t lowest;

	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "RUN: too long");
	if (drop_act_as(a->user, err) < 0)
		return -1;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		ops_fail_errno(err, "%s", path);
	else
		a->dir =
		    open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (a->dir >= 0)
		account_numbers(a->dir, &lowest, &a->number);
	drop_act_back(a->user);
	return a->dir >= 0 ? 0 : ops_fail_errno(err, "%s", path);
}

static int
make_file(struct account_switch *a, struct ops_err *err)
{
	int fd;

	if (drop_act_as(a->user, err) < 0)
		return -1;
	fd = openat(a->dir, NEXT,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		ops_fail_errno(err, "%s/" ACCOUNT_DIR "/" NEXT, a->run);
	drop_act_back(a->user);
	return fd;
}

/* Only now, when nothing comes into the one before: the name says so. */
static int
name_file(struct account_switch *a, struct ops_err *err)
{
	char name[ACCOUNT_NAME_LEN + 1];
	int rc;

	if (drop_act_as(a->user, err) < 0)
		return -1;
	account_name(a->number + 1, name);
	rc = renameat(a->dir, NEXT, a->dir, name);
	if (rc < 0)
		ops_fail_errno(err, "%s/" ACCOUNT_DIR "/%s", a->run, name);
	drop_act_back(a->user);
	if (rc == 0)
		a->number++;
	return rc;
}

static void
drop_next(const struct account_switch *a)
{
	if (drop_act_as(a->user, NULL) < 0)
		return;
	(void)unlinkat(a->dir, NEXT, 0);
	drop_act_back(a->user);
}

/* -- the switch -- */

/* The file is opened with the file rights of its owner, who alone can be sure
 * to be let into the folder; CAP_SYS_PACCT stays. */
static int
call_acct(const struct account_switch *a, const char *path, struct ops_err *err)
{
	int rc, error;

	if (a->user->change) {
		(void)setfsgid(a->user->gid);
		(void)setfsuid(a->user->uid);
	}
	rc = acct(path);
	error = errno;
	if (a->user->change) {
		(void)setfsuid(0);
		(void)setfsgid(0);
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	}
	errno = error;
	if (rc == 0)
		return 0;
	if (errno == EPERM)
		return ops_fail(
		    err, OPS_EUNAVAIL, "accounting takes CAP_SYS_PACCT (root)");
	if (errno == ENOSYS)
		return ops_fail(err, OPS_EUNAVAIL,
		    "this kernel has no accounting "
		    "(CONFIG_BSD_PROCESS_ACCT)");
	return ops_fail_errno(err, "acct(2)");
}

/* Nothing is lost between: the kernel changes files under a lock.  It opens the
 * very file that we have open: another could be by its name now. */
static int
switch_file(struct account_switch *a, struct ops_err *err)
{
	char path[32];
	int fd = make_file(a, err);

	if (fd < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (call_acct(a, path, err) < 0) {
		close(fd);
		drop_next(a);
		return -1;
	}
	if (a->fd >= 0)
		close(a->fd);
	a->fd = fd;
	a->on = true;
	return name_file(a, err);
}

static void
say_off(struct account_switch *a, const char *why)
{
	char text[ACCOUNT_STATE_MAX];

	a->on = false;
	(void)snprintf(text, sizeof(text), "off: %.180s", why);
	put_state(a, text);
	logline("accounting is %s", text);
}

void
account_switch_on(
    struct account_switch *a, const char *run, const struct drop_user *user)
{
	const char *other = others();
	char why[ACCOUNT_STATE_MAX];
	struct ops_err err = { 0 };

	a->run = run;
	a->user = user;
	if (open_dir(a, &err) < 0) {
		logline("accounting is off: %s", err.msg);
		return;
	}
	/* Of a daemon that was killed when it had just switched. */
	(void)name_file(a, NULL);
	if (other != NULL) {
		(void)snprintf(why, sizeof(why),
		    "somebody else has it, into %s; stop that first (accton "
		    "off, or its service)",
		    other);
		say_off(a, why);
		return;
	}
	if (switch_file(a, &err) < 0) {
		say_off(a, err.msg);
		return;
	}
	put_state(a, "on");
	logline("the kernel's accounting goes into %s/" ACCOUNT_DIR
		" now, and into no other file",
	    run);
}

static bool
one_is_left(const struct account_switch *a)
{
	uint64_t lowest, highest;

	account_numbers(a->dir, &lowest, &highest);
	return lowest == highest;
}

void
account_switch_look(struct account_switch *a)
{
	off_t size = size_of(a->fd);
	struct ops_err err = { 0 };
	enum whose who;

	if (!a->on)
		return;
	if (is_tight(a->fd))
		a->tight = ops_boottime() + TIGHT_FOR;
	if (size < ACCOUNT_FILE_FULL)
		return;
	who = whose(a);
	if (who == NOT_OURS) {
		say_off(a, "it goes into our file no more: somebody else has "
			   "it");
	} else if (size > ACCOUNT_FILE_MAX) {
		account_switch_off(a);
		say_off(a, "nobody reads it");
	} else if (who == OURS && one_is_left(a) && switch_file(a, &err) < 0) {
		logline("accounting: %s", err.msg);
	}
}

void
account_switch_off(struct account_switch *a)
{
	struct ops_err err = { 0 };
	int fd;

	if (!a->on)
		return;
	a->on = false;
	if (whose(a) != NOT_OURS && call_acct(a, NULL, &err) < 0)
		logline("accounting: %s", err.msg);
	put_state(a, "off: the daemon has ended");
	/* An empty one behind it: what is there is complete. */
	fd = make_file(a, &err);
	if (fd < 0 || name_file(a, &err) < 0)
		logline("accounting: %s", err.msg);
	if (fd >= 0)
		close(fd);
}

/* The newest file that a daemon left that was killed; -1: none. */
static int
open_newest(struct account_switch *a)
{
	char name[ACCOUNT_NAME_LEN + 1];
	int fd;

	if (a->number == 0 || drop_act_as(a->user, NULL) < 0)
		return -1;
	account_name(a->number, name);
	fd = openat(
	    a->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	drop_act_back(a->user);
	return fd;
}

bool
account_switch_left(const char *run)
{
	char path[PATH_MAX];
	struct stat st;
	int n = snprintf(path, sizeof(path), "%s/" ACCOUNT_DIR, run);

	return n > 0 && (size_t)n < sizeof(path) && lstat(path, &st) == 0;
}

void
account_switch_end_left(const char *run, const struct drop_user *user)
{
	struct account_switch a = {
		.run = run, .user = user, .dir = -1, .fd = -1
	};
	struct ops_err err = { 0 };
	enum whose who = NOT_OURS;

	if (open_dir(&a, &err) < 0) {
		logline("accounting: %s", err.msg);
		return;
	}
	/* Of a daemon that was killed when it had just switched. */
	(void)name_file(&a, NULL);
	a.fd = open_newest(&a);
	if (a.fd >= 0)
		who = whose(&a);
	if (who == UNKNOWN)
		logline("accounting may still go into %s/" ACCOUNT_DIR
			", of a daemon that was killed: that can't be seen "
			"now",
		    run);
	else if (who == OURS && call_acct(&a, NULL, &err) < 0)
		logline("accounting: %s", err.msg);
	else if (who == OURS)
		logline("accounting is off now: a daemon that was killed had "
			"left it on, into %s/" ACCOUNT_DIR,
		    run);
	if (a.fd >= 0)
		close(a.fd);
	close(a.dir);
}

/* One that has never been written to; what is in others may be unread. */
static void
unlink_empty(const struct account_switch *a, const char *name)
{
	struct stat st;

	if (fstatat(a->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size == 0)
		(void)unlinkat(a->dir, name, 0);
}

void
account_switch_close(struct account_switch *a)
{
	char name[ACCOUNT_NAME_LEN + 1], path[PATH_MAX];

	if (a->fd >= 0)
		close(a->fd);
	if (a->dir < 0)
		return;
	(void)snprintf(path, sizeof(path), "%s/" ACCOUNT_DIR, a->run);
	if (drop_act_as(a->user, NULL) == 0) {
		if (one_is_left(a)) {
			account_name(a->number, name);
			unlink_empty(a, name);
		}
		(void)unlinkat(a->dir, ACCOUNT_STATE, 0);
		unlink_empty(a, NEXT);
		(void)rmdir(path); /* stays where there is more to read */
		drop_act_back(a->user);
	}
	close(a->dir);
	a->dir = a->fd = -1;
}
