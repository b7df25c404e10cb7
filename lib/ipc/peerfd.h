/*
 * peerfd - a pidfd of the process at the other end of a connection (msg.h).
 *
 * The kernel hands it out from Linux 6.5 on.  Before that it is opened by the pid,
 * which may be another process's by then.
 */
#ifndef OPS_PEERFD_H
#define OPS_PEERFD_H

#include "base/err.h"
#include "msg.h"

/* Of the peer; CLOEXEC, the caller's.  By peerfd_open() where it must be. */
int peerfd_get(int fd, int *ret, struct ops_err *err);

/* Of the process that has the peer's pid now, if it lives and is of the peer's uid.
 * OPS_EUNAVAIL if not: the peer has gone, then, and may have left its pid to another.
 * To one of the same uid it may have, all the same. */
int peerfd_open(const struct msg_peer *peer, int *ret, struct ops_err *err);

#endif
