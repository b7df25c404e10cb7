/* Covers: msg, peerfd */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "check.h"
#include "ipc/msg.h"
#include "ipc/peerfd.h"

struct pair {
	int a, b;
};

static struct pair
new_pair(void)
{
	int fd[2];

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd),
	    0);
	return (struct pair){ fd[0], fd[1] };
}

static void
close_pair(struct pair p)
{
	close(p.a);
	close(p.b);
}

static unsigned
open_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static uint8_t buf[MSG_MAX];

static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 4096, MSG_PAYLOAD_MAX };
	static uint8_t sent[MSG_PAYLOAD_MAX + 1];
	struct pair p = new_pair();
	struct ops_err err = { 0 };
	struct msg m;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i < OPS_ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i], cut = n / 3;

		assert_int_equal(msg_send(p.a, 258, sent, n, NULL, 0, &err), 0);
		assert_int_equal(
		    msg_send2(p.a, 259, sent, cut, sent + cut, n - cut, &err),
		    0);
		for (unsigned type = 258; type <= 259; type++) {
			assert_int_equal(msg_recv(p.b, buf, &m, &err), 1);
			assert_int_equal(m.type, type);
			assert_int_equal(m.n, n);
			assert_memory_equal(m.p, sent, n);
			assert_int_equal(m.fds, 0);
		}
	}
	assert_int_equal(
	    msg_send(p.a, 1, sent, MSG_PAYLOAD_MAX + 1, NULL, 0, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(
	    msg_send2(p.a, 1, sent, 1, sent, MSG_PAYLOAD_MAX, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(msg_send2(p.a, 1, sent, SIZE_MAX, sent, 2, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(msg_recv(p.b, buf, &m, &err), -1);
	assert_int_equal(err.code, OPS_EBUSY);
	close_pair(p);
}

static void
test_malformed(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		uint8_t bytes[12];
		size_t n;
	} rows[] = {
		{ "one byte", { 1 }, 1 },
		{ "head cut", { 1, 0, 0, 0, 0, 0, 0 }, 7 },
		{ "reserved", { 1, 0, 1, 0, 0, 0, 0, 0 }, 8 },
		{ "reserved high", { 1, 0, 0, 1, 0, 0, 0, 0 }, 8 },
		{ "length over", { 1, 0, 0, 0, 1, 0, 0, 0 }, 8 },
		{ "length under", { 1, 0, 0, 0, 0, 0, 0, 0, 9 }, 9 },
		{ "length high byte", { 1, 0, 0, 0, 1, 0, 0, 1, 9 }, 9 },
	};
	/* clang-format on */
	struct pair p = new_pair();
	struct ops_err err;
	struct msg m = { .type = 77 };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    send(p.a, rows[i].bytes, rows[i].n, 0), rows[i].n);
		memset(&err, 0, sizeof(err));
		CHECK(
		    msg_recv(p.b, buf, &m, &err) == -1, rows[i].name, "taken");
		CHECK(err.code == OPS_EFORMAT, rows[i].name, err.msg);
		CHECK(m.type == 77, rows[i].name, "output was touched");
	}
	/* More than MSG_MAX bytes. */
	static uint8_t big[MSG_MAX + 1] = { 1 };
	ops_putle32(big + 4, sizeof(big) - MSG_HEADER);
	assert_int_equal(send(p.a, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(msg_recv(p.b, buf, &m, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	close_pair(p);
}

static void
send_raw_fds(int fd, const void *p, size_t n, int what, unsigned n_fds)
{
	char space[CMSG_SPACE(16 * sizeof(int))] = { 0 };
	uint8_t copy[64];
	struct iovec iov = { copy, n };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = CMSG_SPACE(n_fds * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	memcpy(copy, p, n);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	for (unsigned i = 0; i < n_fds; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &what, sizeof(int));
	assert_true(sendmsg(fd, &mh, 0) >= 0);
}

static void
test_descriptors(void **state)
{
	static const uint8_t good[8] = { 5 }, bad[8] = { 5, 0, 1 };
	struct pair p = new_pair(), q = new_pair();
	unsigned before = open_fds();
	int fds[MSG_FDS_MAX + 1] = { p.a, p.b, q.a, q.b, q.a };
	struct stat st1, st2;
	struct ops_err err;
	struct msg m;

	(void)state;
	for (unsigned n = 0; n <= MSG_FDS_MAX; n++) {
		assert_int_equal(msg_send(p.a, 5, "x", 1, fds, n, &err), 0);
		assert_int_equal(msg_recv(p.b, buf, &m, &err), 1);
		assert_int_equal(m.fds, n);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(fcntl(m.fd[i], F_GETFD), FD_CLOEXEC);
			assert_int_equal(fstat(m.fd[i], &st1), 0);
			assert_int_equal(fstat(fds[i], &st2), 0);
			assert_int_equal(st1.st_ino, st2.st_ino);
		}
		msg_close_fds(&m);
		assert_int_equal(open_fds(), before);
	}
	assert_int_equal(
	    msg_send(p.a, 5, "x", 1, fds, MSG_FDS_MAX + 1, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);

	/* Nothing stays open, whatever is wrong. */
	for (unsigned n = MSG_FDS_MAX + 1; n <= 16; n++) {
		send_raw_fds(p.a, good, sizeof(good), q.a, n);
		assert_int_equal(msg_recv(p.b, buf, &m, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(open_fds(), before);
	}
	send_raw_fds(p.a, bad, sizeof(bad), q.a, 2);
	assert_int_equal(msg_recv(p.b, buf, &m, &err), -1);
	assert_int_equal(open_fds(), before);
	send_raw_fds(p.a, good, 0, q.a, 2); /* an empty datagram */
	assert_int_equal(msg_recv(p.b, buf, &m, &err), 0);
	assert_int_equal(open_fds(), before);
	close_pair(p);
	close_pair(q);
}

static void
test_full_and_gone(void **state)
{
	static uint8_t big[MSG_PAYLOAD_MAX];
	struct pair p = new_pair();
	struct ops_err err;
	struct msg m;
	unsigned sent = 0, got = 0;

	(void)state;
	while (msg_send(p.a, 9, big, sizeof(big), NULL, 0, &err) == 0)
		sent++;
	assert_int_equal(err.code, OPS_EBUSY);
	assert_true(sent > 0);
	while (msg_recv(p.b, buf, &m, &err) == 1)
		got++;
	assert_int_equal(err.code, OPS_EBUSY);
	assert_int_equal(got, sent);

	/* b leaves with a message of ours unread, after a last word. */
	assert_int_equal(msg_send(p.a, 1, NULL, 0, NULL, 0, &err), 0);
	assert_int_equal(msg_send(p.b, 2, "bye", 3, NULL, 0, &err), 0);
	close(p.b);
	assert_int_equal(msg_recv(p.a, buf, &m, &err), 1);
	assert_int_equal(m.type, 2);
	assert_memory_equal(m.p, "bye", 3);
	assert_int_equal(msg_recv(p.a, buf, &m, &err), 0);
	assert_int_equal(msg_send(p.a, 1, NULL, 0, NULL, 0, &err), -1);
	assert_int_equal(err.code, OPS_EUNAVAIL);
	close(p.a);
	assert_int_equal(msg_send(p.a, 1, NULL, 0, NULL, 0, &err), -1);
	assert_int_equal(err.code, OPS_EIO);
	assert_int_equal(err.sys, EBADF);
}

static void
check_peer(int fd)
{
	struct pollfd pfd = { .events = POLLIN };
	struct ops_err err;
	struct msg_peer peer;

	assert_int_equal(msg_peer(fd, &peer, &err), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	assert_int_equal(peerfd_get(fd, &pfd.fd, &err), 0);
	assert_int_equal(fcntl(pfd.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(pidfd_send_signal(pfd.fd, 0, NULL, 0), 0);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	close(pfd.fd);
}

static void
test_listen(void **state)
{
	char dir[] = "/tmp/ops.msg.XXXXXX", path[sizeof(dir) + 16];
	char longest[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct ops_err err;
	struct stat st;
	struct msg m;
	int l, old, c, s, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(msg_connect(path, &c, &err), -1);
	assert_int_equal(err.code, OPS_EUNAVAIL);

	umask(077);
	assert_int_equal(msg_listen(path, 0666, &old, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0666);
	close(old);
	assert_int_equal(msg_connect(path, &c, &err), -1);
	assert_int_equal(err.code, OPS_EUNAVAIL);
	umask(0);
	assert_int_equal(msg_listen(path, 0600, &l, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	umask(022);

	assert_int_equal(msg_accept(l, &s, &err), -1);
	assert_int_equal(err.code, OPS_EBUSY);
	assert_int_equal(msg_connect(path, &c, &err), 0);
	assert_int_equal(msg_accept(l, &s, &err), 0);
	assert_int_equal(fcntl(c, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(s, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(c, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(s, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	check_peer(s);
	check_peer(c);
	assert_int_equal(msg_recv(s, buf, &m, &err), -1);
	assert_int_equal(err.code, OPS_EBUSY);
	close(c);
	assert_int_equal(msg_recv(s, buf, &m, &err), 0);
	close(s);
	close(l);
	unlink(path);

	/* Somebody's file stays. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(msg_listen(path, 0600, &l, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	rmdir(dir);

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(msg_listen(longest, 0600, &l, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(msg_connect("", &c, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
}

/* The peer's pidfd tells of its end. */
static void
test_pidfd_end(void **state)
{
	struct pair p = new_pair();
	struct pollfd pfd = { .events = POLLIN };
	struct ops_err err;
	int go[2], status;
	pid_t pid;

	(void)state;
	/* SO_PEERCRED of a socketpair is its maker; so make it in the child. */
	close_pair(p);
	assert_int_equal(pipe(go), 0);
	char dir[] = "/tmp/ops.msg.XXXXXX", path[sizeof(dir) + 16], c;
	int l, s, conn;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	assert_int_equal(msg_listen(path, 0600, &l, &err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (msg_connect(path, &conn, NULL) < 0)
			_exit(1);
		if (read(go[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	struct pollfd lfd = { .fd = l, .events = POLLIN };
	assert_int_equal(poll(&lfd, 1, 5000), 1);
	assert_int_equal(msg_accept(l, &s, &err), 0);
	assert_int_equal(peerfd_get(s, &pfd.fd, &err), 0);
	assert_int_equal(poll(&pfd, 1, 20), 0);
	close(go[1]);
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(pfd.fd);
	close(s);
	close(l);
	close(go[0]);
	unlink(path);
	rmdir(dir);
}

/* Where the kernel doesn't hand it out: the pid must still be of who connected. */
static void
test_open_pidfd(void **state)
{
	struct msg_peer peer = { getpid(), geteuid(), getegid() };
	struct pollfd pfd = { .fd = -1, .events = POLLIN };
	struct ops_err err;
	int status, other;

	(void)state;
	assert_int_equal(peerfd_open(&peer, &pfd.fd, &err), 0);
	assert_int_equal(fcntl(pfd.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(poll(&pfd, 1, 0), 0);
	close(pfd.fd);
	/* Its pid is another's now, of another uid. */
	peer.uid++;
	pfd.fd = -2;
	other = dup(0);
	close(other);
	assert_int_equal(peerfd_open(&peer, &pfd.fd, &err), -1);
	assert_int_equal(err.code, OPS_EUNAVAIL);
	assert_non_null(strstr(err.msg, "connected"));
	assert_int_equal(pfd.fd, -2);
	peer.uid--;
	/* It has ended, and its parent hasn't looked yet. */
	peer.pid = fork();
	assert_true(peer.pid >= 0);
	if (peer.pid == 0)
		_exit(3);
	assert_int_equal(
	    waitid(P_PID, (id_t)peer.pid, &(siginfo_t){ 0 }, WEXITED | WNOWAIT),
	    0);
	assert_int_equal(peerfd_open(&peer, &pfd.fd, &err), -1);
	assert_int_equal(err.code, OPS_EUNAVAIL);
	assert_int_equal(waitpid(peer.pid, &status, 0), peer.pid);
	assert_int_equal(peerfd_open(&peer, &pfd.fd, &err), -1);
	assert_int_equal(err.code, OPS_EUNAVAIL);
	/* None of these left a descriptor. */
	assert_int_equal(dup(0), other);
	close(other);
}

struct conn {
	unsigned calls;
	int keep; /* take this descriptor */
	int rc;
	int kept;
};

static int
handle(void *arg, struct msg *m, struct ops_err *err)
{
	struct conn *c = arg;

	c->calls++;
	if (c->keep >= 0) {
		c->kept = m->fd[c->keep];
		m->fd[c->keep] = -1;
	}
	if (c->rc < 0)
		return ops_fail(err, OPS_EPERM, "no");
	return 0;
}

static void
test_dispatch(void **state)
{
	static const struct msg_rule rules[] = {
		{ 3, "THREE", 1u << 0 | 1u << 2, 2, 4, 0, 2, handle },
		{ 4, "FOUR", 1u << 31, 0, 0, 1, 1, handle },
	};
	/* clang-format off */
	static const struct {
		const char *name;
		unsigned type, state;
		size_t n;
		unsigned fds;
		int rc;
	} rows[] = {
		{ "shortest", 3, 0, 2, 0, 0 },
		{ "longest", 3, 2, 4, 2, 0 },
		{ "too short", 3, 0, 1, 0, -1 },
		{ "too long", 3, 0, 5, 0, -1 },
		{ "wrong state", 3, 1, 2, 0, -1 },
		{ "last state", 4, 31, 0, 1, 0 },
		{ "state out of range", 4, 32, 0, 1, -1 },
		{ "no descriptor", 4, 31, 0, 0, -1 },
		{ "too many descriptors", 4, 31, 0, 2, -1 },
		{ "too many for three", 3, 0, 2, 3, -1 },
		{ "unknown", 5, 0, 2, 1, -1 },
		{ "type 0", 0, 0, 2, 0, -1 },
	};
	/* clang-format on */
	unsigned before = open_fds();
	struct ops_err err;

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct conn c = { .keep = -1 };
		struct msg m = { (uint16_t)rows[i].type, buf, rows[i].n,
			{ -1, -1, -1, -1 }, rows[i].fds };

		for (unsigned k = 0; k < m.fds; k++)
			m.fd[k] = dup(0);
		memset(&err, 0, sizeof(err));
		CHECK(msg_dispatch(rules, 2, rows[i].state, &c, &m, &err) ==
			  rows[i].rc,
		    rows[i].name, err.msg);
		CHECK(c.calls == (rows[i].rc == 0), rows[i].name, "calls");
		CHECK(err.code == (rows[i].rc == 0 ? OPS_OK : OPS_EFORMAT),
		    rows[i].name, "code");
		CHECK(open_fds() == before, rows[i].name, "left open");
	}

	/* What a handler takes stays open, also when it then fails. */
	struct conn c = { .keep = 1, .rc = -1 };
	struct msg m = { 3, buf, 2, { dup(0), dup(0), -1, -1 }, 2 };
	assert_int_equal(msg_dispatch(rules, 2, 0, &c, &m, &err), -1);
	assert_int_equal(err.code, OPS_EPERM);
	assert_string_equal(err.msg, "THREE: no");
	assert_int_equal(open_fds(), before + 1);
	close(c.kept);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_full_and_gone),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_pidfd_end),
		cmocka_unit_test(test_open_pidfd),
		cmocka_unit_test(test_dispatch),
	};

	return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}
