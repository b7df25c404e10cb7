/*
 * sandbox - what a role that parses much gives up for good.
 *
 * Files: with Landlock (Linux 5.13) it can read below some folders, write below
 * one, and touch nothing else.  System calls: a seccomp filter refuses to execute
 * anything, to make a process, thread or socket, to connect one, and to look into
 * other processes.  So syslog must be open before; if that starts anew, what the
 * role would say is lost.  What the kernel lacks is left out; which of both is
 * there is said.
 */
#ifndef OPS_DAEMON_SANDBOX_H
#define OPS_DAEMON_SANDBOX_H

#include <stdbool.h>

#include "base/err.h"

struct sandbox {
	const char *const *read; /* paths, NULL at the end */
	const char *write;
	bool files, calls; /* out: these are restricted */
};

/* After no_new_privs.  -1: the kernel has it and refuses. */
int sandbox_enter(struct sandbox *s, struct ops_err *err);

#endif
