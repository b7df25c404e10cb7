#include "check.h"

#include "base/bytes.h"
#include "config/config.h"

static int
parse(const char *text, struct config *c, struct ops_err *err)
{
	struct ops_buf b = { .max = CONF_MAX };
	int rc;

	ops_buf_puts(&b, text);
	rc = config_parse("x.conf", &b, c, err);
	ops_buf_free(&b);
	return rc;
}

static void
test_checks(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *msg; } rows[] = {
		{ "anchor_file = /a",		NULL },
		{ "anchor_file = \"\"",		NULL },
		{ "anchor_syslog = off",	NULL },
		{ "environment = LANG, LC_ALL",	NULL },
		{ "\nanchor_file = a",		"x.conf:2: anchor_file: a is no absolute path" },
		{ "anchor_syslog = no",		"x.conf:1: anchor_syslog: no is no absolute path" },
		{ "mask_rules = rules",		"x.conf:1: mask_rules: rules is no absolute path" },
		{ "environment = LANG=C",	"x.conf:1: environment: names of variables have no '=' and no control characters" },
		{ "environment = \xc3\xa4",	"x.conf:1: environment: names of variables have no '=' and no control characters" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_err err = { 0 };
		struct config c;
		int rc = parse(rows[i].text, &c, &err);

		CHECK(rc == (rows[i].msg == NULL ? 0 : -1), rows[i].text,
		    err.msg);
		CHECK(strcmp(err.msg, rows[i].msg != NULL ? rows[i].msg : "") ==
			  0,
		    rows[i].text, err.msg);
	}
}

/* The text is of what differs, whatever way it was said. */
static void
test_text(void **state)
{
	struct ops_buf out = { .max = CONF_MAX };
	uint8_t a[OPS_HASH_LEN], b[OPS_HASH_LEN];
	struct config c, d;

	(void)state;
	config_init(&c);
	config_put(&out, &c);
	assert_int_equal(out.len, 0);
	assert_int_equal(parse("# x\nhold_time = 3s\nseal_after=2000ms\n"
			       "anchor_file = \"/a b\"\ninput = on\n",
			     &c, NULL),
	    0);
	config_put(&out, &c);
	ops_buf_put8(&out, '\0');
	assert_string_equal((char *)out.data,
	    "input = yes\nseal_after = 2s\nanchor_file = /a b\n");
	assert_int_equal(parse((char *)out.data, &d, NULL), 0);
	assert_int_equal(config_compare(&c, &d, NULL), 0);
	assert_int_equal(config_hash(&c, a, NULL), 0);
	assert_int_equal(config_hash(&d, b, NULL), 0);
	assert_memory_equal(a, b, sizeof(a));
	config_init(&d);
	assert_int_equal(config_hash(&d, b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	ops_buf_free(&out);
}

static void
test_compare(void **state)
{
	/* clang-format off */
	static const struct { const char *text, *names; unsigned kinds; } rows[] = {
		{ "",						"", 0 },
		{ "hold_time = 3s",				"", 0 },
		{ "input = on",					"input", CONFIG_IN_PLACE },
		{ "mask = no\nhold_time = 1s",			"hold_time mask", CONFIG_IN_PLACE | CONFIG_CAPTURE },
		{ "accounting = on",				"accounting", CONFIG_LATER },
		{ "mask_rules = /x\nenvironment = A\ncapture_hooks=old", "mask_rules environment capture_hooks", CONFIG_CAPTURE },
	};
	/* clang-format on */
	struct config d, c;

	(void)state;
	config_init(&d);
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf names = { .max = 1000 };

		assert_int_equal(parse(rows[i].text, &c, NULL), 0);
		CHECK(config_compare(&d, &c, &names) == rows[i].kinds,
		    rows[i].text, "kinds");
		ops_buf_put8(&names, '\0');
		assert_string_equal((char *)names.data, rows[i].names);
		ops_buf_free(&names);
	}
}

static void
test_keep(void **state)
{
	struct config old, c;

	(void)state;
	config_init(&old);
	assert_int_equal(parse("accounting = on\ninput = on\n", &c, NULL), 0);
	config_keep(&c, &old, CONFIG_LATER);
	assert_false(c.accounting);
	assert_true(c.input);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
