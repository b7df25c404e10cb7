/*
 * switchword - the writer's word to the supervisor: is recording switched off?
 *
 * The supervisor makes the pipe before it starts the first writer, and hands the end
 * that is written to writers alone (ROLE_FD_SWITCH).  So what is heard here is the
 * writer's, which goes by the log; no other role, and no file that one could write,
 * ends capture or tells the doors anything.  Each packet is the payload of a DAEMON
 * event (store/offswitch.h).  A writer says it as it starts, before it is ready, and
 * each time it is switched.
 */
#ifndef OPS_DAEMON_SWITCHWORD_H
#define OPS_DAEMON_SWITCHWORD_H

#include <stdbool.h>

#include "store/offswitch.h"

/* fd[0] is the supervisor's, fd[1] the writers'.  Neither waits. */
int switchword_open(int fd[2], struct ops_err *err);
/* False: there is no room just now, or no memory; say it again later. */
bool switchword_say(int fd, const struct offswitch *s);
/* The newest word; false: there is none.  One that can't be understood is logged. */
bool switchword_hear(int fd, struct offswitch *ret);

/* Which off it is, for a signal that answers it; 0: on. */
static inline int
switchword_number(const struct offswitch *s)
{
	return s->off ? (int)(s->realtime & INT32_MAX) : 0;
}

#endif
