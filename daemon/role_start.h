/*
 * role_start - the supervisor's child becomes a role: the program again, with the
 * arguments that main.c reads and the descriptors of role.h.
 */
#ifndef OPS_DAEMON_ROLE_START_H
#define OPS_DAEMON_ROLE_START_H

#include <stdbool.h>
#include <sys/types.h>

#include "role.h"
#include "tracefs.h"

struct role_start {
	enum role_id id;
	const char *store, *run; /* absolute */
	bool no_drop, no_capture, to_syslog;
	struct tracepoints failed; /* capture's */
	struct drop_user user;     /* whom to become */
	pid_t parent;              /* the supervisor */
	int null;                  /* /dev/null */
	int ready, config;
	int listener, trouble, alerts, scopes, switches; /* -1: /dev/null */
};

/* In the child.  Returns only if it fails. */
void role_start(const struct role_start *r);

#endif
