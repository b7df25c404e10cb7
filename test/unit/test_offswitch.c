#include "check.h"

#include <unistd.h>

#include "base/bytes.h"
#include "record/event.h"
#include "record/record.h"
#include "store/offswitch.h"

static const struct offswitch off = { .off = true,
	.realtime = 12,
	.has_who = true,
	.uid = 0,
	.auid = 1000,
	.user = "root",
	.login = "anna",
	.reason = "the disk is being replaced" };

static void
test_payload(void **state)
{
	const struct offswitch on = { .realtime = 13 };
	struct ops_buf b = { .max = OFFSWITCH_MAX };
	struct offswitch got;
	struct event_daemon e;

	(void)state;
	offswitch_put(&b, &off, 7);
	assert_int_equal(offswitch_get(b.data, b.len, &got, NULL), 0);
	assert_memory_equal(&got, &off, sizeof(off));
	/* The very record that is in the log. */
	assert_int_equal(event_daemon_get(b.data, b.len, &e, NULL), 0);
	assert_int_equal(e.what, DAEMON_OFF);
	assert_int_equal(e.pid, 7);
	assert_int_equal(e.auid, 1000);
	ops_buf_reset(&b);
	offswitch_put(&b, &on, 0);
	assert_int_equal(offswitch_get(b.data, b.len, &got, NULL), 0);
	assert_false(got.off || got.has_who);
	ops_buf_free(&b);
}

/* One that differs in any member is another. */
static void
test_same(void **state)
{
	struct offswitch s[8];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(s); i++)
		s[i] = off;
	s[0].off = false;
	s[1].realtime++;
	s[2].has_who = false;
	s[3].uid++;
	s[4].auid++;
	s[5].user[0] = 'R';
	s[6].login[0] = '\0';
	s[7].reason[1] = '\0';
	assert_true(offswitch_same(&off, &off));
	for (size_t i = 0; i < OPS_ARRAY_LEN(s); i++)
		assert_false(offswitch_same(&off, &s[i]));
}

#define T(s) ((struct event_text){ (const uint8_t *)(s), strlen(s) })

static void
test_refused(void **state)
{
	static char names[] =
	    "a name that is longer than any account's can be, "
	    "as it has 65 byte.";
	const struct {
		const char *row;
		struct event_daemon e;
	} rows[] = {
		{ "another event", { .what = DAEMON_START, .text = T("x") } },
		{ "off without a reason", { .what = DAEMON_OFF } },
		{ "an empty one", { .what = DAEMON_OFF, .text = T("") } },
		{ "blanks", { .what = DAEMON_OFF, .text = T("  ") } },
		{ "a line", { .what = DAEMON_OFF, .text = T("a\nb") } },
		{ "an escape", { .what = DAEMON_ON, .text = T("a\033b") } },
		{ "no UTF-8", { .what = DAEMON_OFF, .text = T("a\xff") } },
		{ "a name", { .what = DAEMON_ON, .user = T("a\nb") } },
		{ "a long one", { .what = DAEMON_ON, .login = T(names) } },
	};

	(void)state;
	assert_true(strlen(names) > OFFSWITCH_NAME);
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = OFFSWITCH_MAX };
		struct offswitch got = { .uid = 77 };
		struct ops_err err = { 0 };

		event_daemon_put(&b, &rows[i].e);
		CHECK(offswitch_get(b.data, b.len, &got, &err) < 0, rows[i].row,
		    "taken");
		CHECK(err.code == OPS_EFORMAT, rows[i].row, err.msg);
		CHECK(got.uid == 77, rows[i].row, "touched");
		ops_buf_free(&b);
	}
}

static void
test_reasons(void **state)
{
	char text[OFFSWITCH_REASON + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(
	    offswitch_check_reason(text, OFFSWITCH_REASON, NULL), 0);
	assert_int_equal(
	    offswitch_check_reason(text, OFFSWITCH_REASON + 1, NULL), -1);
	assert_int_equal(offswitch_check_reason("\xc3\xb6", 2, NULL), 0);
}

static void
test_by(void **state)
{
	static const struct {
		struct offswitch s;
		const char *by;
	} rows[] = {
		{ { .has_who = true, .user = "root", .login = "anna" },
		    "root (anna)" },
		{ { .has_who = true, .user = "root", .login = "root" },
		    "root" },
		{ { .has_who = true, .uid = 7 }, "uid 7" },
		{ { .has_who = true, .uid = 7, .login = "anna" },
		    "uid 7 (anna)" },
		{ { .off = true }, "somebody" },
	};
	char by[OFFSWITCH_BY];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		offswitch_by(&rows[i].s, by);
		assert_string_equal(by, rows[i].by);
	}
}

static void
test_file(void **state)
{
	char dir[] = "/tmp/offswitch.XXXXXX", path[64];
	struct ops_err err = { 0 };
	struct offswitch got;
	struct vfs *v;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(vfs_dir_new(dir, &v, NULL), 0);
	assert_int_equal(offswitch_read(v, &got, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(offswitch_remove(v, NULL), 0);
	assert_int_equal(offswitch_write(v, &off, NULL), 0);
	assert_int_equal(offswitch_read(v, &got, NULL), 0);
	assert_memory_equal(&got, &off, sizeof(off));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, OFFSWITCH_FILE);
	assert_int_equal(truncate(path, 5), 0);
	assert_int_equal(offswitch_read(v, &got, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(offswitch_remove(v, NULL), 0);
	assert_int_equal(access(path, F_OK), -1);
	vfs_free(v);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_payload),
		cmocka_unit_test(test_same), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_reasons), cmocka_unit_test(test_by),
		cmocka_unit_test(test_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
