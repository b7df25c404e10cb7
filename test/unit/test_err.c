#include "check.h"

#include <errno.h>

#include "base/err.h"

static void
test_fail(void **state)
{
	struct ops_err err = { .sys = 7 };

	(void)state;
	assert_int_equal(ops_fail(&err, OPS_ETRUNC, "%d of %d", 12, 64), -1);
	assert_int_equal(err.code, OPS_ETRUNC);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.msg, "12 of 64");
	assert_int_equal(ops_context(&err, "segment %s", "a"), -1);
	assert_int_equal(ops_context(&err, "verify"), -1);
	assert_string_equal(err.msg, "verify: segment a: 12 of 64");
	assert_int_equal(err.code, OPS_ETRUNC);
}

static void
test_null(void **state)
{
	(void)state;
	errno = EIO;
	assert_int_equal(ops_fail(NULL, OPS_EIO, "x"), -1);
	assert_int_equal(ops_fail_errno(NULL, "x"), -1);
	assert_int_equal(ops_context(NULL, "x"), -1);
}

static void
test_errno(void **state)
{
	static const struct {
		int sys;
		enum ops_code code;
	} rows[] = {
		{ EACCES, OPS_EPERM },
		{ EPERM, OPS_EPERM },
		{ ENOENT, OPS_ENOENT },
		{ ENOMEM, OPS_ENOMEM },
		{ ENOSPC, OPS_EIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ops_err err = { 0 };
		char want[100];

		snprintf(
		    want, sizeof(want), "open x: %s", strerror(rows[i].sys));
		errno = rows[i].sys;
		assert_int_equal(ops_fail_errno(&err, "open %s", "x"), -1);
		assert_int_equal(errno, rows[i].sys);
		CHECK(err.code == rows[i].code, want, "code");
		CHECK(err.sys == rows[i].sys, want, "sys");
		assert_string_equal(err.msg, want);
	}
}

/* What is quoted may be long, hostile, cut in two, or the message itself. */
static void
test_hostile(void **state)
{
	struct ops_err err = { 0 };
	char big[600];

	(void)state;
	ops_fail(&err, OPS_EFORMAT,
	    "a\nb\x1b[2J\x7f \xc2\x9b \x9b \xe2\x80\xae \xc3\xa9");
	assert_string_equal(err.msg, "a?b?[2J? ?? ? ??? \xc3\xa9");
	ops_fail(&err, OPS_EFORMAT, "again %s", err.msg);
	assert_string_equal(err.msg, "again a?b?[2J? ?? ? ??? \xc3\xa9");

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ops_fail(&err, OPS_EFORMAT, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	ops_context(&err, "front");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_memory_equal(err.msg, "front: xxx", 10);
	ops_context(&err, "%s", big);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);

	for (size_t i = 0; i + 1 < sizeof(big); i += 2)
		memcpy(big + i, "\xc3\xa9", 2);
	big[400] = '\0';
	ops_fail(&err, OPS_EFORMAT, "%s", big); /* 239 bytes: cut in two */
	assert_int_equal(err.msg[sizeof(err.msg) - 2], '?');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_errno),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
