/*
 * settings - the configuration in force, from the supervisor to its roles.
 *
 * A page that the supervisor fills in, at its start and at each SIGHUP, and the
 * roles read.  It is sealed, so that nobody else can write it.  Who reads it
 * while it is written finds that its hash doesn't fit, and looks again.
 */
#ifndef OPS_DAEMON_SETTINGS_H
#define OPS_DAEMON_SETTINGS_H

#include <stdint.h>

#include "base/err.h"
#include "config/config.h"

#define SETTINGS_FAULT_MAX 240 /* bytes, NUL included */

struct settings {
	struct config config;
	uint64_t read; /* CLOCK_REALTIME: when the files were read */
	/* Why the newest files are not in force, and since when; "": they are. */
	char fault[SETTINGS_FAULT_MAX];
	uint64_t fault_time;
};

struct settings_page {
	uint8_t *p; /* mapped */
	int fd;     /* for the roles to inherit */
};

/* An empty one, which can't be read yet.  It is left to exit(). */
int settings_new(struct settings_page *ret, struct ops_err *err);
/* OPS_ENOMEM: what it says doesn't fit; the page is as before. */
int settings_write(
    struct settings_page *page, const struct settings *s, struct ops_err *err);
/* By the descriptor alone. */
int settings_read(int fd, struct settings *ret, struct ops_err *err);

#endif
