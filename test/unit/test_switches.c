/* Covers: switches, events */
#include "check.h"

#include "base/bytes.h"
#include "store/switches.h"
#include "store_build.h"

#define SECOND UINT64_C(1000000000)
#define T(s) ((struct event_text){ (const uint8_t *)(s), strlen(s) })

/* A second later; when: the time that stands in it, 0: now. */
static uint64_t
put(struct build *b, enum daemon_what what, const char *text, uint64_t when)
{
	struct event_daemon e = { .what = what };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	b->now += SECOND;
	e.realtime = when != 0 ? when : b->now + b->wall;
	if (text != NULL) {
		e.text = T(text);
		e.has_who = true;
		e.auid = 1000;
		e.user = T("root");
		e.login = T("anna");
	}
	event_daemon_put(&p, &e);
	build_record(b, b->events, REC_DAEMON, p.data, p.len);
	ops_buf_free(&p);
	return e.realtime;
}

static void
test_load(void **state)
{
	static const struct {
		enum daemon_what what;
		const char *text;
	} wanted[] = {
		{ DAEMON_OFF, "one" }, /* and once more at each start */
		{ DAEMON_ON, NULL },   /* then another start */
		{ DAEMON_OFF, "two" }, /* a start without it ends it */
		{ DAEMON_START, NULL },
		{ DAEMON_OFF, "three" }, /* at once another */
		{ DAEMON_OFF, "four" },
		{ DAEMON_START, NULL }, /* the last record of all */
	};
	static struct build b;
	struct switches all = { 0 };
	struct store *s;
	uint64_t one;

	(void)state;
	build_example(&b);
	one = put(&b, DAEMON_OFF, "one", 0);
	(void)put(&b, DAEMON_START, NULL, 0);
	(void)put(&b, DAEMON_CONFIG, NULL, 0);
	(void)put(&b, DAEMON_OFF, "one", one);
	(void)put(&b, DAEMON_ON, NULL, 0);
	(void)put(&b, DAEMON_START, NULL, 0);
	(void)put(&b, DAEMON_OFF, "two", 0);
	(void)put(&b, DAEMON_START, NULL, 0);
	(void)put(&b, DAEMON_OFF, "three", 0);
	(void)put(&b, DAEMON_OFF, "four", 0);
	(void)put(&b, DAEMON_START, NULL, 0);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(switches_load(s, &all, NULL), 0);
	assert_int_equal(all.missing, 0);
	assert_int_equal(all.n, OPS_ARRAY_LEN(wanted));
	for (size_t i = 0; i < all.n; i++) {
		assert_int_equal(all.s[i].e.what, wanted[i].what);
		if (wanted[i].text != NULL)
			assert_memory_equal(all.s[i].e.text.p, wanted[i].text,
			    strlen(wanted[i].text));
	}
	assert_null(switches_at(&all, all.s[0].wall - 1));
	assert_ptr_equal(switches_at(&all, all.s[0].wall), &all.s[0]);
	assert_ptr_equal(switches_at(&all, all.s[1].wall - 1), &all.s[0]);
	assert_null(switches_at(&all, all.s[1].wall));
	assert_null(switches_at(&all, all.s[4].wall - 1));
	assert_ptr_equal(switches_at(&all, all.s[5].wall - 1), &all.s[4]);
	assert_null(switches_at(&all, UINT64_MAX));
	switches_free(&all);
	store_free(s);
	build_free(&b);
}

/* Frames that can't be read are counted, and what is in others is told. */
static void
test_missing(void **state)
{
	static struct build b;
	struct switches all = { 0 };
	struct store *s;
	size_t damaged = 0;

	(void)state;
	build_example(&b);
	for (size_t i = 0; i < b.mem.n; i++)
		if (strncmp(b.mem.file[i].path, "data/events/", 12) == 0) {
			b.mem.file[i].data[b.mem.file[i].len - 1] ^= 1;
			damaged++;
		}
	assert_true(damaged > 0);
	b.boot_id[0] ^= 1;
	build_boot(&b, BOOT_CLEAN, NULL);
	(void)put(&b, DAEMON_OFF, "one", 0);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(switches_load(s, &all, NULL), 0);
	assert_true(all.missing > 0);
	assert_int_equal(all.n, 1);
	assert_memory_equal(all.s[0].e.text.p, "one", 3);
	switches_free(&all);
	store_free(s);
	build_free(&b);
}

static void
test_by(void **state)
{
	static const struct {
		struct event_daemon e;
		const char *by;
	} rows[] = {
		{ { .has_who = false }, "somebody" },
		{ { .has_who = true, .auid = EVENT_UNSET }, "uid 0" },
		{ { .has_who = true,
		      .uid = 7,
		      .auid = 7,
		      .user = { (const uint8_t *)"a\033", 2 } },
		    "a\\x1b" },
		{ { .has_who = true, .auid = 8 }, "uid 0 (uid 8)" },
		{ { .has_who = true,
		      .auid = 8,
		      .user = { (const uint8_t *)"root", 4 },
		      .login = { (const uint8_t *)"anna", 4 } },
		    "root (anna)" },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		const struct switched s = { .e = rows[i].e };
		struct ops_buf b = { .max = 4096 };

		switched_by(&b, &s);
		ops_buf_put8(&b, 0);
		assert_string_equal((char *)b.data, rows[i].by);
		ops_buf_free(&b);
	}
}

static void
test_wire(void **state)
{
	const struct switched s = { .e = { .what = DAEMON_OFF,
					.text = T("why"),
					.realtime = 3,
					.has_who = true,
					.user = T("root") },
		.time = 1,
		.wall = 2,
		.sealed = true };
	struct switched other = s;
	struct ops_buf b = { .max = 4096 };
	struct switches all = { 0 };

	(void)state;
	switched_put(&b, &s);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *cut = heap_copy(b.data, n);

		assert_int_equal(switched_get(cut, n, &all, NULL), -1);
		free(cut);
	}
	b.data[0] = 2;
	assert_int_equal(switched_get(b.data, b.len, &all, NULL), -1);
	b.data[0] = 1;
	assert_int_equal(switched_get(b.data, b.len, &all, NULL), 0);
	assert_true(all.n == 1 && all.s[0].time == 1 && all.s[0].wall == 2 &&
		    all.s[0].sealed && all.s[0].e.realtime == 3);
	/* Other events of the daemon are none. */
	ops_buf_reset(&b);
	other.e.what = DAEMON_STOP;
	switched_put(&b, &other);
	assert_int_equal(switched_get(b.data, b.len, &all, NULL), -1);
	assert_int_equal(all.n, 1);
	switches_free(&all);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_by),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
