/*
 * logswitch - that recording was switched off and on, as lines among the programs of
 * `opseal log`.
 *
 * They say nothing of whose program is asked for, and yet why one may not be there: so
 * they stand among whatever is found, as what was lost does.
 */
#ifndef OPS_CLI_LOGSWITCH_H
#define OPS_CLI_LOGSWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "cli.h"
#include "store/programs.h"
#include "store/switches.h"

/* What was known at the last look; zero at first. */
struct logswitch {
	bool looked;
	uint64_t off_since;
};

/* May there be any in the time of l, which is what f found, or since the last look?
 * To ask for them all events are read.  But who reads the store itself knows when the
 * newest was; and capture ends with each off, which leaves a hole in what ran, and
 * whether it is off now the daemon says at once. */
bool logswitch_may_be(struct cli *cli, const struct program_filter *f,
    const struct program_list *l, struct logswitch *last);

/* Put those of f's time into l, which has the order of its times and keeps it; with
 * f->newest none that is older than all of l.  What l then has of them borrows from
 * all. */
int logswitch_put(const struct switches *all, const struct program_filter *f,
    struct program_list *l, struct ops_err *err);

#endif
