/*
 * policy - may a login go on unrecorded?  Asked where the door got no session, and said
 * by root's files and the kernel alone (doc/design/door.md, "Where nothing can be
 * recorded").
 */
#ifndef OPS_DOOR_POLICY_H
#define OPS_DOOR_POLICY_H

#include <stdbool.h>

#include "door.h"

struct policy {
	bool run;
	/* Both for a person to read; why says who decided, or "". */
	char trouble[480], why[128];
};

/* err: what door_ask() said. */
void policy_decide(
    const struct door *d, const struct ops_err *err, struct policy *ret);

/* One line of this process to the host's log, if anybody takes it there: that a login
 * goes on unrecorded, or doesn't.  Waits for nobody. */
void policy_note(const struct policy *p);

#endif
