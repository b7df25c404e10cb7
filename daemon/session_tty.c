#include "session_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#define PTS_MAJOR 136 /* of all terminals in any devpts */

/* The kernel's name of a device that is no pty, "tty1". */
static int
device_name(dev_t dev, char out[static SESSION_TTY_NAME])
{
	char link[64], target[PATH_MAX];
	const char *name;
	ssize_t len;
	int n;

	(void)snprintf(
	    link, sizeof(link), "/sys/dev/char/%u:%u", major(dev), minor(dev));
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return -1;
	target[len] = '\0';
	name = strrchr(target, '/');
	n = snprintf(
	    out, SESSION_TTY_NAME, "%s", name != NULL ? name + 1 : target);
	return n > 0 && n < SESSION_TTY_NAME ? 0 : -1;
}

/*
 * From its number, and never from a path: which path a descriptor has is up to
 * its owner, who may have a mount namespace.  A devpts that isn't this
 * machine's has the same numbers, so that is said.  fs 0: it isn't known which
 * one it is in.
 */
static void
tty_name(dev_t fs, dev_t dev, char out[static SESSION_TTY_NAME])
{
	const char *where = "";
	struct stat ours;

	if (major(dev) == PTS_MAJOR) {
		if (fs == 0)
			where = " as /dev/tty";
		else if (stat("/dev/pts", &ours) == 0 && ours.st_dev != fs)
			where = " of another devpts";
		(void)snprintf(
		    out, SESSION_TTY_NAME, "pts/%u%s", minor(dev), where);
	} else if (device_name(dev, out) < 0) {
		(void)snprintf(out, SESSION_TTY_NAME, "device %u:%u",
		    major(dev), minor(dev));
	}
}

static int
check_outer(int fd, struct stat *st, struct session_tty *t, struct ops_err *err)
{
	struct winsize size;
	unsigned number;
	int flags = fcntl(fd, F_GETFL);

	if (fstat(fd, st) < 0 || !S_ISCHR(st->st_mode) || !isatty(fd))
		return ops_fail(
		    err, OPS_EUSAGE, "the outer descriptor is no terminal");
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || (flags & O_PATH))
		return ops_fail(err, OPS_EUSAGE,
		    "the terminal is not open for reading and writing");
	if (ioctl(fd, TIOCGPTN, &number) == 0)
		return ops_fail(
		    err, OPS_EUSAGE, "the outer descriptor is a pty master");
	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return ops_fail_errno(err, "terminal size");
	/* /dev/tty is any terminal, also the inner one: then only the number
	 * says which, and nothing which devpts it is in. */
	if (ioctl(fd, TIOCGDEV, &number) == 0 && number != st->st_rdev) {
		st->st_rdev = number;
		st->st_dev = 0;
	}
	t->cols = size.ws_col;
	t->rows = size.ws_row;
	tty_name(st->st_dev, st->st_rdev, t->outer);
	return 0;
}

/*
 * The slave is looked at through O_PATH: that neither needs it to be unlocked
 * nor counts as an opening, whose end would hang up the master.
 */
static int
open_slave(int master, struct ops_err *err)
{
	unsigned number;
	int flags = fcntl(master, F_GETFL), fd;

	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR ||
	    ioctl(master, TIOCGPTN, &number) < 0)
		return ops_fail(
		    err, OPS_EUSAGE, "the inner descriptor is no pty master");
	fd = ioctl(master, TIOCGPTPEER, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return ops_fail_errno(err, "inner terminal");
	return fd;
}

/* As the kernel has it: proc(5) and stat(2) each have their own. */
static uint32_t
device(dev_t d)
{
	return major(d) << 20 | minor(d);
}

static int
check_inner(int slave, const struct stat *outer, uid_t uid,
    struct session_tty *t, struct ops_err *err)
{
	struct stat st;

	if (fstat(slave, &st) < 0)
		return ops_fail_errno(err, "inner terminal");
	if (st.st_uid != uid)
		return ops_fail(err, OPS_EPERM,
		    "the inner terminal belongs to uid %u, not %u",
		    (unsigned)st.st_uid, (unsigned)uid);
	if ((outer->st_dev == 0 || st.st_dev == outer->st_dev) &&
	    st.st_rdev == outer->st_rdev)
		return ops_fail(err, OPS_EUSAGE,
		    "the outer terminal is the inner one itself");
	tty_name(st.st_dev, st.st_rdev, t->inner);
	t->inner_fs = device(st.st_dev);
	t->inner_dev = device(st.st_rdev);
	return 0;
}

int
session_tty_check(int outer, int master, uid_t uid, struct session_tty *ret,
    struct ops_err *err)
{
	struct session_tty t = { 0 };
	struct stat st;
	int slave, rc;

	if (check_outer(outer, &st, &t, err) < 0)
		return -1;
	slave = open_slave(master, err);
	if (slave < 0)
		return -1;
	rc = check_inner(slave, &st, uid, &t, err);
	close(slave);
	if (rc == 0)
		*ret = t;
	return rc;
}
