/*
 * notifier - the command of `notify`: one finding after the other on its stdin,
 * as JSON.
 *
 * The supervisor starts it, since only it may: as another user than opseald's
 * own, who can neither read nor write the log; one at a time; killed with all
 * that it started after its time.  What waits is bounded, and what finds no room
 * is counted, and the next one to begin is told how many: where there was no room
 * one waits.  Nothing here ever waits.
 */
#ifndef OPS_DAEMON_NOTIFIER_H
#define OPS_DAEMON_NOTIFIER_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/command.h"
#include "config/config.h"
#include "ipc/proto.h"

#define NOTIFIER_QUEUE 64 /* findings */

struct notifier_finding {
	struct proto_alert f; /* its text is copied here */
	uint8_t detail[EVENT_TEXT_MAX];
};

struct notifier {
	bool on;
	struct command command;
	bool change; /* become uid and gid; else it is whoever we are */
	uid_t uid;
	gid_t gid;
	uint64_t timeout; /* ns */
	struct notifier_finding queue[NOTIFIER_QUEUE];
	unsigned first, n;
	unsigned dropped; /* since the last that began */
	pid_t pid;        /* 0: none runs */
	bool killed;
	uint64_t deadline; /* BOOTTIME */
};

/* What the configuration says.  OPS_EUSAGE: there is no such user; then nobody is
 * told.  change: we are root and shall become that user. */
int notifier_set(struct notifier *n, const struct config *c, bool change,
    struct ops_err *err);

/* Queue a copy; nothing where there is no command. */
void notifier_add(struct notifier *n, const struct proto_alert *f);
/* Start what is next, kill what is late.  When to come again: BOOTTIME, UINT64_MAX
 * if there is nothing to wait for but a child's end. */
uint64_t notifier_look(struct notifier *n, uint64_t now);
/* A child has ended and is not waited for yet: if it is ours, what it started ends,
 * too. */
void notifier_ends(const struct notifier *n, pid_t pid);
/* It was waited for; nothing happens if it isn't ours. */
void notifier_ended(struct notifier *n, pid_t pid, int status);
/* Something runs or waits. */
bool notifier_busy(const struct notifier *n);
/* We end: kill what runs. */
void notifier_kill(struct notifier *n);

#endif
