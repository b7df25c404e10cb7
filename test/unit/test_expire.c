/* Covers: expire */
#include "check.h"

#include <stdio.h>

#include "base/bytes.h"
#include "store/expire.h"
#include "store_build.h"

#define NS UINT64_C(1000000000)
#define HOUR (3600 * NS)
#define DAY (24 * HOUR)

/*
 * A store of five days, one session a day; the last one is open:
 *	stream 0 the boot's events, 1 to 5 screens, 6 programs
 */
static void
five_days(struct build *b)
{
	size_t programs;

	build_init(b);
	build_boot(b, BOOT_FIRST, NULL);
	build_seal(b, false, false);
	programs = BUILD_STREAMS;
	for (int day = 0; day < 5; day++) {
		size_t s = build_stream(b, CLASS_SCREEN);

		if (day == 0)
			programs = build_stream(b, CLASS_PROGRAMS);
		build_open(b, s, 1000, "alice", "pts/3", NULL);
		build_output(b, s, "hello, world\r\n");
		build_program(b, programs, s, "make");
		if (day < 4)
			build_close(b, s, CLOSE_CLOSED);
		build_seal(b, false, false);
		/* A log that runs is sealed each minute; each hour will do. */
		for (int h = 0; h < 24; h++) {
			b->now += HOUR;
			build_seal(b, false, false);
		}
	}
	build_sync(b);
}

static struct expire_now
now_of(const struct build *b)
{
	struct expire_now now = { .realtime = b->now + b->wall,
		.open_since = b->now - DAY - HOUR };

	memcpy(now.boot_id, b->boot_id, sizeof(now.boot_id));
	return now;
}

static void
rows_of(const struct expire_plan *p, char *out, size_t n)
{
	size_t screens = 0, others = 0;

	for (size_t i = 0; i < p->n; i++) {
		bool screen = p->old[i].t.class == CLASS_SCREEN;

		/* Screens come first. */
		assert_true(!screen || others == 0);
		screens += screen;
		others += !screen;
		assert_true(p->old[i].t.has_rule);
		assert_true(
		    p->old[i].t.realtime - p->old[i].newest >= p->old[i].t.age);
	}
	(void)snprintf(out, n, "%zu+%zu", screens, others);
}

static void
test_rules(void **state)
{
	/* Ages at the end: the screens ended 1 to 5 days ago, the last is open;
	 * events and programs have a segment a day. */
	static const struct {
		const char *name;
		struct expire_rules rules;
		const char *want; /* screens + others */
		bool over;
	} rows[] = {
		{ "no rule", { 0 }, "0+0", false },
		{ "all screens are younger", { .keep_screens = 6 * DAY }, "0+0",
		    false },
		{ "two are older", { .keep_screens = 7 * DAY / 2 }, "2+0",
		    false },
		{ "the open one stays", { .keep_screens = 2 * HOUR }, "4+0",
		    false },
		{ "events as well",
		    { .keep_screens = 7 * DAY / 2, .keep_events = 7 * DAY / 2 },
		    "2+4", false },
		{ "no event before its session's screen",
		    { .keep_screens = 5 * DAY / 2, .keep_events = 2 * HOUR },
		    "3+6", false },
		{ "of the open session nothing",
		    { .keep_screens = 2 * HOUR, .keep_events = 2 * HOUR },
		    "4+8", false },
		{ "by size, all that may",
		    { .max_size = 1, .at_least = 2 * HOUR }, "4+8", true },
		{ "by size, none is old enough",
		    { .max_size = 1, .at_least = 9 * DAY }, "0+0", true },
		{ "never what is kept for a time",
		    { .keep_screens = 7 * DAY / 2,
			.keep_events = 9 * DAY,
			.max_size = 1,
			.at_least = 2 * HOUR },
		    "2+0", true },
		{ "enough space", { .max_size = 1 << 20, .at_least = 2 * HOUR },
		    "0+0", false },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct expire_plan p;
		struct expire_now now;
		struct ops_err err = { 0 };
		struct build b;
		char got[32];

		five_days(&b);
		now = now_of(&b);
		CHECK(expire_look(&b.mem.vfs, &rows[i].rules, &now, true, &p,
			  &err) == 0,
		    rows[i].name, err.msg);
		rows_of(&p, got, sizeof(got));
		CHECK(strcmp(got, rows[i].want) == 0, rows[i].name, got);
		CHECK((p.over > 0) == rows[i].over, rows[i].name, "over");
		CHECK(!p.damaged && !p.clock_waits && p.n_left == 0,
		    rows[i].name, "it waits");
		expire_plan_free(&p);
		build_free(&b);
	}
}

/* A clock that jumps lets nothing go until the log was written for a day. */
static void
test_clock(void **state)
{
	static const struct {
		const char *name;
		uint64_t jump, hours; /* ahead, and how long it went on then */
		bool waits;
	} rows[] = {
		{ "no jump", 0, 0, false },
		{ "an hour", HOUR, 0, false },
		{ "ten years", 3650 * DAY, 0, true },
		{ "ten years, a while ago", 3650 * DAY, 23, true },
		{ "ten years, a day ago", 3650 * DAY, 25, false },
	};
	static const struct expire_rules rules = { .keep_screens = 2 * DAY };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct expire_plan p;
		struct expire_now now;
		struct build b;

		five_days(&b);
		b.wall += rows[i].jump;
		for (uint64_t h = 0; h < rows[i].hours; h++) {
			build_seal(&b, false, false);
			b.now += HOUR;
		}
		if (rows[i].hours > 0)
			build_seal(&b, false, false);
		now = now_of(&b);
		assert_int_equal(
		    expire_look(&b.mem.vfs, &rules, &now, true, &p, NULL), 0);
		CHECK(p.clock_waits == rows[i].waits, rows[i].name, "waits");
		CHECK((p.n > 0) != rows[i].waits, rows[i].name, "what goes");
		expire_plan_free(&p);
		build_free(&b);
	}
}

/* Where leaves don't verify, what is left is evidence. */
static void
test_damaged(void **state)
{
	static const struct expire_rules rules = { .keep_screens = 2 * DAY };
	struct expire_plan p;
	struct expire_now now;
	struct memfile *f;
	struct build b;

	(void)state;
	five_days(&b);
	f = mem_find(&b.mem, "log/0/leaves");
	assert_non_null(f);
	f->data[f->len / 2] ^= 1;
	now = now_of(&b);
	assert_int_equal(
	    expire_look(&b.mem.vfs, &rules, &now, true, &p, NULL), 0);
	assert_true(p.damaged);
	assert_int_equal(p.n, 0);
	expire_plan_free(&p);
	build_free(&b);
}

/* A file whose TOMBSTONE is sealed is found again; what went is counted. */
static void
test_left(void **state)
{
	static const struct expire_rules rules = { .keep_screens =
						       7 * DAY / 2 };
	static const struct expire_rules none = { 0 };
	struct expire_plan p, after;
	struct expire_now now;
	struct build b;
	char text[EXPIRE_TEXT];

	(void)state;
	five_days(&b);
	now = now_of(&b);
	assert_int_equal(
	    expire_look(&b.mem.vfs, &rules, &now, true, &p, NULL), 0);
	assert_int_equal(p.n, 2);
	for (size_t i = 0; i < p.n; i++) {
		const struct leaf l = { .type = LEAF_TOMBSTONE,
			.u.tombstone = p.old[i].t };

		build_leaf(&b, &l);
	}
	build_seal(&b, false, false);
	assert_int_equal(
	    expire_look(&b.mem.vfs, &none, &now, true, &after, NULL), 0);
	assert_int_equal(after.n, 0);
	assert_int_equal(after.n_left, 2);
	assert_int_equal(after.expired, 2);
	assert_true(after.bytes < p.bytes && after.screens == p.screens);
	assert_true(after.has_last);
	expire_text(&after.last, text);
	CHECK(strstr(text, " by keep_screens = 84h") != NULL, "text", text);
	expire_plan_free(&after);
	mem_remove(&b.mem, p.old[0].path);
	assert_int_equal(
	    expire_look(&b.mem.vfs, &none, &now, true, &after, NULL), 0);
	assert_int_equal(after.n_left, 1);
	assert_string_equal(after.left[0].path, p.old[1].path);
	expire_plan_free(&after);
	expire_plan_free(&p);
	build_free(&b);
}

static void
test_due(void **state)
{
	static const struct {
		const char *name;
		struct expire_rules rules;
		uint64_t before; /* the look before was then; 0: none was */
		bool due;
	} rows[] = {
		{ "nothing", { 0 }, 0, false },
		{ "younger", { .keep_screens = 9 * DAY }, 0, false },
		{ "older", { .keep_screens = 2 * DAY }, 0, true },
		{ "looked at", { .keep_screens = 2 * DAY }, 1, false },
		{ "looked at the day before", { .keep_screens = 2 * DAY }, DAY,
		    true },
		{ "of less than a day", { .keep_screens = 2 * HOUR }, 1, true },
		{ "events", { .keep_screens = 9 * DAY, .keep_events = 2 * DAY },
		    0, true },
		{ "a size", { .max_size = 1 }, 1, true },
	};
	struct build b;

	(void)state;
	five_days(&b);
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint64_t now = b.now + b.wall;

		CHECK(expire_due(&b.mem.vfs, &rows[i].rules, now,
			  rows[i].before == 0 ? 0 : now - rows[i].before) ==
			  rows[i].due,
		    rows[i].name, "due");
	}
	build_free(&b);
}

static void
test_text(void **state)
{
	static const struct {
		uint32_t why;
		uint64_t limit;
		const char *text;
	} rows[] = {
		{ TOMBSTONE_SCREENS, 90 * DAY, "keep_screens = 90d" },
		{ TOMBSTONE_EVENTS, 90 * 60 * NS, "keep_events = 90min" },
		{ TOMBSTONE_EVENTS, 7, "keep_events = 7ns" },
		{ TOMBSTONE_SIZE, UINT64_C(50) << 30, "max_size = 50G" },
		{ TOMBSTONE_FREE, 1000, "keep_free = 1000" },
		{ 0, 1, "a rule that is not named" },
		{ 9, 1, "a rule that is not named" },
	};
	char text[EXPIRE_TEXT];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		expire_rule_text(rows[i].why, rows[i].limit, text);
		assert_string_equal(text, rows[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
