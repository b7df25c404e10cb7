/*
 * guard - no system call of the recorder lasts.
 *
 * What the door handed over is its user's as well.  He can take O_NONBLOCK off
 * the terminals while we rely on it, or leave us a socket whose close() waits
 * for a peer that never answers.  So a timer interrupts whatever takes longer
 * than a moment, again and again until the loop is back; its call then says
 * EINTR, and means "not now".
 *
 * The timer is set at intervals while there is something to do, not for each
 * call, and is off while there is nothing.  It is the process's ITIMER_REAL.
 */
#ifndef OPS_GUARD_H
#define OPS_GUARD_H

#include <stdint.h>

#define GUARD_MS 1000             /* longest time in one call, */
#define GUARD_AGAIN_MS 50         /* and in each that follows it */
#define GUARD_RENEW_NS 500000000u /* the timer is set that often */

struct guard {
	uint64_t renew; /* 0: the timer is off */
};

/* Have SIGALRM interrupt.  0, or -1 with errno. */
int guard_init(void);
/* Something is to be done from now on. */
void guard_set(struct guard *g, uint64_t now);
/* Nothing is. */
void guard_rest(struct guard *g);

#endif
