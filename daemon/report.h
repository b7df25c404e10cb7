/*
 * report - what a role says over its ready pipe (role.h): that it is open for
 * business, or why it can't be.  The supervisor, which is root, reads it from
 * processes that aren't.  Bytes in, no I/O.
 *
 * Fuzzed: report
 */
#ifndef OPS_DAEMON_REPORT_H
#define OPS_DAEMON_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "role.h"

/* Zero-initialised: nothing was said. */
struct report {
	char bytes[ROLE_REPORT_MAX]; /* ends with NUL */
	size_t n;                    /* 0 once it is ready */
	bool ready;
};

/* How many bytes it takes: 0 if it is full.  One that is ready takes any
 * number, which are the role's pulse and mean nothing else. */
size_t report_room(const struct report *r);
/* The next n bytes; at most what there is room for, in any pieces. */
void report_add(struct report *r, const char *p, size_t n);
/* Why it can't be ready, and of what kind that is; OPS_EIO if it names none.
 * NULL: it didn't say.  Lives as long as r; for printing it is to be escaped. */
const char *report_why(const struct report *r, enum ops_code *code);

#endif
