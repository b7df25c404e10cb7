/* Covers: config, retention */
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
		{ "keep_screens = 90d\nkeep_events = 90d",	NULL },
		{ "keep_screens = 90d",		NULL },
		{ "keep_free = 5%\ndisk_reserve = 20G",	NULL },
		{ "keep_screens = 90d\nkeep_events = 30d",	"x.conf:2: keep_events is shorter than keep_screens: what happened in a session is kept as long as its screen" },
		{ "\nkeep_events = 30d\nkeep_screens = 90d",	"x.conf:3: keep_events is shorter than keep_screens: what happened in a session is kept as long as its screen" },
		{ "keep_events = 30d",		"x.conf:1: keep_events is shorter than keep_screens, which is for ever: what happened in a session is kept as long as its screen" },
		{ "keep_free = 95%",		"x.conf:1: keep_free: \"95%\" is neither a size (a number, then K, M, G or T) nor a part of the disk (0% to 90%)" },
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

static void
test_disk_part(void **state)
{
	/* clang-format off */
	static const struct { const char *text; uint64_t bytes; } rows[] = {
		{ "", 0 }, { "0", 0 }, { "0%", 0 }, { "4096", 4096 }, { "5%", 50 },
		{ "90%", 900 }, { "2K", 2048 }, { "3M", 3 << 20 }, { "1G", 1 << 30 },
		{ "1048575T", UINT64_C(1048575) << 40 },
		{ "999999999999999", UINT64_C(999999999999999) },
	};
	static const char *const bad[] = { "91%", "1048576T", "5P", "5k", "5%%",
		"5 %", "-1", "%", "G", "5KB", "1000000000000000", " 5", "5." };
	/* clang-format on */
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		got = 1;
		CHECK(retention_free_parse(rows[i].text, 1000, &got, NULL) == 0,
		    rows[i].text, "refused");
		CHECK(got == rows[i].bytes, rows[i].text, "other bytes");
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++) {
		struct ops_err err = { 0 };

		CHECK(retention_free_parse(bad[i], 1000, &got, &err) == -1,
		    bad[i], "taken");
		assert_int_equal(err.code, OPS_EFORMAT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_part),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
