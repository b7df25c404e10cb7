/*
 * offlook - the supervisor's side of `opseal off` (store/offswitch.h): is recording
 * switched off?  Then capture doesn't run, nor the kernel's accounting.
 *
 * The writer says so once the log has it, and that is what is gone by: what the
 * writer left in the store.  One that can't be read is none.
 */
#ifndef OPS_DAEMON_OFFLOOK_H
#define OPS_DAEMON_OFFLOOK_H

#include "store/offswitch.h"

/* What STORE says now; off is false if nothing does. */
void offlook(const char *store, struct offswitch *ret);

#endif
