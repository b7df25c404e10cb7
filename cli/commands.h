/*
 * commands - what opseal can be asked: its commands, their options and their help.
 *
 * Each command is a row of one table; help, completion and the tests that compare it
 * with the man pages are made from that.
 */
#ifndef OPS_CLI_COMMANDS_H
#define OPS_CLI_COMMANDS_H

#include <stdio.h>

#include "cli.h"

/* Options that every command takes, into struct global_opts; ends with an empty one. */
extern const struct opt commands_global[];

/* All of them. */
const struct command *commands_all(size_t *n);

/* NULL: no such command; OPS_EUSAGE names the one that may have been meant. */
const struct command *commands_find(const char *name, struct ops_err *err);

void commands_help(FILE *out);
void commands_help_of(FILE *out, const struct command *c);

/* "opseal __table": what there is, for tests, on stdout, a row a line. */
void commands_table(void);

#endif
