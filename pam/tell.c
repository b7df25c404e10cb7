#include "tell.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/msg.h"
#include "ipc/proto.h"

#define SECOND UINT64_C(1000000000)

/* Whatever is waited for on this socket from now on, connect(2) too, ends then. */
static int
set_end(int fd, uint64_t end, struct ops_err *err)
{
	uint64_t now = ops_boottime(), left = end > now ? end - now : 0;
	struct timeval t = { .tv_sec = (time_t)(left / SECOND),
		.tv_usec = (suseconds_t)(left % SECOND / 1000) };

	if (t.tv_sec == 0 && t.tv_usec == 0)
		return ops_fail(err, OPS_EBUSY, "no answer in time");
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) < 0)
		return ops_fail_errno(err, "record.sock: timeout");
	return 0;
}

static int
open_socket(const struct arguments *a, uint64_t end, struct ops_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int n, fd;

	n = snprintf(
	    sun.sun_path, sizeof(sun.sun_path), "%s/record.sock", a->run);
	if (n < 0 || (size_t)n >= sizeof(sun.sun_path))
		return ops_fail(err, OPS_EUSAGE, "run=%s: too long", a->run);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ops_fail_errno(err, "socket");
	if (set_end(fd, end, err) < 0) {
		close(fd);
		return -1;
	}
	while (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		if (errno != EINTR || set_end(fd, end, err) < 0) {
			ops_fail_errno(err, "%s", sun.sun_path);
			if (err != NULL)
				err->code = OPS_EUNAVAIL;
			close(fd);
			return -1;
		}
	return fd;
}

/* The answer's type, and its payload in buf. */
static int
ask(int fd, uint16_t type, const void *p, size_t n, uint64_t end,
    uint8_t buf[static MSG_MAX], struct msg *ret, struct ops_err *err)
{
	int rc;

	if (msg_send(fd, type, p, n, NULL, 0, err) < 0 ||
	    set_end(fd, end, err) < 0)
		return -1;
	rc = msg_recv(fd, buf, ret, err);
	if (rc == 0)
		return ops_fail(
		    err, OPS_EUNAVAIL, "record.sock: closed without an answer");
	if (rc < 0 && err != NULL && err->code == OPS_EBUSY)
		return ops_fail(err, OPS_EBUSY, "no answer in time");
	return rc < 0 ? -1 : 0;
}

static int
done(const struct msg *m, struct ops_err *err)
{
	if (m->type == Q_DONE)
		return 0;
	if (m->type == Q_FAILED)
		return ops_fail(err, OPS_EUNAVAIL, "%.*s",
		    m->n < 200 ? (int)m->n : 200, (const char *)m->p);
	return ops_fail(
	    err, OPS_EFORMAT, "record.sock: unexpected message %u", m->type);
}

static int
is_written(const struct msg *m, struct ops_err *err)
{
	struct proto_status s;

	if (m->type != Q_STATUS_IS)
		return done(m, err);
	if (proto_status_get(m->p, m->n, &s, err) < 0)
		return -1;
	if (s.ok == 1)
		return 0;
	return ops_fail(err, OPS_EUNAVAIL, "the log can't be written: %.*s",
	    s.reason.n < 160 ? (int)s.reason.n : 160,
	    s.reason.p != NULL ? (const char *)s.reason.p : "");
}

static int
exchange(const struct arguments *a, uint16_t type, const struct ops_buf *body,
    int (*see)(const struct msg *m, struct ops_err *err), struct ops_err *err)
{
	uint64_t end = ops_boottime() + a->timeout * SECOND;
	uint8_t *buf = malloc(MSG_MAX);
	struct msg m;
	int fd, rc = -1;

	if (buf == NULL)
		return ops_fail(err, OPS_ENOMEM, "message: no memory");
	fd = open_socket(a, end, err);
	if (fd >= 0 &&
	    ask(fd, type, body != NULL ? body->data : NULL,
		body != NULL ? body->len : 0, end, buf, &m, err) == 0) {
		msg_close_fds(&m);
		rc = see(&m, err);
	}
	if (fd >= 0)
		close(fd);
	free(buf);
	return rc;
}

int
tell(const struct arguments *a, uint16_t type, const struct ops_buf *body,
    struct ops_err *err)
{
	return exchange(a, type, body, done, err);
}

int
tell_ask(const struct arguments *a, struct ops_err *err)
{
	return exchange(a, Q_STATUS, NULL, is_written, err);
}
