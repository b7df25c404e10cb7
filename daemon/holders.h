/*
 * holders - which processes have which terminals open, as far as we may look.
 *
 * Looking at others' descriptors takes CAP_SYS_PTRACE, and CAP_DAC_READ_SEARCH
 * for the folder they are listed in.  Without them only our own processes are
 * seen, and of them only those that can be traced.  What is in nobody's table
 * isn't seen: a descriptor under way in a socket, or kept by io_uring.
 */
#ifndef OPS_DAEMON_HOLDERS_H
#define OPS_DAEMON_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/* A character device that a process has open: its number, and the file system
 * its node is in; fs 0: opened as /dev/tty or the like, so it isn't known. */
struct holding {
	pid_t pid;
	uint64_t fs, dev;
};

/* Call found() for each; the same one may come several times. */
int holders_look(void (*found)(void *arg, const struct holding *h), void *arg,
    struct ops_err *err);

/* Is `child` a child of the process `parent` that runs the same program? */
bool holders_same_program(pid_t child, pid_t parent);

#endif
