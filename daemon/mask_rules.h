/*
 * mask_rules - what the configuration says is a secret (mask, mask_rules), for the
 * roles that write down arguments; see capture_mask.h.
 */
#ifndef OPS_DAEMON_MASK_RULES_H
#define OPS_DAEMON_MASK_RULES_H

#include "base/err.h"
#include "capture_mask.h"
#include "config/config.h"

/* *ret NULL: arguments are kept as they are (mask = off); else the caller's, to be
 * freed, and without a key.  Errors name the file and the line. */
int mask_rules_load(
    const struct config *c, struct mask **ret, struct ops_err *err);

#endif
