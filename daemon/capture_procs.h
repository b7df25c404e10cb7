/*
 * capture_procs - the processes that live, and which session each belongs to.
 *
 * Kept from fork to exit by what capture sees, and seeded from /proc with what
 * ran before.  A process is a pid and the time it was made at (BOOTTIME, ns); a
 * seeded one's time is known to a clock tick only.
 *
 * A process belongs to a session,
 *	JOINED_TTY	while its controlling terminal is the session's;
 *	JOINED_INFERRED	else, if it runs under a tmux or screen that a client on
 *			the session's terminal may be attached to;
 *	JOINED_DESCENT	else, if it descends from the session's door;
 *	JOINED_LOGIN	else, if it is of the same login (the kernel's audit
 *			session) as a recorded session.
 * The last two say nothing about where it was seen.  Nor is it known which server
 * a client of tmux talks to: all of the same effective user are taken for it, by
 * the name of the program.
 *
 * Pure: no I/O, no clock.
 */
#ifndef OPS_DAEMON_CAPTURE_PROCS_H
#define OPS_DAEMON_CAPTURE_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "capture.h"

#define PROCS_TICK 10000000u /* ns of a clock tick, USER_HZ */
#define PROCS_MAX 4194304u   /* PID_MAX_LIMIT; more are a fault, and left out */
#define PROCS_SESSIONS_MAX 65536

struct proc {
	uint32_t pid, ppid;
	uint64_t start, pstart; /* pstart 0: not known */
	uint32_t uid, euid, auid, ses;
	uint32_t tty_major, tty_minor, tty_fs;
	bool seeded;   /* start is a tick's begin */
	bool executed; /* an exec of it was seen */
	bool before;   /* it was seeded, and executed what it did before */
	/* Its nearest ancestor that executed something, or ran before; 0: none is
	 * known. */
	uint32_t ancestor;
	uint64_t ancestor_start;
	/* tmux and screen: the program that runs it or whose child it is. */
	uint8_t mux;      /* which it is itself, or its parent before an exec */
	bool serves;      /* what it started runs programs */
	bool climb;       /* an ancestor is seeded: mux_pid may be missing */
	uint32_t mux_pid; /* whose terminal it may have; 0: none */
	uint64_t mux_start;
	char comm[CAP_COMM];
	/* By descent; has_session false: none. */
	bool has_session;
	uint8_t session[OPS_ID_LEN];
};

struct procs;

struct procs *procs_new(void); /* NULL: no memory */
void procs_free(struct procs *p);

/* The process of this pid, if that one was made at start; NULL: not known. */
struct proc *procs_find(struct procs *p, uint32_t pid, uint64_t start);
/* What happened to it.  The entry is the table's, and valid until the next
 * call; NULL: no memory. */
struct proc *procs_fork(struct procs *p, const struct cap_fork *e);
struct proc *procs_exec(struct procs *p, const struct cap_exec *e);
/* It ended: its entry, which goes; false: nothing was known of it. */
bool procs_exit(struct procs *p, const struct cap_exit *e, struct proc *ret);
/* It was there before; does nothing if that is known.  -1: no memory. */
int procs_seed(struct procs *p, const struct proc *seen);
size_t procs_count(const struct procs *p);

/* A recorded session, as the writer tells of it. */
struct procs_session {
	uint8_t id[OPS_ID_LEN];
	uint32_t tty_major, tty_minor, tty_fs; /* inner terminal; 0: none */
	uint32_t door;                         /* pid */
	uint64_t door_start;                   /* clock ticks, proc(5) */
	uint32_t ses;                          /* CAP_UNSET: none */
	uint64_t from, until; /* BOOTTIME; until 0: it is open */
};
/* It began.  Once more for the same id replaces it.  -1: no memory. */
int procs_session(struct procs *p, const struct procs_session *s);
/* It ended then.  It is kept for what is told late. */
void procs_session_ended(
    struct procs *p, const uint8_t id[static OPS_ID_LEN], uint64_t when);
/* All that haven't ended then. */
void procs_sessions_over(struct procs *p, uint64_t when);
/* Forget those that ended before. */
void procs_sessions_before(struct procs *p, uint64_t when);

/* The session of a process at a time: enum program_joined, with its id in
 * ret. */
uint32_t procs_joined(const struct procs *p, const struct proc *x,
    uint64_t time, uint8_t ret[static OPS_ID_LEN]);

/*
 * Which sessions show the terminal of a process that is JOINED_INFERRED: those of
 * the clients of its tmux or screen that are there now, in the order in which the
 * sessions began.  How many, at most max.
 */
size_t procs_shown(const struct procs *p, const struct proc *x, uint64_t time,
    uint8_t ids[][OPS_ID_LEN], size_t max);

#endif
