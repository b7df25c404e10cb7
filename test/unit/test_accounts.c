#include "check.h"

#include "accounts.h"
#include "base/bytes.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
			     "daemon:x:1:1::/:/usr/sbin/nologin\n"
			     "svc:x:101:1::/srv:/bin/sh\n"
			     "al:x:1000:1000::/home/al:/bin/sh\n"
			     "bo:x:1001:1001::/home/bo:\n"
			     "cy:x:1002:1002::/home/cy:/door\n"
			     "gone:x:1003:1003::/:/no/such/shell\n"
			     "out:x:1004:1004::/:/bin/false\n"
			     "shut:x:1005:1005::/:/bin/rbash\n"
			     "nobody:x:65534:65534::/:/bin/sh\n";
static const char shells[] = "# shells\n/bin/sh # the one\n/no/such/shell\n"
			     "/bin/rbash\n";

/* clang-format off */
static const struct {
	const char *name, *users;	/* users: words */
	bool people, root;
	const char *want;		/* names, or NULL: an error */
	const char *note;		/* in the notes, or in the error */
} rows[] = {
	{ "people",	"", true, false, "al bo cy ", "gone: left alone" },
	{ "and root",	"", true, true, "root al bo cy ", "" },
	{ "one",	"al", false, false, "al ", "" },
	{ "a service",	"svc", false, false, "svc ", "" },
	{ "twice",	"al al", false, false, "al ", "" },
	{ "nologin",	"daemon", false, false, "", "daemon: left alone: its shell is not in /etc/shells" },
	{ "restricted",	"", true, false, "al bo cy ", "shut: left alone: its shell is there to restrict it" },
	{ "restricted by name", "shut", false, false, "", "shut: left alone: its shell is there to restrict it" },
	{ "root by name", "root", false, false, NULL, "--root asks for it" },
	{ "root alone, and one", "al", false, true, "root al ", "" },
	{ "nobody there", "no-such-user-here", false, false, NULL, "there is no user" },
};
/* clang-format on */

static void
test_rows(void **state)
{
	const struct accounts_host host = { .passwd = passwd,
		.passwd_len = strlen(passwd),
		.shells = shells,
		.shells_len = strlen(shells),
		.login_defs = "",
		.door = "/door" };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		char words[100], got[200] = "", *save = NULL;
		struct opt_list users = { .n = 0 };
		struct accounts_wish wish = { .users = &users,
			.people = rows[i].people,
			.root = rows[i].root };
		struct accounts a = { 0 };
		struct ops_buf notes = { .max = 10000 };
		struct ops_err err = { 0 };

		(void)snprintf(words, sizeof(words), "%s", rows[i].users);
		for (char *w = strtok_r(words, " ", &save); w != NULL;
		     w = strtok_r(NULL, " ", &save))
			users.v[users.n++] = w;
		if (accounts_choose(&host, &wish, &a, &notes, &err) < 0) {
			CHECK(rows[i].want == NULL, rows[i].name, err.msg);
			CHECK(strstr(err.msg, rows[i].note) != NULL,
			    rows[i].name, err.msg);
		} else {
			size_t n = 0;

			ops_buf_put8(&notes, 0);
			for (size_t k = 0; k < a.n; k++)
				n += (size_t)snprintf(got + n, sizeof(got) - n,
				    "%s ", a.v[k].name);
			CHECK(rows[i].want != NULL &&
				  strcmp(got, rows[i].want) == 0,
			    rows[i].name, got);
			CHECK(strstr((char *)notes.data, rows[i].note) != NULL,
			    rows[i].name, (char *)notes.data);
		}
		accounts_free(&a);
		ops_buf_free(&notes);
	}
}

static void
test_range(void **state)
{
	static const char defs[] =
	    "# UID_MIN 5\nUID_MIN\t\t 2000\nUID_MAX 3000\n"
	    "UID_MINIMUM 7\nSYS_UID_MIN 100\n";
	uint32_t min, max;

	(void)state;
	accounts_range(defs, strlen(defs), &min, &max);
	assert_int_equal(min, 2000);
	assert_int_equal(max, 3000);
	accounts_range("", 0, &min, &max);
	assert_int_equal(min, 1000);
	assert_int_equal(max, 60000);
	accounts_range("UID_MAX", 7, &min, &max);
	assert_int_equal(max, 60000);
}

static void
test_shells(void **state)
{
	(void)state;
	assert_true(accounts_is_shell(shells, strlen(shells), "/bin/sh"));
	assert_true(accounts_is_shell(shells, strlen(shells), ""));
	assert_false(accounts_is_shell(shells, strlen(shells), "/bin/s"));
	assert_false(accounts_is_shell(shells, strlen(shells), "/bin/sh2"));
	assert_false(accounts_is_shell("", 0, "/bin/sh"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_shells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
