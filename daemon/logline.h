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
/* Before a close_range(): syslog's descriptor is opened again when needed. */
void logline_release(void);
void logline(const char *fmt, ...) OPS_PRINTF(1, 2);

/*
 * The same for what a peer can bring about as often as he likes: at most
 * LOGLINE_OFTEN_MAX lines in ten seconds, then a number of those left out.
 * After logline_share() a process counts together with all that it forks.
 */
#define LOGLINE_OFTEN_MAX 20
void logline_share(void);
void logline_often(const char *fmt, ...) OPS_PRINTF(1, 2);

#endif
