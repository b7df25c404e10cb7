/*
 * tracefs - the kernel's numbers of tracepoints, as perf_event_open(2) takes them.
 *
 * They stand in files that only root may read, in a file system that need not be
 * mounted: then it is read without mounting it anywhere (fsmount(2), Linux 5.2),
 * which takes CAP_SYS_ADMIN.
 */
#ifndef OPS_DAEMON_TRACEFS_H
#define OPS_DAEMON_TRACEFS_H

#include <stdint.h>

/* What tells of execs that failed.  0: it can't be had.  A number holds until the
 * next boot. */
struct tracepoints {
	uint32_t execve, execveat; /* syscalls/sys_exit_... */
};

void tracefs_find(struct tracepoints *ret);

#endif
