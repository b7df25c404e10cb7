#include "msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

static int
set_address(struct sockaddr_un *sun, const char *path, struct ops_err *err)
{
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(sun->sun_path))
		return ops_fail(err, OPS_EUSAGE,
		    "%s: a socket's path has 1 to %zu bytes", path,
		    sizeof(sun->sun_path) - 1);
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	memcpy(sun->sun_path, path, n);
	return 0;
}

static int
new_socket(int flags, struct ops_err *err)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		return ops_fail_errno(err, "socket");
	return fd;
}

/* Only a socket is removed, never somebody's file. */
static int
remove_old(const char *path, struct ops_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return ops_fail_errno(err, "%s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return ops_fail(
		    err, OPS_EUSAGE, "%s: is there and is no socket", path);
	if (unlink(path) < 0)
		return ops_fail_errno(err, "%s", path);
	return 0;
}

int
msg_listen(const char *path, mode_t mode, int *ret, struct ops_err *err)
{
	struct sockaddr_un sun;
	int fd;

	if (set_address(&sun, path, err) < 0 || remove_old(path, err) < 0)
		return -1;
	fd = new_socket(SOCK_NONBLOCK, err);
	if (fd < 0)
		return -1;
	/* bind() takes the mode of the descriptor, less the umask: so the path
	 * is never wider than it shall be, and chmod() adds what is missing. */
	if (fchmod(fd, mode) < 0 ||
	    bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 ||
	    listen(fd, SOMAXCONN) < 0 || chmod(path, mode) < 0) {
		ops_fail_errno(err, "%s", path);
		close(fd);
		return -1;
	}
	*ret = fd;
	return 0;
}

void
msg_without_fds(int listener)
{
	const int off = 0;

	(void)setsockopt(
	    listener, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off));
}

int
msg_connect(const char *path, int *ret, struct ops_err *err)
{
	const struct timeval longest = { MSG_CONNECT_SECONDS, 0 }, ever = { 0 };
	struct sockaddr_un sun;
	int fd, rc;

	if (set_address(&sun, path, err) < 0)
		return -1;
	fd = new_socket(0, err);
	if (fd < 0)
		return -1;
	/* Where all places are taken and nobody accepts, connect(2) waits as
	 * long as a send may: unix(7). */
	(void)setsockopt(
	    fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
	do
		rc = connect(fd, (struct sockaddr *)&sun, sizeof(sun));
	while (rc < 0 && errno == EINTR);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &ever, sizeof(ever));
	if (rc < 0) {
		ops_fail_errno(err, "%s", path);
		if (err != NULL &&
		    (errno == ENOENT || errno == ENOTDIR || errno == EAGAIN ||
			errno == ECONNREFUSED || errno == ECONNRESET))
			err->code = OPS_EUNAVAIL;
		close(fd);
		return -1;
	}
	*ret = fd;
	return 0;
}

int
msg_accept(int listener, int *ret, struct ops_err *err)
{
	int fd;

	do
		fd =
		    accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0) {
		ops_fail_errno(err, "accept");
		if (err != NULL && errno == EAGAIN)
			err->code = OPS_EBUSY;
		return -1;
	}
	*ret = fd;
	return 0;
}

int
msg_peer(int fd, struct msg_peer *ret, struct ops_err *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return ops_fail_errno(err, "SO_PEERCRED");
	if (len != sizeof(cred) || cred.pid <= 0)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the kernel does not say who the peer is");
	*ret = (struct msg_peer){ cred.pid, cred.uid, cred.gid };
	return 0;
}

static int
send_parts(int fd, struct msghdr *mh, struct ops_err *err)
{
	ssize_t n;

	do
		n = sendmsg(fd, mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0; /* a datagram goes whole or not at all */
	ops_fail_errno(err, "send");
	if (err != NULL && errno == EAGAIN)
		err->code = OPS_EBUSY;
	if (err != NULL &&
	    (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN))
		err->code = OPS_EUNAVAIL;
	return -1;
}

static void
put_header(uint8_t h[static MSG_HEADER], uint16_t type, size_t n)
{
	ops_putle16(h, type);
	ops_putle16(h + 2, 0);
	ops_putle32(h + 4, (uint32_t)n);
}

union fds_space {
	char buf[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

static void
put_fds(struct msghdr *mh, union fds_space *space, const int *fds, unsigned n)
{
	struct cmsghdr *c;

	memset(space, 0, sizeof(*space));
	mh->msg_control = space->buf;
	mh->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

/* sendmsg() only reads what an iovec names. */
static struct iovec
piece(const void *p, size_t n)
{
	union {
		const void *in;
		void *out;
	} u = { p };

	return (struct iovec){ u.out, n };
}

int
msg_send(int fd, uint16_t type, const void *p, size_t n, const int *fds,
    unsigned n_fds, struct ops_err *err)
{
	uint8_t header[MSG_HEADER];
	struct iovec iov[2] = { { header, sizeof(header) }, piece(p, n) };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };
	union fds_space space;

	if (n > MSG_PAYLOAD_MAX || n_fds > MSG_FDS_MAX)
		return ops_fail(err, OPS_EUSAGE,
		    "message %u: %zu bytes and %u descriptors are too many",
		    type, n, n_fds);
	put_header(header, type, n);
	if (n_fds > 0)
		put_fds(&mh, &space, fds, n_fds);
	return send_parts(fd, &mh, err);
}

int
msg_send2(int fd, uint16_t type, const void *head, size_t head_len,
    const void *p, size_t n, struct ops_err *err)
{
	uint8_t header[MSG_HEADER];
	struct iovec iov[3] = { { header, sizeof(header) },
		piece(head, head_len), piece(p, n) };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 3 };

	if (head_len > MSG_PAYLOAD_MAX || n > MSG_PAYLOAD_MAX - head_len)
		return ops_fail(err, OPS_EUSAGE,
		    "message %u: %zu + %zu bytes are too many", type, head_len,
		    n);
	put_header(header, type, head_len + n);
	return send_parts(fd, &mh, err);
}

void
msg_close_fds(struct msg *m)
{
	for (unsigned i = 0; i < m->fds; i++) {
		if (m->fd[i] >= 0)
			close(m->fd[i]);
		m->fd[i] = -1;
	}
	m->fds = 0;
}

/* The descriptors that came, so that each is either handed on or closed. */
static void
take_fds(struct msghdr *mh, struct msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL;
	     c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->fds < MSG_FDS_MAX)
				m->fd[m->fds++] = fd;
			else
				close(fd);
		}
	}
}

/*
 * A peer that closed with our messages unread leaves ECONNRESET in front of
 * what it had sent; the error is reported once, and the messages are behind it.
 */
static ssize_t
receive(int fd, struct msghdr *mh)
{
	bool reset = false;

	for (;;) {
		ssize_t n = recvmsg(fd, mh, MSG_CMSG_CLOEXEC);

		if (n >= 0 || (errno != EINTR && errno != ECONNRESET))
			return n;
		if (errno == ECONNRESET) {
			if (reset)
				return 0;
			reset = true;
		}
	}
}

int
msg_parse(const uint8_t *p, size_t n, struct msg *ret, struct ops_err *err)
{
	if (n > MSG_MAX)
		return ops_fail(
		    err, OPS_EFORMAT, "message of more than %d bytes", MSG_MAX);
	if (n < MSG_HEADER)
		return ops_fail(err, OPS_EFORMAT,
		    "message of %zu bytes, its head has %d", n, MSG_HEADER);
	if (ops_getle16(p + 2) != 0)
		return ops_fail(
		    err, OPS_EFORMAT, "message with a head that isn't ours");
	if (ops_getle32(p + 4) != n - MSG_HEADER)
		return ops_fail(err, OPS_EFORMAT,
		    "message says %u bytes, %zu follow", ops_getle32(p + 4),
		    n - MSG_HEADER);
	*ret = (struct msg){ .type = ops_getle16(p),
		.p = p + MSG_HEADER,
		.n = n - MSG_HEADER,
		.fd = { -1, -1, -1, -1 } };
	return 0;
}

/* What the kernel had to cut off. */
static int
check_whole(int flags, struct ops_err *err)
{
	if (flags & MSG_TRUNC)
		return ops_fail(
		    err, OPS_EFORMAT, "message of more than %d bytes", MSG_MAX);
	if (flags & MSG_CTRUNC)
		return ops_fail(err, OPS_EFORMAT,
		    "message with more than %d descriptors", MSG_FDS_MAX);
	return 0;
}

int
msg_recv(
    int fd, uint8_t buf[static MSG_MAX], struct msg *ret, struct ops_err *err)
{
	union fds_space space;
	struct iovec iov = { buf, MSG_MAX };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space.buf,
		.msg_controllen = sizeof(space.buf) };
	struct msg m, came = { .fd = { -1, -1, -1, -1 } };
	ssize_t n = receive(fd, &mh);

	if (n < 0) {
		ops_fail_errno(err, "receive");
		if (err != NULL && errno == EAGAIN)
			err->code = OPS_EBUSY;
		return -1;
	}
	take_fds(&mh, &came);
	if (n == 0) {
		msg_close_fds(&came); /* an empty datagram is no message */
		return 0;
	}
	if (check_whole(mh.msg_flags, err) < 0 ||
	    msg_parse(buf, (size_t)n, &m, err) < 0) {
		msg_close_fds(&came);
		return -1;
	}
	memcpy(m.fd, came.fd, sizeof(m.fd));
	m.fds = came.fds;
	*ret = m;
	return 1;
}

static int
check_rule(const struct msg_rule *r, unsigned state, const struct msg *m,
    struct ops_err *err)
{
	if (state >= 32 || (r->states & (1u << state)) == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "%s: it isn't the time for it", r->name);
	if (m->n < r->min || m->n > r->max)
		return ops_fail(err, OPS_EFORMAT,
		    "%s: %zu bytes, not %zu to %zu", r->name, m->n, r->min,
		    r->max);
	if (m->fds < r->fds_min || m->fds > r->fds_max)
		return ops_fail(err, OPS_EFORMAT,
		    "%s: %u descriptors, not %u to %u", r->name, m->fds,
		    r->fds_min, r->fds_max);
	return 0;
}

int
msg_dispatch(const struct msg_rule *rules, size_t n_rules, unsigned state,
    void *conn, struct msg *m, struct ops_err *err)
{
	const struct msg_rule *r = NULL;
	int rc;

	for (size_t i = 0; i < n_rules && r == NULL; i++)
		if (rules[i].type == m->type)
			r = &rules[i];
	if (r == NULL)
		rc = ops_fail(err, OPS_EFORMAT,
		    "message %u is not for this socket", m->type);
	else if (check_rule(r, state, m, err) < 0)
		rc = -1;
	else if (r->handle(conn, m, err) < 0)
		rc = ops_context(err, "%s", r->name);
	else
		rc = 0;
	msg_close_fds(m);
	return rc;
}
