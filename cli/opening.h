/*
 * opening - how a login's first session began, by what its door's process executed,
 * where capture saw that: the account's shell (opseal-shell), or a door that
 * something else started (opseal-door, as `opseal record` and profiles do).
 *
 * What a store tells without programs is in visit.opened already.  Pure.
 */
#ifndef OPS_CLI_OPENING_H
#define OPS_CLI_OPENING_H

#include "base/err.h"
#include "store/programs.h"
#include "store/visits.h"

/* What such programs are called. */
#define OPENING_SHELL "opseal-shell"
#define OPENING_DOOR "opseal-door"

/* The time in which they executed them, CLOCK_REALTIME; 0, 0: there was none. */
void opening_span(const struct visits *all, uint64_t *since, uint64_t *until);

/* Correct visit.opened of all by the programs of one of these names and that time. */
int opening_judge(struct visits *all, const struct program_list *programs,
    struct ops_err *err);

#endif
