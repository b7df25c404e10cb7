/*
 * proc - what the kernel says about processes.
 */
#ifndef OPS_PROC_H
#define OPS_PROC_H

#include <stdint.h>
#include <sys/types.h>

#include "base/procstat.h"

/* From /proc/PID/stat.  0, or -1: there is no such process, or it is hidden from us. */
int proc_stat(pid_t pid, struct procstat *ret);

/* The wait status of a process that ended and was reaped, from its pidfd
 * (Linux 6.15).  1: *status; 0: not yet; -1: this kernel doesn't say. */
int proc_exit_status(int pidfd, uint32_t *status);

#endif
