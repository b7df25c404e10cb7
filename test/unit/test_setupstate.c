#include "check.h"

#include "base/bytes.h"
#include "setupstate.h"

#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define WHOLE                                                                  \
	"opseal setup 1\n"                                                     \
	"door shell /door\n"                                                   \
	"program " HASH "\n"                                                   \
	"people\n"                                                             \
	"file - " HASH " /etc/opseal/shells\n"                                 \
	"file " HASH " " HASH " /etc/passwd\n"                                 \
	"line 1 /etc/shells /door\n"                                           \
	"line 0 /etc/pam.d/common-session session optional pam_opseal.so\n"    \
	"swap 3 /etc/s a b c d\n"                                              \
	"account al:1000:/bin/bash\n"                                          \
	"account bo:1001:\n"                                                   \
	"end\n"

/* clang-format off */
static const struct {
	const char *name, *in;
	enum ops_code code;
} rows[] = {
	{ "whole",		WHOLE, OPS_OK },
	{ "nothing set up",	"opseal setup 1\nend\n", OPS_OK },
	{ "nothing",		"", OPS_EFORMAT },
	{ "a newer one",	"opseal setup 2\nend\n", OPS_EFORMAT },
	{ "cut",		"opseal setup 1\ndoor shell /door\n", OPS_ETRUNC },
	{ "cut in the end",	"opseal setup 1\nend", OPS_EFORMAT },
	{ "more behind it",	"opseal setup 1\nend\nend\n", OPS_EFORMAT },
	{ "two doors",		"opseal setup 1\ndoor shell /a\ndoor shell /b\nend\n", OPS_EFORMAT },
	{ "a blank in the door", "opseal setup 1\ndoor shell /a b\nend\n", OPS_EUSAGE },
	{ "no hash",		"opseal setup 1\nfile - xyz /f\nend\n", OPS_EFORMAT },
	{ "a short hash",	"opseal setup 1\nfile ba78 - /f\nend\n", OPS_EFORMAT },
	{ "no program's hash",	"opseal setup 1\nprogram -\nend\n", OPS_EFORMAT },
	{ "two programs",	"opseal setup 1\nprogram " HASH "\nprogram " HASH "\nend\n", OPS_EFORMAT },
	{ "no flag",		"opseal setup 1\nline 2 /f x\nend\n", OPS_EFORMAT },
	{ "uid -1",		"opseal setup 1\naccount al:4294967295:/bin/sh\nend\n", OPS_EFORMAT },
	{ "no uid",		"opseal setup 1\naccount al::/bin/sh\nend\n", OPS_EFORMAT },
	{ "no name",		"opseal setup 1\naccount :1:/bin/sh\nend\n", OPS_EUSAGE },
	{ "another row",	"opseal setup 1\nwhat is this\nend\n", OPS_EFORMAT },
	{ "a swap of nothing",	"opseal setup 1\nswap 0 /f  to\nend\n", OPS_OK },
	{ "a swap without ours", "opseal setup 1\nswap 4 /f from\nend\n", OPS_EFORMAT },
	{ "a swap cut wrongly",	"opseal setup 1\nswap 3 /f from to\nend\n", OPS_EFORMAT },
	{ "a swap, no number",	"opseal setup 1\nswap x /f from to\nend\n", OPS_EFORMAT },
	{ "an empty row",	"opseal setup 1\n\nend\n", OPS_EFORMAT },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].in);
		char *in = (char *)heap_copy(rows[i].in, n);
		struct setupstate s = { 0 };
		struct ops_buf out = { .max = 10000 };
		struct ops_err err = { 0 };
		int rc = setupstate_parse(in, n, &s, &err);

		CHECK(err.code == rows[i].code, rows[i].name, err.msg);
		CHECK(rc == (rows[i].code == OPS_OK ? 0 : -1), rows[i].name,
		    "rc");
		if (rc == 0) {
			setupstate_put(&s, &out);
			CHECK(out.len == n && memcmp(out.data, in, n) == 0,
			    rows[i].name, "written again");
		}
		ops_buf_free(&out);
		setupstate_free(&s);
		free(in);
	}
}

static void
load(struct setupstate *s)
{
	struct ops_err err = { 0 };

	assert_int_equal(setupstate_parse(WHOLE, strlen(WHOLE), s, &err), 0);
}

#define PATH "/etc/pam.d/x"
/* clang-format off */
static const struct {
	const char *name, *now;
	bool was;		/* there, before setup */
	const char *made;	/* what setup made it, for the hash */
	enum setup_undo want;
	const char *out;
} undos[] = {
	{ "as it was made",	"a\nours\n", true, "a\nours\n", UNDO_CHANGE, "a\n" },
	{ "others added",	"a\nours\nb\n", true, "a\nours\n", UNDO_CHANGE, "a\nb\n" },
	{ "ours is gone",	"a\n", true, "a\nours\n", UNDO_NOTHING, "a\n" },
	{ "made, whole",	"ours\nwhole\n", false, "ours\nwhole\n", UNDO_REMOVE, NULL },
	{ "made, our lines",	"ours\n", false, "ours\nx\n", UNDO_REMOVE, NULL },
	{ "made, others added",	"ours\nb\n", false, "ours\n", UNDO_CHANGE, "b\n" },
	{ "made, and changed",	"else\n", false, "whole\n", UNDO_LEAVE, "else\n" },
};
/* clang-format on */

static void
test_undo(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(undos); i++) {
		struct setupstate s = { 0 };
		struct setup_hash was, made;
		struct ops_buf out = { .max = 1000 };
		enum setup_undo got;

		load(&s);
		setup_hash_of(undos[i].was, "a\n", 2, &was);
		setup_hash_of(
		    true, undos[i].made, strlen(undos[i].made), &made);
		assert_int_equal(
		    setupstate_set_file(&s, PATH, &was, &made, NULL), 0);
		assert_int_equal(
		    setupstate_add_line(&s, PATH, "ours", false, NULL), 0);
		got = setupstate_undo(
		    &s, PATH, undos[i].now, strlen(undos[i].now), &out);
		CHECK(got == undos[i].want, undos[i].name, "what");
		if (undos[i].out != NULL)
			CHECK(out.len == strlen(undos[i].out) &&
				  memcmp(out.data, undos[i].out, out.len) == 0,
			    undos[i].name, "out");
		ops_buf_free(&out);
		setupstate_free(&s);
	}
}

static void
test_undo_passwd(void **state)
{
	static const char now[] = "al:x:1000:1000:New Name:/home/al:/door\n"
				  "bo:x:1001:1001::/home/bo:/bin/zsh\n"
				  "cy:x:1002:1002::/home/cy:/door\n";
	static const char want[] =
	    "al:x:1000:1000:New Name:/home/al:/bin/bash\n"
	    "bo:x:1001:1001::/home/bo:/bin/zsh\n"
	    "cy:x:1002:1002::/home/cy:/door\n";
	struct setupstate s = { 0 };
	struct ops_buf out = { .max = 1000 };

	(void)state;
	load(&s);
	assert_int_equal(
	    setupstate_undo(&s, "/etc/passwd", now, strlen(now), &out),
	    UNDO_CHANGE);
	assert_int_equal(out.len, strlen(want));
	assert_memory_equal(out.data, want, out.len);
	ops_buf_reset(&out);
	assert_int_equal(
	    setupstate_undo(&s, "/etc/group", now, strlen(now), &out),
	    UNDO_NOTHING);
	ops_buf_free(&out);
	setupstate_free(&s);
}

static void
test_building(void **state)
{
	struct setupstate s = { 0 };
	struct ops_err err = { 0 };
	char name[16];

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "u%u", i);
		assert_int_equal(
		    setupstate_add_account(&s, name, i, "/bin/sh", &err), 0);
	}
	assert_int_equal(
	    setupstate_add_account(&s, "u7", 7, "/bin/zsh", &err), 0);
	assert_int_equal(s.n_accounts, 1000);
	assert_string_equal(setupstate_account(&s, "u7", 7)->shell, "/bin/zsh");
	assert_null(setupstate_account(&s, "u7", 8));
	setupstate_drop_account(&s, 0);
	assert_null(setupstate_account(&s, "u0", 0));
	assert_non_null(setupstate_account(&s, "u999", 999));
	assert_int_equal(setupstate_add_line(&s, "/a b", "x", false, &err), -1);
	assert_int_equal(
	    setupstate_add_line(&s, "/a", "x\ny", false, &err), -1);
	assert_int_equal(setupstate_add_line(&s, "/a", "x", false, &err), 0);
	assert_int_equal(setupstate_add_line(&s, "/b", "x", false, &err), 0);
	assert_int_equal(setupstate_add_line(&s, "/b", "x", true, &err), 0);
	assert_int_equal(s.n_lines, 2);
	assert_true(s.lines[1].was_open);
	setupstate_drop_line(&s, "/a", "x");
	setupstate_drop_line(&s, "/a", "x");
	assert_int_equal(s.n_lines, 1);
	assert_string_equal(s.lines[0].path, "/b");
	setupstate_free(&s);
}

static void
test_drop_folder(void **state)
{
	static const char *const path[] = { "/etc/pam.d/su", "/etc/passwd",
		"/etc/pam.d/login", "/etc/pam.data" };
	const struct setup_hash none = { 0 };
	struct setupstate s = { 0 };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(path); i++) {
		assert_int_equal(
		    setupstate_set_file(&s, path[i], &none, &none, NULL), 0);
		assert_int_equal(
		    setupstate_add_line(&s, path[i], "x", false, NULL), 0);
		assert_int_equal(
		    setupstate_add_swap(&s, path[i], "y", "z", NULL), 0);
	}
	setupstate_drop_folder(&s, "/etc/pam.d/");
	for (size_t i = 0; i < OPS_ARRAY_LEN(path); i++)
		assert_int_equal(
		    setupstate_file(&s, path[i]) != NULL, i % 2 == 1);
	assert_int_equal(s.n_lines, 2);
	assert_string_equal(s.lines[0].path, "/etc/passwd");
	assert_string_equal(s.lines[1].path, "/etc/pam.data");
	assert_int_equal(s.n_swaps, 2);
	assert_string_equal(s.swaps[1].path, "/etc/pam.data");
	setupstate_free(&s);
}

/* A file that ended without a line end: the first of our lines gave it one, and so
 * does the next when that is gone. */
static void
test_drop_of_the_first(void **state)
{
	struct setupstate s = { 0 };
	struct setup_hash was, made;
	struct ops_buf out = { .max = 1000 };

	(void)state;
	load(&s);
	setup_hash_of(true, "a", 1, &was);
	setup_hash_of(true, "a\n1\n2\n", 6, &made);
	assert_int_equal(setupstate_set_file(&s, PATH, &was, &made, NULL), 0);
	assert_int_equal(setupstate_add_line(&s, PATH, "1", true, NULL), 0);
	assert_int_equal(setupstate_add_line(&s, PATH, "2", false, NULL), 0);
	assert_int_equal(
	    setupstate_undo(&s, PATH, "a\n1\n2\n", 6, &out), UNDO_CHANGE);
	assert_true(out.len == 1 && out.data[0] == 'a');
	setupstate_drop_line(&s, PATH, "1");
	assert_int_equal(setupstate_change_line(&s, PATH, "2", "3", NULL), 0);
	ops_buf_reset(&out);
	assert_int_equal(
	    setupstate_undo(&s, PATH, "a\n3\n", 4, &out), UNDO_CHANGE);
	assert_true(out.len == 1 && out.data[0] == 'a');
	ops_buf_free(&out);
	setupstate_free(&s);
}

/* A line changed in its place: back in that place, as long as it is ours. */
static void
test_swap(void **state)
{
	static const struct {
		const char *name, *now;
		enum setup_undo want;
		const char *out;
	} swaps[] = {
		{ "as it was made", "1\nnew one\n2\n", UNDO_CHANGE,
		    "1\nold one\n2\n" },
		{ "without an end", "new one", UNDO_CHANGE, "old one" },
		{ "changed since", "1\nnew\n", UNDO_NOTHING, NULL },
		{ "another line is longer", "new one 2\n", UNDO_NOTHING, NULL },
		{ "empty", "", UNDO_NOTHING, NULL },
	};
	struct setup_hash was, made;

	(void)state;
	setup_hash_of(true, "x", 1, &was);
	setup_hash_of(true, "y", 1, &made);
	for (size_t i = 0; i < OPS_ARRAY_LEN(swaps); i++) {
		struct setupstate s = { 0 };
		struct ops_buf out = { .max = 1000 };

		assert_int_equal(
		    setupstate_door(&s, "shell", "/door", NULL), 0);
		assert_int_equal(
		    setupstate_set_file(&s, PATH, &was, &made, NULL), 0);
		for (int twice = 0; twice < 2; twice++)
			assert_int_equal(setupstate_add_swap(&s, PATH,
					     "old one", "new one", NULL),
			    0);
		assert_int_equal(s.n_swaps, 1);
		CHECK(setupstate_undo(&s, PATH, swaps[i].now,
			  strlen(swaps[i].now), &out) == swaps[i].want,
		    swaps[i].name, "undo");
		CHECK(swaps[i].out == NULL ||
			  (out.len == strlen(swaps[i].out) &&
			      memcmp(out.data, swaps[i].out, out.len) == 0),
		    swaps[i].name, "what it gives");
		ops_buf_free(&out);
		setupstate_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_undo),
		cmocka_unit_test(test_undo_passwd),
		cmocka_unit_test(test_building),
		cmocka_unit_test(test_drop_folder),
		cmocka_unit_test(test_drop_of_the_first),
		cmocka_unit_test(test_swap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
