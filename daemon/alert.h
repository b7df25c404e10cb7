/*
 * alert - what somebody should hear of: a line with an id (logline.h), and
 * for the supervisor, who may have a command to tell it to (notifier.h).
 */
#ifndef OPS_DAEMON_ALERT_H
#define OPS_DAEMON_ALERT_H

#include "base/buf.h"
#include "ipc/proto.h"
#include "logline.h"

/* "gap", "loss", ...; as JSON names it. */
const char *alert_name(uint32_t kind);
/* The id of its line. */
enum logline_id alert_line(uint32_t kind);

/* One JSON object, and a newline.  dropped: others that were, since the last. */
void alert_json(struct ops_buf *out, const struct proto_alert *f,
    const char *host, unsigned dropped);

/*
 * In a role: say it, and hand it to the supervisor by ROLE_FD_ALERTS.  Never
 * waits: what the supervisor has no room for was said, and that is all.
 * session: NULL if it is about none; count: 0 if nothing is counted.
 */
void alert_tell(enum alert_kind kind, const uint8_t *session, uint64_t count,
    const char *fmt, ...) OPS_PRINTF(4, 5);

#endif
