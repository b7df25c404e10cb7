#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/procstat.h"

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
	got = read(fd, buf, n);
	close(fd);
	return got;
}

int
proc_stat(pid_t pid, struct procstat *ret)
{
	char path[64], text[PROCSTAT_TEXT_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	n = read_file(path, text, sizeof(text));
	return n < 0 ? -1 : procstat_parse(text, (size_t)n, ret, NULL);
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
