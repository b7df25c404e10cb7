#include "check.h"

#include "base/bytes.h"
#include "metrics.h"

static struct event_text
text(const char *s)
{
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

static char *
put(const struct proto_status *s, const struct metrics *m, struct ops_buf *out)
{
	ops_buf_reset(out);
	metrics_put(out, s, m);
	ops_buf_put8(out, '\0');
	assert_false(out->failed);
	return (char *)out->data;
}

/* What isn't known is not there. */
static void
test_left_out(void **state)
{
	struct ops_buf out = { .max = 1 << 20 }, users = { .max = 100 };
	struct proto_status s = { .ok = 1, .space = 3000 };
	struct metrics m = { .now = 100 };
	char *got = put(&s, &m, &out);

	(void)state;
	assert_null(strstr(got, "anchor_age"));
	assert_null(strstr(got, "growth"));
	assert_null(strstr(got, "oldest_screen"));
	assert_non_null(strstr(got, "\nopseal_screens_left_out 0\n"));
	assert_null(strstr(got, "left_days"));
	m.has_growth = true;
	got = put(&s, &m, &out);
	assert_non_null(strstr(got, "\nopseal_growth_per_day_bytes 0\n"));
	assert_null(strstr(got, "left_days"));
	m.per_day = 2000;
	s.anchored = 40;
	s.oldest_screen = 30;
	s.expired = 7;
	s.no_screens = true;
	got = put(&s, &m, &out);
	assert_non_null(strstr(got, "\nopseal_space_left_days 1.5\n"));
	assert_non_null(
	    strstr(got, "\nopseal_anchor_age_seconds 0.000000060\n"));
	assert_non_null(
	    strstr(got, "\nopseal_oldest_screen_age_seconds 0.000000070\n"));
	assert_non_null(strstr(got, "\nopseal_expired_frames 7\n"));
	assert_non_null(strstr(got, "\nopseal_screens_left_out 1\n"));
	assert_non_null(strstr(got, "\nopseal_retention_trouble 0\n"));
	assert_non_null(strstr(got, "\nopseal_limited_users 0\n"));
	assert_null(strstr(got, "opseal_limited{"));
	/* Who is over which limit. */
	proto_limited_put(&users, &(struct proto_limited){ 7, 1, 9, 8 });
	proto_limited_put(&users, &(struct proto_limited){ 8, 0, 9, 8 });
	s.limited = 2;
	s.limited_users = (struct event_text){ users.data, users.len };
	got = put(&s, &m, &out);
	assert_non_null(strstr(got, "\nopseal_limited_users 2\n"));
	assert_non_null(strstr(
	    got, "\nopseal_limited{uid=\"7\",limit=\"screen_day\"} 1\n"));
	assert_non_null(strstr(
	    got, "\nopseal_limited{uid=\"8\",limit=\"screen_rate\"} 1\n"));
	ops_buf_free(&users);
	s.limited_users = (struct event_text){ NULL, 0 };
	/* The clock was set back. */
	s.anchored = 200;
	got = put(&s, &m, &out);
	assert_non_null(
	    strstr(got, "\nopseal_anchor_age_seconds 0.000000000\n"));
	ops_buf_free(&out);
}

static void
test_words(void **state)
{
	struct ops_buf out = { .max = 1 << 20 };
	struct proto_status s = { .version = text("1\"2\\3\n"),
		.origin = text("o/1"),
		.lag = UINT64_C(1500000000),
		.config_fault = text("x") };
	const struct metrics m = { .now = 1 };
	char *got = put(&s, &m, &out);

	(void)state;
	assert_non_null(strstr(got,
	    "\nopseal_build_info{version=\"1\\\"2\\\\3?\",origin=\"o/1\"} "
	    "1\n"));
	assert_non_null(strstr(got, "\nopseal_recording 0\n"));
	assert_non_null(strstr(got, "\nopseal_lag_seconds 1.500000000\n"));
	assert_non_null(strstr(got, "\nopseal_config_refused 1\n"));
	assert_string_equal(got + strlen(got) - 7, "\n# EOF\n");
	ops_buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
