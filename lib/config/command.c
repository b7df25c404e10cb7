#include "command.h"

#include <stdbool.h>
#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One word from *line, which begins with it, to *out; both move on.  A word is
 * never longer than what it is made of. */
static int
take_word(const char **line, char **out, struct ops_err *err)
{
	const char *s = *line;
	bool quoted = false;

	for (; *s != '\0' && (quoted || !is_blank(*s)); s++) {
		if (*s == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && *s == '\\') {
			s++;
			if (*s != '"' && *s != '\\')
				return ops_fail(err, OPS_EUSAGE,
				    "in quotes only \\\" and \\\\ begin with "
				    "a backslash");
		}
		*(*out)++ = *s;
	}
	if (quoted)
		return ops_fail(err, OPS_EUSAGE, "quote without its end");
	*(*out)++ = '\0';
	*line = s;
	return 0;
}

int
command_parse(const char *line, struct command *ret, struct ops_err *err)
{
	char *out = ret->text;
	size_t n = 0;

	if (strlen(line) > COMMAND_MAX)
		return ops_fail(err, OPS_EUSAGE,
		    "a command of more than %d bytes", COMMAND_MAX);
	for (;;) {
		while (is_blank(*line))
			line++;
		if (*line == '\0')
			break;
		if (n == COMMAND_WORDS)
			return ops_fail(err, OPS_EUSAGE,
			    "a command of more than %d words", COMMAND_WORDS);
		ret->argv[n++] = out;
		if (take_word(&line, &out, err) < 0)
			return -1;
	}
	ret->argv[n] = NULL;
	if (n == 0 || ret->argv[0][0] != '/')
		return ops_fail(err, OPS_EUSAGE,
		    "a command begins with the absolute path of a program");
	return 0;
}
