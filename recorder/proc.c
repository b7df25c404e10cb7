#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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
