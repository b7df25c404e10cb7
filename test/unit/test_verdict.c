#include "check.h"

#include "verdict.h"

static void
test_lacks(void **state)
{
	static const bool lacks[VERDICT_KINDS] = {
		[VERDICT_UNCOVERED] = true,
		[VERDICT_WRONG] = true,
		[VERDICT_UNKNOWN] = true,
	};

	(void)state;
	for (int k = 0; k < VERDICT_KINDS; k++)
		CHECK(verdict_lacks((enum verdict_kind)k) == lacks[k],
		    verdict_name((enum verdict_kind)k), "is it a lack");
}

static void
test_put(void **state)
{
	struct verdicts all = { 0 };
	struct ops_buf b = { .max = 65536 };

	(void)state;
	verdict_add(
	    &all, "setsid", VERDICT_RECORDED, "tried", NULL, "session %d", 7);
	verdict_add(&all, "accounts", VERDICT_UNCOVERED,
	    "judged from /etc/passwd", "opseal setup", "al\033[31m has %s",
	    "/bin/sh");
	verdict_door(&all);
	assert_int_equal(all.n, 2);
	assert_true(all.v[1].door && !all.v[0].door);
	verdicts_put(&all, false, &b);
	ops_buf_put8(&b, 0);
	assert_string_equal((char *)b.data,
	    "recorded      setsid: session 7 (tried)\n"
	    "NOT COVERED   accounts: al\\x1b[31m has /bin/sh (judged from "
	    "/etc/passwd)\n"
	    "              mend: opseal setup\n");
	ops_buf_reset(&b);
	verdicts_put_json(&all, &b);
	ops_buf_put8(&b, 0);
	assert_string_equal((char *)b.data,
	    "{\"check\":\"setsid\",\"verdict\":\"recorded\",\"detail\":\""
	    "session 7\",\"how\":\"tried\",\"mend\":null}\n"
	    "{\"check\":\"accounts\",\"verdict\":\"uncovered\",\"detail\":\""
	    "al\\u001b[31m has /bin/sh\",\"how\":\"judged from "
	    "/etc/passwd\",\"mend\":\"opseal setup\"}\n");
	ops_buf_free(&b);
	verdicts_free(&all);
}

/* What is long is cut, what finds no room is missed. */
static void
test_limits(void **state)
{
	struct verdicts all = { 0 };
	char text[2 * VERDICT_TEXT];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < VERDICTS_MAX; i++)
		verdict_add(&all, "x", VERDICT_NOTE, text, text, "%s", text);
	assert_false(all.failed);
	assert_int_equal(strlen(all.v[0].why), VERDICT_TEXT - 1);
	verdict_add(&all, "x", VERDICT_WRONG, NULL, NULL, "one more");
	assert_true(all.failed);
	assert_int_equal(all.n, VERDICTS_MAX);
	verdicts_free(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lacks),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
