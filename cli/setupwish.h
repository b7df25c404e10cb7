/*
 * setupwish - whom setup is to be made for: by its options, and what was set up.
 */
#ifndef OPS_CLI_SETUPWISH_H
#define OPS_CLI_SETUPWISH_H

#include "cli.h"
#include "setupplan.h"
#include "setupstate.h"

struct setupwish {
	struct setupplan_wish plan; /* kind and door are the caller's to set */
	const char **also;          /* owned; plan.accounts.also */
};

/* Fill in the accounts.  Without names in o: all people, and who is recorded already;
 * with o->check only what was set up.  o, s and what they hold must outlive it.
 * OPS_EUSAGE: another door than this was set up. */
int setupwish_make(const struct setup_opts *o, const struct setupstate *s,
    struct setupwish *wish, struct ops_err *err);
void setupwish_free(struct setupwish *wish);

#endif
