/*
 * scope - a unit of systemd's for each recorder, so that it is no process of
 * opseald.service: what ends that (systemctl kill, its memory limit) ends no session, and
 * `systemctl status` has each by its session's id.
 *
 * Who becomes a recorder says so on a pipe (scope_tell); the supervisor, which alone may
 * ask systemd, checks that it is one, and a child of its asks (scope_take).  Nobody waits
 * for that.  Where it can't be had the recorder stays in the service's own control group,
 * and outlives the daemon all the same (KillMode=process).
 */
#ifndef OPS_DAEMON_SCOPE_H
#define OPS_DAEMON_SCOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

struct scopes {
	int fd
	    [2]; /* a pipe in packets; the roles' end is [1].  -1: no systemd */
};

/* Does systemd run us as a service, and are we root?  Else both ends are -1. */
int scope_open(struct scopes *s, struct ops_err *err);
void scope_close(struct scopes *s);

/* In the process that executes the recorder next: it is the one of session id, and began
 * at start (clock ticks since boot).  fd: ROLE_FD_SCOPES.  Never waits. */
void scope_tell(int fd, uint64_t start, const uint8_t id[static OPS_ID_LEN]);

/* In the supervisor, when fd[0] is readable: ask for each that has told and is a child of
 * the process session.  What it forks is reaped like any child. */
void scope_take(const struct scopes *s, pid_t session);

#endif
