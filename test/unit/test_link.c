/* A link as capture has one: no events, messages of its own, and another stream
 * for a writer that lacks what was acknowledged.  Any order of messages, and a
 * recorder's link, are the fuzz target's. */
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "check.h"
#include "ipc/link.h"

static struct {
	struct queue q;
	struct link l;
	int writer; /* its end; -1: none */
	unsigned held, behind, heard;
} t;

static void
on_held(void *arg, uint64_t now)
{
	assert_ptr_equal(arg, &t);
	t.held++;
	link_say(&t.l, MSG_CAP_STATE, "state", 5, now);
}

static int
on_behind(
    void *arg, const struct proto_held *h, uint64_t now, struct ops_err *err)
{
	(void)now;
	assert_ptr_equal(arg, &t);
	assert_int_equal(h->next_record, 0);
	t.behind++;
	assert_int_equal(queue_anew(&t.q, REC_OUTPUT, 1, "new", 3), 0);
	t.l.id[0]++;
	return ops_fail(err, OPS_EUNAVAIL, "another stream");
}

static int
on_over(void *conn, struct msg *m, struct ops_err *err)
{
	(void)m;
	(void)err;
	assert_ptr_equal(conn, &t);
	t.heard++;
	return 0;
}

static const struct msg_rule rules[] = {
	{ Q_OVER, "Q_OVER", 1u << LINK_OPEN, 2, 2, 0, 0, on_over },
};
static const struct link_owner owner = { .hello = MSG_CAP_HELLO,
	.rules = rules,
	.n_rules = OPS_ARRAY_LEN(rules),
	.held = on_held,
	.behind = on_behind };

static void
begin(void)
{
	memset(&t, 0, sizeof(t));
	t.writer = -1;
	t.l = (struct link){ .path = "/nowhere/record.sock",
		.queue = &t.q,
		.owner = &owner,
		.arg = &t,
		.fd = -1,
		.bell = -1 };
}

/* As link_connect() leaves it. */
static void
connected(void)
{
	int pair[2];

	if (t.writer >= 0)
		close(t.writer);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair),
	    0);
	t.l.fd = pair[0];
	t.l.log_ok = true;
	t.writer = pair[1];
}

static void
end(void)
{
	link_close(&t.l, 0);
	if (t.writer >= 0)
		close(t.writer);
	queue_free(&t.q);
}

static void
writer_says(uint16_t type, const void *p, size_t n)
{
	assert_int_equal(msg_send(t.writer, type, p, n, NULL, 0, NULL), 0);
	link_read(&t.l, 1);
}

static void
writer_holds(uint64_t record)
{
	const struct proto_held h = { true, false, record, 0 };
	uint8_t b[PROTO_HELD_LEN];

	proto_held_encode(&h, b);
	writer_says(MSG_REC_HELD, b, sizeof(b));
}

/* The next message that came is of this type and begins like that; NULL: there
 * is none. */
static void
writer_gets(uint16_t type, const void *p, size_t n)
{
	static uint8_t buf[MSG_MAX];
	struct msg m;
	struct ops_err err = { 0 };
	int rc = msg_recv(t.writer, buf, &m, &err);

	if (p == NULL) {
		assert_true(rc < 0 && err.code == OPS_EBUSY);
		return;
	}
	assert_int_equal(rc, 1);
	assert_int_equal(m.type, type);
	assert_true(m.n >= n);
	assert_memory_equal(m.p, p, n);
}

static void
test_nothing_before_held(void **state)
{
	(void)state;
	begin();
	connected();
	assert_int_equal(queue_put(&t.q, REC_OUTPUT, 7, "a", 1), 0);
	link_say(&t.l, MSG_CAP_SYNC, "early", 5, 1);
	assert_false(link_flush(&t.l, 1));
	writer_gets(0, NULL, 0);
	/* Its own message is only for an open one. */
	writer_says(Q_OVER, "xx", 2);
	assert_int_equal(t.heard, 0);
	assert_int_equal(t.l.fd, -1);
	end();
}

static void
test_open(void **state)
{
	static const uint8_t first[8] = { 0 }, ack[16] = { 1 };

	(void)state;
	begin();
	connected();
	assert_int_equal(queue_put(&t.q, REC_OUTPUT, 7, "a", 1), 0);
	writer_holds(0);
	assert_int_equal(t.held, 1);
	assert_true(link_open(&t.l));
	assert_int_equal(t.l.bell, -1);
	assert_true(link_flush(&t.l, 1));
	/* What it says when it is held comes before all else. */
	writer_gets(MSG_CAP_STATE, "state", 5);
	writer_gets(MSG_REC_RECORDS, first, sizeof(first));
	link_ring(&t.l, UINT64_MAX); /* there is none */
	writer_says(Q_OVER, "xx", 2);
	assert_int_equal(t.heard, 1);
	writer_says(MSG_REC_ACK, ack, sizeof(ack));
	assert_true(queue_empty(&t.q));
	/* A log that can't be written gets nothing. */
	writer_says(MSG_REC_STATE, "\0full", 5);
	assert_int_equal(queue_put(&t.q, REC_OUTPUT, 7, "b", 1), 0);
	assert_false(link_open(&t.l));
	assert_false(link_flush(&t.l, 1));
	writer_gets(0, NULL, 0);
	writer_says(MSG_REC_STATE, "\1", 1);
	assert_true(link_flush(&t.l, 1));
	writer_gets(MSG_REC_RECORDS, "\1", 1);
	/* Too long for its row. */
	writer_says(Q_OVER, "xxx", 3);
	assert_int_equal(t.l.fd, -1);
	end();
}

static void
test_behind(void **state)
{
	static const uint8_t first[8] = { 0 }, ack[16] = { 1 };

	(void)state;
	begin();
	connected();
	assert_int_equal(queue_put(&t.q, REC_OUTPUT, 7, "a", 1), 0);
	assert_int_equal(queue_put(&t.q, REC_OUTPUT, 7, "b", 1), 0);
	writer_holds(0);
	assert_true(link_flush(&t.l, 1));
	writer_says(MSG_REC_ACK, ack, sizeof(ack));
	link_close(&t.l, 1);
	/* The next has nothing of it: hang up, and come as another stream. */
	connected();
	writer_holds(0);
	assert_int_equal(t.behind, 1);
	assert_int_equal(t.held, 1);
	assert_int_equal(t.l.fd, -1);
	assert_int_equal(t.l.id[0], 1);
	connected();
	writer_holds(0);
	assert_int_equal(t.behind, 1);
	assert_true(link_flush(&t.l, 1));
	writer_gets(MSG_CAP_STATE, "state", 5);
	writer_gets(MSG_REC_RECORDS, first, sizeof(first));
	assert_int_equal(t.q.sent_no, 2); /* new and b */
	end();
}

/* A writer that isn't there is tried again, in the end more rarely. */
static void
test_retry(void **state)
{
	uint64_t now = 1;

	(void)state;
	begin();
	for (unsigned i = 1; i <= LINK_SLOW_AFTER + 2; i++) {
		uint64_t wait =
		    LINK_RETRY_NS * (i > LINK_SLOW_AFTER ? 10u : 1u);

		link_connect(&t.l, now);
		assert_int_equal(t.l.failed, i);
		assert_int_equal(t.l.retry, now + wait);
		link_connect(&t.l, now + wait - 1);
		assert_int_equal(t.l.failed, i);
		now += wait;
	}
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_before_held),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_retry),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
