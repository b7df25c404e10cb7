/*
 * link - a recorder against any writer: HELD, ACK, STATE and FOUND in any
 * order and with any numbers, over a real socket, while records and events are
 * queued and sent.
 *
 * The input is a list of steps.  Whatever the writer says:
 *	- nothing is sent before it has said what it holds, and nothing while it
 *	  says that the log can't be written;
 *	- what is sent begins where it said, in order, each number once a
 *	  connection, and is what was queued under that number;
 *	- nothing is forgotten that the writer had not acknowledged, nor
 *	  acknowledged that was never sent;
 *	- an event goes behind the records that were queued before it;
 *	- the session's own terminal is named first of all, once a connection;
 *	- who has less than he acknowledged gets a GAP in each row, in front of
 *	  what is kept, and event 0 again if he lacks it.
 */
#include "../fuzz.h"

#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "ipc/msg.h"
#include "record/record.h"
#include "recorder/uplink.h"

#define NUMBERS_MAX 16384
#define RESTARTS_MAX 2048 /* an input has no more bytes */
#define GAP UINT32_MAX

static const uint8_t id[OPS_ID_LEN] = "recorder";

static struct {
	struct queue q;
	struct link l;
	struct uplink u;
	int fd; /* the writer's end; -1: none */
	uint64_t now;
	/* By number: which of those that were queued it is, or GAP; and of
	 * events the records queued before. */
	uint32_t record[NUMBERS_MAX + RESTARTS_MAX];
	uint32_t event[NUMBERS_MAX + 2 * RESTARTS_MAX];
	uint64_t after[NUMBERS_MAX + 2 * RESTARTS_MAX];
	uint32_t records, events; /* queued so far */
	bool closed;              /* the last of them is the CLOSE */
	/* the writer's view of this connection */
	bool held, named;
	uint64_t next_record, next_event;
	/* of all: numbers below were acknowledged */
	uint64_t acked_record, acked_event;
	unsigned found;
	int bell, first_descriptor;
} t;

/* The lowest that is free. */
static int
next_descriptor(void)
{
	int fd = dup(STDERR_FILENO), number = fd;

	close(fd);
	return number;
}

/* -- what is in a record or event follows from which it is -- */

static size_t
record_len(uint32_t which)
{
	return which % 5 == 4 ? 9000 + which % 7000 : which % 50;
}

static void
queue_record(void)
{
	static uint8_t p[RECORD_PAYLOAD_MAX];
	uint32_t which = t.records;
	size_t n = record_len(which);

	memset(p, (int)(which & 0xff), n);
	if (which == NUMBERS_MAX ||
	    queue_put(&t.q, REC_OUTPUT, which, p, n) < 0)
		return;
	t.record[t.q.tail_no - 1] = which;
	t.records++;
}

static void
queue_an_event(bool close_it)
{
	uint8_t type = close_it ? REC_SESSION_CLOSE : REC_BYPASS;
	uint32_t which = t.events;

	if (t.closed || which == NUMBERS_MAX ||
	    queue_event(&t.q, type, which, &which, sizeof(which), close_it) < 0)
		return;
	t.event[t.q.event_tail - 1] = which;
	t.after[t.q.event_tail - 1] = t.q.tail_no;
	t.events++;
	t.closed = close_it;
}

/* -- the writer's end -- */

static void
got_records(const struct msg *m)
{
	REQUIRE(m->n > 8 && ops_getle64(m->p) == t.next_record);
	for (size_t at = 8; at < m->n; t.next_record++) {
		uint32_t which = t.record[t.next_record];
		struct record r;
		long used = record_decode(m->p + at, m->n - at, &r, NULL);

		REQUIRE(used > 0 && t.next_record < t.q.tail_no);
		at += (size_t)used;
		REQUIRE(r.type == (which == GAP ? REC_GAP : REC_OUTPUT));
		if (which == GAP)
			continue;
		REQUIRE(r.time == which && r.len == record_len(which));
		for (size_t i = 0; i < r.len; i += 97)
			REQUIRE(r.payload[i] == (which & 0xff));
	}
}

static void
got_event(const struct msg *m)
{
	uint64_t number = ops_getle64(m->p);
	uint32_t which = t.event[number];
	bool last = t.closed && which + 1 == t.events;

	REQUIRE(number == t.next_event && number < t.q.event_tail);
	REQUIRE(t.next_record >= t.after[number]);
	t.next_event++;
	if (which == GAP) {
		REQUIRE(m->p[8] == REC_GAP_EVENT);
		return;
	}
	REQUIRE(m->p[8] == (last ? REC_SESSION_CLOSE : REC_BYPASS));
	REQUIRE(ops_getle64(m->p + 9) == which);
	REQUIRE(m->n == 17 + sizeof(which));
	REQUIRE(memcmp(m->p + 17, &which, sizeof(which)) == 0);
}

static void
got_inner(const struct msg *m)
{
	struct proto_inner i;

	REQUIRE(proto_inner_decode(m->p, m->n, &i, NULL) == 0);
	REQUIRE(memcmp(i.id, id, sizeof(id)) == 0);
	t.named = true;
}

static void
take(void)
{
	static uint8_t buf[MSG_MAX];
	struct msg m;
	int rc;

	while (t.fd >= 0 && (rc = msg_recv(t.fd, buf, &m, NULL)) >= 0) {
		if (rc == 0) {
			close(t.fd);
			t.fd = -1;
			return;
		}
		/* The recorder may have been cut off for it, but never by what
		 * it sent itself. */
		REQUIRE(t.held);
		REQUIRE(t.named == (m.type != MSG_REC_INNER));
		if (m.type == MSG_REC_RECORDS)
			got_records(&m);
		else if (m.type == MSG_REC_EVENT)
			got_event(&m);
		else if (m.type == MSG_REC_INNER)
			got_inner(&m);
		else
			REQUIRE(
			    m.type == MSG_REC_OUTER && m.n == PROTO_OUTER_LEN);
	}
}

/* As link_connect() leaves it. */
static void
connect_again(void)
{
	int pair[2];

	if (t.l.fd >= 0)
		return;
	take();
	if (t.fd >= 0)
		close(t.fd);
	REQUIRE(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == 0);
	t.l.fd = pair[0];
	t.l.opened++;
	t.l.log_ok = true;
	t.fd = pair[1];
	t.held = t.named = false;
}

static uint64_t
near(uint64_t number, uint8_t how)
{
	static const int64_t off[] = { 0, 0, 0, 0, 1, -1, 100, -100 };

	return how >= 0xf8 ? number ^ (UINT64_C(1) << 8 * (how & 7))
			   : number + (uint64_t)off[how & 7];
}

/* What is behind HELD is right for the link, or it must hang up. */
static bool
held_is_possible(const struct proto_held *h)
{
	return !h->closed && /* looked at by the caller */
	       h->next_record <= t.q.tail_no && h->next_event <= t.q.event_tail;
}

static bool
held_is_behind(const struct proto_held *h)
{
	return h->next_record < t.acked_record || h->next_event < t.acked_event;
}

/* Will the queue have room for what is then put in front? */
static bool
may_restart(void)
{
	return t.q.event_tail - t.q.event_head + 2 <= QUEUE_EVENTS_MAX &&
	       queue_bytes(&t.q) <= QUEUE_MAX;
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The link goes on with such a writer; tail and event_tail as before that. */
static void
restart(const struct proto_held *h, uint64_t tail, uint64_t event_tail)
{
	uint64_t to = h->next_record, e = h->next_event;
	uint64_t from = later(to, t.acked_record),
		 kept = later(e, t.acked_event);
	uint64_t put = e == 0 && t.acked_event > 0 ? 2 : 1;

	memmove(&t.record[to + 1], &t.record[from],
	    (tail - from) * sizeof(t.record[0]));
	t.record[to] = GAP;
	for (uint64_t i = kept; i < event_tail; i++)
		t.after[i] = t.after[i] > from ? t.after[i] - from + to + 1
					       : 0; /* it has those */
	memmove(&t.event[e + put], &t.event[kept],
	    (event_tail - kept) * sizeof(t.event[0]));
	memmove(&t.after[e + put], &t.after[kept],
	    (event_tail - kept) * sizeof(t.after[0]));
	if (put == 2)
		t.event[e] = 0;
	t.event[e + put - 1] = GAP;
	t.after[e] = t.after[e + put - 1] = 0;
	if (to < t.acked_record)
		t.acked_record = to;
	t.acked_event = e;
}

static void
say_held(uint8_t how, uint8_t record, uint8_t event)
{
	uint64_t base_r = how & 1 ? t.acked_record : t.next_record;
	uint64_t base_e = how & 1 ? t.acked_event : t.next_event;
	struct proto_held h = { true, (how & 0x60) == 0x60,
		near(base_r, record), near(base_e, event) };
	bool possible = held_is_possible(&h), first = !t.held;
	bool behind = held_is_behind(&h);
	uint64_t tail = t.q.tail_no, event_tail = t.q.event_tail;
	bool over = queue_closed(&t.q);
	uint8_t b[PROTO_HELD_LEN];

	if (possible && behind)
		possible = may_restart();
	proto_held_encode(&h, b);
	if (msg_send(
		t.fd, MSG_REC_HELD, b, sizeof(b), &t.bell, how & 1u, NULL) < 0)
		return;
	take();
	link_read(&t.l, t.now);
	if (!first || (!possible && !h.closed) || (h.closed && !over)) {
		REQUIRE(t.l.fd < 0);
	} else if (h.closed) {
		REQUIRE(queue_empty(&t.q));
		t.acked_record = t.q.tail_no;
		t.acked_event = t.q.event_tail;
	} else {
		REQUIRE(t.l.fd >= 0 && t.l.held);
		REQUIRE((t.l.bell >= 0) == (how & 1));
		if (behind)
			restart(&h, tail, event_tail);
		t.held = true;
		t.next_record = h.next_record;
		t.next_event = h.next_event;
	}
}

static void
say_ack(uint8_t record, uint8_t event)
{
	uint64_t r = near(t.next_record, record);
	uint64_t e = near(t.next_event, event);
	bool possible;
	uint8_t b[16];

	take();
	/* Only what was sent can have become durable. */
	possible =
	    t.held && t.l.fd >= 0 && r <= t.q.sent_no && e <= t.q.event_sent;
	REQUIRE(
	    !t.held || t.l.fd < 0 ||
	    (t.q.sent_no == t.next_record && t.q.event_sent == t.next_event));
	ops_putle64(b, r);
	ops_putle64(b + 8, e);
	if (msg_send(t.fd, MSG_REC_ACK, b, sizeof(b), NULL, 0, NULL) < 0)
		return;
	link_read(&t.l, t.now);
	REQUIRE((t.l.fd >= 0) == possible);
	if (!possible)
		return;
	t.acked_record = r > t.acked_record ? r : t.acked_record;
	t.acked_event = e > t.acked_event ? e : t.acked_event;
}

static void
found(void *arg, const struct proto_found *f)
{
	REQUIRE(arg == &t && memcmp(f->id, id, sizeof(id)) == 0);
	t.found++;
}

static void
say_anything(struct fuzz_in *in, uint8_t how)
{
	uint16_t type = (uint16_t)(MSG_REC_HELLO + how % 24);
	struct ops_buf b = { .max = 4096 };
	struct proto_found f = { .pid = 7 };
	size_t n = fuzz_byte(in);

	memcpy(f.id, id, sizeof(id));
	/* These move what the model knows: said elsewhere. */
	if (type == MSG_REC_HELD || type == MSG_REC_ACK)
		type = MSG_REC_FOUND;
	if (type == MSG_REC_FOUND && how & 0x80)
		proto_found_put(&b, &f);
	else
		ops_buf_put(&b, in->p, n < in->n ? n : in->n);
	REQUIRE(!b.failed);
	(void)msg_send(t.fd, type, b.data, b.len, NULL, 0, NULL);
	ops_buf_free(&b);
	link_read(&t.l, t.now);
}

static void
say_state(uint8_t ok)
{
	bool there = t.l.fd >= 0;

	(void)msg_send(t.fd, MSG_REC_STATE, &ok, 1, NULL, 0, NULL);
	link_read(&t.l, t.now);
	REQUIRE(t.l.fd < 0 || !there || t.l.log_ok == (ok != 0));
}

static void
flush(void)
{
	uint64_t record = t.q.sent_no, event = t.q.event_sent;
	bool open = link_open(&t.l), all = link_flush(&t.l, t.now);

	REQUIRE(!all || (queue_all_sent(&t.q) && open));
	if (!open) /* nothing is sent */
		REQUIRE(t.q.sent_no == record && t.q.event_sent == event);
	take();
}

static void
check(void)
{
	REQUIRE(t.q.head_no == t.acked_record);
	REQUIRE(t.q.event_head == t.acked_event);
	REQUIRE(queue_bytes(&t.q) <= QUEUE_MEMORY);
	REQUIRE(!link_open(&t.l) || t.held);
}

static void
step(struct fuzz_in *in)
{
	uint8_t op = fuzz_byte(in), how = op >> 3;

	t.now += LINK_RETRY_NS;
	switch (op & 7) {
	case 0:
		for (unsigned i = 0; i <= how; i++)
			queue_record();
		break;
	case 1:
		queue_an_event(how == 31);
		break;
	case 2:
		flush();
		break;
	case 3:
		connect_again();
		if (how & 1)
			say_held(fuzz_byte(in), 0, 0);
		break;
	case 4:
		if (t.fd >= 0)
			say_held(how, fuzz_byte(in), fuzz_byte(in));
		break;
	case 5:
		if (t.fd >= 0)
			say_ack(fuzz_byte(in), fuzz_byte(in));
		break;
	case 6:
		if (t.fd >= 0)
			say_state(how & 1);
		break;
	default:
		if (t.fd >= 0 && how < 20)
			say_anything(in, fuzz_byte(in));
		else
			link_close(&t.l, t.now);
	}
	check();
}

/* At last an honest writer: it gets all that was never acknowledged. */
static void
finish(void)
{
	link_close(&t.l, t.now);
	connect_again();
	say_held(1, 0, 0);
	REQUIRE(t.held && t.l.fd >= 0);
	t.l.log_ok = true;
	for (int i = 0; i < 100000 && !queue_all_sent(&t.q); i++)
		flush();
	REQUIRE(t.next_record == t.q.tail_no);
	REQUIRE(t.next_event == t.q.event_tail);
	say_ack(0, 0);
	REQUIRE(queue_empty(&t.q));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };

	if (size > 2048)
		return 0;
	memset(&t, 0, sizeof(t));
	t.fd = -1;
	t.first_descriptor = next_descriptor();
	t.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	REQUIRE(t.bell >= 0);
	t.l = (struct link){ .path = "/nowhere",
		.queue = &t.q,
		.owner = &uplink_owner,
		.arg = &t.u,
		.fd = -1,
		.bell = -1 };
	memcpy(t.l.id, id, sizeof(id));
	t.u = (struct uplink){ .link = &t.l,
		.inner = { .door = 1 },
		.outer = { .door = 1, .recorder = 2 },
		.found = found,
		.arg = &t };
	memcpy(t.u.inner.id, id, sizeof(id));
	memcpy(t.u.outer.id, id, sizeof(id));
	while (in.n > 0)
		step(&in);
	finish();
	REQUIRE(t.l.fd >= 0 || t.l.bell < 0);
	if (t.l.fd >= 0)
		link_close(&t.l, t.now);
	if (t.fd >= 0)
		close(t.fd);
	/* Whatever came, no descriptor was kept: the next is as the first. */
	close(t.bell);
	REQUIRE(next_descriptor() == t.first_descriptor);
	queue_free(&t.q);
	return 0;
}
