/*
 * complete - what the word at the cursor of a command line can become.
 *
 * The shells' own files (etc/completions) are thin: they give the words that
 * were typed, and put what is printed here into their lists.  All of it is made
 * from the tables of commands and options, so none of it can be forgotten.
 */
#ifndef OPS_CLI_COMPLETE_H
#define OPS_CLI_COMPLETE_H

#include <stddef.h>

#include "cli.h"

/*
 * "opseal __complete WORD...": the words behind opseal up to the cursor; the last
 * is the one it stands in, and may be empty.  A line a candidate on stdout: the
 * whole word, a tab, what it is.  Names that can't be seen whole on a terminal
 * are left out: no line is anything else.  A last line "<tab>files",
 * "<tab>folders", "<tab>programs", "<tab>users" or "<tab>groups" asks the shell for
 * its own.
 *
 * Silent whatever happens, and never long: what isn't known after 0.15 s is left
 * out.  Sessions are asked for only where one is wanted, as ls would: of who may
 * read all, the log has it.
 */
int complete_words(struct cli *cli, const struct command *commands, size_t n,
    const struct opt *global, int argc, char **argv);

#endif
