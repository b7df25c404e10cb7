/*
 * word - an argument as a person would type it.
 *
 * Pasted into bash(1) or zsh(1) it gives the same bytes back, and nothing in it is
 * executed or replaced: it stands as it is, or in '...', or, where a ' or a \ or what
 * ops_escape() escapes is in it, in $'...'.  So it is safe for a terminal, too.
 */
#ifndef OPS_CLI_WORD_H
#define OPS_CLI_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Append p[0..n), which holds no NUL.  first: a shell would look there for the
 * command, so a=b is quoted, too. */
void word_put(struct ops_buf *out, const uint8_t *p, size_t n, bool first);

#endif
