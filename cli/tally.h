/*
 * tally - what one walk over the records of a session finds: its timeline, in words and
 * in JSON, and how much there is and isn't.
 */
#ifndef OPS_CLI_TALLY_H
#define OPS_CLI_TALLY_H

#include <stdint.h>

#include "base/buf.h"
#include "said.h"
#include "screen.h"
#include "store/programs.h"
#include "store/session.h"

#define TALLY_LABEL 10 /* columns before a line of the timeline */

struct tally {
	struct ops_buf timeline;
	struct ops_buf json; /* the same, as members of an array */
	uint64_t from;       /* the timeline begins here, ns */
	const struct session *s;
	const struct program_list *programs; /* its commands, what was lost, and
					      * off and on, */
	size_t next;                         /* from this on not told yet */
	struct said said;                    /* its notes, the same way */
	uint64_t commands;                   /* that ran, or should have */
	uint64_t records, output, input, unsealed;
	struct ops_buf holes; /* records that are missing, in words */
	uint64_t missing;     /* how many */
	uint64_t gone;        /* and how many have expired, */
	const struct leaf_tombstone *rule; /* by this rule */
};

/*
 * Walk over sc to its end; what is before from, ns since the session began, is counted,
 * but isn't in the timeline.  s, programs and notes must outlive *ret, which must be
 * freed, even on failure: it has become too long, or there is no memory.
 */
int tally_read(const struct session *s, struct screen *sc, uint64_t from,
    const struct program_list *programs, const struct remark_list *notes,
    struct tally *ret, struct ops_err *err);
void tally_free(struct tally *t);

#endif
