#include "check.h"

#include "base/bytes.h"
#include "base/shellmap.h"

static const char map[] = "# whose shell is what\n"
			  "\n"
			  "root:0:/bin/bash\n"
			  "anna:1000:/bin/zsh # her own\n"
			  " ben:1001:/usr/bin/my shell\t\n"
			  "carl:1001:/bin/ksh\n"
			  "x:y:/bin/sh\n"
			  "no line\n"
			  "dora:1002:zsh\n"
			  "*:*:/bin/dash\n"
			  "*:*:/bin/late\n"
			  "emil#:1003:/opt/#1/sh\n"
			  "fred:1004:/bin/bash\r\n"
			  "gina:1005:/bin/ba";

static void
has(uint32_t uid, const char *name, const char *shell, unsigned line)
{
	struct shellmap_entry e;

	assert_true(shellmap_find(map, sizeof(map) - 1, uid, name, &e));
	assert_int_equal(e.line, line);
	assert_int_equal(e.shell_len, strlen(shell));
	assert_memory_equal(e.shell, shell, e.shell_len);
}

static void
test_find(void **state)
{
	struct shellmap_entry e;

	(void)state;
	has(0, NULL, "/bin/bash", 3);
	has(1000, "carl", "/bin/zsh", 4);
	has(1001, NULL, "/usr/bin/my shell", 5);
	has(1001, "ben", "/usr/bin/my shell", 5);
	has(1001, "carl", "/bin/ksh", 6);
	has(1001, "anna", "/usr/bin/my shell", 5); /* not his: the first */
	has(1003, "", "/opt/#1/sh", 12);
	/* A line that is wrong is none. */
	has(1002, "dora", "/bin/dash", 10);
	has(7, "x", "/bin/dash", 10);
	has(1004, "fred", "/bin/dash", 10);
	has(1005, "gina", "/bin/dash", 10);
	assert_false(shellmap_find("a:1:/b\n", 7, 2, "a", &e));
	assert_false(shellmap_find("", 0, 0, NULL, &e));
}

static void
test_next(void **state)
{
	static const struct {
		unsigned line;
		const char *wrong;
	} wants[] = {
		{ 3, NULL },
		{ 4, NULL },
		{ 5, NULL },
		{ 6, NULL },
		{ 7, "UID" },
		{ 8, "NAME:UID:SHELL" },
		{ 9, "path" },
		{ 10, NULL },
		{ 11, NULL },
		{ 12, NULL },
		{ 13, "control" },
		{ 14, "no end" },
	};
	struct shellmap_entry e = { 0 };
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(wants); i++) {
		assert_int_equal(shellmap_next(map, sizeof(map) - 1, &at, &e),
		    wants[i].wrong == NULL ? 1 : -1);
		assert_int_equal(e.line, wants[i].line);
		if (wants[i].wrong != NULL)
			assert_non_null(strstr(e.wrong, wants[i].wrong));
	}
	assert_int_equal(shellmap_next(map, sizeof(map) - 1, &at, &e), 0);
}

static void
test_limits(void **state)
{
	static const char *const wrong[] = { "a:4294967295:/b\n", "a:-1:/b\n",
		"a:+1:/b\n", "a::/b\n", ":1:/b\n", "a:1:\n", "a:1:b\n",
		"*:1x:/b\n", "a:*:/b\n", "a:99999999999:/b\n", "a: 1:/b\n",
		"a:1:/b" };
	char text[600];
	struct shellmap_entry e;

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(wrong); i++) {
		size_t at = 0;

		e.line = 0;
		CHECK(shellmap_next(wrong[i], strlen(wrong[i]), &at, &e) == -1,
		    wrong[i], "taken");
	}
	/* A star is a name as well, where the uid is none. */
	assert_true(shellmap_find("*:1:/b\n", 7, 1, NULL, &e));
	assert_false(shellmap_find("*:1:/b\n", 7, 2, NULL, &e));
	assert_true(
	    shellmap_find("a:4294967294:/b\n", 16, 4294967294u, NULL, &e));
	for (int more = 0; more < 2; more++) {
		int n = snprintf(text, sizeof(text), "a:1:/%0*d\n",
		    SHELLMAP_SHELL_MAX - 1 + more, 0);

		assert_int_equal(
		    shellmap_find(text, (size_t)n, 1, NULL, &e), more == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_find),
		cmocka_unit_test(test_next), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
