/*
 * drop - giving up what a process of opseald does not need.
 *
 * What is left afterwards is the table in ARCHITECTURE.md; a test compares it
 * with /proc/PID/status.
 */
#ifndef OPS_DAEMON_DROP_H
#define OPS_DAEMON_DROP_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define DROP_USER "opseal"

/* Capabilities a role may keep, as a mask.  LOOK: at the descriptors of other
 * users' processes: their folder is read, then what is behind one asked. */
#define DROP_LOOK                                                              \
	(UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_DAC_READ_SEARCH)

struct drop_user {
	bool change; /* false: stay who we are (not root, or --no-drop) */
	uid_t uid;
	gid_t gid;
};

/* Whom to become.  As root without no_drop: the user opseal, which must
 * exist.  Else this process's own effective ids. */
int drop_find_user(bool no_drop, struct drop_user *ret, struct ops_err *err);

/* A role: groups, gid, uid, capabilities but `keep`, no_new_privs, no core
 * files, not dumpable, ended with SIGTERM when `parent` ends. */
int drop_role(const struct drop_user *u, uint64_t keep, pid_t parent,
    struct ops_err *err);
#define DROP_CAPTURE                                                           \
	(UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON) /* to attach */
/* Give up what a role has kept, too. */
int drop_rest(const struct drop_user *u, struct ops_err *err);
/* Are all of these still there? */
bool drop_kept(uint64_t keep);

/* The supervisor: as root it keeps what starting and ending a role takes, and
 * `more`. */
#define DROP_ACCOUNT (UINT64_C(1) << CAP_SYS_PACCT)
int drop_supervisor(
    const struct drop_user *u, uint64_t more, struct ops_err *err);

/* Act on files as that user for a moment, and be oneself again. */
int drop_act_as(const struct drop_user *u, struct ops_err *err);
void drop_act_back(const struct drop_user *u);

#endif
