/*
 * copy.c where the queue is full: what is recorded waits its turn or is told by
 * a GAP, and nothing asks for memory.
 */
#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "check.h"
#include "nomem.h"
#include "recorder/rec.h"

static struct rec r;
static int inner;  /* the shell's end of the inner terminal */
static int writer; /* the other end of the link */
static enum close_why ended;

/* rec.c, of which only this is called */
void
rec_end(struct rec *rec, enum close_why why)
{
	(void)rec;
	ended = why;
}

static int
set_up(void **state)
{
	struct termios raw = { .c_cflag = CS8 };
	int ends[2], outer, outer_slave;

	(void)state;
	memset(&r, 0, sizeof(r));
	ended = 0;
	if (openpty(&r.master, &inner, NULL, &raw, NULL) < 0 ||
	    openpty(&outer, &outer_slave, NULL, NULL, NULL) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0 ||
	    fcntl(r.master, F_SETFL, O_NONBLOCK) < 0 ||
	    outer_init(&r.outer, outer) < 0)
		return -1;
	close(outer_slave);
	r.outer.dead = true; /* nobody reads it */
	r.terminal = true;
	r.phase = RUNNING;
	r.echo = -1;
	r.hold_time = 100;
	r.now = 1000;
	r.input.sink = (struct input_sink){ copy_keep, copy_mask, &r };
	r.link.queue = &r.queue;
	r.link.fd = ends[0];
	r.link.bell = -1;
	r.link.held = r.link.log_ok = true;
	writer = ends[1];
	if (queue_room(&r.queue, 0) == NULL)
		return -1;
	/* From here on memory is gone. */
	nomem.failed = 0;
	nomem.after = 0;
	nomem.armed = true;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	nomem.armed = false;
	nomem.after = -1;
	queue_free(&r.queue);
	close(r.master);
	close(r.outer.fd);
	close(inner);
	close(r.link.fd);
	close(writer);
	return nomem.failed == 0 ? 0 : -1;
}

/* Records until not even an empty one fits. */
static void
fill(void)
{
	static uint8_t bytes[RECORD_PAYLOAD_MAX];
	size_t n = sizeof(bytes);

	for (;;) {
		if (queue_put(&r.queue, REC_INPUT, 0, bytes, n) == 0)
			continue;
		if (n == 0)
			return;
		n /= 2;
	}
}

/* The writer takes and acknowledges all there is; what comes after the first
 * `skip` records is decoded into seen[]. */
static struct seen {
	uint8_t type;
	uint64_t number; /* of the payload's first bytes */
	size_t len;
	uint8_t last; /* byte of the payload */
} seen[16384];
static size_t n_seen, n_events;

static void
take_all(uint64_t skip)
{
	const struct queue_event *ev;
	enum queue_next what;
	const uint8_t *p;
	struct record rec;
	struct ops_err err;
	uint64_t no;
	size_t n;

	n_seen = n_events = 0;
	while ((what = queue_next(&r.queue, 65000, &p, &n, &ev, &no)) !=
	       QUEUE_NOTHING) {
		if (what == QUEUE_EVENT) {
			n_events++;
			queue_sent(&r.queue, 0);
			continue;
		}
		for (size_t at = 0; at < n; no++) {
			long len = record_decode(p + at, n - at, &rec, &err);

			assert_true(len > 0);
			at += (size_t)len;
			if (no < skip)
				continue;
			assert_true(n_seen < OPS_ARRAY_LEN(seen));
			seen[n_seen++] = (struct seen){ rec.type,
				rec.len >= 8   ? ops_getle64(rec.payload)
				: rec.len >= 4 ? ops_getle32(rec.payload)
				: rec.len >= 1 ? rec.payload[0]
					       : 0,
				rec.len,
				rec.len > 0 ? rec.payload[rec.len - 1] : 0 };
		}
		queue_sent(&r.queue, n);
	}
	assert_int_equal(
	    queue_ack(&r.queue, r.queue.sent_no, r.queue.event_sent, &err), 0);
}

static void
put_size(unsigned cols)
{
	uint8_t p[4];

	ops_putle32(p, cols);
	copy_record(&r, REC_RESIZE, p, sizeof(p));
}

static void
test_small_records_are_owed(void **state)
{
	uint64_t before;
	uint8_t why = 1;

	(void)state;
	fill();
	before = r.queue.tail_no;
	put_size(1);
	copy_record(&r, REC_MASKED, &why, 1);
	copy_record(&r, REC_STOP, &why, 1);
	copy_record(&r, REC_CONT, NULL, 0);
	put_size(2); /* in the place of the first */
	assert_int_equal(r.n_owed, 4);
	assert_int_equal(r.hold_since, 1000);
	/* No output may pass them, even where it would have room. */
	assert_false(copy_wants_output(&r));
	take_all(UINT64_MAX);
	assert_false(copy_wants_output(&r));
	copy_flush(&r);
	assert_true(copy_wants_output(&r));
	assert_int_equal(r.hold_since, 0);
	queue_rewind(&r.queue, before, r.queue.event_head, NULL);
	take_all(before);
	assert_int_equal(n_seen, 5);
	assert_int_equal(seen[0].type, REC_MASKED);
	assert_int_equal(seen[1].type, REC_STOP);
	assert_int_equal(seen[2].type, REC_CONT);
	assert_int_equal(seen[3].type, REC_RESIZE);
	assert_int_equal(seen[3].number, 2);
	/* The size that was left out is told of. */
	assert_int_equal(seen[4].type, REC_GAP);
	assert_int_equal(seen[4].number, 0);
	assert_int_equal(n_events, 1);
	assert_int_equal(r.bytes_lost, 0);
	assert_false(r.left_out);
}

/* A gap that can't be told yet, for want of room or of a place for its event,
 * goes on, and is told once. */
static void
gap_waits(bool events)
{
	uint64_t before;

	copy_gap_begin(&r);
	copy_keep(&r, (const uint8_t *)"12345", 5);
	assert_int_equal(r.gap_bytes, 5);
	if (events)
		while (queue_event(&r.queue, REC_BYPASS, 0, "x", 1, 0) == 0)
			;
	else
		fill();
	before = r.queue.tail_no;
	for (unsigned i = 0; i < 3; i++) {
		assert_false(copy_gap_end(&r));
		assert_true(r.gap);
		r.now++;
		copy_keep(&r, (const uint8_t *)"1", 1);
	}
	assert_int_equal(r.queue.tail_no, before);
	assert_int_equal(r.bytes_lost, 0);
	if (events) {
		/* At the end of the session it may take a kept place. */
		r.phase = WAIT_EXIT;
		assert_true(copy_gap_end(&r));
	} else {
		take_all(UINT64_MAX);
		copy_flush(&r);
	}
	assert_false(r.gap);
	assert_true(copy_gap_end(&r));
	assert_int_equal(r.bytes_lost, 8);
	queue_rewind(&r.queue, r.queue.head_no, r.queue.event_head, NULL);
	take_all(before);
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen[0].type, REC_GAP);
	assert_int_equal(seen[0].number, 8);
	assert_int_equal(
	    n_events, events ? QUEUE_EVENTS_MAX - QUEUE_EVENTS_KEPT + 1 : 1);
}

static void
test_gap_waits_for_room(void **state)
{
	(void)state;
	gap_waits(false);
}

static void
test_gap_waits_for_events(void **state)
{
	(void)state;
	gap_waits(true);
}

/* Input that finds no room is counted, also before a gap is begun. */
static void
test_input_is_counted(void **state)
{
	uint64_t before;

	(void)state;
	r.keep_input = true;
	fill();
	before = r.queue.tail_no;
	r.outer.dead = false;
	assert_false(copy_wants_typed(&r)); /* nobody should have read it */
	copy_keep(&r, (const uint8_t *)"abc", 3);
	assert_false(r.gap);
	r.now = 2000;
	take_all(UINT64_MAX);
	copy_flush(&r);
	queue_rewind(&r.queue, before, r.queue.event_head, NULL);
	take_all(before);
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen[0].type, REC_GAP);
	assert_int_equal(seen[0].number, 3);
	assert_int_equal(r.bytes_lost, 3);
	assert_true(copy_wants_typed(&r));
}

/* As much as can be is held, each byte of it becomes a record of its own, and
 * the queue has just the room that lets output be read. */
static void
test_echo_of_all_that_is_held(void **state)
{
	static uint8_t typed[INPUT_MAX], echo[INPUT_MAX / 2];
	uint64_t before;
	size_t kept = 0, facts = 0, shown = 0;

	(void)state;
	r.keep_input = true;
	/* A key without an echo before each letter that has one. */
	for (size_t i = 0; i < sizeof(typed); i += 2) {
		typed[i] = 1;
		typed[i + 1] = 'x';
	}
	memset(echo, 'x', sizeof(echo));
	while (copy_wants_output(&r))
		assert_int_equal(
		    queue_put(&r.queue, REC_RESIZE, 0, typed, 4), 0);
	take_all(UINT64_MAX);
	while (queue_bytes(&r.queue) + RECORD_HEADER + 1000 <= QUEUE_MAX &&
	       copy_wants_output(&r))
		assert_int_equal(
		    queue_put(&r.queue, REC_INPUT, 0, typed, 900), 0);
	/* One back, to where it was still wanted. */
	r.queue.tail -= RECORD_HEADER + 900;
	r.queue.tail_no--;
	assert_true(copy_wants_output(&r));
	before = r.queue.tail_no;
	input_typed(&r.input, typed, sizeof(typed), 0, 0, r.now);
	assert_int_equal(r.input.n, sizeof(typed));
	assert_int_equal(write(inner, echo, sizeof(echo)), sizeof(echo));
	copy_output(&r);
	queue_rewind(&r.queue, r.queue.head_no, r.queue.event_head, NULL);
	take_all(before);
	for (size_t i = 0; i < n_seen; i++) {
		kept += seen[i].type == REC_INPUT ? seen[i].len : 0;
		facts += seen[i].type == REC_MASKED;
		shown += seen[i].type == REC_OUTPUT ? seen[i].len : 0;
	}
	assert_int_equal(kept, sizeof(echo));
	assert_int_equal(facts, sizeof(echo));
	assert_int_equal(shown, sizeof(echo));
	assert_int_equal(seen[n_seen - 1].type, REC_OUTPUT);
	assert_int_equal(r.bytes_out, sizeof(echo));
	assert_int_equal(r.gap_bytes, 0);
}

/* Whose user has had his share: nobody waits, and what is shown is a gap from its
 * first byte to the last. */
static void
test_limited(void **state)
{
	uint64_t before = r.queue.tail_no;

	(void)state;
	r.link.limited = true;
	copy_flush(&r);
	assert_int_equal(r.hold_since, 0);
	assert_false(r.gap); /* nothing was shown yet */
	assert_true(copy_wants_output(&r));
	assert_int_equal(write(inner, "12345", 5), 5);
	copy_output(&r);
	assert_int_equal(write(inner, "678", 3), 3);
	r.now = 3000;
	copy_output(&r);
	/* Of what can be said without end the last is kept for later. */
	for (unsigned cols = 1; cols < 100; cols++)
		put_size(cols);
	copy_flush(&r);
	assert_int_equal(r.hold_since, 0);
	assert_int_equal(r.queue.tail_no, before);
	assert_int_equal(r.bytes_out, 8);
	assert_int_equal(r.gap_bytes, 8);
	r.link.limited = false;
	r.now = 4000;
	copy_flush(&r);
	assert_false(r.gap);
	assert_int_equal(r.bytes_lost, 8);
	assert_int_equal(write(inner, "9", 1), 1);
	copy_output(&r);
	queue_rewind(&r.queue, before, r.queue.event_head, NULL);
	take_all(before);
	assert_int_equal(n_seen, 3);
	assert_int_equal(seen[0].type, REC_RESIZE);
	assert_int_equal(seen[0].number, 99);
	assert_int_equal(seen[1].type, REC_GAP);
	assert_int_equal(seen[1].number, 8);
	assert_int_equal(seen[1].len, QUEUE_GAP_LEN + 1);
	assert_int_equal(seen[2].type, REC_OUTPUT);
	assert_int_equal(n_events, 1);
	/* The next gap has its own reason, here none. */
	before = r.queue.tail_no;
	copy_gap_begin(&r);
	copy_keep(&r, (const uint8_t *)"x", 1);
	assert_true(copy_gap_end(&r));
	take_all(before);
	assert_int_equal(seen[0].len, QUEUE_GAP_LEN);
}

/* What may not be shown unrecorded is held, and ends. */
static void
test_limited_and_refused(void **state)
{
	(void)state;
	r.refuse = true;
	r.link.limited = true;
	assert_false(copy_wants_output(&r));
	copy_flush(&r);
	assert_int_equal(r.hold_since, 1000);
	/* That the writer answers is no hope here. */
	r.link.heard = r.now = 1050;
	copy_tick(&r);
	assert_int_equal(ended, 0);
	r.link.heard = r.now = 1100;
	copy_tick(&r);
	assert_int_equal(ended, CLOSE_LOG_FAILURE);
	assert_false(r.gap);
}

/* What waits for a socket that takes no more is shown once that has it, though nothing
 * more is recorded by then: the gap begins at once. */
static void
test_limited_behind_the_gate(void **state)
{
	static char bytes[1000], taken[65536];

	(void)state;
	/* The writer has the OPEN. */
	assert_int_equal(queue_event(&r.queue, REC_BYPASS, 0, "x", 1, 0), 0);
	take_all(UINT64_MAX);
	for (unsigned i = 0; i < 1000 && !r.outer.gate; i++) {
		assert_int_equal(
		    write(inner, bytes, sizeof(bytes)), sizeof(bytes));
		copy_output(&r);
	}
	assert_true(r.outer.gate);
	assert_true(outer_pending(&r.outer));
	r.link.limited = true;
	copy_flush(&r);
	/* Not before it was sent, and it isn't waited for without an end. */
	assert_true(r.outer.gate);
	assert_int_equal(r.hold_since, 1000);
	while (recv(writer, taken, sizeof(taken), 0) > 0)
		;
	copy_flush(&r);
	assert_false(r.outer.gate);
	assert_false(outer_pending(&r.outer));
	assert_int_equal(r.hold_since, 0);
	assert_true(copy_wants_output(&r));
	assert_int_equal(r.gap_bytes, 0);
}

/* How long a notice is says nothing about the log, and what comes first of a shell is
 * recorded at once as well. */
static void
test_long_notice(void **state)
{
	static char bytes[5000];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		copy_show(&r, bytes, sizeof(bytes));
	assert_false(r.gap);
	assert_int_equal(r.hold_since, 0);
	assert_int_equal(r.gap_bytes, 0);
	assert_true(copy_wants_output(&r));
	assert_int_equal(write(inner, bytes, 4095), 4095);
	copy_output(&r);
	assert_true(copy_wants_output(&r));
	assert_int_equal(write(inner, "x", 1), 1);
	copy_output(&r);
	/* So much of him, before the writer has said who that is. */
	assert_false(copy_wants_output(&r));
	assert_int_equal(r.bytes_out, 3 * sizeof(bytes) + 4096);
}

/* A command without a terminal shows nothing: it isn't held, and has no end but its
 * own. */
static void
test_command_is_never_held(void **state)
{
	(void)state;
	r.refuse = true;
	r.terminal = false;
	for (unsigned i = 0; i < 3; i++) {
		r.link.limited = i == 0;
		r.link.no_screens = i == 1;
		r.link.log_ok = i < 2;
		copy_flush(&r);
		assert_int_equal(r.hold_since, 0);
		r.now += 1000;
		copy_tick(&r);
		assert_int_equal(ended, 0);
		assert_false(r.gap);
	}
}

static void
set_state(unsigned state)
{
	r.link.log_ok = state != 0;
	r.link.off = state == 3;
	r.link.no_screens = state == 2 || state == 3;
	r.link.limited = state == 4;
	r.now += 1000;
	copy_flush(&r);
}

static void
show(const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(write(inner, text, n), n);
	copy_output(&r);
}

/* Each reason is a GAP of its own, with the bytes that were lost by it. */
static void
test_each_reason_has_its_gap(void **state)
{
	static const struct {
		uint64_t bytes;
		uint32_t why;
	} want[] = { { 5, GAP_LIMIT }, { 3, GAP_OFF }, { 2, GAP_LIMIT },
		{ 1, 0 }, { 4, GAP_FULL } };
	uint64_t before = r.queue.tail_no;

	(void)state;
	set_state(4);
	show("12345");
	set_state(3);
	assert_int_equal(r.gap_why, GAP_OFF);
	assert_true(r.gap && r.noticed);
	assert_int_equal(r.gap_from, r.now);
	show("678");
	set_state(4);
	show("90");
	/* Of two failures nothing is seen by the first. */
	set_state(0);
	assert_int_equal(r.gap_why, GAP_LIMIT);
	set_state(4);
	assert_int_equal(r.gap_bytes, 2);
	set_state(0);
	show("1");
	assert_int_equal(r.gap_why, 0);
	set_state(2);
	show("2345");
	assert_true(r.gap);
	assert_int_equal(r.hold_since, 0);
	set_state(1);
	assert_false(r.gap);
	assert_int_equal(r.bytes_lost, r.bytes_out);
	show("x");
	queue_rewind(&r.queue, before, r.queue.event_head, NULL);
	take_all(before);
	assert_int_equal(n_seen, OPS_ARRAY_LEN(want) + 1);
	assert_int_equal(n_events, OPS_ARRAY_LEN(want));
	for (size_t i = 0; i < OPS_ARRAY_LEN(want); i++) {
		assert_int_equal(seen[i].type, REC_GAP);
		assert_int_equal(seen[i].number, want[i].bytes);
		assert_int_equal(
		    seen[i].len, QUEUE_GAP_LEN + (want[i].why != 0));
		if (want[i].why != 0)
			assert_int_equal(seen[i].last, want[i].why);
	}
}

/* A terminal that was told of a gap is told of its end: not while a shell has it, nor
 * where there is another gap by then. */
static void
test_end_of_gap_is_said(void **state)
{
	(void)state;
	set_state(3);
	copy_tick(&r);
	assert_true(r.gap && r.noticed);
	show("123");
	r.stopped = true;
	set_state(1);
	assert_false(r.gap);
	assert_true(r.back_due);
	/* Nor before the log has the session. */
	r.stopped = false;
	copy_flush(&r);
	assert_true(r.back_due);
	assert_int_equal(
	    queue_event(&r.queue, REC_SESSION_OPEN, 0, "", 0, true), 0);
	take_all(0);
	assert_int_equal(
	    queue_ack(&r.queue, r.queue.head_no, r.queue.event_tail, NULL), 0);
	copy_flush(&r);
	assert_false(r.back_due);
	/* One that nobody was told of. */
	r.gap_bytes = 1;
	copy_flush(&r);
	assert_int_equal(r.gap_bytes, 0);
	assert_false(r.back_due);
	copy_gap_begin(&r);
	r.stopped = true;
	set_state(1);
	assert_true(r.back_due);
	copy_gap_begin(&r);
	assert_false(r.back_due);
}

/* Switched on again while nothing can be recorded: where that may not be shown, it
 * ends, with what was shown meanwhile told at its place. */
static void
on_again(unsigned state)
{
	uint64_t before = r.queue.tail_no;

	r.refuse = true;
	set_state(3);
	copy_tick(&r);
	assert_true(r.gap && r.noticed);
	show("123");
	assert_int_equal(r.gap_bytes, 3);
	set_state(state);
	assert_false(r.gap);
	if (copy_wants_output(&r))
		show("4");
	assert_int_equal(r.hold_since, r.now);
	assert_int_equal(ended, 0);
	r.now += r.hold_time;
	copy_tick(&r);
	assert_int_equal(ended, CLOSE_LOG_FAILURE);
	assert_int_equal(r.bytes_lost, 3);
	queue_rewind(&r.queue, before, r.queue.event_head, NULL);
	r.link.log_ok = true;
	take_all(before);
	assert_int_equal(n_seen, r.bytes_out == 3 ? 1 : 2);
	assert_int_equal(seen[0].type, REC_GAP);
	assert_int_equal(seen[0].number, 3);
	assert_int_equal(seen[0].last, GAP_OFF);
}

static void
test_on_again_while_the_log_fails(void **state)
{
	(void)state;
	on_again(0);
	assert_int_equal(r.bytes_out, 4); /* the last of them is not shown */
	assert_int_equal(seen[1].type, REC_OUTPUT);
}

static void
test_on_again_over_a_limit(void **state)
{
	(void)state;
	on_again(4);
	assert_int_equal(r.bytes_out, 3);
}

static void
test_on_again(void **state)
{
	(void)state;
	r.refuse = true;
	set_state(3);
	copy_tick(&r);
	show("123");
	set_state(1);
	show("4");
	assert_false(r.gap);
	r.now += 10 * r.hold_time;
	copy_tick(&r);
	assert_int_equal(ended, 0);
	assert_int_equal(r.bytes_lost, 3);
}

/* However often it was stopped meanwhile: what is told of it takes turns. */
static void
test_stops_take_turns(void **state)
{
	uint64_t before = r.queue.tail_no;
	uint8_t why = 1;

	(void)state;
	set_state(4);
	for (unsigned i = 0; i < 3; i++) {
		copy_record(&r, REC_STOP, &why, 1);
		copy_record(&r, REC_CONT, NULL, 0);
	}
	copy_record(&r, REC_STOP, &why, 1);
	set_state(1);
	queue_rewind(&r.queue, before, r.queue.event_head, NULL);
	take_all(before);
	assert_int_equal(n_seen, 2);
	assert_int_equal(seen[0].type, REC_STOP);
	assert_int_equal(seen[1].type, REC_GAP);
}

/* The question is asked of everybody while it is switched off. */
static void
test_shown_while_off(void **state)
{
	(void)state;
	r.refuse = true;
	r.link.off = r.link.no_screens = true;
	copy_show(&r, "what?", 5);
	assert_true(r.gap);
	assert_int_equal(r.gap_bytes, 5);
	assert_int_equal(r.gap_why, GAP_OFF);
}

/* At the end of a session what was put off is said, limited or not. */
static void
test_limited_to_the_end(void **state)
{
	uint64_t before = r.queue.tail_no;

	(void)state;
	r.link.limited = true;
	put_size(7);
	assert_int_equal(r.queue.tail_no, before);
	r.phase = WAIT_EXIT;
	put_size(8);
	assert_true(copy_gap_end(&r));
	take_all(before);
	assert_int_equal(n_seen, 2);
	assert_int_equal(seen[0].number, 7);
	assert_int_equal(seen[1].number, 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_small_records_are_owed),
		TEST(test_gap_waits_for_room),
		TEST(test_gap_waits_for_events),
		TEST(test_input_is_counted),
		TEST(test_echo_of_all_that_is_held),
		TEST(test_limited),
		TEST(test_limited_and_refused),
		TEST(test_limited_behind_the_gate),
		TEST(test_long_notice),
		TEST(test_each_reason_has_its_gap),
		TEST(test_end_of_gap_is_said),
		TEST(test_on_again_while_the_log_fails),
		TEST(test_on_again_over_a_limit),
		TEST(test_on_again),
		TEST(test_stops_take_turns),
		TEST(test_shown_while_off),
		TEST(test_command_is_never_held),
		TEST(test_limited_to_the_end),
	};

	return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
