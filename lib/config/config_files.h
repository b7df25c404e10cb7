/*
 * config_files - the files that make up the configuration, read in their order:
 *
 *	VENDOR/NAME.conf	what the distribution ships
 *	MAIN			/etc/opseal/opseal.conf
 *	MAIN.d/NAME.conf	drop-ins
 *
 * Each folder in the order of its names (as bytes); the last that sets a key
 * counts.  A file of MAIN.d stands in the place of VENDOR's of the same name,
 * and an empty one, or a link to /dev/null, takes it away.  What begins with a
 * dot or doesn't end in .conf is no drop-in.
 */
#ifndef OPS_CONFIG_FILES_H
#define OPS_CONFIG_FILES_H

#include "config.h"

#define CONFIG_FILES_MAX 256 /* all together */

/* Borrowed. */
struct config_where {
	const char *main;
	bool must_exist;    /* MAIN: else a missing one is like an empty one */
	const char *vendor; /* folder, may be missing; NULL: none */
};

/* What they say together.  Zero-initialise; config_set_free(). */
struct config_set {
	struct config config;
	struct conf_place
	    place[CONF_KEYS_MAX];     /* a row of config_keys() each */
	char *file[CONFIG_FILES_MAX]; /* path of place.file - 1; owned */
	size_t n_files;
};

/*
 * Read them all, the rest also after a mistake: faults, if not NULL, hears of
 * each.  Whether values fit together (config_check()) is looked at if there is
 * no other mistake.  0, or -1 with the first in err and *ret untouched.
 */
int config_load(const struct config_where *where, struct config_set *ret,
    const struct conf_faults *faults, struct ops_err *err);

void config_set_free(struct config_set *s);

/* The place of a key's value as text: "default", or "FILE:LINE". */
void config_place_put(struct ops_buf *out, const struct config_set *s,
    const struct conf_place *place);

#endif
