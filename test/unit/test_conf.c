#include "check.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/conf.h"

enum failure { CONTINUE, REFUSE };

struct settings {
	bool input;
	uint64_t hold_time;
	uint64_t limit;
	uint64_t wal_size;
	char name[9];
	int on_failure;
	bool ship;
};

static const char *const failures[] = { "continue", "refuse", NULL };
#define AT(member) offsetof(struct settings, member)
/* clang-format off */
static const struct conf_key keys[] = {
	{ NULL,	  "input",	 CONF_BOOL,	0, 0,				AT(input), NULL },
	{ NULL,	  "hold_time",	 CONF_DURATION,	0, UINT64_C(60000000000),	AT(hold_time), NULL },
	{ NULL,	  "limit",	 CONF_UINT,	1, 100,				AT(limit), NULL },
	{ NULL,	  "wal_size",	 CONF_SIZE,	4096, UINT64_C(1) << 40,	AT(wal_size), NULL },
	{ NULL,	  "name",	 CONF_TEXT,	1, 8,				AT(name), NULL },
	{ NULL,	  "on_failure",	 CONF_ENUM,	0, 0,				AT(on_failure), failures },
	{ "ship", "enabled",	 CONF_BOOL,	0, 0,				AT(ship), NULL },
};
/* clang-format on */

static int
parse(const char *text, struct settings *s, struct ops_err *err)
{
	size_t n = strlen(text);
	char *p = (char *)heap_copy(text, n);
	int rc = conf_parse("x.conf", p, n, keys, OPS_ARRAY_LEN(keys), s, err);

	free(p);
	return rc;
}

static void
test_whole(void **state)
{
	static const char text[] = "# a file\n"
				   "\n"
				   "input=yes\n"
				   "  hold_time = 3s   # as long as that\n"
				   "limit\t=\t100\r\n"
				   "; another comment\n"
				   "wal_size = 64M ; comment\n"
				   "name = \" a#\\\"b \" # comment\n"
				   "on_failure = refuse\n"
				   "[ship]\n"
				   "enabled = on";
	struct settings s = { 0 };
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(parse(text, &s, &err), 0);
	assert_true(s.input);
	assert_int_equal(s.hold_time, UINT64_C(3000000000));
	assert_int_equal(s.limit, 100);
	assert_int_equal(s.wal_size, 64 << 20);
	assert_string_equal(s.name, " a#\"b ");
	assert_int_equal(s.on_failure, REFUSE);
	assert_true(s.ship);
}

static void
test_defaults(void **state)
{
	struct settings s = { .limit = 7, .name = "old" };

	(void)state;
	assert_int_equal(parse("", &s, NULL), 0);
	assert_int_equal(parse("\n\n#x\n[ship]\n", &s, NULL), 0);
	assert_int_equal(parse("input = no\n", &s, NULL), 0);
	assert_int_equal(s.limit, 7);
	assert_string_equal(s.name, "old");
}

static void
test_values(void **state)
{
	/* clang-format off */
	static const struct { const char *text; struct settings want; } rows[] = {
		{ "input = true",	{ .input = true } },
		{ "input = 1",		{ .input = true } },
		{ "input = off",	{ .input = false } },
		{ "input = \"yes\"",	{ .input = true } },
		{ "hold_time = 0",	{ .hold_time = 0 } },
		{ "hold_time = 60",	{ .hold_time = UINT64_C(60000000000) } },
		{ "hold_time = 1min",	{ .hold_time = UINT64_C(60000000000) } },
		{ "wal_size = 4096",	{ .wal_size = 4096 } },
		{ "wal_size = 1T",	{ .wal_size = UINT64_C(1) << 40 } },
		{ "name = a b",		{ .name = "a b" } },
		{ "name = a#b",		{ .name = "a#b" } },
		{ "name = a \t #b",	{ .name = "a" } },
		{ "name = 12345678",	{ .name = "12345678" } },
		{ "name = \"\\n\\t\\\\\"", { .name = "\n\t\\" } },
		{ "name = \"a\"",	{ .name = "a" } },
		{ "name = a\"b",	{ .name = "a\"b" } },
		{ "name = a=b",		{ .name = "a=b" } },
		{ "name = \xc3\xa9",	{ .name = "\xc3\xa9" } },
		{ "on_failure=continue", { .on_failure = CONTINUE } },
		{ "[ ship ]\nenabled=yes", { .ship = true } },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct settings s = { 0 };
		const struct settings *w = &rows[i].want;
		struct ops_err err = { 0 };

		CHECK(
		    parse(rows[i].text, &s, &err) == 0, rows[i].text, err.msg);
		CHECK(s.input == w->input && s.hold_time == w->hold_time &&
			  s.limit == w->limit && s.wal_size == w->wal_size &&
			  s.on_failure == w->on_failure && s.ship == w->ship &&
			  strcmp(s.name, w->name) == 0,
		    rows[i].text, "value");
	}
}

static void
test_errors(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *msg; } rows[] = {
		{ "hold_tme = 3s",	"x.conf:1: unknown key \"hold_tme\", did you mean \"hold_time\"?" },
		{ "\n\nxyzzyxyzzy = 1",	"x.conf:3: unknown key \"xyzzyxyzzy\"" },
		{ "enabled = yes",	"x.conf:1: key \"enabled\" belongs into section [ship]" },
		{ "[ship]\nhold_time=1", "x.conf:2: key \"hold_time\" belongs before the first section" },
		{ "[shop]",		"x.conf:1: unknown section [shop], did you mean [ship]?" },
		{ "[else-where]",	"x.conf:1: unknown section [else-where]" },
		{ "[ship",		"x.conf:1: section without its \"]\"" },
		{ "[",			"x.conf:1: section without its \"]\"" },
		{ "input",		"x.conf:1: neither [section] nor key = value" },
		{ "input = maybe",	"x.conf:1: input: \"maybe\" is neither yes nor no" },
		{ "input =",		"x.conf:1: input: \"\" is neither yes nor no" },
		{ "input = yes\ninput = yes", "x.conf:2: input is set already on line 1" },
		{ "limit = 0",		"x.conf:1: limit: \"0\" is out of range, 1 to 100" },
		{ "limit = 101",	"x.conf:1: limit: \"101\" is out of range, 1 to 100" },
		{ "limit = -1",		"x.conf:1: limit: \"-1\" is no whole number" },
		{ "limit = 1x",		"x.conf:1: limit: \"1x\" is no whole number" },
		{ "limit = 18446744073709551617", "x.conf:1: limit: \"18446744073709551617\" is no whole number" },
		{ "wal_size = 64MB",	"x.conf:1: wal_size: \"64MB\" is no size (number, then K, M, G or T)" },
		{ "wal_size = 99999999999T", "x.conf:1: wal_size: \"99999999999T\" is no size (number, then K, M, G or T)" },
		{ "wal_size = M",	"x.conf:1: wal_size: \"M\" is no size (number, then K, M, G or T)" },
		{ "hold_time = 61s",	"x.conf:1: hold_time: \"61s\" is out of range, 0 to 60000000000 ns" },
		{ "hold_time = soon",	"x.conf:1: hold_time: \"soon\" is no duration (like 90s, 250ms, 1h 30min)" },
		{ "name = 123456789",	"x.conf:1: name: text of 9 bytes, not 1 to 8" },
		{ "name = \"\"",	"x.conf:1: name: text of 0 bytes, not 1 to 8" },
		{ "name = \"abc",	"x.conf:1: name: quote without its end" },
		{ "name = \"abc\\",	"x.conf:1: name: only \\\" \\\\ \\n \\t stand in quotes" },
		{ "name = \"a\\x\"",	"x.conf:1: name: only \\\" \\\\ \\n \\t stand in quotes" },
		{ "name = \"a\" b",	"x.conf:1: name: text after the closing quote" },
		{ "name = \"a\"#b",	"x.conf:1: name: text after the closing quote" },
		{ "on_failure = stop",	"x.conf:1: on_failure: \"stop\" is none of: continue refuse" },
		{ "name = \xff",	"x.conf:1: not UTF-8" },
		{ "# \x1b[2J",		"x.conf:1: control character" },
		{ "name = a\rb",	"x.conf:1: control character" },
		{ " = 1",		"x.conf:1: unknown key \"\"" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct settings s = { .limit = 42 };
		struct ops_err err = { 0 };

		CHECK(parse(rows[i].text, &s, &err) == -1, rows[i].text,
		    "accepted");
		CHECK(strcmp(err.msg, rows[i].msg) == 0, rows[i].text, err.msg);
	}
}

/* A mistake on the last line undoes the lines before it. */
static void
test_untouched(void **state)
{
	struct settings s, before;

	(void)state;
	memset(&s, 0x5a, sizeof(s));
	before = s;
	assert_int_equal(
	    parse("input=yes\nlimit=5\nname=x\nlimit=6\n", &s, NULL), -1);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void
test_limits(void **state)
{
	struct settings s = { 0 };
	struct ops_err err = { 0 };
	char *big = malloc(CONF_MAX + 1);

	(void)state;
	assert_non_null(big);
	memset(big, '\n', CONF_MAX + 1);
	assert_int_equal(
	    conf_parse("x", big, CONF_MAX, keys, OPS_ARRAY_LEN(keys), &s, &err),
	    0);
	assert_int_equal(conf_parse("x", big, CONF_MAX + 1, keys,
			     OPS_ARRAY_LEN(keys), &s, &err),
	    -1);
	memset(big, 'a', CONF_VALUE_MAX + 20);
	memcpy(big, "name = ", 7);
	assert_int_equal(conf_parse("x", big, 7 + CONF_VALUE_MAX + 1, keys,
			     OPS_ARRAY_LEN(keys), &s, &err),
	    -1);
	assert_string_equal(err.msg, "x:1: name: value over 4096 bytes");
	assert_int_equal(conf_parse("x", big, 7 + CONF_VALUE_MAX, keys,
			     OPS_ARRAY_LEN(keys), &s, &err),
	    -1);
	assert_string_equal(
	    err.msg, "x:1: name: text of 4096 bytes, not 1 to 8");
	big[7] = '"';
	assert_int_equal(conf_parse("x", big, 7 + 1 + CONF_VALUE_MAX + 1, keys,
			     OPS_ARRAY_LEN(keys), &s, &err),
	    -1);
	assert_string_equal(err.msg, "x:1: name: value over 4096 bytes");
	free(big);
}

/* A NUL would end the text early for whoever reads it as a string. */
static void
test_nul(void **state)
{
	static const char text[] = "name = a\0b\n";
	struct settings s = { 0 };

	(void)state;
	assert_int_equal(conf_parse("x", text, sizeof(text) - 1, keys,
			     OPS_ARRAY_LEN(keys), &s, NULL),
	    -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
