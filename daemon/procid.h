/*
 * procid - what the kernel says about a process, from /proc.
 */
#ifndef OPS_DAEMON_PROCID_H
#define OPS_DAEMON_PROCID_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "record/event.h"

struct procid {
	uint64_t start; /* clock ticks since boot, field 22 of proc(5) stat */
	uint32_t auid;  /* loginuid; EVENT_UNSET where there is none */
	uint32_t ses;   /* sessionid, the same */
};

/* Start time alone.  OPS_ENOENT if there is no such process. */
int procid_start(pid_t pid, uint64_t *ret, struct ops_err *err);

/* All of it, of a process held by pidfd: it is checked afterwards that the
 * process is still there, so that a reused pid can't be mistaken for it. */
int procid_read(int pidfd, pid_t pid, struct procid *ret, struct ops_err *err);

/* What a report calls a process: names may be reused, so the start time tells
 * which it is. */
#define PROCID_COMM_MAX 64
struct procid_name {
	pid_t parent;
	uid_t uid; /* real */
	char comm[PROCID_COMM_MAX + 1];
};
int procid_name(pid_t pid, struct procid_name *ret, struct ops_err *err);

/* What everybody may see of a process.  Not held by a pidfd: the pid may be
 * another's at the end than at the begin. */
struct procid_seen {
	pid_t parent;
	uint64_t start;                /* clock ticks since boot */
	uint32_t tty_major, tty_minor; /* 0, 0: none */
	uint32_t uid, euid, gid, egid;
	uint32_t auid, ses;
	char comm[PROCID_COMM_MAX + 1];
};
int procid_see(pid_t pid, struct procid_seen *ret, struct ops_err *err);

/* Is it in a user namespace that maps uids otherwise than ours?  Not held by a pidfd
 * either.  One that has gone is not. */
bool procid_maps_uids(pid_t pid);

/*
 * Whom this process descends from, nearest first, into out, which has room for
 * EVENT_ANCESTORS_MAX of them; how many bytes.  start: that of the process itself,
 * which is to be held or to wait for us.  Each of the others may end meanwhile:
 * then it ends there, or goes on with whom its child was given to.
 */
size_t procid_ancestors(pid_t pid, uint64_t start,
    uint8_t out[static EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN]);

/* Has the process of this pidfd ended? */
bool procid_gone(int pidfd);

#endif
