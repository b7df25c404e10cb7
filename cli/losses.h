/*
 * losses - what capture lost, when it did not run, and when recording was switched off
 * and on, as one session has it.
 *
 * Nothing of it says whose it was: it may have been of any session that went on
 * then.  Times are of CLOCK_BOOTTIME, but over a restart of the machine, where only
 * the wall clock went on.
 */
#ifndef OPS_LOSSES_H
#define OPS_LOSSES_H

#include <stdint.h>

#include "store/programs.h"
#include "store/session.h"

/* Keep of PROGRAM_LOST what may have been of that session, of PROGRAM_SWITCHED what was
 * while it went on, and all else; l in the order of its times.  Of an imported session
 * nothing was captured. */
void losses_keep(struct program_list *l, const struct session *s);

/* When a program's line comes in its session, ns since its begin; 0 too for what was
 * before.  What was lost is told when that was noticed; over a restart, when it
 * began. */
uint64_t losses_offset(const struct program *p, const struct session *s);

#endif
