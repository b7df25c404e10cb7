/*
 * command - a program and its arguments, as one line of a configuration says them.
 *
 *	/usr/local/bin/tell --to "on call" ops
 *
 * Words with blanks between.  In double quotes a blank is part of the word, and
 * \" and \\ are the character itself; nothing else has a meaning, since no shell
 * ever reads it.  The first word is an absolute path.  Pure.
 *
 * Fuzzed: command
 */
#ifndef OPS_COMMAND_H
#define OPS_COMMAND_H

#include "base/err.h"

#define COMMAND_MAX 1023 /* bytes of the line */
#define COMMAND_WORDS 32

/* Not to be copied: argv points into text. */
struct command {
	char text[COMMAND_MAX + 1];
	char *argv[COMMAND_WORDS + 1]; /* NULL at the end */
};

/* OPS_EUSAGE: why it is no command; *ret is then unspecified. */
int command_parse(const char *line, struct command *ret, struct ops_err *err);

#endif
