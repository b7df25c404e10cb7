/*
 * excuse - why a login has no session, if there is a good reason.  Pure.
 */
#ifndef OPS_CLI_EXCUSE_H
#define OPS_CLI_EXCUSE_H

#include <stdbool.h>
#include <stdint.h>

#include "record/event.h"

struct excuse_facts {
	struct event_text service; /* that PAM told of it; absent: it didn't */
	struct event_text
	    program;       /* of its oldest process that lives; or absent */
	uint32_t uid;      /* of the account */
	bool has_ses;      /* the kernel set an audit session */
	bool fresh;        /* what it did may not be in the log yet */
	bool captured;     /* programs were captured, so this is known: */
	uint64_t programs; /* that the account executed in it */
	bool knows_shell;  /* what its shell is now: */
	bool door;         /* the door */
};

/* In one clause.  NULL: none is known. */
const char *excuse_of(const struct excuse_facts *f);

#endif
