#include "base/bytes.h"
#include "check.h"
#include "ipc/queue.h"
#include "nomem.h"

static const uint8_t *p;
static const struct queue_event *ev;
static uint64_t no;
static size_t n;

static enum queue_next
next(const struct queue *q, size_t max)
{
	return queue_next(q, max, &p, &n, &ev, &no);
}

static void
put(struct queue *q, const char *s)
{
	assert_int_equal(queue_put(q, REC_OUTPUT, 7, s, strlen(s)), 0);
}

static void
test_order_of_events_and_records(void **state)
{
	struct queue q = { 0 };
	struct record r;
	struct ops_err err;

	(void)state;
	assert_int_equal(next(&q, 1000), QUEUE_NOTHING);
	assert_int_equal(queue_event(&q, REC_SESSION_OPEN, 1, "open", 4, 1), 0);
	put(&q, "a");
	put(&q, "bc");
	assert_int_equal(queue_event(&q, REC_BYPASS, 2, "by", 2, 0), 0);
	put(&q, "d");
	assert_int_equal(queue_event(&q, REC_SESSION_CLOSE, 3, "", 0, 1), 0);

	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(no, 0);
	assert_int_equal(ev->type, REC_SESSION_OPEN);
	assert_memory_equal(ev->p, "open", 4);
	queue_sent(&q, 0);
	/* Both records before the second event, and not the third. */
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 0);
	assert_int_equal(n, 2 * RECORD_HEADER + 3);
	assert_int_equal(record_decode(p, n, &r, &err), RECORD_HEADER + 1);
	assert_int_equal(r.type, REC_OUTPUT);
	assert_int_equal(r.time, 7);
	assert_memory_equal(r.payload, "a", 1);
	/* Only whole records are sent. */
	assert_int_equal(next(&q, RECORD_HEADER), QUEUE_NOTHING);
	assert_int_equal(next(&q, 2 * RECORD_HEADER + 2), QUEUE_RECORDS);
	assert_int_equal(n, RECORD_HEADER + 1);
	queue_sent(&q, n);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 1);
	queue_sent(&q, n);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(no, 1);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 2);
	queue_sent(&q, n);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_NOTHING);
	assert_true(queue_all_sent(&q));
	assert_false(queue_empty(&q));
	assert_int_equal(queue_ack(&q, 3, 3, &err), 0);
	assert_true(queue_empty(&q));
	queue_free(&q);
}

static void
test_impossible_numbers(void **state)
{
	struct queue q = { 0 };
	struct ops_err err;

	(void)state;
	put(&q, "a");
	put(&q, "b");
	assert_int_equal(queue_ack(&q, 1, 0, &err), -1); /* not sent */
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	queue_sent(&q, n);
	assert_int_equal(queue_ack(&q, 3, 0, &err), -1);
	assert_int_equal(queue_ack(&q, 0, 1, &err), -1);
	assert_int_equal(queue_ack(&q, 1, 0, &err), 0);
	assert_int_equal(queue_ack(&q, 0, 0, &err), 0);     /* late: nothing */
	assert_int_equal(queue_rewind(&q, 0, 0, &err), -1); /* is gone */
	assert_int_equal(queue_rewind(&q, 3, 0, &err), -1);
	assert_int_equal(queue_rewind(&q, 2, 1, &err), -1);
	assert_true(queue_all_sent(&q)); /* nothing has changed */
	assert_int_equal(queue_rewind(&q, 1, 0, &err), 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 1);
	queue_free(&q);
}

/* What a GAP record says was missing. */
static uint64_t
gap_bytes(const uint8_t *rec)
{
	assert_int_equal(rec[0], REC_GAP);
	assert_int_equal(ops_getle16(rec + 2), QUEUE_GAP_LEN);
	return ops_getle64(rec + RECORD_HEADER);
}

/* A writer that has less than it acknowledged gets the rest from there on, and
 * first of all what says that something is missing. */
static void
test_restart(void **state)
{
	static uint8_t text[] = "gap";
	const struct queue_event gap = {
		.time = 9, .type = REC_GAP_EVENT, .p = text, .n = 3
	};
	static const uint8_t payload[QUEUE_GAP_LEN] = { 3 };
	struct queue_gap missing;
	struct queue q = { 0 };
	struct ops_err err;

	(void)state;
	assert_int_equal(queue_event(&q, REC_SESSION_OPEN, 1, "open", 4, 1), 0);
	put(&q, "ab");
	put(&q, "c");
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	queue_sent(&q, n);
	assert_int_equal(queue_ack(&q, 2, 1, &err), 0);
	assert_int_equal(q.acked, 3);
	put(&q, "d");
	assert_int_equal(queue_event(&q, REC_BYPASS, 2, "by", 2, 0), 0);
	put(&q, "e");

	assert_false(queue_behind(&q, 2, 1));
	assert_true(queue_behind(&q, 0, 0));
	assert_true(queue_behind(&q, 1, 1));
	queue_gap(&q, 0, 77, &missing);
	assert_int_equal(missing.bytes, 3);
	assert_int_equal(missing.from, 1); /* the OPEN's time */
	assert_int_equal(missing.until, 7);
	assert_int_equal(queue_restart(&q, 0, 0, &gap, payload), 0);
	assert_int_equal(q.missing, 3);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(no, 0);
	assert_int_equal(ev->type, REC_SESSION_OPEN);
	assert_memory_equal(ev->p, "open", 4);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(no, 1);
	assert_int_equal(ev->type, REC_GAP_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 0);
	assert_int_equal(n, 2 * RECORD_HEADER + QUEUE_GAP_LEN + 1);
	assert_int_equal(gap_bytes(p), 3);
	assert_int_equal(p[n - 1], 'd');
	queue_sent(&q, n);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(no, 2);
	assert_int_equal(ev->type, REC_BYPASS);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 2);
	queue_sent(&q, n);
	assert_int_equal(queue_ack(&q, 3, 3, &err), 0);
	assert_true(queue_empty(&q));
	/* It lacks some records only: what a GAP stood for is missing too. */
	queue_gap(&q, 1, 77, &missing);
	assert_int_equal(missing.bytes, 3 + 2);
	assert_int_equal(missing.until, 77); /* nothing is kept */
	assert_int_equal(queue_restart(&q, 1, 3, &gap, payload), 0);
	assert_int_equal(q.missing, 3 + 2); /* of output; "abc" once */
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(no, 3);
	assert_int_equal(ev->type, REC_GAP_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 1);
	assert_int_equal(gap_bytes(p), 3);
	queue_free(&q);
}

/* It has what was sent, but an event less than it acknowledged: the GAP goes in
 * the middle, behind what it has.  And it may claim anything. */
static void
test_restart_in_the_middle(void **state)
{
	static uint8_t text[] = "gap";
	const struct queue_event gap = {
		.type = REC_GAP_EVENT, .p = text, .n = 3
	};
	static const uint8_t payload[QUEUE_GAP_LEN] = { 0 };
	struct queue_gap missing;
	struct queue q = { 0 };
	struct ops_err err;

	(void)state;
	assert_int_equal(queue_event(&q, REC_SESSION_OPEN, 1, "open", 4, 1), 0);
	put(&q, "a");
	put(&q, "b");
	put(&q, "c");
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	queue_sent(&q, n);
	assert_int_equal(queue_ack(&q, 1, 1, &err), 0);
	queue_gap(&q, UINT64_MAX, 77, &missing);
	assert_int_equal(missing.until, 77);
	assert_int_equal(queue_restart(&q, 4, 0, &gap, payload), -1);
	assert_int_equal(queue_restart(&q, 2, 0, &gap, payload), 0);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	queue_sent(&q, 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(no, 2);
	assert_int_equal(gap_bytes(p), 0);
	assert_int_equal(p[n - 1], 'c');
	assert_int_equal(queue_rewind(&q, 1, 2, &err), 0); /* 'b' is kept */
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	assert_int_equal(p[RECORD_HEADER], 'b');
	queue_free(&q);
}

/* A full queue can go on as well: nothing else would ever empty it. */
static void
test_restart_when_full(void **state)
{
	static uint8_t text[] = "gap", full[RECORD_PAYLOAD_MAX];
	const struct queue_event gap = {
		.type = REC_GAP_EVENT, .p = text, .n = 3
	};
	static const uint8_t payload[QUEUE_GAP_LEN] = { 0 };
	struct queue q = { 0 };
	struct ops_err err;
	uint64_t records = 0;

	(void)state;
	for (unsigned i = 0; i < QUEUE_MAX / RECORD_MAX; i++) {
		full[0] = full[sizeof(full) - 1] = (uint8_t)i;
		assert_int_equal(
		    queue_put(&q, REC_OUTPUT, 0, full, sizeof(full)), 0);
	}
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(queue_restart(&q, 0, i, &gap, payload), 0);
	assert_null(queue_room(&q, 0));
	while (next(&q, 65000) == QUEUE_EVENT)
		queue_sent(&q, 0);
	for (unsigned i = 0; i < 100; i++, queue_sent(&q, n), records++) {
		assert_int_equal(
		    next(&q, RECORD_HEADER + QUEUE_GAP_LEN), QUEUE_RECORDS);
		assert_int_equal(gap_bytes(p), 0);
	}
	for (unsigned i = 0; i < QUEUE_MAX / RECORD_MAX; i++, records++) {
		assert_int_equal(next(&q, RECORD_MAX), QUEUE_RECORDS);
		assert_int_equal(p[RECORD_HEADER], (uint8_t)i);
		assert_int_equal(p[n - 1], (uint8_t)i);
		queue_sent(&q, n);
	}
	assert_int_equal(queue_ack(&q, records, q.event_sent, &err), 0);
	assert_true(queue_empty(&q));
	put(&q, "again");
	queue_free(&q);
}

/* A writer that acknowledges, crashes and comes back gets all bytes once. */
static void
test_long_run(void **state)
{
	struct queue q = { 0 };
	struct ops_err err;
	uint64_t held = 0, held_ev = 0, durable = 0, durable_ev = 0;
	uint32_t seed = 1, total = 0;
	static uint8_t want[64];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		seed = seed * 1664525 + 1013904223;
		unsigned dice = seed >> 24;

		if (dice < 120) {
			size_t len = (seed >> 8) % 3000;
			uint8_t *room = queue_room(&q, len);

			if (room != NULL) {
				memset(room, (int)(total & 0xff), len);
				queue_add(&q, REC_OUTPUT, total++, len);
			}
		} else if (dice < 124) {
			queue_event(&q, REC_BYPASS, q.event_tail, &q.event_tail,
			    sizeof(q.event_tail), 0);
		} else if (dice < 200) {
			switch (next(&q, 65000)) {
			case QUEUE_RECORDS:
				assert_int_equal(no, held);
				for (size_t at = 0; at < n;) {
					struct record r;
					long len = record_decode(
					    p + at, n - at, &r, &err);

					assert_true(len > 0);
					assert_int_equal(r.time, held);
					memset(want, (int)(held & 0xff),
					    sizeof(want));
					assert_memory_equal(r.payload, want,
					    r.len < 64 ? r.len : 64);
					held++;
					at += (size_t)len;
				}
				queue_sent(&q, n);
				break;
			case QUEUE_EVENT:
				assert_int_equal(no, held_ev);
				assert_int_equal(ev->time, held_ev++);
				queue_sent(&q, 0);
				break;
			case QUEUE_NOTHING:
				break;
			}
		} else if (dice < 220) {
			durable = held;
			durable_ev = held_ev;
			assert_int_equal(
			    queue_ack(&q, durable, durable_ev, &err), 0);
		} else if (dice < 224) {
			held = durable + (held - durable) / 2;
			held_ev = durable_ev;
			assert_int_equal(
			    queue_rewind(&q, held, held_ev, &err), 0);
		}
		assert_true(queue_bytes(&q) <= QUEUE_MAX);
	}
	assert_true(total > 10000);
	queue_free(&q);
}

static void
test_limits(void **state)
{
	struct queue q = { 0 };
	static uint8_t full[RECORD_PAYLOAD_MAX];
	struct ops_err err;
	unsigned count = 0;

	(void)state;
	while (queue_put(&q, REC_OUTPUT, 0, full, sizeof(full)) == 0)
		count++;
	assert_int_equal(count, QUEUE_MAX / RECORD_MAX);
	assert_int_equal(queue_bytes(&q), QUEUE_MAX);
	assert_int_equal(queue_put(&q, REC_OUTPUT, 0, "", 0), -1);
	assert_int_equal(next(&q, 65000), QUEUE_RECORDS);
	queue_sent(&q, n);
	assert_int_equal(queue_ack(&q, 1, 0, &err), 0);
	assert_int_equal(queue_put(&q, REC_OUTPUT, 0, full, sizeof(full)), 0);

	/* Events: some places are only for what must not get lost. */
	for (unsigned i = 0; i < QUEUE_EVENTS_MAX - QUEUE_EVENTS_KEPT; i++)
		assert_int_equal(queue_event(&q, REC_BYPASS, 0, "x", 1, 0), 0);
	assert_int_equal(queue_event(&q, REC_BYPASS, 0, "x", 1, 0), -1);
	for (unsigned i = 0; i < QUEUE_EVENTS_KEPT; i++)
		assert_int_equal(
		    queue_event(&q, REC_SESSION_CLOSE, 0, "x", 1, 1), 0);
	assert_int_equal(queue_event(&q, REC_SESSION_CLOSE, 0, "x", 1, 1), -1);
	queue_free(&q);
}

/* Memory fails at the first record, and at an event too large for the struct;
 * nothing is half done, and the next try finds it as it was. */
static void
test_no_memory_at_first(void **state)
{
	static uint8_t large[QUEUE_EVENT_SMALL + 1];
	struct queue q = { 0 };
	int rc;

	(void)state;
	nomem.armed = true;
	nomem.after = 0;
	rc = queue_put(&q, REC_OUTPUT, 7, "lost?", 5);
	nomem.armed = false;
	assert_int_equal(rc, -1);
	assert_int_equal(queue_bytes(&q), 0);
	assert_int_equal(q.tail_no, 0);
	put(&q, "a");

	nomem.armed = true;
	nomem.after = 0;
	rc = queue_event(&q, REC_SESSION_OPEN, 1, large, sizeof(large), 1);
	nomem.armed = false;
	assert_int_equal(rc, -1);
	assert_int_equal(q.event_tail, 0);
	assert_int_equal(
	    queue_event(&q, REC_SESSION_OPEN, 1, large, sizeof(large), 1), 0);
	assert_int_equal(next(&q, 1000), QUEUE_RECORDS);
	queue_sent(&q, n);
	assert_int_equal(next(&q, 1000), QUEUE_EVENT);
	assert_int_equal(ev->n, sizeof(large));
	queue_free(&q);
}

/* From the second record on no memory is needed: none fails until it is full,
 * and none that was acknowledged meanwhile makes a difference. */
static void
test_no_memory_later(void **state)
{
	static uint8_t full[RECORD_PAYLOAD_MAX], small[QUEUE_EVENT_SMALL];
	struct queue q = { 0 };
	struct ops_err err;
	uint64_t bytes = 0;
	unsigned events = 0;

	(void)state;
	assert_non_null(queue_room(&q, 0));
	nomem.armed = true;
	nomem.after = 0;
	nomem.failed = 0;
	while (bytes < 20 * QUEUE_MAX) {
		if (queue_put(&q, REC_OUTPUT, 0, full, sizeof(full)) == 0) {
			bytes += RECORD_MAX;
			continue;
		}
		assert_int_equal(queue_bytes(&q), QUEUE_MAX);
		while (queue_event(
			   &q, REC_GAP_EVENT, 0, small, sizeof(small), 0) == 0)
			events++;
		assert_false(queue_event_room(&q, 0));
		assert_true(queue_event_room(&q, 1));
		while (next(&q, 65000) != QUEUE_NOTHING)
			queue_sent(
			    &q, next(&q, 65000) == QUEUE_RECORDS ? n : 0);
		assert_int_equal(
		    queue_ack(&q, q.sent_no, q.event_sent, &err), 0);
	}
	assert_int_equal(nomem.failed, 0);
	nomem.armed = false;
	nomem.after = -1;
	assert_true(events > 1000);
	queue_free(&q);
}

/* The next record that is sent is this one. */
static void
sends(struct queue *q, uint64_t number, uint8_t type, const char *payload)
{
	struct record r;

	assert_int_equal(next(q, RECORD_MAX), QUEUE_RECORDS);
	assert_int_equal(no, number);
	n = (size_t)record_decode(p, n, &r, NULL);
	assert_int_equal(n, RECORD_HEADER + strlen(payload));
	assert_int_equal(r.type, type);
	assert_memory_equal(r.payload, payload, r.len);
	queue_sent(q, n);
}

static void
test_anew(void **state)
{
	struct queue q = { 0 };
	struct ops_err err;

	(void)state;
	/* Of what was acknowledged nothing is kept, all else is, whether sent
	 * or not. */
	for (const char *s = "abcd"; *s != '\0'; s++)
		assert_int_equal(queue_put(&q, REC_OUTPUT, 7, s, 1), 0);
	sends(&q, 0, REC_OUTPUT, "a");
	sends(&q, 1, REC_OUTPUT, "b");
	assert_int_equal(queue_ack(&q, 1, 0, &err), 0);
	assert_int_equal(queue_anew(&q, REC_INPUT, 5, "new", 3), 0);
	assert_false(queue_all_sent(&q));
	sends(&q, 0, REC_INPUT, "new");
	sends(&q, 1, REC_OUTPUT, "b");
	sends(&q, 2, REC_OUTPUT, "c");
	sends(&q, 3, REC_OUTPUT, "d");
	assert_true(queue_all_sent(&q));
	/* Its numbers count from there. */
	assert_false(queue_behind(&q, 0, 0));
	assert_int_equal(queue_put(&q, REC_OUTPUT, 7, "e", 1), 0);
	sends(&q, 4, REC_OUTPUT, "e");
	assert_int_equal(queue_ack(&q, 6, 0, &err), -1);
	assert_int_equal(queue_ack(&q, 5, 0, &err), 0);
	assert_true(queue_empty(&q));
	/* Once more, with nothing kept. */
	assert_int_equal(queue_anew(&q, REC_INPUT, 5, "and", 3), 0);
	sends(&q, 0, REC_INPUT, "and");
	assert_int_equal(queue_ack(&q, 1, 0, &err), 0);
	assert_true(queue_empty(&q));
	queue_free(&q);
}

/* It has room for it even when it is full, and else says no and stays as it
 * was. */
static void
test_anew_limits(void **state)
{
	static const uint8_t full[RECORD_PAYLOAD_MAX];
	struct queue q = { 0 };
	size_t bytes;
	int times = 0;

	(void)state;
	while (queue_put(&q, REC_OUTPUT, 0, full, sizeof(full)) == 0)
		continue;
	bytes = queue_bytes(&q);
	while (times < 1000 &&
	       queue_anew(&q, REC_INPUT, 0, full, sizeof(full)) == 0) {
		bytes += RECORD_MAX;
		times++;
	}
	assert_in_range(times, 1, 999);
	assert_int_equal(queue_bytes(&q), bytes);
	assert_false(queue_all_sent(&q));
	assert_int_equal(
	    queue_anew(&q, REC_INPUT, 0, full, sizeof(full) + 1), -1);
	queue_free(&q);
	/* A stream that has events is none of these. */
	assert_int_equal(queue_event(&q, REC_BYPASS, 0, "e", 1, 0), 0);
	assert_int_equal(queue_anew(&q, REC_INPUT, 0, "x", 1), -1);
	queue_free(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_of_events_and_records),
		cmocka_unit_test(test_impossible_numbers),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_restart_in_the_middle),
		cmocka_unit_test(test_restart_when_full),
		cmocka_unit_test(test_anew),
		cmocka_unit_test(test_anew_limits),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_memory_at_first),
		cmocka_unit_test(test_no_memory_later),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
