/*
 * handover - a connection from anybody becomes a child's, all of it.
 *
 * A message that nobody has read may carry descriptors, and whoever drops the
 * last reference to one may sleep in the kernel for as long as its sender
 * likes (SO_LINGER, a FUSE file with unwritten pages).  So a role that takes
 * connections never drops the last reference to one: each goes to a child,
 * which waits until the role has closed its own; and those that are refused
 * go, some at a time, to a child that does nothing but end.
 */
#ifndef OPS_DAEMON_HANDOVER_H
#define OPS_DAEMON_HANDOVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define HANDOVER_REFUSED_MAX 1024 /* connections that wait for their end */
#define HANDOVER_ENDING_MAX 64    /* children that end some */
#define HANDOVER_TURN 16          /* connections between handover_end()s */

struct handover {
	int refused[HANDOVER_REFUSED_MAX];
	unsigned n_refused;
	pid_t ending[HANDOVER_ENDING_MAX];
	unsigned n_ending;
};

/*
 * fork() for conn.  0 in the child, once nobody else has the connection; the
 * role's descriptor of it is closed.  *tie: each has an end of a socket (CLOEXEC)
 * and owns it; when the role's is readable the child is gone or has executed.
 * -1: conn is still the caller's, to be refused.
 */
pid_t handover_fork(
    struct handover *h, int conn, int *tie, struct ops_err *err);

/* Nobody serves this one; it is closed in time.  What it shall be told was
 * sent before. */
void handover_refuse(struct handover *h, int conn);

/*
 * After a row of connections: end those that were refused.  -1: so many can't
 * be ended that the role must give up (an exit doesn't linger).
 */
int handover_end(struct handover *h, struct ops_err *err);

/* Was it one of its children?  Then it is forgotten. */
bool handover_reaped(struct handover *h, pid_t pid);

#endif
