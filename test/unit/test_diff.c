#include "check.h"

#include "base/bytes.h"
#include "diff.h"

#define HEAD "--- /f\n+++ /f\n"
/* clang-format off */
static const struct {
	const char *name, *from, *to, *want;
} rows[] = {
	{ "nothing",	"a\n", "a\n", "" },
	{ "a line",	"a\nb\nc\nd\ne\nf\n", "a\nb\nc\nX\ne\nf\n",
	    HEAD "@@ -2,5 +2,5 @@\n b\n c\n-d\n+X\n e\n f\n" },
	{ "put in",	"a\nb\n", "a\nX\nb\n", HEAD "@@ -1,2 +1,3 @@\n a\n+X\n b\n" },
	{ "at the end",	"a\n", "a\nX\n", HEAD "@@ -1,1 +1,2 @@\n a\n+X\n" },
	{ "taken out",	"a\nX\nb\n", "a\nb\n", HEAD "@@ -1,3 +1,2 @@\n a\n-X\n b\n" },
	{ "all new",	"", "a\nb\n", HEAD "@@ -0,0 +1,2 @@\n+a\n+b\n" },
	{ "all gone",	"a\n", "", HEAD "@@ -1,1 +0,0 @@\n-a\n" },
	{ "between two, a line that stays",	"a\nb\nc\n", "X\nb\nY\n",
	    HEAD "@@ -1,3 +1,3 @@\n-a\n+X\n b\n-c\n+Y\n" },
	{ "far apart",	"a\n1\n2\n3\n4\n5\nb\n", "A\n1\n2\n3\n4\n5\nB\n",
	    HEAD "@@ -1,3 +1,3 @@\n-a\n+A\n 1\n 2\n@@ -5,3 +5,3 @@\n 4\n 5\n-b\n+B\n" },
	{ "no line end", "a", "a\nX\n",
	    HEAD "@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+X\n" },
	{ "controls",	"a\n", "a\n\x1b[2J\tb\\\n", HEAD "@@ -1,1 +1,2 @@\n a\n+\\x1b[2J\tb\\\n" },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct diff_side from = { "/f", rows[i].from,
			strlen(rows[i].from) };
		struct diff_side to = { "/f", rows[i].to, strlen(rows[i].to) };
		struct ops_buf out = { .max = 1000 };

		diff_put(&out, &from, &to);
		ops_buf_put8(&out, 0);
		CHECK(strcmp((char *)out.data, rows[i].want) == 0, rows[i].name,
		    (char *)out.data);
		ops_buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
