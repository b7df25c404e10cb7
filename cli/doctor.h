/*
 * doctor - what the parts of `opseal doctor` share: what was learnt of this host, and
 * the verdicts so far.
 */
#ifndef OPS_CLI_DOCTOR_H
#define OPS_CLI_DOCTOR_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "cli.h"
#include "doorpath.h"
#include "ipc/proto.h"
#include "remote.h"
#include "setuphost.h"
#include "verdict.h"

struct doctor {
	struct cli *cli;
	bool root;
	bool quick;            /* nothing is started */
	struct remote *remote; /* NULL: no daemon answers, and why */
	struct ops_err no_remote;
	bool has_status;
	struct proto_status status; /* texts point into answer */
	struct ops_buf answer;
	/* What logins go by; "": there is none, and why. */
	char door[DOORPATH_MAX];
	struct ops_err no_door;
	bool forced;   /* by sshd's ForceCommand */
	bool no_doors; /* nothing is set up, and no account has one */
	bool has_host; /* as root: what was set up; else why not */
	struct setuphost host;
	struct ops_err no_host;
	struct verdicts all;
};

/* Are programs captured now? */
static inline bool
doctor_captures(const struct doctor *d)
{
	return d->has_status && d->status.capture == CAPTURE_ON;
}

/* What nothing but capture sees: events alone, if it does. */
static inline enum verdict_kind
doctor_events(const struct doctor *d)
{
	return doctor_captures(d) ? VERDICT_EVENTS : VERDICT_UNCOVERED;
}

/* A row of one of the tables: all that it finds goes to d->all, under its name. */
struct doctor_check {
	const char *name;
	void (*look)(struct doctor *d, const char *name);
};

/* The ways to work on this host, and around the doors (ways.c). */
void ways_look(struct doctor *d);
/* Has an account of /etc/passwd the door?  If it can't be read it may. */
bool doorcheck_any(const struct doctor *d);
/* Whose logins go by a door (doorcheck.c). */
void doorcheck_look(struct doctor *d);
/* What else opseal needs here (hostcheck.c). */
void hostcheck_look(struct doctor *d);

#endif
