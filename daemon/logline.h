/*
 * logline - what opseald says: one line a thing, on stderr or to syslog.
 *
 * A line is "opseald[role]: text", written at once, so that the lines of
 * several roles don't mix.  Control characters in the text are escaped, since
 * parts of it may come from a peer.
 *
 * Where that is systemd's journal it goes there by the journal's own protocol,
 * as an entry with fields: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, OPSEAL_ROLE,
 * and what logline_event() adds.  If the journal doesn't take it, it is said the
 * other way.
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
/* After logline_release(): open it again, for who can't open anything later. */
void logline_connect(void);

/* What happened, as a number that never changes: MESSAGE_ID.  Those that are an
 * alarm have a higher priority.  opseald(8) lists them. */
enum logline_id {
	LOGLINE_STARTED,
	LOGLINE_STOPPED,
	LOGLINE_CONFIG_TAKEN,
	LOGLINE_CONFIG_REFUSED,
	LOGLINE_ROLE_ENDED,
	LOGLINE_LOG_FAILED,
	LOGLINE_LOG_BACK,
	LOGLINE_GAP,
	LOGLINE_LOSS,
	LOGLINE_SESSION_LOST,
	LOGLINE_DOOR,
	LOGLINE_VERIFY,
	LOGLINE_OFF,
	LOGLINE_ON,
	LOGLINE_LIMIT,
	LOGLINE_SWITCH,
	LOGLINE_NOTIFY_FAILED,
	LOGLINE_IDS
};
/* A line with that id; session: field OPSEAL_SESSION, NULL: none. */
void logline_event(enum logline_id id, const char *session, const char *fmt,
    ...) OPS_PRINTF(3, 4);

/*
 * The same for what a peer can bring about as often as he likes: at most
 * LOGLINE_OFTEN_MAX lines in ten seconds, then a number of those left out.
 * After logline_share() a process counts together with all that it forks.
 */
#define LOGLINE_OFTEN_MAX 20
void logline_share(void);
void logline_often(const char *fmt, ...) OPS_PRINTF(1, 2);

#endif
