/*
 * supervisor - starts the roles, starts again what dies, ends them in order.
 *
 * It handles no message of any peer, reads of the store only whether recording is switched
 * off, and as root keeps only
 * the rights to change ids and to send signals, and to switch the kernel's
 * accounting if it is to.
 */
#ifndef OPS_DAEMON_SUPERVISOR_H
#define OPS_DAEMON_SUPERVISOR_H

#include <stdbool.h>

#include "config/config_files.h"
#include "passed.h"

struct supervisor_opts {
	const char *store, *run;
	const struct config_where *where; /* the files, by absolute paths */
	const struct config *config;      /* what they say now */
	struct passed passed;             /* sockets of the service manager */
	uint64_t
	    watchdog; /* ns within which it must hear of us; 0: it needn't */
	bool no_drop, no_capture;
	bool to_syslog; /* the roles' lines, and ours once all are ready */
	void (*ready)(void *arg); /* called once all roles answer */
	void *arg;
};

/* Until SIGTERM or SIGINT; SIGHUP reads the configuration again (reload.h).  Gives
 * the exit status.  Prints what went wrong. */
int supervise(const struct supervisor_opts *o);

#endif
