#include "check.h"

#include "base/bytes.h"
#include "passed.h"

#define SELF 77

static void
test_sockets(void **state)
{
	/* clang-format off */
	static const struct {
		const char *pid, *fds, *names;
		int n;		/* -1: refused */
		const char *last;
	} rows[] = {
		{ NULL, NULL, NULL,		0, NULL },
		{ "77", NULL, "a",		0, NULL },
		{ NULL, "1", "a",		0, NULL },
		{ "78", "1", "a",		0, NULL },
		{ "78", "rubbish", "",		0, NULL },
		{ "77", "0", "",		0, NULL },
		{ "77", "0", NULL,		0, NULL },
		{ "77", "1", "session",		1, "session" },
		{ "77", "3", "session:record:control", 3, "control" },
		{ "77", "8", "a:a:a:a:a:a:a:a",	8, "a" },
		{ "77", "1", NULL,		-1, NULL },
		{ "77", "2", "a",		-1, NULL },
		{ "77", "2", "a:",		-1, NULL },
		{ "77", "2", ":a",		-1, NULL },
		{ "77", "1", "a:b",		-1, NULL },
		{ "77", "9", "a:a:a:a:a:a:a:a:a", -1, NULL },
		{ "77", "-1", "",		-1, NULL },
		{ "77", "1 ", "a",		-1, NULL },
		{ "77", "", "a",		-1, NULL },
		{ "77", "18446744073709551617", "a", -1, NULL },
		{ "x", "1", "a",		-1, NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct passed p = { .n = 99 };
		struct ops_err err = { 0 };
		char row[32];
		int rc = passed_sockets_parse(
		    rows[i].pid, rows[i].fds, rows[i].names, SELF, &p, &err);

		(void)snprintf(row, sizeof(row), "row %zu", i);
		CHECK(rc == (rows[i].n < 0 ? -1 : 0), row, err.msg);
		CHECK(p.n == (rows[i].n < 0 ? 99 : (size_t)rows[i].n), row,
		    "how many");
		if (rows[i].last != NULL)
			CHECK(strcmp(p.name[p.n - 1], rows[i].last) == 0, row,
			    p.name[p.n - 1]);
	}
}

static void
test_watchdog(void **state)
{
	(void)state;
	assert_int_equal(passed_watchdog_parse(NULL, NULL, SELF), 0);
	assert_int_equal(
	    passed_watchdog_parse("60000000", NULL, SELF), 60000000000);
	assert_int_equal(
	    passed_watchdog_parse("60000000", "77", SELF), 60000000000);
	assert_int_equal(passed_watchdog_parse("60000000", "78", SELF), 0);
	assert_int_equal(passed_watchdog_parse("60000000", "x", SELF), 0);
	assert_int_equal(passed_watchdog_parse("", NULL, SELF), 0);
	assert_int_equal(passed_watchdog_parse("-1", NULL, SELF), 0);
	assert_int_equal(
	    passed_watchdog_parse("18446744073709551615", NULL, SELF), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests_name("passed", tests, NULL, NULL);
}
