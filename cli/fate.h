/*
 * fate - what became of a program: that it ended is in the log, or that it went on
 * as another one.  Of the rest /proc says what runs on this machine.
 */
#ifndef OPS_CLI_FATE_H
#define OPS_CLI_FATE_H

#include "store/programs.h"

enum fate {
	FATE_ENDED,
	FATE_REPLACED, /* its process executed something else */
	FATE_RUNS,     /* here and now */
	FATE_PENDING, /* it just began, and runs no more: its end is not here yet */
	FATE_UNKNOWN, /* its end is not in the log: capture ended, or the machine
		       * did; or it ran long, and ended a moment ago */
	FATE_FAILED,  /* it never ran */
	FATE_NONE,    /* no program at all */
};

enum fate fate_of(const struct program *p);
/* "ended", "replaced", "running", "pending", "unknown", "failed"; NULL: FATE_NONE. */
const char *fate_name(enum fate f);

#endif
