#include "check.h"

#include "opt.h"

struct values {
	bool flag, seen;
	const char *text, *once;
	unsigned count;
	uint64_t time, duration;
	double speed;
};

/* clang-format off */
static const struct opt opts[] = {
#define AT(m) offsetof(struct values, m)
	{ "flag",     'f', OPT_FLAG,     NULL,  "a", AT(flag), 0 },
	{ "text",     't', OPT_TEXT,     "T",   "b", AT(text), 0 },
	{ "once",     0,   OPT_ONCE,     "T",   "b", AT(once), 0 },
	{ "count",    'n', OPT_COUNT,    "N",   "c", AT(count), 0 },
	{ "since",    0,   OPT_TIME,     "T",   "d", AT(time), 0 },
	{ "max-idle", 0,   OPT_DURATION, "T",   "e", AT(duration), AT(seen) },
	{ "speed",    0,   OPT_SPEED,    "X",   "f", AT(speed), 0 },
#undef AT
	{ 0 },
};

/* A row: these words, parsed, leave that many, or say this. */
static const struct {
	const char *argv[6];
	int rest;
	const char *error;
} cases[] = {
	{ { "x" },                              1, NULL },
	{ { "x", "-f", "a" },                   2, NULL },
	{ { "x", "a", "-f" },                   2, NULL },
	{ { "x", "--", "-f" },                  2, NULL },
	{ { "x", "-n3", "--text=a", "b", "c" }, 3, NULL },
	{ { "x", "--max", "2s" },               3, NULL },
	{ { "x", "--speed", "0.5" },            3, NULL },
	{ { "x", "--since", "@12.5" },          3, NULL },
	{ { "x", "--once", "a", "b" },          3, NULL },
	{ { "x", "--text=a", "--text=b" },      3, NULL },
	{ { "x", "--once=a", "--once=b" }, 0, "--once is given twice; only one can be read at a time" },
	{ { "x", "--flg" },          0, "unknown option --flg; did you mean --flag?" },
	{ { "x", "--sped=2" },       0, "unknown option --sped; did you mean --speed?" },
	{ { "x", "--nonsense" },     0, "unknown option --nonsense" },
	{ { "x", "-z" },             0, "unknown option -z" },
	{ { "x", "--flag=1" },       0, "option --flag takes no argument" },
	{ { "x", "--text" },         0, "option --text needs T" },
	{ { "x", "-t" },             0, "option --text needs T" },
	{ { "x", "-n", "0" },        0, "--count: \"0\" is no number above 0" },
	{ { "x", "-n", "-1" },       0, "--count: \"-1\" is no number above 0" },
	{ { "x", "-n", "3x" },       0, "--count: \"3x\" is no number above 0" },
	{ { "x", "-n", "99999999999" }, 0, "--count: \"99999999999\" is no number above 0" },
	{ { "x", "--speed", "nan" }, 0, "--speed: \"nan\" is no number from 0 to 1000" },
	{ { "x", "--speed", "1e9" }, 0, "--speed: \"1e9\" is no number from 0 to 1000" },
	{ { "x", "--since", "never" }, 0, "--since" },
	{ { "x", "--max-idle", "long" }, 0, "--max-idle" },
};
/* clang-format on */

static int
parse(const char *const *words, struct values *v, bool in_order, int *rest,
    struct ops_err *err)
{
	const struct opt_set sets[2] = { { opts, v }, { NULL, NULL } };
	char *argv[7] = { NULL };
	int argc = 0;

	for (; argc < 6 && words[argc] != NULL; argc++)
		memcpy(&argv[argc], &words[argc], sizeof(argv[argc]));
	return opt_parse(argc, argv, sets, in_order, rest, err);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ops_err err = { 0 };
		struct values v = { 0 };
		char row[64];
		int rest = -1, rc;

		snprintf(row, sizeof(row), "row %zu", i);
		rc = parse(cases[i].argv, &v, false, &rest, &err);
		if (cases[i].error == NULL) {
			CHECK(rc == 0, row, err.msg);
			CHECK(rest == cases[i].rest, row, "rest");
			continue;
		}
		CHECK(rc < 0 && err.code != OPS_OK, row, "accepted");
		CHECK(strncmp(
			  err.msg, cases[i].error, strlen(cases[i].error)) == 0,
		    row, err.msg);
	}
}

static void
test_values(void **state)
{
	static const char *const words[] = { "x", "--max-idle=1500ms", "-n7",
		"-ta", "--speed=2.5", NULL };
	struct values v = { 0 };
	int rest;

	(void)state;
	assert_int_equal(parse(words, &v, false, &rest, NULL), 0);
	assert_true(v.seen);
	assert_int_equal(v.duration, 1500000000);
	assert_int_equal(v.count, 7);
	assert_string_equal(v.text, "a");
	assert_true(v.speed > 2.4 && v.speed < 2.6);
	assert_false(v.flag);
}

/* A command of the user's has options of its own. */
static void
test_in_order(void **state)
{
	static const char *const words[] = { "x", "-f", "cmd", "--speed",
		NULL };
	struct values v = { 0 };
	int rest;

	(void)state;
	assert_int_equal(parse(words, &v, true, &rest, NULL), 0);
	assert_int_equal(rest, 2);
	assert_true(v.flag);
}

static void
test_nearest(void **state)
{
	static const char *const words[] = { "ls", "show", "play", "cat",
		"export", "verify", "checkpoint", "status", "record" };
	static const char *const near[][2] = { { "lis", "ls" },
		{ "shwo", "show" }, { "verfy", "verify" },
		{ "chec", "checkpoint" }, { "recrod", "record" },
		{ "stauts", "status" }, { "banana", NULL }, { "x", NULL },
		{ "", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		const char *got = opt_nearest(near[i][0], words, 9);

		if (near[i][1] == NULL)
			CHECK(got == NULL, near[i][0], got);
		else
			CHECK(got != NULL && strcmp(got, near[i][1]) == 0,
			    near[i][0], got != NULL ? got : "nothing");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
