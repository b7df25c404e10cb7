/*
 * supervisor - starts the roles, starts again what dies, ends them in order.
 *
 * It handles no message of any peer, reads no store, and as root keeps only
 * the rights to change ids and to send signals, and to switch the kernel's
 * accounting if it is to.
 */
#ifndef OPS_DAEMON_SUPERVISOR_H
#define OPS_DAEMON_SUPERVISOR_H

#include <stdbool.h>

#include "base/buf.h"

struct supervisor_opts {
	const char *store, *run;
	const struct ops_buf *config; /* text of the file, already checked */
	bool no_drop, no_capture;
	bool accounting; /* as the configuration says */
	bool to_syslog;  /* the roles' lines, and ours once all are ready */
	void (*ready)(void *arg); /* called once all roles answer */
	void *arg;
};

/* Until SIGTERM or SIGINT; gives the exit status.  Prints what went wrong. */
int supervise(const struct supervisor_opts *o);

#endif
