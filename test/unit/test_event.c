/* Covers: event, import, map */
#include "check.h"

#include "base/bytes.h"
#include "record/body.h"
#include "record/cbor.h"
#include "record/event.h"
#include "record/import.h"
#include "record/record.h"

static const uint8_t id[OPS_ID_LEN] = "session-10";

#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* Every member another value, so that no two can be mixed up. */
static const struct event_open open_all = {
	.kind = SESSION_TERMINAL,
	.uid = 1001,
	.gid = 1002,
	.auid = 1003,
	.ses = 70000,
	.pid = 4,
	.start = 1ull << 40,
	.user = T("ann"),
	.tty = T("pts/3"),
	.inner = T("pts/4"),
	.cols = 132,
	.rows = 65535,
	.term = T("xterm\x1b[0m"),
	.from = T("192.0.2.7"),
	.command = T("ls\0-l\0\xff"),
	.command_cut = true,
	.recorder_pid = 5,
	.recorder_start = 6,
	.host = T("h"),
	.input = true,
	.realtime = UINT64_MAX,
	.login = T("root"),
	.import = T("\xa0"),
	.ancestors = T("\1\0\0\0\2\0\0\0\0\0\0\0"),
	.has_charge = true,
	.charge = 1004,
};
static const struct event_open open_least = {
	.kind = SESSION_COMMAND,
	.uid = 1005,
	.auid = EVENT_UNSET,
	.ses = EVENT_UNSET,
};

static bool
same_text(struct event_text a, struct event_text b)
{
	return (a.p == NULL) == (b.p == NULL) && a.n == b.n &&
	       (a.n == 0 || (a.p != NULL && memcmp(a.p, b.p, a.n) == 0));
}

static bool
same_open(const struct event_open *a, const struct event_open *b)
{
	return a->kind == b->kind && a->uid == b->uid && a->gid == b->gid &&
	       a->auid == b->auid && a->ses == b->ses && a->pid == b->pid &&
	       a->start == b->start && same_text(a->user, b->user) &&
	       same_text(a->tty, b->tty) && same_text(a->inner, b->inner) &&
	       a->cols == b->cols && a->rows == b->rows &&
	       same_text(a->term, b->term) && same_text(a->from, b->from) &&
	       same_text(a->command, b->command) &&
	       a->command_cut == b->command_cut &&
	       a->recorder_pid == b->recorder_pid &&
	       a->recorder_start == b->recorder_start &&
	       same_text(a->host, b->host) && a->input == b->input &&
	       a->realtime == b->realtime && same_text(a->login, b->login) &&
	       same_text(a->import, b->import) &&
	       same_text(a->ancestors, b->ancestors) &&
	       a->has_charge == b->has_charge && a->charge == b->charge;
}

static void
test_open(void **state)
{
	const struct event_open *all[] = { &open_all, &open_least };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct event_open got = { .kind = 99 };
		uint8_t back[OPS_ID_LEN];

		event_open_put(&b, id, all[i]);
		assert_false(b.failed);
		assert_int_equal(body_session(b.data, b.len, back, NULL), 0);
		assert_memory_equal(back, id, sizeof(id));
		/* Every cut is refused and leaves the output alone. */
		for (size_t n = 0; n < b.len; n++) {
			uint8_t *cut = heap_copy(b.data, n);
			struct ops_err err = { 0 };

			assert_int_equal(
			    event_open_get(cut, n, &got, &err), -1);
			assert_int_equal(err.code, OPS_EFORMAT);
			assert_int_equal(got.kind, 99);
			free(cut);
		}
		assert_int_equal(event_open_get(b.data, b.len, &got, NULL), 0);
		assert_true(same_open(&got, all[i]));
		assert_int_equal(event_open_charge(&got),
		    all[i] == &open_all ? open_all.charge : open_least.uid);
		ops_buf_put8(&b, 0);
		assert_int_equal(event_open_get(b.data, b.len, &got, NULL), -1);
		ops_buf_free(&b);
	}
}

static const struct import import_all = {
	.format = IMPORT_TYPESCRIPT,
	.file = T("/home/ann/typescript"),
	.size = 1ull << 40,
	.mtime = 17,
	.sha256 = "the hash of the file, 32 bytes.",
	.has_start = true,
	.start = 0,
	.duration = UINT64_MAX,
	.untimed = true,
	.head = T("Script started on x\n"),
	.tail = T("\nScript done on y\n"),
	.timing = T("timing"),
	.timing_sha256 = "the hash of the timing, 32 byte.",
	.multi = true,
	.timing_head = T("H 0.000000 SHELL /bin/sh\n"),
	.timing_tail = T("H 0.000000 EXIT_CODE 0\n"),
	.both = true,
};

static bool
same_import(const struct import *a, const struct import *b)
{
	return a->format == b->format && same_text(a->file, b->file) &&
	       a->size == b->size && a->mtime == b->mtime &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0 &&
	       a->has_start == b->has_start && a->start == b->start &&
	       a->duration == b->duration && a->untimed == b->untimed &&
	       same_text(a->head, b->head) && same_text(a->tail, b->tail) &&
	       same_text(a->timing, b->timing) &&
	       memcmp(a->timing_sha256, b->timing_sha256,
		   sizeof(a->timing_sha256)) == 0 &&
	       a->multi == b->multi &&
	       same_text(a->timing_head, b->timing_head) &&
	       same_text(a->timing_tail, b->timing_tail) && a->both == b->both;
}

static void
test_import(void **state)
{
	static const struct import least = { .format = 9 };
	const struct import *all[] = { &import_all, &least };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct ops_buf b = { .max = EVENT_IMPORT_MAX };
		struct import got = { .format = 99 };

		import_put(&b, all[i]);
		assert_false(b.failed);
		for (size_t n = 0; n < b.len; n++) {
			uint8_t *cut = heap_copy(b.data, n);
			struct ops_err err = { 0 };

			assert_int_equal(import_get(cut, n, &got, &err), -1);
			assert_int_equal(err.code, OPS_EFORMAT);
			assert_int_equal(got.format, 99);
			free(cut);
		}
		assert_int_equal(import_get(b.data, b.len, &got, NULL), 0);
		assert_true(same_import(&got, all[i]));
		ops_buf_free(&b);
	}
}

/* With the longest of all texts it fits into an OPEN, and that into a record. */
static void
test_import_longest(void **state)
{
	static uint8_t x[2 * EVENT_ARGV_MAX];
	struct event_text t = { x, sizeof(x) };
	struct import i = import_all;
	struct event_open e = open_all;
	struct ops_buf b = { .max = EVENT_IMPORT_MAX };
	struct ops_buf all = { .max = RECORD_PAYLOAD_MAX };
	struct event_open got;

	(void)state;
	i.file = i.head = i.tail = i.timing = i.timing_head = i.timing_tail = t;
	import_put(&b, &i);
	assert_false(b.failed);
	e.user = e.tty = e.inner = e.term = e.from = e.host = e.login = t;
	e.command = (struct event_text){ x, IMPORT_COMMAND_MAX };
	e.import = (struct event_text){ b.data, b.len };
	event_open_put(&all, id, &e);
	assert_false(all.failed);
	assert_int_equal(event_open_get(all.data, all.len, &got, NULL), 0);
	assert_int_equal(got.import.n, b.len);
	ops_buf_free(&b);
	ops_buf_free(&all);
}

/* The longest OPEN fits into one record; longer texts are cut, not refused. */
static void
test_open_longest(void **state)
{
	static uint8_t x[2 * EVENT_ARGV_MAX];
	struct event_text t = { x, sizeof(x) };
	struct event_open e = { .kind = UINT32_MAX,
		.uid = UINT32_MAX,
		.gid = UINT32_MAX,
		.auid = UINT32_MAX,
		.ses = UINT32_MAX,
		.pid = UINT32_MAX,
		.start = UINT64_MAX,
		.user = t,
		.tty = t,
		.inner = t,
		.cols = UINT16_MAX,
		.rows = UINT16_MAX,
		.term = t,
		.from = t,
		.command = t,
		.recorder_pid = UINT32_MAX,
		.recorder_start = UINT64_MAX,
		.host = t,
		.input = true,
		.realtime = UINT64_MAX,
		.login = t };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_open got;

	(void)state;
	memset(x, 'x', sizeof(x));
	event_open_put(&b, id, &e);
	assert_false(b.failed);
	assert_int_equal(event_open_get(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.command.n, EVENT_ARGV_MAX);
	assert_true(got.command_cut);
	assert_int_equal(got.host.n, EVENT_TEXT_MAX);
	ops_buf_free(&b);
}

static void
test_close(void **state)
{
	const struct event_close e = { .state = CLOSE_LOST,
		.why = CLOSE_REBOOT,
		.has_status = true,
		.status = 0,
		.bytes_out = 4,
		.bytes_in = 5,
		.bytes_lost = 6,
		.records = 7 };
	struct ops_buf b = { .max = 256 };
	struct event_close got = { 0 };

	(void)state;
	event_close_put(&b, id, &e);
	assert_int_equal(event_close_get(b.data, b.len, &got, NULL), 0);
	assert_memory_equal(&got, &e, sizeof(e));
	assert_memory_equal(b.data + OPS_ID_LEN,
	    "\xa7\x01\x02\x02\x05\x03\x00\x04\x04\x05\x05\x06\x06\x07\x07", 15);
	assert_int_equal(b.len, OPS_ID_LEN + 15);
	ops_buf_free(&b);
}

static void
test_access(void **state)
{
	struct event_access e = { .uid = 1,
		.auid = 2,
		.pid = 3,
		.user = T("root"),
		.what = T("play"),
		.has_session = true,
		.session = "read-this",
		.refused = true };
	struct ops_buf b = { .max = 256 };
	struct event_access got = { 0 };
	uint8_t head[OPS_ID_LEN];

	(void)state;
	event_access_put(&b, &e);
	assert_int_equal(event_access_get(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.uid, 1);
	assert_int_equal(got.auid, 2);
	assert_int_equal(got.pid, 3);
	assert_true(same_text(got.user, e.user) && same_text(got.what, e.what));
	assert_true(got.has_session && got.refused);
	assert_memory_equal(got.session, e.session, OPS_ID_LEN);
	assert_int_equal(body_session(b.data, b.len, head, NULL), 0);
	assert_true(ops_all_zero(head, sizeof(head)));

	e.has_session = false;
	ops_buf_reset(&b);
	event_access_put(&b, &e);
	assert_int_equal(event_access_get(b.data, b.len, &got, NULL), 0);
	assert_false(got.has_session);
	ops_buf_free(&b);
}

static void
test_others(void **state)
{
	const struct event_gap gap = { 10, 20, 30, true, GAP_FULL };
	const struct event_gap plain = { .bytes = 1 };
	const struct event_bypass bypass = { 1, 2, T("tmux") };
	const struct event_daemon d = { DAEMON_LOG_FAILED, 7, T("disk full"), 8,
		9 };
	const struct event_daemon off = { .what = DAEMON_OFF,
		.text = T("why"),
		.has_who = true,
		.uid = 1,
		.auid = 2,
		.user = T("root"),
		.login = T("anna") };
	struct ops_buf b = { .max = 256 };
	struct event_daemon half;
	struct ops_err err = { 0 };
	uint8_t *at;
	struct event_bypass got_bypass;
	struct event_daemon got_d;
	struct event_gap got_gap;

	(void)state;
	event_gap_put(&b, id, &gap);
	assert_int_equal(event_gap_get(b.data, b.len, &got_gap, NULL), 0);
	assert_memory_equal(&got_gap, &gap, sizeof(gap));
	ops_buf_reset(&b);
	event_gap_put(&b, id, &plain);
	assert_int_equal(event_gap_get(b.data, b.len, &got_gap, NULL), 0);
	assert_memory_equal(&got_gap, &plain, sizeof(plain));
	ops_buf_reset(&b);
	event_bypass_put(&b, id, &bypass);
	assert_int_equal(event_bypass_get(b.data, b.len, &got_bypass, NULL), 0);
	assert_true(got_bypass.pid == 1 && got_bypass.uid == 2 &&
		    same_text(got_bypass.comm, bypass.comm));
	ops_buf_reset(&b);
	event_daemon_put(&b, &d);
	assert_int_equal(event_daemon_get(b.data, b.len, &got_d, NULL), 0);
	assert_true(got_d.what == DAEMON_LOG_FAILED && got_d.pid == 7 &&
		    same_text(got_d.text, d.text) && got_d.since == 8 &&
		    got_d.realtime == 9 && !got_d.has_who);
	ops_buf_reset(&b);
	event_daemon_put(&b, &off);
	assert_int_equal(event_daemon_get(b.data, b.len, &got_d, NULL), 0);
	assert_true(got_d.has_who && got_d.uid == 1 && got_d.auid == 2 &&
		    same_text(got_d.user, off.user) &&
		    same_text(got_d.login, off.login));
	/* Key 10 in the place of 7, the last: half of who. */
	half = off;
	half.user = half.login = (struct event_text){ NULL, 0 };
	ops_buf_reset(&b);
	event_daemon_put(&b, &half);
	at = (uint8_t *)memmem(b.data, b.len, "\x06\x01\x07\x02", 4);
	assert_non_null(at);
	at[2] = 10;
	got_d.pid = 77;
	assert_int_equal(event_daemon_get(b.data, b.len, &got_d, &err), -1);
	assert_int_equal(got_d.pid, 77);
	assert_string_equal(err.msg, "event: half of who");
	ops_buf_free(&b);
}

/* A GAP_EVENT body: what a reader takes and what not. */
static void
test_bodies(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		const char *in;
		size_t n;
		bool good;
	} rows[] = {
#define B(s) s, sizeof(s) - 1
		{ "good",		B("\xa3\x01\x01\x02\x02\x03\x03"), true },
		{ "unknown key after",	B("\xa4\x01\x01\x02\x02\x03\x03\x18\xff\x82\x01\x60"), true },
		{ "unknown key before",	B("\xa4\x00\xa0\x01\x01\x02\x02\x03\x03"), true },
		{ "unknown, not canonical", B("\xa4\x01\x01\x02\x02\x03\x03\x04\x18\x00"), false },
		{ "unknown, foreign type", B("\xa4\x01\x01\x02\x02\x03\x03\x04\xf6"), false },
		{ "missing key",	B("\xa2\x01\x01\x02\x02"), false },
		{ "missing first",	B("\xa2\x02\x02\x03\x03"), false },
		{ "key twice",		B("\xa3\x01\x01\x02\x02\x02\x02"), false },
		{ "descending",		B("\xa3\x02\x02\x01\x01\x03\x03"), false },
		{ "wrong type",		B("\xa3\x01\x40\x02\x02\x03\x03"), false },
		{ "not a map",		B("\x83\x01\x02\x03"), false },
		{ "nothing",		B(""), false },
		{ "leftover",		B("\xa3\x01\x01\x02\x02\x03\x03\x00"), false },
#undef B
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct event_gap got = { .bytes = 77 };
		uint8_t in[64] = { 0 };
		struct ops_err err = { 0 };
		uint8_t *p;
		int rc;

		memcpy(in + OPS_ID_LEN, rows[i].in, rows[i].n);
		p = heap_copy(in, OPS_ID_LEN + rows[i].n);
		rc = event_gap_get(p, OPS_ID_LEN + rows[i].n, &got, &err);
		CHECK((rc == 0) == rows[i].good, rows[i].name, err.msg);
		CHECK(
		    rc == 0 || err.code == OPS_EFORMAT, rows[i].name, err.msg);
		CHECK(got.bytes == (rc == 0 ? 1 : 77), rows[i].name, "output");
		free(p);
	}
}

/* Numbers and texts outside their member's range. */
static void
test_ranges(void **state)
{
	static const struct {
		const char *name;
		uint64_t pid;
		size_t comm;
		bool good;
	} rows[] = {
		{ "largest", UINT32_MAX, EVENT_TEXT_MAX, true },
		{ "pid too large", (uint64_t)UINT32_MAX + 1, 0, false },
		{ "text too long", 1, EVENT_TEXT_MAX + 1, false },
	};
	static const uint8_t x[EVENT_TEXT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = 1024 };
		struct event_bypass got;
		struct ops_err err = { 0 };

		ops_buf_put(&b, id, sizeof(id));
		cbor_put_map(&b, 3);
		cbor_put_uint(&b, 1);
		cbor_put_uint(&b, rows[i].pid);
		cbor_put_uint(&b, 2);
		cbor_put_uint(&b, 0);
		cbor_put_uint(&b, 3);
		cbor_put_bytes(&b, x, rows[i].comm);
		CHECK((event_bypass_get(b.data, b.len, &got, &err) == 0) ==
			  rows[i].good,
		    rows[i].name, err.msg);
		ops_buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_longest),
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_import_longest),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
