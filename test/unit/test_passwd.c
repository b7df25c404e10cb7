#include "check.h"

#include "base/bytes.h"
#include "passwd.h"

/* clang-format off */
static const struct {
	const char *name, *in;
	int rc;
	const char *who, *shell;
	uint32_t uid;
} rows[] = {
	{ "usual",	"al:x:1000:1001:Al,,,:/home/al:/bin/bash\n", 1, "al", "/bin/bash", 1000 },
	{ "no shell",	"al:x:1000:1001::/home/al:\n", 1, "al", "", 1000 },
	{ "no line end", "al:x:1000:1001::/home/al:/bin/sh", 1, "al", "/bin/sh", 1000 },
	{ "nis",	"+::::::\n", -1, NULL, NULL, 0 },
	{ "nis of one",	"+al:x:1:1:::/bin/sh\n", -1, NULL, NULL, 0 },
	{ "a comment",	"#al:x:1000:1001::/home/al:/bin/sh\n", -1, NULL, NULL, 0 },
	{ "six fields",	"al:x:1000:1001::/home/al\n", -1, NULL, NULL, 0 },
	{ "eight",	"al:x:1000:1001::/home/al:/bin/sh:\n", -1, NULL, NULL, 0 },
	{ "no uid",	"al:x::1001::/home/al:/bin/sh\n", -1, NULL, NULL, 0 },
	{ "uid -1",	"al:x:4294967295:1::/home/al:/bin/sh\n", -1, NULL, NULL, 0 },
	{ "a long uid",	"al:x:10000000000:1::/home/al:/bin/sh\n", -1, NULL, NULL, 0 },
	{ "no name",	":x:1:1::/home/al:/bin/sh\n", -1, NULL, NULL, 0 },
	{ "an empty line", "\n", -1, NULL, NULL, 0 },
	{ "nothing",	"", 0, NULL, NULL, 0 },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].in), at = 0;
		char *in = (char *)heap_copy(rows[i].in, n);
		struct passwd_line l;

		CHECK(passwd_next(in, n, &at, &l) == rows[i].rc, rows[i].name,
		    "what it is");
		CHECK(at == n, rows[i].name, "where it goes on");
		if (rows[i].rc > 0) {
			CHECK(passwd_is(&l, rows[i].who, rows[i].uid),
			    rows[i].name, "who");
			CHECK(l.shell_len == strlen(rows[i].shell) &&
				  memcmp(l.shell, rows[i].shell, l.shell_len) ==
				      0,
			    rows[i].name, "shell");
		}
		free(in);
	}
}

static const char before[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "al:x:1000:1000:Al:/home/al:/bin/bash\n"
			     "+nis\n"
			     "bo:x:1001:1001::/home/bo:\n"
			     "al:x:1002:1002:another:/:/bin/sh";
static const char after[] = "root:x:0:0:root:/root:/bin/bash\n"
			    "al:x:1000:1000:Al:/home/al:/door\n"
			    "+nis\n"
			    "bo:x:1001:1001::/home/bo:/door\n"
			    "al:x:1002:1002:another:/:/bin/sh";

static void
test_change(void **state)
{
	const struct passwd_change there[] = {
		{ "al", 1000, "/bin/bash", "/door" },
		{ "bo", 1001, "", "/door" },
		{ "root", 0, "/bin/sh", "/door" }, /* it isn't that */
		{ "gone", 5, NULL, "/door" },
	};
	const struct passwd_change back[] = {
		{ "bo", 1001, "/door", "" },
		{ "al", 1000, "/door", "/bin/bash" },
	};
	struct ops_buf out = { .max = 1000 }, again = { .max = 1000 };

	(void)state;
	assert_int_equal(passwd_change(before, strlen(before), there,
			     OPS_ARRAY_LEN(there), &out),
	    2);
	assert_int_equal(out.len, strlen(after));
	assert_memory_equal(out.data, after, out.len);
	assert_int_equal(passwd_change((char *)out.data, out.len, back,
			     OPS_ARRAY_LEN(back), &again),
	    2);
	assert_int_equal(again.len, strlen(before));
	assert_memory_equal(again.data, before, again.len);
	ops_buf_free(&out);
	ops_buf_free(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
