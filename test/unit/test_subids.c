#include "check.h"

#include "subids.h"

/* clang-format off */
static const struct {
	const char *name, *file;
	uint32_t uid, first;
} cases[] = {
	{ "no file",		"", 100000, 100000 },
	{ "the first",		"anna:100000:65536\n", 100000, 100000 },
	{ "one of it",		"anna:100000:65536\n", 100007, 100000 },
	{ "the last",		"anna:100000:65536\n", 165535, 100000 },
	{ "behind it",		"anna:100000:65536\n", 165536, 165536 },
	{ "before it",		"anna:100000:65536\n", 99999, 99999 },
	{ "the second",		"anna:100000:65536\nben:165536:65536\n", 165540, 165536 },
	{ "out of order",	"ben:165536:65536\nanna:100000:65536\n", 165535, 100000 },
	{ "by number",		"1000:100000:10\n", 100009, 100000 },
	{ "no newline",		"anna:100000:10", 100009, 100000 },
	{ "ranges that meet",	"anna:300:100\nben:250:100\n", 399, 250 },
	{ "one within another",	"anna:300:100\nben:310:5\n", 399, 300 },
	{ "root's",		"anna:0:100\n", 50, 50 },
	{ "the last of all",	"anna:4294967294:1\n", 4294967294, 4294967294 },
	{ "beyond the last",	"anna:4294967290:9\n", 4294967294, 4294967294 },
	{ "a comment",		"#anna:100:10\n", 105, 105 },
	{ "no name",		":100:10\n", 105, 105 },
	{ "no count",		"anna:100\n", 105, 105 },
	{ "a count of none",	"anna:100:0\n", 100, 100 },
	{ "more behind it",	"anna:100:10:5\n", 105, 105 },
	{ "blanks",		"anna: 100:10\n", 105, 105 },
	{ "too many digits",	"anna:00000000100:10\n", 105, 105 },
	{ "a line behind one",	"what\nanna:100:10\n", 105, 100 },
};
/* clang-format on */

static void
test_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].file);
		uint8_t *file = heap_copy(cases[i].file, n);
		struct subids s;

		CHECK(subids_parse((char *)file, n, &s, NULL) == 0,
		    cases[i].name, "parse");
		CHECK(subids_first(&s, cases[i].uid) == cases[i].first,
		    cases[i].name, "first");
		subids_free(&s);
		free(file);
	}
}

static void
test_too_many(void **state)
{
	size_t cap = (SUBIDS_MAX + 1) * (size_t)16, n = 0;
	char *file = malloc(cap);
	struct ops_err err;
	struct subids s;

	(void)state;
	assert_non_null(file);
	for (unsigned i = 0; i < SUBIDS_MAX; i++)
		n += (size_t)snprintf(file + n, cap - n, "u:%u:1\n", 2 * i + 1);
	assert_int_equal(subids_parse(file, n, &s, &err), 0);
	assert_int_equal(s.n, SUBIDS_MAX);
	assert_int_equal(subids_first(&s, 2 * SUBIDS_MAX), 2 * SUBIDS_MAX);
	subids_free(&s);
	n += (size_t)snprintf(file + n, cap - n, "u:999999:1\n");
	s.n = 77;
	assert_int_equal(subids_parse(file, n, &s, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(s.n, 77);
	free(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests_name("subids", tests, NULL, NULL);
}
