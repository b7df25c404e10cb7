/*
 * rolebox - which sandbox each role enters, once it has what it needs.
 *
 *	index		STORE/log and data to read, STORE/index to write: SANDBOX_SHUT
 *	session, query	no file to write: SANDBOX_NO_WRITE; so have their children, and
 *			the recorders, which session executes
 *	scan		no file to write: SANDBOX_LOOK
 *	writer, capture	none: the first writes the store, the other RUN/account
 */
#ifndef OPS_DAEMON_ROLEBOX_H
#define OPS_DAEMON_ROLEBOX_H

#include "base/err.h"
#include "role.h"

/* The folders are there.  *lacks: NULL, or what this kernel doesn't have, without which
 * the role goes on.  -1: the kernel has it and refuses. */
int rolebox_enter(enum role_id id, const char *store, const char **lacks,
    struct ops_err *err);

#endif
