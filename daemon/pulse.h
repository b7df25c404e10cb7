/*
 * pulse - a role shows its supervisor that its loop still turns.
 *
 * A byte goes up the pipe of role_ready() every PULSE_EVERY; a role that is
 * watched (role.h) and sends none for PULSE_MISSES of these is killed and
 * started again.
 */
#ifndef OPS_DAEMON_PULSE_H
#define OPS_DAEMON_PULSE_H

#include <stdint.h>

#include "loop.h"

#define PULSE_EVERY UINT64_C(3000000000) /* ns */
#define PULSE_MISSES 4

struct pulse {
	struct watch timer; /* first: a watch is its pulse */
	int fd;             /* -1: not watched */
};

/* From now on, until the loop ends.  pipe: the caller's, non-blocking. */
int pulse_start(struct pulse *p, struct loop *l, int pipe, struct ops_err *err);

#endif
