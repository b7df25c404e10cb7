/*
 * capture_secrets - what of an event goes into the log: its arguments without their
 * secrets (capture_mask.h), and of its environment what is to be kept
 * (capture_env.h), without those that are in there.
 *
 * One event at a time, the first in order; it may be told in many turns, and is
 * looked at once.
 */
#ifndef OPS_DAEMON_CAPTURE_SECRETS_H
#define OPS_DAEMON_CAPTURE_SECRETS_H

#include <stdbool.h>

#include "base/buf.h"
#include "capture_mask.h"
#include "capture_order.h"

struct capture_secrets {
	struct mask *mask;    /* owned; NULL: arguments are kept as they are */
	const char *keep_env; /* names of variables; the owner's */
	bool looked, found;   /* of this event's arguments */
	struct ops_buf masked, env;
};

/* Change the views of the event, which must not be those of the order itself, to
 * what may be told; the memory of it lasts until capture_secrets_next().  Where it
 * can't be had, the part is left out: better none than secrets. */
void capture_secrets_hide(struct capture_secrets *s, struct order_event *ev);
/* That event is done with. */
void capture_secrets_next(struct capture_secrets *s);
void capture_secrets_free(struct capture_secrets *s);

#endif
