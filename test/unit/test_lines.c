#include "check.h"

#include "base/buf.h"
#include "lines.h"

/* A row: what was on a screen this wide, as text. */
/* clang-format off */
static const struct {
	const char *name;
	unsigned cols;
	const char *in;
	size_t n;
	const char *out;
} cases[] = {
#define B(s) s, sizeof(s) - 1
	{ "nothing",          80, B(""),                         "" },
	{ "lines",            80, B("one\r\ntwo\r\n"),           "one\ntwo\n" },
	{ "no newline",       80, B("$ "),                       "$\n" },
	{ "empty lines",      80, B("\r\n\r\nx\r\n"),            "\n\nx\n" },
	{ "trailing blanks",  80, B("x   \r\n"),                 "x\n" },
	{ "newline alone",    80, B("a\nb\n"),                   "a\n b\n" },
	{ "overwritten",      80, B("10%\r100%\r\n"),            "100%\n" },
	{ "partly",           80, B("abcdef\rXY\r\n"),           "XYcdef\n" },
	{ "backspace",        80, B("abc\b\bX\r\n"),             "aXc\n" },
	{ "rubbed out",       80, B("abc\b \b\b \bX\r\n"),       "aX\n" },
	{ "tab",              80, B("a\tb\r\n"),                 "a       b\n" },
	{ "erase to end",     80, B("abcdef\r\033[3C\033[K\r\n"), "abc\n" },
	{ "erase line",       80, B("abcdef\033[2K\rx\r\n"),     "x\n" },
	{ "erase before",     80, B("abcdef\033[3D\033[1K\r\n"), "    ef\n" },
	{ "delete",           80, B("abcdef\r\033[2P\r\n"),      "cdef\n" },
	{ "insert",           80, B("abcdef\r\033[2@XY\r\n"),    "XYabcdef\n" },
	{ "column",           80, B("\033[5Gx\r\n"),             "    x\n" },
	{ "save, restore",    80, B("ab\0337cd\0338X\r\n"),      "abXd\n" },
	{ "colours",          80, B("\033[1;31mred\033[0m\r\n"), "red\n" },
	{ "title",            80, B("\033]0;title\a$ ls\r\n"),   "$ ls\n" },
	{ "wrapped",          10, B("0123456789abcde\r\nx\r\n"), "0123456789abcde\nx\n" },
	{ "just full",        10, B("0123456789\r\nx\r\n"),      "0123456789\nx\n" },
	{ "edited over wrap", 10, B("0123456789ab\033[A\rX\033[B\r\n"), "X123456789ab\n" },
	{ "readline's wrap",  10, B("0123456789 \rabc\r\n"),     "0123456789abc\n" },
	{ "wide",             10, B("\u65e5\u672c\u8a9e\b\bx\r\n"), "\u65e5\u672cx\n" },
	{ "half overwritten", 10, B("\u65e5\u672c\rx\r\n"),      "x \u672c\n" },
	{ "wide at margin",   5,  B("\u65e5\u672c\u8a9e\r\n"),   "\u65e5\u672c\u8a9e\n" },
	{ "combining",        80, B("e\u0301x\r\n"),             "e\u0301x\n" },
	{ "clear",            80, B("before\033[H\033[2Jafter"), "before\nafter\n" },
	{ "full screen",      80, B("a\r\n\033[?1049hbig\033[H\033[?1049lb\r\n"),
	    "a\n[full-screen program, 0 s]\nb\n" },
	{ "never left",       80, B("\033[?47hbig"),             "[full-screen program, 0 s]\n" },
	{ "not UTF-8",        80, B("a\xff\xe3\x81z\r\n"),       "a\\xff\\xe3\\x81z\n" },
	{ "C1 as UTF-8",      80, B("a\xc2\x9b\r\n"),            "a\\xc2\\x9b\n" },
	{ "reordering",       80, B("a\u202e" "b\r\n"),          "a\\xe2\\x80\\xaeb\n" },
	{ "backslash",        80, B("C:\\x\r\n"),                "C:\\x\n" },
	{ "NUL, BEL, DEL",    80, B("a\0\a\x7f" "b\r\n"),        "ab\n" },
#undef B
};
/* clang-format on */

static struct ops_buf
render(unsigned cols, const void *p, size_t n, size_t cut)
{
	struct ops_buf out = { .max = 1u << 24 };
	const uint8_t *bytes = p;
	struct lines *l;

	assert_int_equal(lines_new(cols, &l, NULL), 0);
	lines_feed(l, 0, bytes, cut, &out);
	lines_feed(l, 0, bytes + cut, n - cut, &out);
	lines_end(l, &out);
	lines_free(l);
	return out;
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t cut = 0; cut <= cases[i].n; cut++) {
			struct ops_buf out =
			    render(cases[i].cols, cases[i].in, cases[i].n, cut);
			const char *want = cases[i].out;

			ops_buf_put8(&out, 0);
			CHECK(strcmp((char *)out.data, want) == 0,
			    cases[i].name, (char *)out.data);
			ops_buf_free(&out);
		}
	}
}

/* Megabytes without a newline come out whole, whatever the width. */
static void
test_endless_line(void **state)
{
	static const unsigned widths[] = { 0, 2, 80, LINES_COLS_MAX };
	size_t n = 3000001;
	uint8_t *in = malloc(n);

	(void)state;
	assert_non_null(in);
	for (size_t i = 0; i < n; i++)
		in[i] = (uint8_t)('a' + i % 26);
	for (size_t k = 0; k < 4; k++) {
		struct ops_buf out = render(widths[k], in, n, n / 2);

		assert_int_equal(out.len, n + 1);
		assert_memory_equal(out.data, in, n);
		ops_buf_free(&out);
	}
	free(in);
}

static void
test_full_screen_time(void **state)
{
	struct ops_buf out = { .max = 4096 };
	struct lines *l;

	(void)state;
	assert_int_equal(lines_new(80, &l, NULL), 0);
	lines_feed(l, 5000000000, (const uint8_t *)"\033[?1049h", 8, &out);
	lines_feed(l, 17900000000, (const uint8_t *)"\033[?1049l", 8, &out);
	lines_feed(l, 17900000000, (const uint8_t *)"$ ", 2, &out);
	lines_note(l, "gap", &out);
	lines_end(l, &out);
	ops_buf_put8(&out, 0);
	assert_string_equal(
	    (char *)out.data, "[full-screen program, 12 s]\n$\n[gap]\n");
	lines_free(l);
	ops_buf_free(&out);
}

/* A resize in the middle of a long line leads nowhere outside of it. */
static void
test_resizes(void **state)
{
	struct ops_buf out = { .max = 1u << 26 };
	struct lines *l;

	(void)state;
	assert_int_equal(lines_new(80, &l, NULL), 0);
	for (unsigned i = 0; i < 100000; i++) {
		lines_feed(
		    l, 0, (const uint8_t *)"0123456\033[B\033[A", 13, &out);
		lines_resize(l, i * 37 % 5000);
	}
	lines_end(l, &out);
	assert_false(out.failed);
	lines_free(l);
	ops_buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_full_screen_time),
		cmocka_unit_test(test_resizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
