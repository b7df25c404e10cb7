/*
 * setupplan - what `opseal setup` would change on this host, and why not more.
 */
#ifndef OPS_CLI_SETUPPLAN_H
#define OPS_CLI_SETUPPLAN_H

#include "accounts.h"
#include "setuphost.h"

struct setupplan_wish {
	const char *kind; /* "shell", "force" */
	const char *door; /* doorpath_login() */
	bool sftp_server; /* in place of internal-sftp */
	struct accounts_wish accounts;
};

struct setupplan_result {
	size_t recorded; /* accounts, when all is made */
	size_t refused;  /* that were chosen, and can't have this door */
	bool sshd;       /* it must read its configuration again */
};

/* Fill h->plan and make h->state what it will be.  h->notes says what is left out,
 * and what was changed by hand. */
int setupplan_make(struct setuphost *h, const struct setupplan_wish *wish,
    struct setupplan_result *ret, struct ops_err *err);

#endif
