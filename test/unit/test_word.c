#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "word.h"

/* clang-format off */
static const struct {
	const char *name, *in, *want;
	bool first;
} rows[] = {
	{ "plain",		"ls",			"ls",			true },
	{ "an option",		"--since=-2h",		"--since=-2h",		false },
	{ "a path",		"/tmp/a_b-c.d:e,f@g+h%i", "/tmp/a_b-c.d:e,f@g+h%i", false },
	{ "text",		"\u65e5\u672c\u8a9e",	"\u65e5\u672c\u8a9e",	false },
	{ "nothing",		"",			"''",			false },
	{ "a space",		"a b",			"'a b'",		false },
	{ "a substitution",	"$(reboot)",		"'$(reboot)'",		false },
	{ "double quotes",	"\"`id`\"",		"'\"`id`\"'",		false },
	{ "a quote",		"it's $(reboot)",	"$'it\\'s $(reboot)'",	false },
	{ "quotes alone",	"''",			"$'\\'\\''",		false },
	{ "a backslash",	"a\\b",			"$'a\\\\b'",		false },
	{ "a line end",		"a\n$b",		"$'a\\n$b'",		false },
	{ "controls",		"\x1b[2J\t\r",		"$'\\x1b[2J\\t\\r'",	false },
	{ "del",		"\x7f" "1",		"$'\\x7f1'",		false },
	{ "no utf-8",		"\xff" "f\xe7\xab'",	"$'\\xfff\\xe7\\xab\\''", false },
	{ "bidi",		"\u202e",		"$'\\xe2\\x80\\xae'",	false },
	{ "not to be seen",	"ls\u200b",		"$'ls\\xe2\\x80\\x8b'", true },
	{ "a blank that is none", "a\u00a0b\u3000",	"$'a\\xc2\\xa0b\\xe3\\x80\\x80'", false },
	{ "zsh's =",		"=ls",			"'=ls'",		false },
	{ "an assignment",	"a=b",			"'a=b'",		true },
	{ "none",		"if=b",			"if=b",			false },
	{ "a reserved word",	"if",			"'if'",			true },
	{ "and no command",	"if",			"if",			false },
	{ "a job",		"%1",			"'%1'",			true },
	{ "history",		"^a^b",			"'^a^b'",		true },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = 1000 };
		size_t n = strlen(rows[i].in);
		uint8_t *in = heap_copy(rows[i].in, n);

		word_put(&b, in, n, rows[i].first);
		ops_buf_put8(&b, 0);
		CHECK(strcmp((char *)b.data, rows[i].want) == 0, rows[i].name,
		    (char *)b.data);
		free(in);
		ops_buf_free(&b);
	}
}

/* -- pasted into a shell -- */

struct paste {
	struct ops_buf script, want;
};

static void
paste(struct paste *p, const void *bytes, size_t n)
{
	ops_buf_puts(&p->script, "printf '%s\\0' ");
	word_put(&p->script, bytes, n, false);
	ops_buf_puts(&p->script, "\n");
	ops_buf_put(&p->want, bytes, n);
	ops_buf_put8(&p->want, 0);
}

/* Run the script from a file to a file; gives its status. */
static int
run_shell(const struct ops_buf *script, FILE *in, FILE *out)
{
	int status;
	pid_t pid;

	assert_int_equal(fwrite(script->data, 1, script->len, in), script->len);
	assert_int_equal(fflush(in), 0);
	rewind(in);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (dup2(fileno(in), STDIN_FILENO) >= 0 &&
		    dup2(fileno(out), STDOUT_FILENO) >= 0)
			execlp("bash", "bash", "--norc", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
check_pasted(struct paste *p)
{
	FILE *in = tmpfile(), *out = tmpfile();
	uint8_t *got = malloc(p->want.len + 1);
	int status;

	assert_true(in != NULL && out != NULL && got != NULL);
	assert_false(p->script.failed || p->want.failed);
	status = run_shell(&p->script, in, out);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 127) {
		assert_int_equal(status, 0);
		rewind(out);
		assert_int_equal(
		    fread(got, 1, p->want.len + 1, out), p->want.len);
		assert_memory_equal(got, p->want.data, p->want.len);
	} /* else there is no bash here */
	free(got);
	(void)fclose(in);
	(void)fclose(out);
	ops_buf_free(&p->script);
	ops_buf_free(&p->want);
}

/* Every byte alone, behind and before what may be taken for part of its escape, and
 * beside a quote; with history on, as where a person pastes. */
static void
test_pasted(void **state)
{
	struct paste p = { .script = { .max = 1u << 20 },
		.want = { .max = 1u << 20 } };
	uint8_t all[255];

	(void)state;
	ops_buf_puts(&p.script, "set -o history -o histexpand\n");
	for (unsigned c = 1; c < 256; c++) {
		uint8_t b = (uint8_t)c;
		const uint8_t digits[] = { '0', b, 'f', '1' };
		const uint8_t quotes[] = { '\'', b, '\'', b, '\\', b };

		all[c - 1] = b;
		paste(&p, &b, 1);
		paste(&p, digits, sizeof(digits));
		paste(&p, quotes, sizeof(quotes));
	}
	paste(&p, all, sizeof(all));
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++)
		paste(&p, rows[i].in, strlen(rows[i].in));
	check_pasted(&p);
}

/* Whatever it is: bytes that follow each other by no plan. */
static void
test_pasted_noise(void **state)
{
	static const char odd[] = "'\\$`\"!\n\xc2\x9b\xe2\x80\xae\xff x0f";
	struct paste p = { .script = { .max = 1u << 22 },
		.want = { .max = 1u << 20 } };
	uint32_t seed = 1;

	(void)state;
	ops_buf_puts(&p.script, "set -o history -o histexpand\n");
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t word[12];

		for (size_t k = 0; k < sizeof(word); k++) {
			seed = seed * 1664525 + 1013904223;
			word[k] =
			    (uint8_t)odd[(seed >> 16) % (sizeof(odd) - 1)];
		}
		paste(&p, word, 1 + i % sizeof(word));
	}
	check_pasted(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pasted),
		cmocka_unit_test(test_pasted_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
