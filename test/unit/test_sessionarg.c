#include "check.h"

#include "sessionarg.h"

#define S(x) ((x)*UINT64_C(1000000000))

/* clang-format off */
static const struct {
	const char *in;
	const char *name; /* NULL: refused */
	uint64_t number;  /* 0: none */
	bool has_offset;
	uint64_t offset;
} cases[] = {
	{ "last",             "last",            0, false, 0 },
	{ "last:alice",       "last:alice",      0, false, 0 },
	{ "last:alice:3",     "last:alice",      3, false, 0 },
	{ "last:3",           "last",            3, false, 0 },
	{ "last:a@example",   "last:a@example",  0, false, 0 },
	{ "last:a@b@1:00",    "last:a@b",        0, true,  S(60) },
	{ "pts/3",            "pts/3",           0, false, 0 },
	{ ".",                ".",               0, false, 0 },
	{ ".@5",              ".",               0, true,  S(5) },
	{ "abcd2345",         "abcd2345",        0, false, 0 },
	{ "abcd:12",          "abcd",            12, false, 0 },
	{ "abcd@1:23",        "abcd",            0, true,  S(83) },
	{ "abcd@1:02:03.5",   "abcd",            0, true,  S(3723) + 500000000 },
	{ "abcd:2@10",        "abcd",            2, true,  S(10) },
	{ "abcd@0",           "abcd",            0, true,  0 },
	{ "",                 NULL, 0, false, 0 },
	{ "@1:00",            NULL, 0, false, 0 },
	{ ":3",               NULL, 0, false, 0 },
	{ "last:",            NULL, 0, false, 0 },
	{ "abcd:0",           NULL, 0, false, 0 },
	{ "abcd@",            NULL, 0, false, 0 },
	{ "abcd@1:2:3:4",     NULL, 0, false, 0 },
	{ "abcd@1x",          NULL, 0, false, 0 },
	{ "abcd:9999999999999999999999", NULL, 0, false, 0 },
};
/* clang-format on */

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *row = cases[i].in;
		struct sessionarg a = { .name = "untouched" };
		struct ops_err err = { 0 };
		int rc = sessionarg_parse(row, &a, &err);

		if (cases[i].name == NULL) {
			CHECK(rc < 0, row, "accepted");
			CHECK(err.code == OPS_EUSAGE || err.msg[0] != '\0', row,
			    "no reason");
			CHECK(strcmp(a.name, "untouched") == 0, row, "touched");
			continue;
		}
		CHECK(rc == 0, row, err.msg);
		CHECK(strcmp(a.name, cases[i].name) == 0, row, a.name);
		CHECK(a.has_number == (cases[i].number > 0), row, "number");
		CHECK(a.number == cases[i].number, row, "number");
		CHECK(a.has_offset == cases[i].has_offset, row, "offset");
		CHECK(a.offset == cases[i].offset, row, "offset");
	}
}

static void
test_long_name(void **state)
{
	char name[SESSIONARG_NAME_MAX + 2];
	struct sessionarg a;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[SESSIONARG_NAME_MAX + 1] = '\0';
	assert_int_equal(sessionarg_parse(name, &a, NULL), -1);
	name[SESSIONARG_NAME_MAX] = '\0';
	assert_int_equal(sessionarg_parse(name, &a, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
