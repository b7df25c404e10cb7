/*
 * proc - what the kernel says about processes.
 */
#ifndef OPS_PROC_H
#define OPS_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One reading of /proc/PID/stat. */
struct proc_stat {
	char state;
	pid_t ppid;
	uint64_t start; /* clock ticks since boot */
};
/* 0, or -1: there is no such process, or it is hidden from us. */
int proc_stat(pid_t pid, struct proc_stat *ret);

/* The pid behind a pidfd, as seen here; -1. */
pid_t proc_of_pidfd(int pidfd);

/* The wait status of a process that ended and was reaped, from its pidfd
 * (Linux 6.15).  1: *status; 0: not yet; -1: this kernel doesn't say. */
int proc_exit_status(int pidfd, uint32_t *status);

#endif
