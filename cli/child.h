/*
 * child - run a program of the host to its end, and hear what it says.
 *
 * It gets no terminal, a short environment, and half a minute.
 */
#ifndef OPS_CLI_CHILD_H
#define OPS_CLI_CHILD_H

#include "base/buf.h"
#include "base/err.h"

#define CHILD_ARGS 16

/* Run argv[0] (a path; NULL ends argv).  What it prints, on either stream, is added
 * to out, as far as that holds.  Gives its exit status, 128 + N for a signal; -1: it
 * could not be run, or didn't end. */
int child_run(
    const char *const *argv, struct ops_buf *out, struct ops_err *err);

#endif
