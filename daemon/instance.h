/*
 * instance - the two folders of a daemon and the sockets in RUN.
 *
 * A socket is bound under a temporary name and renamed when who takes it is ready
 * (the writer's), or everything is: so it appears only then, and takes the place of
 * one that a killed daemon left behind.  A lock on RUN/lock (flock(2), held by the supervisor
 * alone) says that nobody else's sockets are there.  Its mode is 0600: who can
 * open a file can lock it, and the folder is anybody's to open.
 *
 * A socket that the service manager listens on (passed.h) is used as it is, and
 * stays when this daemon ends: who connects meanwhile waits for the next one.
 */
#ifndef OPS_DAEMON_INSTANCE_H
#define OPS_DAEMON_INSTANCE_H

#include <sys/types.h>

#include "base/err.h"
#include "drop.h"
#include "passed.h"
#include "role.h"

struct instance {
	struct drop_user user;
	char *store; /* absolute; owned */
	char *run;
	int run_fd;          /* the folder, -1 if not open */
	int lock_fd;         /* -1: not locked */
	int listener[ROLES]; /* -1: the role has none */
	bool passed[ROLES];  /* the listener is the service manager's */
	bool shown[ROLES];   /* it has its name */
};

/* Make the folders where they are missing, check who owns them, bind what isn't
 * among the passed sockets, which are named session, record, control.  OPS_EBUSY,
 * and nothing is made: another daemon runs in RUN, on another store. */
int instance_open(const char *store, const char *run,
    const struct drop_user *user, const struct passed *passed,
    struct instance *ret, struct ops_err *err);
/* Lock RUN.  OPS_EBUSY: another daemon runs there. */
int instance_lock(struct instance *in, struct ops_err *err);
/* Give the socket of that role, if it is ours, its name. */
int instance_show(struct instance *in, enum role_id id, struct ops_err *err);
/* Remove the sockets and the lock, free; the listeners are left to exit(). */
void instance_close(struct instance *in);

#endif
