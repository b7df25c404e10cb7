#include "base/bytes.h"
#include "check.h"
#include "ipc/msg.h"
#include "ipc/proto.h"

static struct event_text
text(const char *s)
{
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

static bool
same(struct event_text a, struct event_text b)
{
	return (a.p == NULL) == (b.p == NULL) && a.n == b.n &&
	       (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void
test_open(void **state)
{
	struct proto_open o = { .kind = SESSION_TERMINAL,
		.term = text("xterm"),
		.command = { (const uint8_t *)"ls\0-l", 5 } };
	/* a3 01 01, 02 45 "xterm", 04 45 "ls\0-l" */
	static const uint8_t want[] = { 0xa3, 1, 1, 2, 0x45, 'x', 't', 'e', 'r',
		'm', 4, 0x45, 'l', 's', 0, '-', 'l' };
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	struct proto_open got;
	struct ops_err err;

	(void)state;
	proto_open_put(&b, &o);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	assert_int_equal(proto_open_get(b.data, b.len, &got, &err), 0);
	assert_int_equal(got.kind, o.kind);
	assert_true(same(got.term, o.term));
	assert_true(same(got.from, o.from));
	assert_true(same(got.command, o.command));
	assert_false(got.command_cut);

	/* Every cut and every byte more is refused, and touches nothing. */
	for (size_t n = 0; n <= b.len + 1; n++) {
		uint8_t *p = malloc(n + 1);

		assert_non_null(p);
		memset(p, 0, n + 1);
		memcpy(p, want, n < sizeof(want) ? n : sizeof(want));
		got.kind = 99;
		if (n != b.len) {
			assert_int_equal(proto_open_get(p, n, &got, &err), -1);
			assert_int_equal(err.code, OPS_EFORMAT);
			assert_int_equal(got.kind, 99);
		}
		free(p);
	}
	/* Each kind but the two. */
	for (unsigned kind = 0; kind < 24; kind++) {
		b.data[2] = (uint8_t)kind;
		assert_int_equal(proto_open_get(b.data, b.len, &got, &err),
		    kind == 1 || kind == 2 ? 0 : -1);
	}
	ops_buf_free(&b);
}

static void
test_open_limits(void **state)
{
	static uint8_t big[EVENT_ARGV_MAX + 1];
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	struct proto_open got;
	struct ops_err err;

	(void)state;
	memset(big, 'a', sizeof(big));
	for (size_t more = 0; more <= 1; more++) {
		struct proto_open o = { .kind = SESSION_COMMAND,
			.term = { big, EVENT_TEXT_MAX + more },
			.from = { big, EVENT_TEXT_MAX + more },
			.command = { big, EVENT_ARGV_MAX + more } };

		ops_buf_reset(&b);
		proto_open_put(&b, &o);
		assert_int_equal(ops_buf_check(&b, "request", &err), 0);
		assert_int_equal(proto_open_get(b.data, b.len, &got, &err), 0);
		assert_int_equal(got.term.n, EVENT_TEXT_MAX);
		assert_int_equal(got.from.n, EVENT_TEXT_MAX);
		assert_int_equal(got.command.n, EVENT_ARGV_MAX);
		assert_int_equal(got.command_cut, more);
	}
	/* A term of one byte more than the limit, by hand. */
	ops_buf_reset(&b);
	ops_buf_put(&b, "\xa2\x01\x01\x02\x59\x01\x01", 7);
	ops_buf_put(&b, big, 257);
	assert_int_equal(proto_open_get(b.data, b.len, &got, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	/* A key of a newer door is skipped. */
	assert_int_equal(proto_open_get((const uint8_t *)"\xa2\x01\x02\x09\x01",
			     5, &got, &err),
	    0);
	assert_int_equal(got.kind, SESSION_COMMAND);
	ops_buf_free(&b);
}

static void
test_held(void **state)
{
	struct proto_held h = { true, false, 0x0102030405060708, 0x1112 }, got;
	static const uint8_t want[PROTO_HELD_LEN] = { 1, 0, 8, 7, 6, 5, 4, 3, 2,
		1, 0x12, 0x11 };
	uint8_t out[PROTO_HELD_LEN + 1] = { 0 };
	struct ops_err err;

	(void)state;
	proto_held_encode(&h, out);
	assert_memory_equal(out, want, sizeof(want));
	for (size_t n = 0; n <= sizeof(out); n++)
		assert_int_equal(proto_held_decode(out, n, &got, &err),
		    n == PROTO_HELD_LEN ? 0 : -1);
	assert_true(got.known);
	assert_false(got.closed);
	assert_int_equal(got.next_record, h.next_record);
	assert_int_equal(got.next_event, h.next_event);
	for (unsigned at = 0; at < 2; at++) {
		memcpy(out, want, sizeof(want));
		out[at] = 2;
		got.next_event = 7;
		assert_int_equal(
		    proto_held_decode(out, PROTO_HELD_LEN, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.next_event, 7);
	}
}

static void
test_outer(void **state)
{
	const struct proto_outer o = { "0123456789", 0x1122, 0x8801, 7, 8, 9,
		10 };
	static const uint8_t want[PROTO_OUTER_LEN] = { '0', '1', '2', '3', '4',
		'5', '6', '7', '8', '9', 0x22, 0x11, 0, 0, 0, 0, 0, 0, 1, 0x88,
		0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0,
		0, 10 };
	uint8_t out[PROTO_OUTER_LEN + 1] = { 0 };
	struct proto_outer got = { .dev = 99 };
	struct ops_err err;

	(void)state;
	proto_outer_encode(&o, out);
	assert_memory_equal(out, want, sizeof(want));
	for (size_t n = 0; n <= sizeof(out); n++) {
		if (n == PROTO_OUTER_LEN)
			continue;
		assert_int_equal(proto_outer_decode(out, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.dev, 99);
	}
	assert_int_equal(
	    proto_outer_decode(out, PROTO_OUTER_LEN, &got, &err), 0);
	assert_memory_equal(got.id, o.id, OPS_ID_LEN);
	assert_int_equal(got.fs, o.fs);
	assert_int_equal(got.dev, o.dev);
	assert_int_equal(got.door, o.door);
	assert_int_equal(got.door_start, o.door_start);
	assert_int_equal(got.recorder, o.recorder);
	assert_int_equal(got.recorder_start, o.recorder_start);
	/* Neither process is 0. */
	for (size_t at = 26; at <= 38; at += 12) {
		memcpy(out, want, sizeof(want));
		out[at] = 0;
		assert_int_equal(
		    proto_outer_decode(out, PROTO_OUTER_LEN, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
	}
}

static void
test_found(void **state)
{
	struct proto_found f = { "0123456789", 0x0102, 3, UINT32_MAX,
		text("vi") };
	static const uint8_t want[] = { '0', '1', '2', '3', '4', '5', '6', '7',
		'8', '9', 2, 1, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
		0xff, 'v', 'i' };
	static const uint8_t big[PROTO_FOUND_HEAD + PROTO_COMM_MAX + 1] = {
		[10] = 1
	};
	static const uint8_t nobody[PROTO_FOUND_HEAD];
	struct ops_buf b = { .max = 4096 };
	struct proto_found got;
	struct ops_err err;

	(void)state;
	proto_found_put(&b, &f);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	assert_int_equal(proto_found_get(b.data, b.len, &got, &err), 0);
	assert_memory_equal(got.id, f.id, OPS_ID_LEN);
	assert_int_equal(got.pid, f.pid);
	assert_int_equal(got.start, f.start);
	assert_int_equal(got.uid, f.uid);
	assert_true(same(got.comm, f.comm));
	/* The name is what is left, from none to the limit. */
	for (size_t n = 0; n <= sizeof(big); n++) {
		got.start = 99;
		if (n >= PROTO_FOUND_HEAD && n < sizeof(big)) {
			assert_int_equal(
			    proto_found_get(big, n, &got, &err), 0);
			assert_int_equal(got.comm.n, n - PROTO_FOUND_HEAD);
			continue;
		}
		assert_int_equal(proto_found_get(big, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.start, 99);
	}
	assert_int_equal(
	    proto_found_get(nobody, sizeof(nobody), &got, &err), -1);
	/* A longer one is cut when it is written. */
	f.comm = (struct event_text){ big, PROTO_COMM_MAX + 1 };
	ops_buf_reset(&b);
	proto_found_put(&b, &f);
	assert_int_equal(b.len, PROTO_FOUND_HEAD + PROTO_COMM_MAX);
	ops_buf_free(&b);
}

static void
test_inner(void **state)
{
	const struct proto_inner i = { "0123456789", 0x1122, 0x8801, 7, 8,
		EVENT_UNSET, 10 };
	static const uint8_t want[PROTO_INNER_LEN] = { '0', '1', '2', '3', '4',
		'5', '6', '7', '8', '9', 0x22, 0x11, 0, 0, 1, 0x88, 0, 0, 7, 0,
		0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 10 };
	uint8_t out[PROTO_INNER_LEN + 1] = { 0 };
	struct proto_inner got = { .dev = 99 };
	struct ops_err err;

	(void)state;
	proto_inner_encode(&i, out);
	assert_memory_equal(out, want, sizeof(want));
	for (size_t n = 0; n <= sizeof(out); n++) {
		if (n == PROTO_INNER_LEN)
			continue;
		assert_int_equal(proto_inner_decode(out, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.dev, 99);
	}
	assert_int_equal(
	    proto_inner_decode(out, PROTO_INNER_LEN, &got, &err), 0);
	assert_memory_equal(got.id, i.id, OPS_ID_LEN);
	assert_int_equal(got.fs, i.fs);
	assert_int_equal(got.dev, i.dev);
	assert_int_equal(got.door, i.door);
	assert_int_equal(got.door_start, i.door_start);
	assert_int_equal(got.ses, i.ses);
	assert_int_equal(got.begun, i.begun);
	/* The door is a process, always. */
	out[18] = 0;
	got.dev = 99;
	assert_int_equal(
	    proto_inner_decode(out, PROTO_INNER_LEN, &got, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(got.dev, 99);
}

static void
test_capture(void **state)
{
	struct proto_capture c = { CAPTURE_ON, 0x0102, text("tp_btf") };
	static const uint8_t want[] = { 1, 2, 1, 0, 0, 0, 0, 0, 0, 't', 'p',
		'_', 'b', 't', 'f' };
	static const uint8_t big[PROTO_CAPTURE_HEAD + PROTO_CAPTURE_TEXT + 1];
	struct ops_buf b = { .max = 4096 };
	struct proto_capture got;
	struct ops_err err;

	(void)state;
	proto_capture_put(&b, &c);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	assert_int_equal(proto_capture_get(b.data, b.len, &got, &err), 0);
	assert_int_equal(got.state, c.state);
	assert_int_equal(got.lost, c.lost);
	assert_true(same(got.text, c.text));
	/* The text is what is left, from none to the limit. */
	for (size_t n = 0; n <= sizeof(big); n++) {
		got.lost = 99;
		if (n >= PROTO_CAPTURE_HEAD && n < sizeof(big)) {
			assert_int_equal(
			    proto_capture_get(big, n, &got, &err), 0);
			assert_int_equal(got.state, CAPTURE_OFF);
			assert_non_null(got.text.p);
			assert_int_equal(got.text.n, n - PROTO_CAPTURE_HEAD);
			continue;
		}
		assert_int_equal(proto_capture_get(big, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.lost, 99);
	}
	b.data[0] = CAPTURE_ON + 1;
	assert_int_equal(proto_capture_get(b.data, b.len, &got, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	/* A longer one is cut when it is written. */
	c.text = (struct event_text){ big, PROTO_CAPTURE_TEXT + 1 };
	ops_buf_reset(&b);
	proto_capture_put(&b, &c);
	assert_int_equal(b.len, PROTO_CAPTURE_HEAD + PROTO_CAPTURE_TEXT);
	ops_buf_free(&b);
}

static const struct proto_status *
full_status(void)
{
	static struct proto_status s;

	s = (struct proto_status){ 1, text("disk full"), UINT64_MAX, 4, 5, 6, 7,
		8, 9, 10, UINT32_MAX, 12, 13, 14, 15, 16, text("o"), text("a"),
		text("1.0"), 20, 21, text("/var/lib/opseal"), CAPTURE_ON,
		text("tp_btf"), 25, 40, text("00ff"), text("x:1: no"), 43, 44 };
	s.off_since = 63;
	s.off_by = text("root");
	s.off_reason = text("a disk");
	s.off_sessions = 66;
	s.you = text("al");
	s.person = text("Al Ice");
	s.person_how = 75;
	memcpy(s.session, "0123456789", OPS_ID_LEN);
	s.session_start = 77;
	s.reads_all = true;
	s.readers = text("root");
	s.switch_fault = text("the fault");
	s.not_shut_in = text("it lacks something");
	return &s;
}

static void
test_status(void **state)
{
	const struct proto_status *s = full_status();
	static uint8_t path[PROTO_PATH_MAX + 1];
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	struct proto_status got, cut = *s;
	struct ops_err err;

	(void)state;
	proto_status_put(&b, s);
	assert_int_equal(proto_status_get(b.data, b.len, &got, &err), 0);
	assert_int_equal(got.off_since, 63);
	assert_int_equal(got.off_by.n, 4);
	assert_int_equal(got.off_reason.n, 6);
	assert_int_equal(got.off_sessions, 66);
	assert_int_equal(got.ok, 1);
	assert_true(same(got.reason, s->reason));
	assert_int_equal(got.since, s->since);
	assert_int_equal(got.sessions, 4);
	assert_int_equal(got.records, 5);
	assert_int_equal(got.bytes, 6);
	assert_int_equal(got.unsealed, 7);
	assert_int_equal(got.lag, 8);
	assert_int_equal(got.sealed_size, 9);
	assert_int_equal(got.lost, 10);
	assert_int_equal(got.log, UINT32_MAX);
	assert_int_equal(got.stored, 12);
	assert_int_equal(got.durable_p50, 13);
	assert_int_equal(got.durable_p99, 14);
	assert_int_equal(got.sealed_p50, 15);
	assert_int_equal(got.sealed_p99, 16);
	assert_true(same(got.origin, s->origin));
	assert_true(same(got.anchor, s->anchor));
	assert_true(same(got.version, s->version));
	assert_int_equal(got.started, 20);
	assert_int_equal(got.space, 21);
	assert_true(same(got.store, s->store));
	assert_int_equal(got.capture, CAPTURE_ON);
	assert_true(same(got.capture_text, s->capture_text));
	assert_int_equal(got.capture_lost, 25);
	assert_int_equal(got.config_read, 40);
	assert_true(same(got.config_hash, s->config_hash));
	assert_true(same(got.config_fault, s->config_fault));
	assert_int_equal(got.config_fault_time, 43);
	assert_int_equal(got.anchored, 44);
	assert_true(same(got.you, s->you));
	assert_true(same(got.person, s->person));
	assert_int_equal(got.person_how, 75);
	assert_memory_equal(got.session, "0123456789", OPS_ID_LEN);
	assert_int_equal(got.session_start, 77);
	assert_true(got.reads_all);
	assert_true(same(got.readers, s->readers));
	assert_true(same(got.switch_fault, s->switch_fault));
	assert_true(same(got.not_shut_in, s->not_shut_in));
	for (size_t n = 0; n < b.len; n++) {
		assert_int_equal(proto_status_get(b.data, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
	}
	cut.store = (struct event_text){ path, sizeof(path) };
	ops_buf_reset(&b);
	proto_status_put(&b, &cut);
	assert_int_equal(proto_status_get(b.data, b.len, &got, &err), 0);
	assert_int_equal(got.store.n, PROTO_PATH_MAX);
	ops_buf_free(&b);
}

static void
test_limited(void **state)
{
	const struct proto_limited l[] = { { 1000, 1, UINT64_MAX, 5 },
		{ UINT32_MAX - 1, 0, 7, UINT64_MAX } };
	struct ops_buf b = { .max = 100 };
	struct event_text t;
	struct proto_limited got;

	(void)state;
	proto_limited_put(&b, &l[0]);
	proto_limited_put(&b, &l[1]);
	t = (struct event_text){ b.data, b.len };
	for (size_t i = 0; i < OPS_ARRAY_LEN(l); i++) {
		assert_true(proto_limited_get(t, i, &got));
		assert_int_equal(got.uid, l[i].uid);
		assert_int_equal(got.which, l[i].which);
		assert_int_equal(got.used, l[i].used);
		assert_int_equal(got.size, l[i].size);
	}
	assert_false(proto_limited_get(t, 2, &got));
	t.n--;
	assert_false(proto_limited_get(t, 1, &got));
	t.p = NULL;
	assert_false(proto_limited_get(t, 0, &got));
	ops_buf_free(&b);
}

static void
test_alert(void **state)
{
	struct proto_alert f = { ALERT_GAP, 2, true, { 9, 8 }, 4, text("why") };
	struct ops_buf b = { .max = 4096 };
	struct proto_alert got = { .kind = 99 };
	struct ops_err err;

	(void)state;
	proto_alert_put(&b, &f);
	assert_int_equal(proto_alert_get(b.data, b.len, &got, &err), 0);
	assert_int_equal(got.kind, ALERT_GAP);
	assert_int_equal(got.time, 2);
	assert_true(got.has_session);
	assert_memory_equal(got.session, f.session, OPS_ID_LEN);
	assert_int_equal(got.count, 4);
	assert_true(same(got.detail, f.detail));
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(proto_alert_get(b.data, n, &got, &err), -1);
	/* No such kind. */
	for (uint32_t kind = 0; kind <= ALERT_SWITCH + 1;
	     kind += ALERT_SWITCH + 1) {
		f.kind = kind;
		ops_buf_reset(&b);
		proto_alert_put(&b, &f);
		assert_int_equal(
		    proto_alert_get(b.data, b.len, &got, &err), -1);
	}
	ops_buf_free(&b);
}

static void
test_note(void **state)
{
	struct proto_note n = { { 9, 8 }, 1, 2, 3, 4, 5, 136 << 20 | 7,
		text("ancestor1234"), text("CHG-1") };
	struct proto_note got = { .pid = 99 };
	struct ops_buf b = { .max = 4096 };
	struct ops_err err;

	(void)state;
	proto_note_put(&b, &n);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(proto_note_get(b.data, i, &got, &err), -1);
	assert_int_equal(got.pid, 99);
	assert_int_equal(proto_note_get(b.data, b.len, &got, &err), 0);
	assert_memory_equal(got.session, n.session, OPS_ID_LEN);
	assert_true(got.uid == 1 && got.auid == 2 && got.ses == 3 &&
		    got.pid == 4 && got.start == 5 && got.tty == n.tty);
	assert_true(same(got.ancestors, n.ancestors));
	assert_true(same(got.text, n.text));
	/* Of no session named, without words, with half an ancestor. */
	memset(n.session, 0, sizeof(n.session));
	ops_buf_reset(&b);
	proto_note_put(&b, &n);
	assert_int_equal(proto_note_get(b.data, b.len, &got, &err), 0);
	assert_true(ops_all_zero(got.session, OPS_ID_LEN));
	n.ancestors = text("ancestor");
	ops_buf_reset(&b);
	proto_note_put(&b, &n);
	assert_int_equal(proto_note_get(b.data, b.len, &got, &err), -1);
	n.ancestors = text("ancestor1234");
	n.text = text("");
	ops_buf_reset(&b);
	proto_note_put(&b, &n);
	assert_int_equal(proto_note_get(b.data, b.len, &got, &err), -1);
	ops_buf_free(&b);
}

static void
test_filter(void **state)
{
	struct proto_filter f = { text("eva"), 1, UINT64_MAX, true, text("vi"),
		true, true, text("alice"), text("CHG-1") };
	struct ops_buf b = { .max = 4096 };
	struct proto_filter got;
	struct ops_err err;

	(void)state;
	proto_filter_put(&b, &f);
	assert_int_equal(proto_filter_get(b.data, b.len, &got, &err), 0);
	assert_true(same(got.user, f.user));
	assert_int_equal(got.since, 1);
	assert_int_equal(got.until, UINT64_MAX);
	assert_true(got.active && got.mine && got.commands);
	assert_true(same(got.command, f.command));
	assert_true(same(got.person, f.person));
	assert_true(same(got.note, f.note));
	/* The empty filter. */
	assert_int_equal(
	    proto_filter_get(
		(const uint8_t *)"\xa2\x02\x00\x03\x00", 5, &got, &err),
	    0);
	assert_null(got.user.p);
	assert_false(got.active || got.mine);
	/* A condition that this reader does not know. */
	assert_int_equal(
	    proto_filter_get(
		(const uint8_t *)"\xa3\x02\x00\x03\x00\x0a\x01", 7, &got, &err),
	    -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_limits),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_outer),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_inner),
		cmocka_unit_test(test_capture),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_limited),
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests_name("proto", tests, NULL, NULL);
}
