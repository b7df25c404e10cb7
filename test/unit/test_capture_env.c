#include "check.h"

#include "capture_env.h"

/* clang-format off */
static const struct {
	const char *name, *list;
	const char *env;  /* each ended by '|' */
	const char *want;
} rows[] = {
	{ "none is named",	"",		"LANG=C|",		"" },
	{ "one of two",		"LANG",		"HOME=/|LANG=C|",	"LANG=C|" },
	{ "commas and spaces",	" A,,B ,\tC",	"C=3|B=2|A=1|",		"C=3|B=2|A=1|" },
	{ "a part of a name",	"LAN, ANG",	"LANG=C|",		"" },
	{ "more than a name",	"LANGUAGE",	"LANG=C|",		"" },
	{ "no value",		"A",		"A|A=|",		"A=|" },
	{ "twice",		"A",		"A=1|A=2|",		"A=1|A=2|" },
	{ "without an end",	"A",		"A=1|A=2",		"A=1|" },
	{ "equals in a value",	"A",		"A=B=C|",		"A=B=C|" },
	{ "no name",		"A",		"=A|",			"" },
};
/* clang-format on */

static void
test_keep(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].env), want = strlen(rows[i].want);
		uint8_t *in = heap_copy(rows[i].env, n);
		struct ops_buf out = { .max = 100 };

		for (size_t j = 0; j < n; j++)
			in[j] = in[j] == '|' ? 0 : in[j];
		env_keep(rows[i].list, in, n, &out);
		CHECK(!out.failed && out.len == want, rows[i].name, "length");
		for (size_t j = 0; j < want; j++)
			CHECK(
			    out.data[j] ==
				(rows[i].want[j] == '|' ? 0 : rows[i].want[j]),
			    rows[i].name, "bytes");
		ops_buf_free(&out);
		free(in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
