/* Covers: check_tail, history_frames */
/* Leaves behind the last BOOT or SEAL: what nothing signs counts for nothing. */
#include "check.h"

#include "base/bytes.h"
#include "check_run.h"

/* A session at work: one period sealed, then a record that is only in the WAL;
 * its stream. */
static size_t
build_open_session(struct build *b)
{
	size_t one;

	build_init(b);
	build_boot(b, BOOT_FIRST, NULL);
	build_seal(b, false, false);
	one = build_stream(b, CLASS_SCREEN);
	build_open(b, one, 1000, "alice", "pts/3", NULL);
	build_output(b, one, "sealed\r\n");
	build_seal(b, false, false);
	build_output(b, one, "in the WAL\r\n");
	build_sync(b);
	return one;
}

/* What a kill between the writing of leaves and of the SEAL leaves. */
static void
true_leaves(struct build *b)
{
	build_frames(b);
}

static void
other_text(struct build *b)
{
	b->stream[1].pending.data[b->stream[1].pending.len - 3] ^= 1;
	build_frames(b);
}

static void
other_event(struct build *b)
{
	struct build_stream *s = &b->stream[b->events];

	s->pending.data[s->pending.len - 1] ^= 1;
	build_frames(b);
}

static void
record_too_many(struct build *b)
{
	build_output(b, 1, "never said\r\n");
	b->in_batch = false; /* it comes into no batch */
	build_frames(b);
}

static void
other_arrival(struct build *b)
{
	b->stream[1].arrived_last--;
	build_frames(b);
}

static void
other_state(struct build *b)
{
	b->stream[1].close_state = CLOSE_LOST;
	build_frames(b);
}

static void
screen_left_out(struct build *b)
{
	b->stream[1].count = 0;
	build_frames(b);
}

/* CLOSE alone: the session's end is in the WAL, but in no frame. */
static void
frames_left_out(struct build *b)
{
	b->stream[1].count = b->stream[b->events].count = 0;
	build_frames(b);
}

static void
unsigned_tombstone(struct build *b)
{
	struct leaf l = { .type = LEAF_TOMBSTONE };

	memcpy(l.u.tombstone.stream, b->stream[1].id, OPS_ID_LEN);
	l.u.tombstone.to = 1;
	build_leaf(b, &l);
}

/* As an expiry that a power cut ended may leave it. */
static void
unfinished_tombstone(struct build *b)
{
	struct leaf l = { .type = LEAF_TOMBSTONE,
		.u.tombstone = { .to = 1,
		    .realtime = b->now + b->wall,
		    .has_rule = true,
		    .class = CLASS_SCREEN,
		    .why = TOMBSTONE_SCREENS,
		    .limit = 1,
		    .age = 1 } };

	memcpy(l.u.tombstone.stream, b->stream[1].id, OPS_ID_LEN);
	build_leaf(b, &l);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*put)(struct build *b);	/* into build_running() */
	enum finding_kind kind;
	const char *text;
} rows[] = {
	{ "what the WAL says",		true_leaves,		FIND_UNSEALED,	"behind the newest checkpoint" },
	{ "another text",		other_text,		FIND_TAMPER,	"its records are others" },
	{ "another event",		other_event,		FIND_TAMPER,	"its records are others" },
	{ "a record too many",		record_too_many,	FIND_TAMPER,	"its records are not all" },
	{ "another arrival",		other_arrival,		FIND_TAMPER,	"at other times" },
	{ "another end",		other_state,		FIND_TAMPER,	"another end" },
	{ "screen left out",		screen_left_out,	FIND_TAMPER,	"more of that session" },
	{ "CLOSE without frames",	frames_left_out,	FIND_TAMPER,	"no end of that session" },
	{ "a TOMBSTONE",		unsigned_tombstone,	FIND_TAMPER,	"a TOMBSTONE that no SEAL signed" },
	{ "one of an expiry",		unfinished_tombstone,	FIND_CRASH,	"it explains nothing" },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct check_result r;
		struct found f;
		struct build b;

		build_running(&b);
		rows[i].put(&b);
		expect_text(&b.mem, rows[i].name, rows[i].kind, rows[i].text);
		/* nor does --quick believe them */
		CHECK(run(&b.mem, true, NULL, 0, &f, &r) == 0, rows[i].name,
		    f.text);
		CHECK((r.fails > 0) == finding_fails(rows[i].kind),
		    rows[i].name, f.text);
		build_free(&b);
	}
}

/* A CLOSE that adds up, of a session that didn't end. */
static void
test_forged_close(void **state)
{
	struct check_opts o = { .threads = 1, .found = collect };
	struct check_result r;
	struct found f = { 0 };
	struct build b;
	size_t one;

	(void)state;
	one = build_open_session(&b);
	expect_pass(&b.mem, "an open session");
	b.stream[one].count = 0;
	b.stream[one].closing = true;
	b.stream[one].close_state = CLOSE_LOST;
	build_frames(&b);
	expect_text(&b.mem, "forged", FIND_TAMPER, "no end of that session");
	o.session = b.stream[one].id;
	o.arg = &f;
	assert_int_equal(check_store(&b.mem.vfs, &o, &r, NULL), 0);
	CHECK(r.fails > 0, "only this session", f.text);
	build_free(&b);
}

/* A TOMBSTONE behind the end explains nothing: what it names is missing. */
static void
test_forged_tombstone(void **state)
{
	struct check_result r;
	struct found f;
	struct build b;

	(void)state;
	for (int running = 0; running < 2; running++) {
		if (running)
			build_running(&b);
		else
			build_example(&b);
		mem_remove(&b.mem, b.stream[1].path);
		unsigned_tombstone(&b);
		CHECK(run(&b.mem, false, NULL, 0, &f, &r) == 0, "", f.text);
		CHECK(f.count[FIND_TAMPER] > 0, "it is named", f.text);
		CHECK(f.count[FIND_MISSING] > 0, "and the frames", f.text);
		CHECK(f.count[FIND_EXPIRED] == 0, "nothing expired", f.text);
		build_free(&b);
	}
	/* Nor if the next start signed over it. */
	build_example(&b);
	unsigned_tombstone(&b);
	build_boot(&b, BOOT_CRASH, NULL);
	build_seal(&b, true, false);
	expect_fail(&b.mem, "signed over", FIND_TAMPER);
	build_free(&b);
}

/* A session that has its CLOSE has all it will ever have. */
static void
test_behind_close(void **state)
{
	struct build b;

	(void)state;
	for (int seals = 0; seals < 2; seals++) {
		build_running(&b);
		build_seal(&b, false, false);
		build_output(&b, 1, "not what he did\r\n");
		build_frames(&b);
		if (seals)
			build_seal(&b, true, false);
		expect_text(
		    &b.mem, "frame", FIND_TAMPER, "had been closed before");
		build_free(&b);
	}
	build_running(&b);
	build_seal(&b, false, false);
	build_close(&b, 1, CLOSE_CLOSED);
	build_seal(&b, true, false);
	expect_text(&b.mem, "CLOSE", FIND_TAMPER, "had been closed before");
	build_free(&b);
}

/* A start cuts off what nothing signs, so it stands before no BOOT. */
static void
test_before_boot(void **state)
{
	struct build b;

	(void)state;
	build_running(&b);
	build_frames(&b);
	build_boot(&b, BOOT_CRASH, NULL);
	build_seal(&b, false, false);
	expect_text(&b.mem, "in a log", FIND_TAMPER, "no SEAL signed");
	build_free(&b);

	build_running(&b);
	build_frames(&b);
	build_successor(&b, BOOT_NO_RESUME);
	build_seal(&b, false, false);
	expect_text(&b.mem, "at its end", FIND_TAMPER, "no SEAL signed");
	build_free(&b);

	/* BOOT, whose append was cut, and BOOT: both are signed */
	build_running(&b);
	build_boot(&b, BOOT_CRASH, NULL);
	build_boot(&b, BOOT_CRASH, NULL);
	build_seal(&b, false, false);
	expect_pass(&b.mem, "two starts");
	build_free(&b);
}

/* A copy has no WAL: its last leaves are not vouched for, and so it says. */
static void
test_copy(void **state)
{
	struct build b;

	(void)state;
	build_running(&b);
	build_frames(&b);
	mem_remove(&b.mem, "wal/00000001.wal");
	expect_text(&b.mem, "copy", FIND_UNSEALED, "nothing signs them");
	unsigned_tombstone(&b);
	expect_fail(&b.mem, "copy with a TOMBSTONE", FIND_TAMPER);
	build_free(&b);
}

/* The first append of a successor, cut short: its records are in the WAL of the
 * log before. */
static void
test_successor(void **state)
{
	struct build b;
	size_t one;

	(void)state;
	for (int forged = 0; forged < 2; forged++) {
		one = build_open_session(&b);
		build_successor(&b, BOOT_NO_RESUME);
		if (forged)
			b.stream[one].pending.data[20] ^= 1;
		build_frames(&b);
		if (forged)
			expect_fail(&b.mem, "forged", FIND_TAMPER);
		else
			expect_pass(&b.mem, "cut short");
		build_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_forged_close),
		cmocka_unit_test(test_forged_tombstone),
		cmocka_unit_test(test_behind_close),
		cmocka_unit_test(test_before_boot),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
