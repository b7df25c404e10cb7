/* Covers: lineedit, width */
#include "check.h"

#include "base/bytes.h"
#include "recorder/lineedit.h"

#define UP "\x1b[A"
#define WIDE "\xe6\x97\xa5" /* two columns */
#define BACK "\b \b"

/* What is typed, what that shows, and what the line is then. */
static const struct {
	const char *name, *typed, *shown, *text;
	enum lineedit_said said;
} rows[] = {
	{ "a word", "abc\r", "abc\r\n", "abc", LINEEDIT_DONE },
	{ "newline ends it, too", "a\n", "a\r\n", "a", LINEEDIT_DONE },
	{ "nothing", "\r", "\r\n", "", LINEEDIT_DONE },
	{ "blanks are nothing", "  \r", "  \r\n", "", LINEEDIT_DONE },
	{ "blanks around it", " a b \r", " a b \r\n", "a b", LINEEDIT_DONE },
	{ "not done yet", "ab", "ab", "ab", LINEEDIT_MORE },
	{ "backspace", "ab\b\x7f\x7f", "ab" BACK BACK, "", LINEEDIT_MORE },
	{ "of two columns", WIDE "\b", WIDE BACK BACK, "", LINEEDIT_MORE },
	{ "a mark goes with what it is on", "ae\xcc\x81\b", "ae\xcc\x81" BACK,
	    "a", LINEEDIT_MORE },
	{ "a mark on nothing",
	    "\xcc\x81"
	    "a",
	    "a", "a", LINEEDIT_MORE },
	{ "^U", "a" WIDE "\x15", "a" WIDE BACK BACK BACK, "", LINEEDIT_MORE },
	{ "^W", "ab c \x17", "ab c " BACK BACK, "ab", LINEEDIT_MORE },
	{ "^C", "ab\x03", "ab^C\r\n", "ab", LINEEDIT_BREAK },
	{ "^D at the begin", "\x04", "\r\n", "", LINEEDIT_END },
	{ "^D in a line", "a\x04", "a", "a", LINEEDIT_MORE },
	{ "^D, taken back", "a\b\x04", "a" BACK "\r\n", "", LINEEDIT_END },
	{ "keys", "a" UP "\x1bOP\x1b[3~b", "ab", "ab", LINEEDIT_MORE },
	{ "a sequence is left by return", "\x1b[\r", "\r\n", "",
	    LINEEDIT_DONE },
	{ "and by ^C", "\x1b\x03", "^C\r\n", "", LINEEDIT_BREAK },
	{ "an escape begins anew", "\x1b[1\x1b[Ax", "x", "x", LINEEDIT_MORE },
	{ "control characters", "\x01\x07\ta\x0c\x1a\x0e", "a", "a",
	    LINEEDIT_MORE },
	{ "C1",
	    "\xc2\x9b"
	    "2Jx",
	    "2Jx", "2Jx", LINEEDIT_MORE },
	{ "what reorders text",
	    "\xe2\x80\xae"
	    "a",
	    "a", "a", LINEEDIT_MORE },
	{ "what can't be seen",
	    "\xe2\x80\x8b"
	    "a",
	    "a", "a", LINEEDIT_MORE },
	{ "a wide blank",
	    "a\xe3\x80\x80"
	    "b\b\b",
	    "a\xe3\x80\x80"
	    "b" BACK BACK BACK,
	    "a", LINEEDIT_MORE },
	{ "no UTF-8",
	    "\xff\xfe"
	    "a\xc3(",
	    "a(", "a(", LINEEDIT_MORE },
	{ "half a character", "a\xe6\x97\r", "a\r\n", "a", LINEEDIT_DONE },
	{ "half, then a whole one", "\xe6" WIDE, WIDE, WIDE, LINEEDIT_MORE },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf shown = { .max = 4096 };
		struct lineedit l = { .n = 0 };
		enum lineedit_said said = LINEEDIT_MORE;
		const char *row = rows[i].name;
		const uint8_t *text;
		size_t n;

		for (const char *p = rows[i].typed; *p != '\0'; p++) {
			CHECK(said == LINEEDIT_MORE, row, "ended early");
			said = lineedit_take(&l, (uint8_t)*p, &shown);
		}
		CHECK(said == rows[i].said, row, "what was said");
		CHECK(shown.len == strlen(rows[i].shown) &&
			  (shown.len == 0 || memcmp(shown.data, rows[i].shown,
						 shown.len) == 0),
		    row, "what was shown");
		n = lineedit_text(&l, &text);
		CHECK(n == strlen(rows[i].text) &&
			  memcmp(text, rows[i].text, n) == 0,
		    row, "the line");
		ops_buf_free(&shown);
	}
}

/* What doesn't fit is not taken, not even a part of a character. */
static void
test_full(void **state)
{
	uint8_t bytes[LINEEDIT_ECHO_MAX];
	struct lineedit l = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < LINEEDIT_MAX; i++) {
		for (const char *p = WIDE; *p != '\0'; p++) {
			struct ops_buf shown = OPS_BUF_FIXED(bytes);

			assert_int_equal(lineedit_take(&l, (uint8_t)*p, &shown),
			    LINEEDIT_MORE);
			assert_false(shown.failed);
		}
	}
	assert_int_equal(l.n, LINEEDIT_MAX / 3 * 3);
	/* All of it can be taken back in one. */
	struct ops_buf shown = OPS_BUF_FIXED(bytes);
	assert_int_equal(lineedit_take(&l, 0x15, &shown), LINEEDIT_MORE);
	assert_false(shown.failed);
	assert_int_equal(l.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
