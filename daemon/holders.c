#include "holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/procstat.h"
#include "procid.h"

#define CONSOLE_MAJOR 4
#define ALIAS_MAJOR 5
#define PIDFD_OF_THREAD O_EXCL /* Linux 6.9 */
#define ALIAS_PTMX 2           /* a master, which is no terminal to write on */

/* Names that stand for another terminal: /dev/tty, console, tty0. */
static bool
is_alias(unsigned major, unsigned minor)
{
	return (major == ALIAS_MAJOR && minor != ALIAS_PTMX) ||
	       (major == CONSOLE_MAJOR && minor == 0);
}

/* The terminal behind such a name is known to the descriptor alone. */
static bool
resolve(pid_t pid, pid_t tid, const char *number, struct holding *h)
{
	int pidfd, fd, n;
	unsigned dev;
	bool ok = false;

	if (!procstat_entry(number, &n))
		return false;
	pidfd =
	    (int)syscall(SYS_pidfd_open, tid, tid == pid ? 0 : PIDFD_OF_THREAD);
	if (pidfd < 0)
		return false;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, n, 0);
	if (fd >= 0) {
		ok = ioctl(fd, TIOCGDEV, &dev) == 0;
		close(fd);
	}
	close(pidfd);
	if (ok)
		*h = (struct holding){ pid, 0, dev };
	return ok;
}

/* What is behind a descriptor is somebody else's file: it must be looked at
 * without a question to its file system, which might never answer (FUSE). */
static bool
look_at(int dir, const char *number, pid_t pid, pid_t tid, struct holding *h)
{
	struct statx st;

	if (statx(dir, number, AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0 ||
	    !S_ISCHR(st.stx_mode))
		return false;
	if (is_alias(st.stx_rdev_major, st.stx_rdev_minor))
		return resolve(pid, tid, number, h);
	*h = (struct holding){ pid, makedev(st.stx_dev_major, st.stx_dev_minor),
		makedev(st.stx_rdev_major, st.stx_rdev_minor) };
	return true;
}

/* Is it the process that isn't for us to see?  A file system may refuse its own
 * files alone. */
static bool
is_closed(int dir, const char *number)
{
	char c;

	return readlinkat(dir, number, &c, 1) < 0 && errno == EACCES;
}

static void
look_into(int proc, const char *folder, pid_t pid, pid_t tid,
    void (*found)(void *arg, const struct holding *h), void *arg)
{
	struct holding h;
	struct dirent *e;
	DIR *d;
	int fd;

	fd = openat(proc, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return; /* it ended, or isn't for us to see */
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		errno = 0;
		if (look_at(fd, e->d_name, pid, tid, &h))
			found(arg, &h);
		else if (errno == EACCES && is_closed(fd, e->d_name))
			break;
	}
	closedir(d);
}

/* A thread may have descriptors of its own (unshare(CLONE_FILES)), and the
 * first one may be gone.  Those that share are not looked at again. */
static void
look_at_threads(int proc, pid_t pid,
    void (*found)(void *arg, const struct holding *h), void *arg)
{
	char path[64];
	struct dirent *e;
	struct stat st;
	DIR *d;
	int fd;

	(void)snprintf(path, sizeof(path), "%d/task", (int)pid);
	/* A folder a thread, and "." and "..": most processes have just one. */
	if (fstatat(proc, path, &st, 0) < 0 || st.st_nlink <= 3)
		return;
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		int tid;

		if (!procstat_entry(e->d_name, &tid) || tid == pid ||
		    syscall(SYS_kcmp, pid, tid, KCMP_FILES, 0, 0) == 0)
			continue;
		(void)snprintf(
		    path, sizeof(path), "%d/task/%d/fd", (int)pid, tid);
		look_into(proc, path, pid, tid, found, arg);
	}
	closedir(d);
}

int
holders_look(void (*found)(void *arg, const struct holding *h), void *arg,
    struct ops_err *err)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	if (proc == NULL)
		return ops_fail_errno(err, "/proc");
	while ((e = readdir(proc)) != NULL) {
		char path[32];
		int pid;

		if (!procstat_entry(e->d_name, &pid))
			continue;
		(void)snprintf(path, sizeof(path), "%d/fd", pid);
		look_into(dirfd(proc), path, pid, pid, found, arg);
		look_at_threads(dirfd(proc), pid, found, arg);
	}
	closedir(proc);
	return 0;
}

static ssize_t
program_of(pid_t pid, char out[static PATH_MAX])
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, out, PATH_MAX);
}

bool
holders_same_program(pid_t child, pid_t parent)
{
	char a[PATH_MAX], b[PATH_MAX];
	struct procid_name who;
	ssize_t n;

	if (procid_name(child, &who, NULL) < 0 || who.parent != parent)
		return false;
	n = program_of(child, a);
	return n > 0 && program_of(parent, b) == n &&
	       memcmp(a, b, (size_t)n) == 0;
}
