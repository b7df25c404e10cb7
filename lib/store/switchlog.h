/*
 * switchlog - what the log says of off and on (record/event.h, DAEMON_OFF and
 * DAEMON_ON).
 *
 * STORE/switch (offswitch.h) is a hint: whoever runs as the log's user can write it.
 * The log binds, since only the writer can sign it.  Off is in force if the newest of
 * these events is DAEMON_OFF and no run of the daemon came behind it that didn't say
 * it once more.  A run that came no further than its own start counts for nothing: it
 * was killed before it could say so.
 *
 * Reads back from the newest sealed event, SWITCHLOG_FRAMES frames at most; so a hint
 * that is false costs no more than that.
 */
#ifndef OPS_SWITCHLOG_H
#define OPS_SWITCHLOG_H

#include "offswitch.h"

#define SWITCHLOG_FRAMES 65536

/* What is in force; ret->off false, and nothing else: recording is on.  -1: the log
 * can't be read so far back (damaged, expired, or too far), so it says nothing. */
int switchlog_find(struct vfs *v, struct offswitch *ret, struct ops_err *err);

#endif
