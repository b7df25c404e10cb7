#include "check.h"

#include "base/buf.h"
#include "filter.h"

#define FFFD "\xef\xbf\xbd"

/* A row: these recorded bytes, played, give these. */
/* clang-format off */
static const struct {
	const char *name;
	const char *in;
	size_t n;
	const char *out; /* NULL: the same */
} cases[] = {
#define B(s) s, sizeof(s) - 1
	{ "text",               B("plain text\r\n"),              NULL },
	{ "moves",              B("a\b\tb\x0e\x0f"),              NULL },
	{ "UTF-8",              B("\u65e5\u672c\u8a9e \U0001f600"), NULL },
	{ "colours",            B("\033[1;38;2;1;2;3mx\033[m"),   NULL },
	{ "SGR with colons",    B("\033[38:2::255:0:0mx"),        NULL },
	{ "cursor",             B("\033[H\033[2;3f\033[A\033[10G\033[5d"), NULL },
	{ "erase",              B("\033[K\033[1K\033[J\033[2J\033[?2K\033[4X"), NULL },
	{ "insert and delete",  B("\033[@\033[2P\033[L\033[M\033[3b"), NULL },
	{ "scroll region",      B("\033[5;20r\033[r\033[2S\033[T"), NULL },
	{ "modes",              B("\033[?1049h\033[?25l\033[?7h\033[?6l\033[4h"), NULL },
	{ "charsets",           B("\033(0\033)B\033*A\033+B"),    NULL },
	{ "escapes",            B("\0337\0338\033D\033E\033H\033M\033#8"), NULL },
	{ "soft reset",         B("\033[!p"),                     NULL },
	{ "save and restore",   B("\033[s\033[u"),                NULL },
	{ "VT and FF",          B("a\vb\fc"),                     "a\nb\nc" },
	{ "full reset",         B("\033c"),                       "\033[?1049l\033[!p\033[H\033[2J" },
	{ "mixed modes",        B("\033[?1000;25;2004h"),         "\033[?25h" },
	/* what must not get through */
	{ "title",              B("a\033]0;evil\ab"),             "ab" },
	{ "title, ST",          B("a\033]2;evil\033\\b"),         "ab" },
	{ "clipboard",          B("\033]52;c;aGk=\a"),            "" },
	{ "link",               B("\033]8;;http://x/\aurl\033]8;;\a"), "url" },
	{ "DCS",                B("\033P$q\"p\033\\x"),           "x" },
	{ "APC, PM, SOS",       B("\033_a\033\\\033^b\033\\\033Xc\033\\x"), "x" },
	{ "queries",            B("\033[6n\033[5n\033[c\033[>c\033[=c\033[?6n\033[x\005\033Z"), "" },
	{ "DECRQM",             B("\033[?1$p\033[4$p"),           "" },
	{ "window",             B("\033[18t\033[21t\033[8;99;99t"), "" },
	{ "mouse",              B("\033[?1000h\033[?1002h\033[?1003h\033[?1006h"), "" },
	{ "highlight mouse",    B("\033[1;2;3;4;5T"),             "" },
	{ "paste, focus",       B("\033[?2004h\033[?1004h"),      "" },
	{ "keys",               B("\033=\033>\033[?1h\033[>4;1m\033[>1u\033[=1;1u\033[20h\033[2h"), "" },
	{ "print",              B("\033[i\033[5i\033[?5i"),       "" },
	{ "scrollback",         B("\033[3J"),                     "" },
	{ "132 columns",        B("\033[?3h"),                    "" },
	{ "graphics query",     B("\033[?1;1;0S"),                "" },
	{ "bell",               B("a\ab"),                        "ab" },
	{ "C1 as UTF-8",        B("a\xc2\x9b" "6nb"),             "a6nb" },
	{ "C1 as a byte",       B("a\x9b" "6n"),                  "a" FFFD "6n" },
	{ "invalid UTF-8",      B("\xff\xc3("),                   FFFD FFFD "(" },
	{ "cut character",      B("\xe3\x81\033[mx"),             FFFD FFFD "\033[mx" },
	{ "right-to-left mark", B("a\u202e" "b"),                 "ab" },
	{ "huge number",        B("\033[99999999b\033[10000Cx"),  "x" },
	{ "control in CSI",     B("\033[3\n1mx"),                 "\n\033[31mx" },
	{ "ESC in CSI",         B("\033[3\033[1mx"),              "\033[1mx" },
	{ "CAN",                B("\033[31\030mx"),               "mx" },
	{ "late prefix",        B("\033[1?25hx"),                 "x" },
	{ "charset G",          B("\033%Gx\033%@"),               "x" },
	{ "7-bit controls",     B("\033 Fx"),                     "x" },
	{ "console palette",    B("\033]P1ff0000x\033]Ry"),       "xy" },
	{ "screen title",       B("\033kname\033\\x\033kn\ny"),   "xy" },
	{ "OSC in an OSC",      B("\033]0;a\033]52;c;x\ab"),      "b" },
	{ "never ended OSC",    B("a\033]0;text"),                "a" },
	{ "ended by ESC",       B("\033]0;a\033[6nb"),            "b" },
#undef B
};
/* clang-format on */

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *want =
		    cases[i].out != NULL ? cases[i].out : cases[i].in;

		/* Whole, and cut at every place. */
		for (size_t cut = 0; cut <= cases[i].n; cut++) {
			const uint8_t *p = (const uint8_t *)cases[i].in;
			struct ops_buf out = { .max = 4096 };
			struct filter f = { 0 };

			filter_feed(&f, p, cut, &out);
			filter_feed(&f, p + cut, cases[i].n - cut, &out);
			CHECK(out.len == strlen(want), cases[i].name, "length");
			CHECK(out.len == 0 ||
				  memcmp(out.data, want, out.len) == 0,
			    cases[i].name, "bytes");
			ops_buf_free(&out);
		}
	}
}

/* A sequence of every length around the limit. */
static void
test_length_limit(void **state)
{
	(void)state;
	for (size_t n = FILTER_SEQ_MAX - 2; n <= FILTER_SEQ_MAX + 2; n++) {
		struct ops_buf in = { .max = 4096 }, out = { .max = 4096 };
		struct filter f = { 0 };

		ops_buf_puts(&in, "\033[");
		for (size_t i = 0; i < n; i++)
			ops_buf_put8(&in, i % 2 == 0 ? '1' : ';');
		ops_buf_puts(&in, "mx");
		filter_feed(&f, in.data, in.len, &out);
		if (n <= FILTER_SEQ_MAX)
			assert_int_equal(out.len, in.len);
		else
			assert_int_equal(out.len, 1);
		ops_buf_free(&in);
		ops_buf_free(&out);
	}
}

/* Leaving: the main screen again only if it was left; all else always. */
static void
test_leave(void **state)
{
	static const char *const enters[] = { "\033[?1049h", "\033[?47h",
		"\033[?1047h" };
	struct ops_buf out = { .max = 4096 };
	struct filter f = { 0 };

	(void)state;
	filter_leave(&f, &out);
	ops_buf_put8(&out, 0);
	assert_null(strstr((char *)out.data, "1049"));
	assert_non_null(strstr((char *)out.data, "\033[?25h"));
	assert_non_null(strstr((char *)out.data, "\033[0m"));
	for (size_t i = 0; i < 3; i++) {
		filter_feed(
		    &f, (const uint8_t *)enters[i], strlen(enters[i]), &out);
		assert_true(f.alternate);
		ops_buf_reset(&out);
		filter_leave(&f, &out);
		assert_memory_equal(out.data, "\033[?1049l", 8);
		filter_feed(&f, (const uint8_t *)"\033[?1049l", 8, &out);
		assert_false(f.alternate);
	}
	ops_buf_free(&out);
}

/* Tab stops and charsets are put back only if the recording changed them. */
static void
test_leave_undoes(void **state)
{
	/* clang-format off */
	static const struct { const char *name, *in; bool tabs, charsets; } rows[] = {
		{ "text", "a\tb\033(0\033[m", false, false },
		{ "one cleared", "\033[g", true, false },
		{ "all cleared", "\033[3g", true, false },
		{ "one set", "\033H", true, false },
		{ "G1", "\033)0", false, true },
		{ "G2", "\033*A", false, true },
		{ "G3", "\033+B", false, true },
		{ "dropped", "\033[?3g\033[3 g\033)4\033#3", false, false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ops_buf out = { .max = 4096 };
		struct filter f = { 0 };
		const char *s;

		filter_feed(
		    &f, (const uint8_t *)rows[i].in, strlen(rows[i].in), &out);
		ops_buf_reset(&out);
		filter_leave(&f, &out);
		ops_buf_put8(&out, 0);
		CHECK(!out.failed, rows[i].name, "too long");
		s = strstr((char *)out.data, "\033[3g\033[8C\033H\033[8C\033H");
		CHECK((s != NULL) == rows[i].tabs, rows[i].name, "tab stops");
		s = strstr((char *)out.data, "\033)B\033*B\033+B");
		CHECK(
		    (s != NULL) == rows[i].charsets, rows[i].name, "charsets");
		ops_buf_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_length_limit),
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_leave_undoes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
