/*
 * heard - what the daemon and the recorder may say to the door, and when.  Bytes
 * in, struct out; what follows from it is up to ask.c and terminal.c.
 *
 * Fuzzed: heard
 */
#ifndef OPS_DOOR_HEARD_H
#define OPS_DOOR_HEARD_H

#include <stdbool.h>

#include "base/err.h"
#include "ipc/msg.h"

#define HEARD_WHY 400 /* bytes of text */

enum heard_state {
	HEARD_ASKED,    /* the request was sent */
	HEARD_RUNNING,  /* the session goes on */
	HEARD_STOPPING, /* DOOR_STOP was sent */
};

struct heard {
	bool go;                 /* DOOR_GO */
	bool asking;             /* DOOR_ASKING */
	bool stop_ok;            /* DOOR_STOP_OK */
	bool bye;                /* DOOR_BYE */
	bool refused;            /* and not all that was written was shown */
	bool end;                /* DOOR_END */
	bool off;                /* DOOR_OFF: recording is switched off, */
	char why[HEARD_WHY + 1]; /* by whom and why; it can be printed */
};

/* Take one message: one of *ret becomes true, the rest stays as it is.  -1 with
 * *ret untouched: OPS_EPERM, the session is refused, in the daemon's words;
 * OPS_EFORMAT, it isn't for the door or not now.  The descriptors of m, which
 * none of them may have, are closed. */
int heard_take(struct heard *ret, enum heard_state state, struct msg *m,
    struct ops_err *err);

#endif
