/*
 * logline - what opseald says: one line a thing, on stderr or to syslog.
 *
 * A line is "opseald[role]: text", written at once, so that the lines of
 * several roles don't mix.  Control characters in the text are escaped, since
 * parts of it may come from a peer.
 */
#ifndef OPS_DAEMON_LOGLINE_H
#define OPS_DAEMON_LOGLINE_H

#include <stdbool.h>

#include "base/err.h"

/* role: NULL for the supervisor, which is just "opseald: ". */
void logline_open(const char *role, bool to_syslog);
void logline(const char *fmt, ...) OPS_PRINTF(1, 2);

#endif
