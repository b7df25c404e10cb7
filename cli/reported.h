/*
 * reported - which changes of doors were told already, so that each is told once.
 *
 *	opseal reported 1
 *	TEXT			a finding that stood at the last look, a line each
 *	end
 *
 * A finding that is gone is forgotten: if it comes again, it is told again.  Pure.
 *
 * Fuzzed: reported
 */
#ifndef OPS_CLI_REPORTED_H
#define OPS_CLI_REPORTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define REPORTED_MAX 8388608 /* bytes of the file */

/* Does p[0..n), a whole file, have the finding?  One that isn't whole has none, so all
 * is told again. */
bool reported_has(const char *p, size_t n, const char *text);

/* Begin, add each that stands now, end. */
void reported_begin(struct ops_buf *out);
void reported_add(struct ops_buf *out, const char *text);
void reported_end(struct ops_buf *out);

#endif
