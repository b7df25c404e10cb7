/*
 * loghint - what an administrator who finds nothing with `opseal log` may have
 * meant: lastcomm(1) takes users and terminals as plain words, and where capture
 * is off there is nothing to find.  All of it goes to stderr.
 */
#ifndef OPS_CLI_LOGHINT_H
#define OPS_CLI_LOGHINT_H

#include "cli.h"

/* More than one word: put into err how they would be said here.  Gives -1. */
int loghint_words(int argc, char **argv, struct ops_err *err);

/* -1: PROGRAM is a path, which no name is; err has the option for it. */
int loghint_path(const char *name, struct ops_err *err);

/* Nothing was found; name: the PROGRAM, or NULL. */
void loghint_nothing(const struct cli *cli, const char *name);

/* Say so if the daemon doesn't capture programs, and why. */
void loghint_capture(const struct cli *cli);

#endif
