/* Covers: confput */
#include "check.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "base/conf.h"
#include "base/confput.h"

struct settings {
	bool flag;
	uint64_t number, size, span;
	char text[21];
	int word;
};

static const char *const words[] = { "one", "two", NULL };
#define AT(member) offsetof(struct settings, member)
/* clang-format off */
static const struct conf_key keys[] = {
	{ NULL, "flag",   CONF_BOOL,     0, 0,          AT(flag),   NULL,  NULL },
	{ NULL, "number", CONF_UINT,     0, UINT64_MAX, AT(number), NULL,  NULL },
	{ NULL, "size",   CONF_SIZE,     0, UINT64_MAX, AT(size),   NULL,  NULL },
	{ NULL, "span",   CONF_DURATION, 0, UINT64_MAX, AT(span),   NULL,  NULL },
	{ NULL, "text",   CONF_TEXT,     0, 20,         AT(text),   NULL,  NULL },
	{ NULL, "word",   CONF_ENUM,     0, 0,          AT(word),   words, NULL },
};

static const struct {
	struct settings s;
	const char *want; /* of all keys, in their order */
} rows[] = {
	{ { 0 }, "no|0|0|0s|\"\"|one" },
	{ { true, 1, 1, 1, "a", 1 }, "yes|1|1|1ns|a|two" },
	{ { false, UINT64_MAX, 1024, 1000, "a b", 0 }, "no|18446744073709551615|1K|1us|a b|one" },
	{ { false, 0, 1025, 90000000000, " a", 0 }, "no|0|1025|90s|\" a\"|one" },
	{ { false, 0, 5 << 20, 7200000000000, "a ", 0 }, "no|0|5M|2h|\"a \"|one" },
	{ { false, 0, UINT64_C(1) << 40, 60000000000, "a#b", 0 }, "no|0|1T|1min|\"a#b\"|one" },
	{ { false, 0, 3u << 30, 172800000000000, "a\"\\\n\tb", 0 }, "no|0|3G|2d|\"a\\\"\\\\\\n\\tb\"|one" },
	{ { false, 0, 0, 1500000, "a\\b", 0 }, "no|0|0|1500us|a\\b|one" },
};
/* clang-format on */

static void
test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf out = { .max = 1000 };

		for (size_t k = 0; k < OPS_ARRAY_LEN(keys); k++) {
			ops_buf_puts(&out, k > 0 ? "|" : "");
			conf_put_value(&out, &keys[k], &rows[i].s);
		}
		ops_buf_put8(&out, '\0');
		assert_string_equal((char *)out.data, rows[i].want);
		ops_buf_free(&out);
	}
}

/* What is put is read back the same, and is the same as itself alone. */
static void
test_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf out = { .max = 1000 };
		struct settings back = { .number = 77, .text = "other" };
		struct ops_err err = { 0 };

		for (size_t k = 0; k < OPS_ARRAY_LEN(keys); k++) {
			ops_buf_printf(&out, "%s = ", keys[k].name);
			conf_put_value(&out, &keys[k], &rows[i].s);
			ops_buf_put8(&out, '\n');
		}
		CHECK(conf_parse("x", (char *)out.data, out.len, keys,
			  OPS_ARRAY_LEN(keys), &back, &err) == 0,
		    rows[i].want, err.msg);
		for (size_t k = 0; k < OPS_ARRAY_LEN(keys); k++)
			CHECK(conf_same(&keys[k], &back, &rows[i].s),
			    rows[i].want, keys[k].name);
		ops_buf_free(&out);
	}
	for (size_t k = 0; k < OPS_ARRAY_LEN(keys); k++)
		CHECK(!conf_same(&keys[k], &rows[0].s, &rows[1].s),
		    keys[k].name, "same");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_back),
	};

	return cmocka_run_group_tests_name("confput", tests, NULL, NULL);
}
