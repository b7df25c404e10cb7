#include "check.h"

#include "base/bytes.h"
#include "textline.h"

/* clang-format off */
static const struct {
	const char *name, *in, *line, *added, *dropped;
	bool open;
} rows[] = {
	{ "an empty file",	"",		"x", "x\n",		"",	false },
	{ "a file",		"a\nb\n",	"x", "a\nb\nx\n",	"a\nb\n", false },
	{ "no line end",	"a\nb",		"x", "a\nb\nx\n",	"a\nb",	true },
	{ "an empty last line",	"a\n\n",	"x", "a\n\nx\n",	"a\n\n", false },
	{ "a longer line",	"xx\n",		"x", "xx\nx\n",		"xx\n",	false },
};
/* clang-format on */

/* What was added comes off again, and the file is what it was. */
static void
test_add_and_drop(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = 100 }, out = { .max = 100 };
		bool open;

		ops_buf_puts(&b, rows[i].in);
		open = textline_append(&b, rows[i].line);
		CHECK(open == rows[i].open, rows[i].name, "open");
		CHECK(b.len == strlen(rows[i].added) &&
			  memcmp(b.data, rows[i].added, b.len) == 0,
		    rows[i].name, "added");
		CHECK(textline_drop(
			  (char *)b.data, b.len, rows[i].line, open, &out),
		    rows[i].name, "is there");
		CHECK(out.len == strlen(rows[i].dropped) &&
			  (out.len == 0 ||
			      memcmp(out.data, rows[i].dropped, out.len) == 0),
		    rows[i].name, "dropped");
		ops_buf_free(&b);
		ops_buf_free(&out);
	}
}

/* With lines behind it, the line end that was added stays: it is theirs now. */
static void
test_drop_in_between(void **state)
{
	static const char in[] = "a\nx\nb\n";
	struct ops_buf out = { .max = 100 };

	(void)state;
	assert_true(textline_drop(in, strlen(in), "x", true, &out));
	assert_int_equal(out.len, 4);
	assert_memory_equal(out.data, "a\nb\n", 4);
	ops_buf_reset(&out);
	assert_false(textline_drop(in, strlen(in), "y", true, &out));
	assert_int_equal(out.len, strlen(in));
	assert_memory_equal(out.data, in, out.len);
	ops_buf_free(&out);
}

static void
test_lines(void **state)
{
	static const char in[] = "one\n\n \tthree\nlast";
	struct textline l;
	size_t at = 0;

	(void)state;
	assert_true(textline_next(in, strlen(in), &at, &l));
	assert_true(textline_is(&l, "one") && l.ended && l.end == 4);
	assert_true(textline_next(in, strlen(in), &at, &l));
	assert_true(l.n == 0 && textline_first(&l) == 0);
	assert_true(textline_next(in, strlen(in), &at, &l));
	assert_int_equal(textline_first(&l), 't');
	assert_true(textline_next(in, strlen(in), &at, &l));
	assert_true(textline_is(&l, "last") && !l.ended);
	assert_false(textline_next(in, strlen(in), &at, &l));
	assert_true(textline_find(in, strlen(in), "last", NULL));
	assert_false(textline_find(in, strlen(in), "las", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_and_drop),
		cmocka_unit_test(test_drop_in_between),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
