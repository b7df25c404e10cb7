/*
 * reload - the supervisor's side of the configuration: read at the start and
 * again at SIGHUP, checked before anything is changed, and put where the roles
 * read it (settings.h).
 *
 * What is wrong is said, each mistake with its file and line, and what was in
 * force stays in force.
 */
#ifndef OPS_DAEMON_RELOAD_H
#define OPS_DAEMON_RELOAD_H

#include "base/crypto.h"
#include "base/err.h"
#include "config/config_files.h"
#include "drop.h"
#include "settings.h"

struct reload {
	const struct config_where *where; /* absolute; borrowed */
	struct drop_user user; /* who must be able to read the rules */
	struct settings now;   /* what is in force */
	struct page page;
	uint8_t rules[OPS_HASH_LEN]; /* of the file mask_rules; zero: none */
};

/* now is what the files say.  The page is left to exit(). */
int reload_init(struct reload *r, const struct config_where *where,
    const struct config *now, const struct drop_user *user,
    struct ops_err *err);

#define RELOAD_TOLD 0x100u /* the page is another: who reads it is to look */
/* RELOAD_TOLD or 0, and the kinds of keys that changed (enum config_change). */
unsigned reload_again(struct reload *r);

#endif
