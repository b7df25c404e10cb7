/*
 * doornews - /etc/opseal/door (base/doorpolicy.h), which the supervisor writes: what
 * the door does where no daemon answers.
 *
 * Written as a configuration comes into force and as recording is switched, and only if
 * something in it is another.  Only by a daemon that root runs with the host's own
 * configuration: a private instance has no say at the host's doors.
 */
#ifndef OPS_DAEMON_DOORNEWS_H
#define OPS_DAEMON_DOORNEWS_H

#include "config/config_files.h"
#include "store/offswitch.h"

/* off NULL: not known yet, it stays as the file has it.  A group that can't be looked up just now is the one that the file has by that
 * name.  What can't be written is said: the door goes by the file that is there. */
void doornews(const struct config_where *where, const struct config *c,
    const struct offswitch *off);

#endif
