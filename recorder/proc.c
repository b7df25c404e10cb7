#include "proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANCESTORS_MAX 64

/* Linux 6.13 and 6.15; newer than the headers we build with. */
struct pidfd_info_v0 {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t pid, tgid, ppid;
	uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_GET_INFO_V0 _IOWR(0xff, 11, struct pidfd_info_v0)
#define PIDFD_INFO_EXIT_BIT (UINT64_C(1) << 3)

static ssize_t
read_file(const char *path, char *buf, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, buf, n - 1);
	close(fd);
	if (got < 0)
		return -1;
	buf[got] = '\0';
	return got;
}

int
proc_stat(pid_t pid, struct proc_stat *ret)
{
	char path[64], buf[1024], *p;
	struct proc_stat st = { 0 };
	int ppid;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;
	/* The name in parentheses may hold anything, also parentheses. */
	p = strrchr(buf, ')');
	if (p == NULL ||
	    sscanf(p,
		") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
		"%*d %*d %*d %*d %*d %*d %" SCNu64,
		&st.state, &ppid, &st.start) != 3)
		return -1;
	st.ppid = ppid;
	*ret = st;
	return 0;
}

pid_t
proc_of_pidfd(int pidfd)
{
	char path[64], buf[1024], *p;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (read_file(path, buf, sizeof(buf)) < 0)
		return -1;
	p = strstr(buf, "\nPid:");
	if (p == NULL || sscanf(p, "\nPid: %d", &pid) != 1 || pid <= 0)
		return -1;
	return pid;
}

int
proc_exit_status(int pidfd, uint32_t *status)
{
	struct pidfd_info_v0 info = { .mask = PIDFD_INFO_EXIT_BIT };

	if (ioctl(pidfd, PIDFD_GET_INFO_V0, &info) < 0)
		return errno == ESRCH ? 0 : -1;
	if ((info.mask & PIDFD_INFO_EXIT_BIT) == 0)
		return 0;
	*status = (uint32_t)info.exit_code;
	return 1;
}

/* Does the process have this character device open? */
static bool
holds(int fds, dev_t dev)
{
	DIR *d = fdopendir(fds);
	struct dirent *e;
	struct stat st;
	bool found = false;

	if (d == NULL) {
		close(fds);
		return false;
	}
	while (!found && (e = readdir(d)) != NULL)
		found = e->d_name[0] != '.' &&
			fstatat(dirfd(d), e->d_name, &st, 0) == 0 &&
			S_ISCHR(st.st_mode) && st.st_rdev == dev;
	closedir(d);
	return found;
}

static size_t
ancestors(pid_t pid, pid_t *out, size_t max)
{
	struct proc_stat st;
	size_t n = 0;

	while (n < max && pid > 0) {
		out[n++] = pid;
		if (proc_stat(pid, &st) < 0)
			break;
		pid = st.ppid;
	}
	return n;
}

static bool
among(pid_t pid, const pid_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == pid)
			return true;
	return false;
}

/* The process in /proc called `name`, if it holds dev. */
static bool
holder(DIR *proc, const char *name, dev_t dev, struct proc_holder *h)
{
	char path[64];
	struct stat st;
	ssize_t n;
	int fds;

	snprintf(path, sizeof(path), "%.20s/fd", name);
	fds = openat(dirfd(proc), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0 || !holds(fds, dev))
		return false;
	if (fstatat(dirfd(proc), name, &st, 0) < 0)
		return false;
	h->uid = st.st_uid;
	snprintf(path, sizeof(path), "/proc/%.20s/comm", name);
	n = read_file(path, h->comm, sizeof(h->comm));
	if (n > 0 && h->comm[n - 1] == '\n')
		h->comm[n - 1] = '\0';
	return n >= 0;
}

bool
proc_holders(int fd, pid_t door,
    void (*found)(void *arg, const struct proc_holder *h), void *arg)
{
	pid_t known[ANCESTORS_MAX];
	size_t n = ancestors(door, known, ANCESTORS_MAX - 1);
	struct dirent *e;
	struct stat st;
	DIR *proc;

	/* Where even init's are hidden, so are all that matter. */
	if (fstat(fd, &st) < 0 || access("/proc/1/fd", R_OK | X_OK) < 0)
		return false;
	known[n++] = getpid();
	proc = opendir("/proc");
	if (proc == NULL)
		return false;
	while ((e = readdir(proc)) != NULL) {
		struct proc_holder h = { 0 };
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (pid <= 0 || *end != '\0')
			continue;
		h.pid = (pid_t)pid;
		if (!among(h.pid, known, n) &&
		    holder(proc, e->d_name, st.st_rdev, &h))
			found(arg, &h);
	}
	closedir(proc);
	return true;
}
