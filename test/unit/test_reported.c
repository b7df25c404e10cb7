#include "check.h"

#include "reported.h"

static void
test_once(void **state)
{
	struct ops_buf b = { .max = REPORTED_MAX };
	const char *p;

	(void)state;
	assert_false(reported_has("", 0, "accounts: al has /bin/sh"));
	reported_begin(&b);
	reported_add(&b, "accounts: al has /bin/sh");
	reported_add(&b, "end");
	reported_add(&b, "two\nlines \033[31m");
	reported_end(&b);
	assert_false(b.failed);
	p = (const char *)b.data;
	assert_true(reported_has(p, b.len, "accounts: al has /bin/sh"));
	assert_true(reported_has(p, b.len, "end"));
	assert_true(reported_has(p, b.len, "two\nlines \033[31m"));
	assert_false(reported_has(p, b.len, "two"));
	assert_false(reported_has(p, b.len, "accounts: al has /bin/s"));
	assert_false(reported_has(p, b.len, ""));
	/* Cut anywhere it has nothing: all is told again. */
	for (size_t n = 0; n < b.len; n++) {
		char *cut = (char *)heap_copy(b.data, n);

		assert_false(reported_has(cut, n, "accounts: al has /bin/sh"));
		free(cut);
	}
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
