#include "base/bytes.h"
#include "check.h"
#include "record/record.h"
#include "recorder/input.h"

#define ECHO_ON (INPUT_ECHO | INPUT_ICANON)
#define PROMPT INPUT_ICANON
#define RAW 0u

/* What was kept, with '#' for a prompt's fact and '?' for one without echo. */
static char kept[20000];
static size_t n_kept;

static void
keep(void *arg, const uint8_t *p, size_t n)
{
	(void)arg;
	memcpy(kept + n_kept, p, n);
	n_kept += n;
}

static void
mask(void *arg, unsigned why)
{
	(void)arg;
	kept[n_kept++] = why == MASKED_ECHO_OFF ? '#' : '?';
}

/*
 * A script: 'e' 'p' 'r' set the modes; <text> is typed; >text< is written;
 * '+' lets the hold time pass; '.' ends the session.
 */
static void
run(const char *s)
{
	struct input in = { .sink = { keep, mask, NULL } };
	unsigned modes = ECHO_ON;
	uint64_t now = 1;

	n_kept = 0;
	for (; *s != '\0'; s++) {
		const char *end;

		switch (*s) {
		case 'e':
			modes = ECHO_ON;
			break;
		case 'p':
			modes = PROMPT;
			break;
		case 'r':
			modes = RAW;
			break;
		case '+':
			now += INPUT_HOLD_NS;
			input_tick(&in, now);
			break;
		case '.':
			input_tick(&in, UINT64_MAX);
			break;
		default:
			end = strchr(s + 1, *s == '<' ? '>' : '<');
			assert_non_null(end);
			uint8_t *copy = heap_copy(s + 1, (size_t)(end - s - 1));
			if (*s == '<')
				input_typed(&in, copy, (size_t)(end - s - 1),
				    modes, modes, now);
			else
				input_output(
				    &in, copy, (size_t)(end - s - 1), modes);
			free(copy);
			s = end;
		}
	}
	kept[n_kept] = '\0';
}

static void
test_scripts(void **state)
{
	/* clang-format off */
	static const struct { const char *name, *script, *want; } rows[] = {
		{ "echo", "<ls\r>>ls\r\n<", "ls\r" },
		{ "prompt", "p<secret\r>.", "#" },
		{ "prompt, a key at a time", "p<s><e><c>e<ls>p<x>.", "#ls#" },
		{ "raw, echoed", "r<l>>l<<s>>s<<\r>>\r\n<.", "ls\r" },
		{ "raw, echoed at once", "r<ls\r>>ls\r\nfile\r\n<.", "ls\r" },
		{ "raw, never echoed", "r<s><e><c>+<r><e><t>+.", "?" },
		{ "raw, session ends", "r<secret>.", "?" },
		{ "raw, answered by a new line", "r<secret\r>>\r\nsecret<.", "?" },
		{ "raw, answered in two writes", "r<rootbeer\r>>\r\n<>rootbeer@host<.", "?" },
		{ "raw, cut in the new line", "r<rootbeer\r>>\r<>\n<>rootbeer@host<.", "?" },
		{ "raw, a key at a time", "r<r><o><o><t><\r>>\r\n<>root@host<.", "?" },
		{ "raw, other text, then the same", "r<secret>>Wrong.<>secret<.", "?" },
		{ "raw, a star, then the same", "r<secret>>*<>secret<.", "?" },
		{ "raw, answered on another line", "r<secret\r>>\033[5;1Hsecret<.", "?" },
		{ "raw, answered by a screen in two", "r<secret>>\033[B<>secret<.", "?" },
		{ "raw, answered by index", "r<secret>>\033Esecret<.", "?" },
		{ "raw, typed again after an answer", "r<pass\r>>\r\n<<ls>>ls<.", "?ls" },
		{ "raw, answered by other text", "r<secret>>Permission<.", "?" },
		{ "raw, first letters by chance", "r<Pass>>Permission<.", "P?" },
		{ "stars", "r<s>>*<<e>>*<.", "?" },
		{ "redraw before the echo", "r<x>>\r\033[K\033[1;32mx\033[0m<.", "x" },
		{ "title before the echo", "r<x>>\033]0;x y\007x<.", "x" },
		{ "title with ESC \\", "r<x>>\033]0;a\033\\x<.", "x" },
		{ "escape cut short", "r<x>>\033[3<.", "?" },
		{ "escape alone", "r<x>>\033<.", "?" },
		{ "arrow, then a letter", "r<\033[D><x>>\bx<.", "?x" },
		{ "arrow between", "r<a\033[Db>>ab<.", "a?b" },
		{ "tab completion", "r<l\t>>l<<s>>s<.", "l?s" },
		{ "control character alone", "r<\003>>^C<.", "?" },
		{ "prompt comes up while held", "r<x>p>x<.", "#" },
		{ "echo comes on while held", "r<x>e<ls>.", "?ls" },
		{ "output before typing", "r>hello<<x>>x<.", "x" },
		{ "UTF-8", "r<\303\266>>\303\266<.", "\303\266" },
		{ "late echo", "r<x>+>x<.", "?" },
		{ "line feed for return", "r<\r>>\n<.", "\r" },
		{ "escape in two reads", "r<x>>\033[3<>1mx<.", "x" },
		{ "title in two reads", "r<x>>\033]0;a\033<>\\x<.", "x" },
		{ "new line in two reads", "r<a\rb>>a\r<>\nb<.", "a\rb" },
		{ "answer, then its letters", "r<x>>Y<>x<.", "?" },
		{ "answer in one read", "r<x>>Yx<.", "?" },
		{ "typed on after an answer", "r<x>>Y<<z>>z<.", "?z" },
		{ "one fact a run", "r<a>+<b>+<c>>c<<d>+.", "?c?" },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		run(rows[i].script);
		CHECK(strcmp(kept, rows[i].want) == 0, rows[i].name, kept);
	}
}

/* The modes changed while the bytes were on their way. */
static void
test_state_read_twice(void **state)
{
	struct input in = { .sink = { keep, mask, NULL } };

	(void)state;
	n_kept = 0;
	input_typed(&in, (const uint8_t *)"a", 1, ECHO_ON, PROMPT, 1);
	input_typed(&in, (const uint8_t *)"b", 1, PROMPT, ECHO_ON, 1);
	input_typed(&in, (const uint8_t *)"c", 1, ECHO_ON, RAW, 1);
	assert_int_equal(in.n, 1); /* held */
	assert_int_equal(n_kept, 1);
	assert_int_equal(kept[0], '#');
	assert_int_equal(input_due(&in), 1 + INPUT_HOLD_NS);

	/* Return brings the prompt at once; in whatever pieces it was typed. */
	n_kept = 0;
	input_tick(&in, UINT64_MAX);
	input_typed(&in, (const uint8_t *)"ls\r", 3, ECHO_ON, ECHO_ON, 1);
	input_typed(&in, (const uint8_t *)"\r", 1, ECHO_ON, PROMPT, 1);
	input_typed(&in, (const uint8_t *)"ab\rsec\n", 7, ECHO_ON, PROMPT, 1);
	input_typed(&in, (const uint8_t *)"ret\r", 4, PROMPT, PROMPT, 1);
	kept[n_kept] = '\0';
	assert_string_equal(kept, "?ls\r\r#\r#\n#");
}

static void
test_full(void **state)
{
	struct input in = { .sink = { keep, mask, NULL } };
	static uint8_t big[INPUT_MAX];

	(void)state;
	n_kept = 0;
	memset(big, 'x', sizeof(big));
	input_typed(&in, big, INPUT_MAX, RAW, RAW, 1);
	assert_int_equal(in.n, INPUT_MAX);
	input_typed(&in, big, 1, RAW, RAW, 2);
	assert_int_equal(in.n, 1);
	assert_int_equal(input_due(&in), 2 + INPUT_HOLD_NS);
	input_output(&in, big, sizeof(big), RAW);
	assert_int_equal(in.n, 0);
	assert_int_equal(input_due(&in), 0);
	kept[n_kept] = '\0';
	assert_string_equal(kept, "?x");

	/* More than there is room for, at once. */
	n_kept = 0;
	input_typed(&in, big, 5, RAW, RAW, 3);
	input_typed(&in, big, INPUT_MAX, RAW, RAW, 4);
	assert_int_equal(in.n, 5);
	assert_int_equal(input_due(&in), 4 + INPUT_HOLD_NS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_state_read_twice),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
