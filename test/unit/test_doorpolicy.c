#include "check.h"

#include "base/bytes.h"
#include "base/doorpolicy.h"

static int
parse(const char *text, struct doorpolicy *ret, struct ops_err *err)
{
	uint8_t *copy = heap_copy(text, strlen(text));
	int rc = doorpolicy_parse((char *)copy, strlen(text), ret, err);

	free(copy);
	return rc;
}

static void
test_all(void **state)
{
	static const char text[] = "# a comment\n"
				   "\n"
				   "on_log_failure = refuse\n"
				   "newer = 1\n"
				   "break_glass = 1001 on call\n"
				   "off = by root (anna): a disk\n";
	struct ops_buf b = { .max = DOORPOLICY_MAX };
	struct doorpolicy p, again;

	(void)state;
	assert_int_equal(parse(text, &p, NULL), 0);
	assert_true(p.refuse && p.has_group);
	assert_int_equal(p.gid, 1001);
	assert_string_equal(p.group, "on call");
	assert_string_equal(p.off, "by root (anna): a disk");
	doorpolicy_put(&b, &p);
	ops_buf_put8(&b, 0);
	assert_int_equal(parse((char *)b.data, &again, NULL), 0);
	assert_memory_equal(&again, &p, sizeof(p));
	ops_buf_free(&b);
	assert_int_equal(parse("on_log_failure = continue\n", &p, NULL), 0);
	assert_false(p.refuse || p.has_group || p.off[0] != '\0');
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{ "", "on_log_failure is missing" },
		{ "# only this\n", "on_log_failure is missing" },
		{ "on_log_failure = refuse", "line 1 has no end" },
		{ "on_log_failure = refus\n", "line 1 is" },
		{ "on_log_failure=refuse\n", "line 1 is" },
		{ "on_log_failure = \n", "line 1 is" },
		{ "break_glass = 1 a\non_log_failure = refuse\n", "line 1 is" },
		{ "on_log_failure = refuse\non_log_failure = continue\n",
		    "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = a\n", "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = 1\n", "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = 1 \n", "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = -1 a\n",
		    "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = 4294967295 a\n",
		    "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = 11111111111 a\n",
		    "line 2 is" },
		{ "on_log_failure = refuse\nbreak_glass = 1 a\n"
		  "break_glass = 2 b\n",
		    "line 3 is" },
		{ "on_log_failure = refuse\noff = \n", "line 2 is" },
		{ "on_log_failure = refuse\noff = a\033[2J\n", "line 2 is" },
	};
	(void)state;

	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct doorpolicy p = { .gid = 77 };
		struct ops_err err = { 0 };

		CHECK(parse(rows[i].text, &p, &err) < 0, rows[i].text, "taken");
		CHECK(err.code == OPS_EFORMAT && p.gid == 77, rows[i].text,
		    "touched");
		CHECK(strstr(err.msg, rows[i].said) != NULL, rows[i].text,
		    err.msg);
	}
}

static void
test_limits(void **state)
{
	char text[DOORPOLICY_OFF + 100];
	struct doorpolicy p;

	(void)state;
	for (int more = 0; more < 2; more++) {
		(void)snprintf(text, sizeof(text),
		    "on_log_failure = refuse\noff = %0*d\n",
		    DOORPOLICY_OFF + more, 0);
		assert_int_equal(parse(text, &p, NULL), -more);
		(void)snprintf(text, sizeof(text),
		    "on_log_failure = refuse\nbreak_glass = 4294967294 %0*d\n",
		    DOORPOLICY_NAME + more, 0);
		assert_int_equal(parse(text, &p, NULL), -more);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_all),
		cmocka_unit_test(test_wrong), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
