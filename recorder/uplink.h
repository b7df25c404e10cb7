/*
 * uplink - what is a recorder's own on its link to the writer.
 *
 * It names its session's terminals: the inner one for capture, the outer one for
 * who looks for others that have it open; and hears of those.  To a writer that
 * lacks what was acknowledged it tells the gap.
 *
 * Fuzzed: link
 */
#ifndef OPS_UPLINK_H
#define OPS_UPLINK_H

#include "ipc/link.h"

struct uplink {
	struct link *link;        /* its arg is this */
	struct proto_inner inner; /* for REC_INNER */
	struct proto_outer outer; /* for REC_OUTER; door 0: no terminal */
	/* Somebody else has it open; f is valid during the call. */
	void (*found)(void *arg, const struct proto_found *f);
	void *arg;
};

extern const struct link_owner uplink_owner;

/* Have it looked for who else has the terminal open, from now on anew. */
void uplink_outer(struct uplink *u, uint64_t now);

#endif
