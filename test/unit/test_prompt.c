#include "check.h"

#include <string.h>

#include "prompt.h"

/* What stood there before, what came first, and what came last of a command. */
/* clang-format off */
static const struct {
	const char *name, *before;
	const char *first, *own_first; /* the command's own part is at the end */
	const char *last, *own_last;   /* and here at the begin */
} cases[] = {
	{ "nothing before", "", "x\r\n", "x\r\n", "x\r\n$ ", "x\r\n$ " },
	{ "a known prompt", "$ ls\r\n", "x", "x", "x\r\n$ ", "x\r\n" },
	{ "no line end", "$ ls\r\n", "x", "x", "x$ ", "x" },
	{ "only the prompt", "$ ls\r\n", "x", "x", "$ ", "" },
	{ "no prompt yet", "$ ls\r\n", "x", "x", "x\r\n", "x\r\n" },
	{ "another prompt", "1 $ ls\r\n", "x", "x", "x\r\n2 $ ", "x\r\n2 $ " },
	{ "one before another line", "$ a; b\r\na\r\n", "b\r\n", "b\r\n", "b\r\n$ ", "b\r\n" },
	{ "nine lines before", "$ x\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n", "x", "x", "x$ ", "x$ " },
	{ "the same output again", "$ x\r\nabc\r\n", "abc", "abc", "abc", "abc" },
	{ "an open line is no prompt", "$ x\r\nabc", "abc", "abc", "abc", "abc" },
	{ "the key's echo is late", "$ ls", "\r\nx", "x", "x\r\n$ ", "x\r\n" },
	{ "an empty line of its own", "$ ls\r\n", "\r\nx", "\r\nx", "x", "x" },
	{ "one character isn't enough", ">ls\r\n", "x", "x", "x>", "x>" },
	{ "paste mode off", "", "ls\r\n\033[?2004l\rx", "x", "x\r\n", "x\r\n" },
	{ "paste mode on", "", "x", "x", "x\r\n\033[?2004h$ ", "x\r\n" },
	{ "on, behind the prompt", "% \033[?2004hls\r\n", "x", "x", "x\r\n% \033[?2004h", "x\r\n" },
	{ "OSC 133", "", "ls\r\n\033]133;C;a\ax", "x", "x\r\n\033]133;D;0\a\033]133;A\a$ ", "x\r\n" },
	{ "OSC 133 cut short", "", "\033]133;C", "", "x\033]133;A", "x" },
	{ "OSC 133 and ESC \\", "", "\033]133;C\033\\x", "x", "x", "x" },
};
/* clang-format on */

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *row = cases[i].name, *first = cases[i].first;
		const char *last = cases[i].last;
		struct prompt p = { 0 };
		size_t at;

		prompt_learn(&p, (const uint8_t *)cases[i].before,
		    strlen(cases[i].before));
		at = prompt_begin(&p, (const uint8_t *)first, strlen(first));
		CHECK(strcmp(first + at, cases[i].own_first) == 0, row,
		    first + at);
		prompt_learn(&p, (const uint8_t *)first, at);
		at = prompt_end(&p, (const uint8_t *)last, strlen(last));
		CHECK(at == strlen(cases[i].own_last) &&
			  strncmp(last, cases[i].own_last, at) == 0,
		    row, "its end");
	}
}

/* Lines of any length, in any pieces: only what is kept of them counts. */
static void
test_long_lines(void **state)
{
	static uint8_t line[3 * PROMPT_MAX];
	struct prompt whole = { 0 }, pieces = { 0 };

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "$ ", 2);
	line[sizeof(line) - 1] = '\n';
	prompt_learn(&whole, line, sizeof(line));
	for (size_t i = 0; i < sizeof(line); i++)
		prompt_learn(&pieces, line + i, 1);
	assert_memory_equal(&whole, &pieces, sizeof(whole));
	assert_int_equal(prompt_end(&whole, (const uint8_t *)"ab$ ", 4), 2);
	assert_int_equal(prompt_end(&whole, line, 0), 0);
	assert_int_equal(prompt_end(&whole, NULL, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
