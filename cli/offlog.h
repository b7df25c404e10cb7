/*
 * offlog - off and on where no daemon runs: the store's log itself says it.
 *
 * What no log says nobody goes by (store/switchlog.h), so the command writes that log
 * as the daemon would: it opens the store as its writer, which also recovers what a
 * crash left, puts the event, waits until it is durable, and closes it again.  To the
 * log that is a short run of the daemon.
 */
#ifndef OPS_CLI_OFFLOG_H
#define OPS_CLI_OFFLOG_H

#include <stddef.h>

#include "store/offswitch.h"

/* As the store's owner.  1: it is switched, and STORE/switch says so.  0: it was so
 * already; text: of off, by whom and why.  OPS_EBUSY: a daemon writes this store. */
int offlog_switch(struct vfs *v, const struct offswitch *to, char *text,
    size_t size, struct ops_err *err);

#endif
