#include "check.h"

#include "base/bytes.h"
#include "config/command.h"

static void
test_words(void **state)
{
	/* clang-format off */
	static const struct { const char *line; const char *words; } rows[] = {
		{ "/a",				"/a" },
		{ "/a b",			"/a|b" },
		{ " \t/a \t b  ",		"/a|b" },
		{ "/a \"b c\"",			"/a|b c" },
		{ "/a b\" \"c",			"/a|b c" },
		{ "\"/a b\" c",			"/a b|c" },
		{ "/a \"\" b",			"/a||b" },
		{ "/a \"\\\"\\\\\"",		"/a|\"\\" },
		{ "/a \\n 'b c' $x;y>z",	"/a|\\n|'b|c'|$x;y>z" },
		{ "",				NULL },
		{ "  ",				NULL },
		{ "a",				NULL },
		{ "\"\" /a",			NULL },
		{ "/a \"b",			NULL },
		{ "/a \"b\\",			NULL },
		{ "/a \"\\n\"",			NULL },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_err err = { 0 };
		struct command c;
		char got[128] = "";
		int rc = command_parse(rows[i].line, &c, &err);

		CHECK(rc == (rows[i].words == NULL ? -1 : 0), rows[i].line,
		    err.msg);
		if (rc < 0) {
			assert_int_equal(err.code, OPS_EUSAGE);
			continue;
		}
		for (size_t k = 0, at = 0; c.argv[k] != NULL; k++)
			at += (size_t)snprintf(got + at, sizeof(got) - at,
			    "%s%s", k > 0 ? "|" : "", c.argv[k]);
		CHECK(strcmp(got, rows[i].words) == 0, rows[i].line, got);
	}
}

static void
test_limits(void **state)
{
	char line[COMMAND_MAX + 2] = "/a";
	struct command c;

	(void)state;
	for (int i = 1; i < COMMAND_WORDS; i++)
		(void)strncat(line, " b", 3);
	assert_int_equal(command_parse(line, &c, NULL), 0);
	assert_non_null(c.argv[COMMAND_WORDS - 1]);
	assert_null(c.argv[COMMAND_WORDS]);
	(void)strncat(line, " b", 3);
	assert_int_equal(command_parse(line, &c, NULL), -1);
	memset(line, '/', COMMAND_MAX);
	line[COMMAND_MAX] = '\0';
	assert_int_equal(command_parse(line, &c, NULL), 0);
	assert_int_equal(strlen(c.argv[0]), COMMAND_MAX);
	line[COMMAND_MAX] = '/';
	line[COMMAND_MAX + 1] = '\0';
	assert_int_equal(command_parse(line, &c, NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
