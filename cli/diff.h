/*
 * diff - what changes between two texts, as a unified diff for a person to read.
 *
 * Made for few changed lines in a long file; what it shows is always true, but not
 * always the shortest.  Control characters are escaped, as by ops_escape().  Pure.
 *
 * Fuzzed: diff
 */
#ifndef OPS_CLI_DIFF_H
#define OPS_CLI_DIFF_H

#include <stddef.h>

#include "base/buf.h"

#define DIFF_CONTEXT 2 /* lines shown around a change */

struct diff_side {
	const char
	    *name; /* "/etc/shells"; "/dev/null": there is no such file */
	const char *p;
	size_t n;
};

/* Append the diff to out: nothing where the two are equal.  Its errors are sticky:
 * ops_buf_check(). */
void diff_put(struct ops_buf *out, const struct diff_side *from,
    const struct diff_side *to);

#endif
