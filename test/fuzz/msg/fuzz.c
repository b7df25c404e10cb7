/*
 * msg - any datagram, with any descriptors, at any time.
 *
 * First byte: the connection's state; second: how many descriptors come with
 * it and how many of them the handler takes; the rest: the datagram, sent
 * through a real socket.  What arrives is what was parsed, and is the datagram
 * again; a handler is called only for a message that its row allows in every
 * column; and no descriptor stays open that nobody took.
 */
#include "../fuzz.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ipc/msg.h"

#define STATES 3
#define DATAGRAM_MAX 4096 /* longer ones are the unit test's */

struct conn {
	unsigned called;
	uint16_t type;
	unsigned take; /* the handler keeps so many descriptors */
	int taken[MSG_FDS_MAX];
	bool fail;
	const struct msg *m;
};

static int
handle(struct conn *c, uint16_t type, struct msg *m, struct ops_err *err)
{
	c->called++;
	c->type = type;
	REQUIRE(m == c->m);
	for (unsigned i = 0; i < m->fds; i++) {
		REQUIRE(fcntl(m->fd[i], F_GETFD) == FD_CLOEXEC);
		c->taken[i] = i < c->take ? m->fd[i] : -1;
		if (i < c->take)
			m->fd[i] = -1;
	}
	return c->fail ? ops_fail(err, OPS_EIO, "handler") : 0;
}

#define HANDLER(n)                                                             \
	static int handle_##n(void *conn, struct msg *m, struct ops_err *err)  \
	{                                                                      \
		return handle(conn, n, m, err);                                \
	}
HANDLER(1)
HANDLER(2)
HANDLER(3)
HANDLER(4)

/* clang-format off */
static const struct msg_rule rules[] = {
	{ 1, "ONE",   1u << 0,           0, 0,  0, 0, handle_1 },
	{ 2, "TWO",   1u << 1 | 1u << 2, 4, 8,  0, 2, handle_2 },
	{ 3, "THREE", 1u << 0 | 1u << 1, 1, MSG_PAYLOAD_MAX, 1, MSG_FDS_MAX, handle_3 },
	{ 4, "FOUR",  1u << 2,           16, 16, 2, 2, handle_4 },
};
/* clang-format on */

static bool
is_allowed(unsigned state, const struct msg *m)
{
	if (m->type < 1 || m->type > OPS_ARRAY_LEN(rules))
		return false;
	const struct msg_rule *r = &rules[m->type - 1];
	return (r->states >> state & 1) == 1 && m->n >= r->min &&
	       m->n <= r->max && m->fds >= r->fds_min && m->fds <= r->fds_max;
}

/* Open descriptors, of the first few. */
static unsigned
count_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 32; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void
send_raw(int fd, const uint8_t *p, size_t n, unsigned fds)
{
	union {
		char buf[CMSG_SPACE(8 * sizeof(int))];
		struct cmsghdr align;
	} space = { { 0 } };
	uint8_t copy[DATAGRAM_MAX];
	struct iovec iov = { copy, n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	int list[8] = { 0 };
	struct cmsghdr *c;

	memcpy(copy, p, n);
	if (fds > 0) {
		mh.msg_control = space.buf;
		mh.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fds * sizeof(int));
		for (unsigned i = 0; i < fds; i++)
			list[i] = fd;
		memcpy(CMSG_DATA(c), list, fds * sizeof(int));
	}
	REQUIRE(sendmsg(fd, &mh, MSG_NOSIGNAL) == (ssize_t)n);
}

/* What is taken can be written again, and is the same. */
static void
check_parsed(const uint8_t *p, size_t n, const struct msg *m)
{
	uint8_t head[MSG_HEADER];

	REQUIRE(m->p == p + MSG_HEADER && m->n == n - MSG_HEADER);
	ops_putle16(head, m->type);
	ops_putle16(head + 2, 0);
	ops_putle32(head + 4, (uint32_t)m->n);
	REQUIRE(memcmp(head, p, sizeof(head)) == 0);
}

static void
dispatch(struct msg *m, unsigned state, uint8_t how)
{
	struct msg before = *m;
	struct ops_err err = { 0 };
	struct conn c = { .take = how >> 4 & 7, .fail = how >> 7, .m = m };
	bool allowed = is_allowed(state, m);
	int rc = msg_dispatch(rules, OPS_ARRAY_LEN(rules), state, &c, m, &err);

	REQUIRE(c.called == (allowed ? 1 : 0));
	REQUIRE(!allowed || c.type == before.type);
	REQUIRE(rc == (allowed && !c.fail ? 0 : -1));
	REQUIRE(rc == 0 || err.code == (allowed ? OPS_EIO : OPS_EFORMAT));
	REQUIRE(m->fds == 0);
	for (unsigned i = 0; c.called && i < before.fds && i < c.take; i++)
		REQUIRE(close(c.taken[i]) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int pair[2] = { -1, -1 };
	static uint8_t buf[MSG_MAX];
	struct fuzz_in in = { data, size };
	struct msg parsed = { .type = 77 }, m = { .type = 77 };
	struct ops_err err = { 0 };
	unsigned state = fuzz_byte(&in) % STATES, fds, before;
	uint8_t how = fuzz_byte(&in);
	int rc, want;

	if (in.n == 0 || in.n > DATAGRAM_MAX)
		return 0;
	if (pair[0] < 0)
		REQUIRE(socketpair(AF_UNIX,
			    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			    pair) == 0);
	before = count_fds();
	fds = (how & 15) % 7;
	want = msg_parse(in.p, in.n, &parsed, &err);
	if (want == 0)
		check_parsed(in.p, in.n, &parsed);
	else
		REQUIRE(err.code == OPS_EFORMAT && parsed.type == 77);
	send_raw(pair[0], in.p, in.n, fds);
	rc = msg_recv(pair[1], buf, &m, &err);
	REQUIRE((rc == 1) == (want == 0 && fds <= MSG_FDS_MAX));
	if (rc == 1) {
		REQUIRE(m.type == parsed.type && m.n == parsed.n &&
			memcmp(m.p, parsed.p, m.n) == 0 && m.fds == fds);
		dispatch(&m, state, how);
	}
	REQUIRE(count_fds() == before);
	return 0;
}
