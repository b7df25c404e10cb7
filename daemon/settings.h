/*
 * settings - the configuration in force, from the supervisor to its roles.
 *
 * A page that the supervisor fills in, at its start and at each SIGHUP, and the
 * roles read (see page.h).  Who reads it while it is written finds that its hash
 * doesn't fit, and looks again.
 */
#ifndef OPS_DAEMON_SETTINGS_H
#define OPS_DAEMON_SETTINGS_H

#include <stdint.h>

#include "base/err.h"
#include "config/config.h"
#include "page.h"

#define SETTINGS_FAULT_MAX 240 /* bytes, NUL included */

struct settings {
	struct config config;
	uint64_t read; /* CLOCK_REALTIME: when the files were read */
	/* Why the newest files are not in force, and since when; "": they are. */
	char fault[SETTINGS_FAULT_MAX];
	uint64_t fault_time;
};

/* An empty one, which can't be read yet. */
int settings_new(struct page *ret, struct ops_err *err);
/* OPS_ENOMEM: what it says doesn't fit; the page is as before. */
int settings_write(
    struct page *page, const struct settings *s, struct ops_err *err);
/* By the descriptor alone. */
int settings_read(int fd, struct settings *ret, struct ops_err *err);

#endif
