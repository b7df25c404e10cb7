/*
 * pamfile - the lines of a file in /etc/pam.d, pam.d(5), and where one more goes.
 *
 * Pure.
 *
 * Fuzzed: pamfile
 */
#ifndef OPS_CLI_PAMFILE_H
#define OPS_CLI_PAMFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define PAMFILE_MAX 262144 /* bytes of the file */

/* 0, or the number of the first line that is none of pam.d(5)'s. */
unsigned pamfile_wrong(const char *p, size_t n);

/* Does a line of that kind ("session") name the module? */
bool pamfile_has(const char *p, size_t n, const char *kind, const char *module);

/*
 * Append p[0..n) to out with one line more: an account line before the first of its
 * kind, since one that is "sufficient" ends the rest; others behind all.  A file that
 * pam-auth-update(8) keeps gets both at its end, which is left to the administrator.
 * True: the last line had no line end and was given one.
 */
bool pamfile_add(const char *p, size_t n, const char *kind, const char *line,
    struct ops_buf *out);

#endif
