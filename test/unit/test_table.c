#include "check.h"

#include "table.h"

static const struct table_column columns[] = {
	{ "ID", false, 0, 0, 0 },
	{ "NAME", false, 2, 6, 0 },
	{ "N", true, 1, 0, 0 },
	{ "END", false, 0, 0, 0 },
};

static const struct table_column elastic[] = {
	{ "ID", false, 0, 0, 0 },
	{ "FROM", false, 2, 0, 0 },
	{ "N", true, 1, 0, 0 },
	{ "COMMAND", false, 0, 10, 8 },
};

static void
row(struct table *t, const char *a, const char *b, const char *c, const char *d)
{
	table_row(t);
	table_cell_str(t, a);
	table_cell_str(t, b);
	table_cell_str(t, c);
	table_cell_str(t, d);
}

static void
check_width(unsigned width, bool colour, const char *want)
{
	struct ops_buf out = { .max = 65536 };
	struct table *t;

	assert_int_equal(table_new(columns, 4, &t, NULL), 0);
	row(t, "a", "short", "1", "x");
	row(t, "bb", "much too long", "1000", "y");
	table_colour(t, "31");
	assert_int_equal(table_put(t, width, colour, &out, NULL), 0);
	ops_buf_put8(&out, 0);
	assert_string_equal((char *)out.data, want);
	ops_buf_free(&out);
	table_free(t);
}

static void
test_widths(void **state)
{
	(void)state;
	check_width(0, false,
	    "ID  NAME              N  END\n"
	    "a   short             1  x\n"
	    "bb  much too long  1000  y\n");
	check_width(80, false,
	    "ID  NAME       N  END\n"
	    "a   short      1  x\n"
	    "bb  much >  1000  y\n");
	check_width(21, false,
	    "ID  NAME       N  END\n"
	    "a   short      1  x\n"
	    "bb  much >  1000  y\n");
	check_width(20, false,
	    "ID  NAME    END\n"
	    "a   short   x\n"
	    "bb  much >  y\n");
	check_width(1, false,
	    "ID  END\n"
	    "a   x\n"
	    "bb  y\n");
	check_width(1, true,
	    "\033[1mID\033[0m  \033[1mEND\033[0m\n"
	    "a   x\n"
	    "bb  \033[31my\033[0m\n");
}

/* Whole, a long text sticks out of its own row and widens no other. */
static void
test_long(void **state)
{
	struct ops_buf out = { .max = 65536 };
	char text[20001];
	struct table *t;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(table_new(columns, 4, &t, NULL), 0);
	for (int i = 0; i < 100; i++)
		row(t, "a", i == 50 ? text : "short", "1", "x");
	assert_int_equal(table_put(t, 0, false, &out, NULL), 0);
	assert_true(out.len > sizeof(text) && out.len < sizeof(text) + 10000);
	assert_non_null(memmem(out.data, out.len, text, sizeof(text) - 1));
	ops_buf_free(&out);
	table_free(t);
}

static void
check_put(struct table *t, unsigned width, const char *want)
{
	struct ops_buf out = { .max = 65536 };

	assert_int_equal(table_put(t, width, false, &out, NULL), 0);
	ops_buf_put8(&out, 0);
	assert_string_equal((char *)out.data, want);
	ops_buf_free(&out);
}

/* Rows that come later stand below the others, and are cut to fit. */
static void
test_grows(void **state)
{
	static const unsigned least[] = { 4, 8, 3, 5 };
	struct table *t;

	(void)state;
	assert_int_equal(table_new(columns, 4, &t, NULL), 0);
	table_grows(t, least);
	check_put(t, 40, "ID    NAME      N  END\n");
	row(t, "a", "short", "1", "x");
	row(t, "longer", "much too long", "10", "y");
	check_put(t, 40,
	    "a     short     1  x\n"
	    "lon>  much >   10  y\n");
	check_put(t, 40, "");
	row(t, "c", "-", "-", "-");
	check_put(t, 40, "c     -         -  -\n");
	table_free(t);
}

/* A column that says nothing as yet stays where the others fit with it; one that has
 * no room is left out in its turn, and all rows are alike. */
static void
test_grows_from_nothing(void **state)
{
	static const unsigned least[] = { 2, 4, 2, 20 };
	struct table *t;

	(void)state;
	assert_int_equal(table_new(elastic, 4, &t, NULL), 0);
	table_grows(t, least);
	row(t, "a", "-", "1", "make");
	check_put(t, 30,
	    "ID  FROM   N  COMMAND\n"
	    "a   -      1  make\n");
	row(t, "b", "here", "2", "a command that is long");
	check_put(t, 30, "b   here   2  a command that >\n");
	table_free(t);

	assert_int_equal(table_new(elastic, 4, &t, NULL), 0);
	table_grows(t, least);
	row(t, "a", "-", "1", "make");
	check_put(t, 20,
	    "ID  FROM  COMMAND\n"
	    "a   -     make\n");
	row(t, "b", "here", "2", "a command");
	check_put(t, 20, "b   here  a command\n");
	table_free(t);
}

/* Wide characters take two columns and aren't cut in half. */
static void
test_wide(void **state)
{
	struct ops_buf out = { .max = 65536 };
	struct table *t;

	(void)state;
	assert_int_equal(table_new(columns, 4, &t, NULL), 0);
	row(t, "a", "\u65e5\u672c\u8a9e\u6587", "1", "x");
	row(t, "a", "\u65e5\u672c\u8a9e", "1", "x");
	assert_int_equal(table_put(t, 80, false, &out, NULL), 0);
	ops_buf_put8(&out, 0);
	assert_string_equal((char *)out.data, "ID  NAME    N  END\n"
					      "a   \u65e5\u672c>   1  x\n"
					      "a   \u65e5\u672c\u8a9e  1  x\n");
	ops_buf_free(&out);
	table_free(t);
}

static void
check_elastic(unsigned width, const char *from, const char *want)
{
	struct ops_buf out = { .max = 65536 };
	struct table *t;

	assert_int_equal(table_new(elastic, 4, &t, NULL), 0);
	row(t, "a", "-", "1", "make");
	row(t, "b", from, "2", "a command that is long");
	assert_int_equal(table_put(t, width, false, &out, NULL), 0);
	ops_buf_put8(&out, 0);
	assert_string_equal((char *)out.data, want);
	ops_buf_free(&out);
	table_free(t);
}

/* What says nothing goes first, then the command is shortened, then the rest
 * goes. */
static void
test_elastic(void **state)
{
	(void)state;
	check_elastic(80, "-",
	    "ID  FROM  N  COMMAND\n"
	    "a   -     1  make\n"
	    "b   -     2  a command that is long\n");
	check_elastic(24, "-",
	    "ID  FROM  N  COMMAND\n"
	    "a   -     1  make\n"
	    "b   -     2  a command >\n");
	check_elastic(20, "-",
	    "ID  N  COMMAND\n"
	    "a   1  make\n"
	    "b   2  a command th>\n");
	check_elastic(21, "here",
	    "ID  FROM  N  COMMAND\n"
	    "a   -     1  make\n"
	    "b   here  2  a comma>\n");
	check_elastic(20, "here",
	    "ID  FROM  COMMAND\n"
	    "a   -     make\n"
	    "b   here  a command>\n");
	check_elastic(11, "here",
	    "ID  COMMAND\n"
	    "a   make\n"
	    "b   a comm>\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_widths),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_elastic),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_grows_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
