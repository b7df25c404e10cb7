/*
 * tell - the module's word with the daemon's writer, on RUN/record.sock.
 */
#ifndef OPS_PAM_TELL_H
#define OPS_PAM_TELL_H

#include <stdint.h>

#include "arguments.h"
#include "base/buf.h"
#include "base/err.h"

/*
 * Send one message (MSG_LOGIN, MSG_LOGOUT) and wait until it is durable, for
 * a->timeout seconds at most.  -1: OPS_EUNAVAIL, nobody is there to take it or
 * the log can't be written; OPS_EBUSY, no answer in time.
 */
int tell(const struct arguments *a, uint16_t type, const struct ops_buf *body,
    struct ops_err *err);

/* Can the log be written now?  0, or -1 as above. */
int tell_ask(const struct arguments *a, struct ops_err *err);

#endif
