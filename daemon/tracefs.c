#include "tracefs.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 0: it isn't there, or not for us. */
static uint32_t
number_of(int root, const char *tracepoint)
{
	char path[128], text[16];
	unsigned long number;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "events/%s/id", tracepoint);
	fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	number = strtoul(text, NULL, 10);
	return number > INT32_MAX ? 0 : (uint32_t)number;
}

/* By number: the C library has them only from glibc 2.36 on. */
static int
detached(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	int root = -1;

	if (fs < 0)
		return -1;
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		root = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs);
	return root;
}

static void
find_below(int root, struct tracepoints *ret)
{
	*ret = (struct tracepoints){ 0 };
	if (root < 0)
		return;
	ret->execve = number_of(root, "syscalls/sys_exit_execve");
	ret->execveat = number_of(root, "syscalls/sys_exit_execveat");
	close(root);
}

void
tracefs_find(struct tracepoints *ret)
{
	find_below(
	    open("/sys/kernel/tracing", O_PATH | O_DIRECTORY | O_CLOEXEC), ret);
	if (ret->execve == 0)
		find_below(detached(), ret);
	/* Last, as to look there mounts it. */
	if (ret->execve == 0)
		find_below(open("/sys/kernel/debug/tracing",
			       O_PATH | O_DIRECTORY | O_CLOEXEC),
		    ret);
}
