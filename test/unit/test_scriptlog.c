/* Covers: scriptlog */
#include "check.h"

#include "base/bytes.h"
#include "scriptlog.h"

#define SECOND UINT64_C(1000000000)
#define AT_16_15_41 (UINT64_C(1795796141) * SECOND) /* 2026-11-27, UTC */

static bool
is(struct event_text t, const char *s)
{
	return s == NULL ? t.p == NULL
			 : t.p != NULL && t.n == strlen(s) &&
			       memcmp(t.p, s, t.n) == 0;
}

/* clang-format off */
static const struct {
	const char *name, *in;
	bool is;
	uint64_t start;			/* 0: none with a zone */
	const char *term, *tty, *command;
	uint16_t cols, rows;
} heads[] = {
	{ "all of it", "Script started on 2026-11-27 16:15:41+00:00 [COMMAND=\"ls -l\" TERM=\"xterm\" TTY=\"/dev/pts/3\" COLUMNS=\"80\" LINES=\"24\"]\nx", true, AT_16_15_41, "xterm", "/dev/pts/3", "ls -l", 80, 24 },
	{ "another zone", "Script started on 2026-11-27 17:15:41+01:00 []\n", true, AT_16_15_41, NULL, NULL, NULL, 0, 0 },
	{ "no terminal", "Script started on 2026-11-27 16:15:41+00:00 [COMMAND=\"a\" <not executed on terminal>]\n", true, AT_16_15_41, NULL, NULL, "a", 0, 0 },
	{ "no terminal, no command", "Script started on 2026-11-27 16:15:41+00:00 [<not executed on terminal>]\n", true, AT_16_15_41, NULL, NULL, NULL, 0, 0 },
	{ "quotes within", "Script started on x [COMMAND=\"sh -c \"echo TERM=\"a\" ]\"\" TERM=\"b\"]\n", true, 0, "b", NULL, "sh -c \"echo TERM=\"a\" ]\"", 0, 0 },
	{ "in words", "Script started on Fri 27 Nov 2026 04:15:41 PM UTC\n", true, 0, NULL, NULL, NULL, 0, 0 },
	{ "no such day", "Script started on 2026-02-30 16:15:41+00:00 []\n", true, 0, NULL, NULL, NULL, 0, 0 },
	{ "too wide", "Script started on x [COLUMNS=\"65536\" LINES=\"24\"]\n", true, 0, NULL, NULL, NULL, 0, 24 },
	{ "no bracket at the end", "Script started on x [TERM=\"b\"\n", true, 0, NULL, NULL, NULL, 0, 0 },
	{ "nothing else", "Script started on \n", true, 0, NULL, NULL, NULL, 0, 0 },
	{ "no newline", "Script started on x", false, 0, NULL, NULL, NULL, 0, 0 },
	{ "another's", "script started on x\n", false, 0, NULL, NULL, NULL, 0, 0 },
	{ "empty", "", false, 0, NULL, NULL, NULL, 0, 0 },
};

static const struct {
	const char *name, *in;
	long before;			/* bytes of another's; -1: there is none */
	uint64_t end;
	int exit; /* -1: not said */
} tails[] = {
	{ "all of it", "x\nScript done on 2026-11-27 16:15:41+00:00 [COMMAND_EXIT_CODE=\"3\"]\n", 1, AT_16_15_41, 3 },
	{ "nothing before", "\nScript done on 2026-11-27 16:15:41+00:00 [COMMAND_EXIT_CODE=\"255\"]\n", 0, AT_16_15_41, 255 },
	{ "older", "\nScript done on Fri 27 Nov 2026 04:15:41 PM UTC\n", 0, 0, -1 },
	{ "too big", "\nScript done on 2026-11-27 16:15:41+00:00 [<max output size exceeded>]\n", 0, AT_16_15_41, -1 },
	{ "no such status", "\nScript done on x [COMMAND_EXIT_CODE=\"256\"]\n", 0, 0, -1 },
	{ "shown by a program", "\nScript done on x [COMMAND_EXIT_CODE=\"1\"]\n$ ", -1, 0, -1 },
	{ "and then its own", "\nScript done on x\n\nScript done on y\n", 18, 0, -1 },
	{ "no newline", "\nScript done on x", -1, 0, -1 },
	{ "no line of its own", "Script done on x\n", -1, 0, -1 },
	{ "empty", "", -1, 0, -1 },
};

static const struct {
	const char *name, *in;
	long used;			/* 1: the first line; 0: more is needed; -1: none */
	char stream;
	uint64_t time, bytes;
	const char *word, *value;
	uint16_t cols, rows;
} lines[] = {
	{ "classic", "0.014895 4\n0.2", 1, 'O', 14895000, 4, NULL, NULL, 0, 0 },
	{ "output", "O 1.5 8192\n", 1, 'O', 1500000000, 8192, NULL, NULL, 0, 0 },
	{ "input", "I 0.000001 1\n", 1, 'I', 1000, 1, NULL, NULL, 0, 0 },
	{ "size", "S 0.1 SIGWINCH ROWS=30 COLS=100\n", 1, 'S', 100000000, 0, "SIGWINCH", "ROWS=30 COLS=100", 100, 30 },
	{ "signal", "S 0.1 SIGTERM\n", 1, 'S', 100000000, 0, "SIGTERM", "", 0, 0 },
	{ "head", "H 0.000000 START_TIME 2026-11-27 16:15:41+00:00\n", 1, 'H', 0, 0, "START_TIME", "2026-11-27 16:15:41+00:00", 0, 0 },
	{ "empty value", "H 0.000000 COMMAND \n", 1, 'H', 0, 0, "COMMAND", "", 0, 0 },
	{ "cut", "0.014895 4", 0, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "nothing", "", 0, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "empty line", "\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "another stream", "X 0.1 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "no parts", "1 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "ten parts", "1.0123456789 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "backwards", "-1.000000 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "a comma", "0,1 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "no bytes", "0.100000\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "a byte too many", "0.1 1073741825\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "over all", "0.1 99999999999999999999\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "more behind", "O 0.1 4 5\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "for ever", "1000000001.0 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
	{ "longer than all may be", "1000000000.1 4\n", -1, 0, 0, 0, NULL, NULL, 0, 0 },
};
/* clang-format on */

static void
test_heads(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(heads); i++) {
		size_t n = strlen(heads[i].in);
		uint8_t *in = heap_copy((const uint8_t *)heads[i].in, n);
		struct scriptlog_head h = { .len = 99 };
		struct ops_err err = { 0 };
		int rc = scriptlog_head(in, n, &h, &err);

		if (!heads[i].is) {
			assert_int_equal(rc, -1);
			assert_int_equal(err.code, OPS_EFORMAT);
			assert_int_equal(h.len, 99);
		} else if (rc < 0 || in[h.len - 1] != '\n' ||
			   memchr(in, '\n', h.len - 1) != NULL ||
			   h.has_start != (heads[i].start != 0) ||
			   (h.has_start && h.start != heads[i].start) ||
			   !is(h.term, heads[i].term) ||
			   !is(h.tty, heads[i].tty) ||
			   !is(h.command, heads[i].command) ||
			   h.cols != heads[i].cols || h.rows != heads[i].rows) {
			fail_msg("%s: %d, length %zu, start %llu",
			    heads[i].name, rc, h.len,
			    (unsigned long long)h.start);
		}
		free(in);
	}
}

static void
test_long_head(void **state)
{
	static uint8_t in[SCRIPTLOG_LINE_MAX + 1];
	struct scriptlog_head h;
	struct ops_err err = { 0 };

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "Script started on ", 18);
	in[SCRIPTLOG_LINE_MAX - 1] = '\n';
	assert_int_equal(scriptlog_head(in, sizeof(in), &h, &err), 0);
	assert_int_equal(h.len, SCRIPTLOG_LINE_MAX);
	in[SCRIPTLOG_LINE_MAX - 1] = 'x';
	in[SCRIPTLOG_LINE_MAX] = '\n';
	assert_int_equal(scriptlog_head(in, sizeof(in), &h, &err), -1);
	assert_non_null(strstr(err.msg, "over 4096 bytes"));
}

static void
test_tails(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(tails); i++) {
		size_t n = strlen(tails[i].in);
		uint8_t *in = heap_copy((const uint8_t *)tails[i].in, n);
		size_t len =
		    tails[i].before < 0 ? 0 : n - (size_t)tails[i].before;
		struct scriptlog_tail t = { .len = 99 };

		scriptlog_tail(in, n, &t);
		if (t.len != len || t.has_end != (tails[i].end != 0) ||
		    (t.has_end && t.end != tails[i].end) ||
		    (t.has_exit ? t.exit : -1) != tails[i].exit)
			fail_msg("%s: length %zu, exit %d", tails[i].name,
			    t.len, t.has_exit ? t.exit : -1);
		free(in);
	}
}

static void
test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(lines); i++) {
		size_t n = strlen(lines[i].in);
		uint8_t *in = heap_copy((const uint8_t *)lines[i].in, n);
		struct scriptlog_timing t = { .line = 6 };
		struct scriptlog_entry e = { .stream = '?' };
		struct ops_err err = { 0 };
		long used = scriptlog_timing(&t, in, n, &e, &err);

		if (lines[i].used > 0
			? used < 1 || in[used - 1] != '\n' ||
			      memchr(in, '\n', (size_t)used - 1) != NULL
			: used != lines[i].used)
			fail_msg("%s: %ld", lines[i].name, used);
		if (used <= 0) {
			assert_int_equal(e.stream, '?');
			assert_int_equal(t.line, 6);
			assert_int_equal(t.time, 0);
		} else if (e.stream != lines[i].stream ||
			   e.bytes != lines[i].bytes || t.line != 7 ||
			   t.time != lines[i].time ||
			   !is(e.name, lines[i].word) ||
			   !is(e.value, lines[i].value) ||
			   e.has_size != (lines[i].cols > 0) ||
			   e.cols != lines[i].cols || e.rows != lines[i].rows) {
			fail_msg("%s: %c %llu", lines[i].name, e.stream,
			    (unsigned long long)e.bytes);
		}
		if (used < 0)
			assert_non_null(strstr(err.msg, "line 7"));
		free(in);
	}
}

/* Delays and sizes add up, and one file is of one kind. */
static void
test_file(void **state)
{
	static const char in[] = "H 0.000000 SHELL /bin/sh\nO 0.5 4\n"
				 "I 0.25 1\nS 0.25 SIGWINCH ROWS=1 COLS=2\n"
				 "O 1.000001 2\n1.0 2\n";
	struct scriptlog_timing t = { .line = 0 };
	struct scriptlog_entry e;
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 5; i++) {
		long used = scriptlog_timing(&t, (const uint8_t *)in + at,
		    sizeof(in) - 1 - at, &e, NULL);

		assert_true(used > 0);
		at += (size_t)used;
	}
	assert_int_equal(t.time, 2000001000);
	assert_int_equal(t.out, 6);
	assert_int_equal(t.in, 1);
	assert_int_equal(t.kind, SCRIPTLOG_MULTI);
	assert_int_equal(scriptlog_timing(&t, (const uint8_t *)in + at,
			     sizeof(in) - 1 - at, &e, NULL),
	    -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_long_head),
		cmocka_unit_test(test_tails),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
