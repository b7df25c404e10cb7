/*
 * msg - messages between opseal's processes: SOCK_SEQPACKET on AF_UNIX.
 *
 *	0  2  type (proto.h), little-endian
 *	2  2  0
 *	4  4  length of the payload; must be exactly what follows
 *	8  n  payload
 *
 * One datagram is one message, at most MSG_MAX bytes; descriptors travel with
 * it (SCM_RIGHTS), at most MSG_FDS_MAX.  A connection's rights are a table: a
 * row a message it may send, when, how long, with how many descriptors, and
 * who handles it.  Anything else ends that peer: msg_dispatch() returns -1 and
 * the caller closes the connection.
 *
 * Fuzzed: msg
 */
#ifndef OPS_MSG_H
#define OPS_MSG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define MSG_HEADER 8
#define MSG_MAX 65536
#define MSG_PAYLOAD_MAX (MSG_MAX - MSG_HEADER)
#define MSG_FDS_MAX 4

struct msg {
	uint16_t type;
	const uint8_t *p; /* payload; into the caller's buffer */
	size_t n;
	int fd[MSG_FDS_MAX]; /* owned by the receiver of the message */
	unsigned fds;
};

/* Who is at the other end, as the kernel says. */
struct msg_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* Listen at path (an old socket there is replaced, any other file is an error),
 * mode as given.  Descriptors made here are CLOEXEC; the listener and what
 * it accepts are non-blocking, a connection made by msg_connect() blocks. */
int msg_listen(const char *path, mode_t mode, int *ret, struct ops_err *err);
/* Have the kernel refuse descriptors to who sends some to this listener's
 * connections (Linux 6.16).  Elsewhere nothing happens: who closes a connection
 * still has to expect some. */
void msg_without_fds(int listener);
#define MSG_CONNECT_SECONDS 30 /* longest wait for a place in the queue */
/* Connect; OPS_EUNAVAIL if nobody answers there. */
int msg_connect(const char *path, int *ret, struct ops_err *err);
/* OPS_EBUSY if nobody is waiting. */
int msg_accept(int listener, int *ret, struct ops_err *err);
int msg_peer(
    int fd, struct msg_peer *ret, struct ops_err *err); /* SO_PEERCRED */

/* Send one message.  0; -1: OPS_EBUSY if the socket is full (non-blocking),
 * OPS_EUNAVAIL if the peer is gone, else OPS_EIO.  Descriptors stay the
 * caller's. */
int msg_send(int fd, uint16_t type, const void *p, size_t n, const int *fds,
    unsigned n_fds, struct ops_err *err);
/* The same from two pieces (a small head and bulk bytes), without a copy. */
int msg_send2(int fd, uint16_t type, const void *head, size_t head_len,
    const void *p, size_t n, struct ops_err *err);

/* The n bytes at p are one message: *ret, without descriptors, points into p.
 * 0; -1: OPS_EFORMAT. */
int msg_parse(const uint8_t *p, size_t n, struct msg *ret, struct ops_err *err);

/* Receive into buf[MSG_MAX].  1: *ret.  0: the peer is gone, and all it sent
 * was received before.  -1: OPS_EBUSY if nothing is there (non-blocking),
 * OPS_EFORMAT if it is malformed (descriptors already closed).  The receiver owns ret->fd[0..fds). */
int msg_recv(
    int fd, uint8_t buf[static MSG_MAX], struct msg *ret, struct ops_err *err);
void msg_close_fds(struct msg *m); /* those not taken (>= 0) */

/* One row of a socket's table. */
struct msg_rule {
	uint16_t type;
	const char *name;
	unsigned
	    states; /* bit mask: 1 << state of the connection; when it may come */
	size_t min, max; /* payload bytes */
	unsigned fds_min, fds_max;
	/* 0, or -1 to end the peer.  Takes descriptors by setting m->fd[i] = -1. */
	int (*handle)(void *conn, struct msg *m, struct ops_err *err);
};
/* Find the row and call it; descriptors nobody took are closed. */
int msg_dispatch(const struct msg_rule *rules, size_t n_rules, unsigned state,
    void *conn, struct msg *m, struct ops_err *err);

#endif
