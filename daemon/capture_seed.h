/*
 * capture_seed - the processes that ran before capture did, from /proc.
 *
 * To be called after capture has been attached, so that nobody falls between:
 * who is in both is known twice, and capture_procs keeps what is exact.  Read
 * without any right, so paths are missing and the rest is what a process lets
 * everybody see of itself; it is marked PROGRAM_SEEDED.
 */
#ifndef OPS_DAEMON_CAPTURE_SEED_H
#define OPS_DAEMON_CAPTURE_SEED_H

#include "base/err.h"
#include "capture_mask.h"
#include "capture_procs.h"
#include "capture_record.h"

/*
 * Fill p, and put a REC_EXEC of each at time now (mask NULL: arguments as they
 * are), from pid *from on, in the order of the pids.  1: that's all.  0: the sink has
 * no room; call again, *from says where it goes on.  -1: /proc can't be read, or no
 * memory.
 */
int capture_seed(struct procs *p, uint64_t now, const struct mask *mask,
    const struct capture_sink *sink, uint32_t *from, struct ops_err *err);

#endif
