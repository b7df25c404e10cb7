/*
 * account_switch - the kernel's process accounting, acct(2), switched on into
 * files of our own, from one to the next, and off.
 *
 * It is the supervisor's: acct(2) takes CAP_SYS_PACCT, and no role that reads
 * anything may have that.  The files are account_file.h's.
 *
 * There is one accounting a pid namespace, and the kernel doesn't say whether it
 * is on, nor into which file.  So we look: a process of our own ends, and if one
 * of the files in which accounting is usually kept has grown then, somebody
 * else has it, and we leave it alone.  In the same way we see whether it still
 * goes into our own file before it is switched: who took it meanwhile keeps it.
 * What goes into a file of a name unknown to us can't be seen.
 *
 * Where no process can be made, or the kernel has paused for want of space, it
 * can't be known: then it is ours until we know better, and is switched off at
 * the end.
 */
#ifndef OPS_DAEMON_ACCOUNT_SWITCH_H
#define OPS_DAEMON_ACCOUNT_SWITCH_H

#include <stdbool.h>
#include <stdint.h>

#include "drop.h"

#define ACCOUNT_FILE_FULL (256 << 10) /* bytes: go on in another file */
#define ACCOUNT_FILE_MAX (64 << 20)   /* nobody reads it: switch it off */

/* dir and fd are -1 at first. */
struct account_switch {
	const char *run;
	const struct drop_user *user;
	int dir, fd;     /* the folder; the file that the kernel writes */
	uint64_t number; /* of the file */
	bool on;
	uint64_t tight; /* BOOTTIME until which it may be paused */
};

/* What can't be is logged and left in ACCOUNT_STATE; run and user are borrowed.
 * The daemon goes on without it. */
void account_switch_on(
    struct account_switch *a, const char *run, const struct drop_user *user);
/* Every few seconds: to another file, if this one is full and the one before
 * is read. */
void account_switch_look(struct account_switch *a);
/* Off; what was written is complete then. */
void account_switch_off(struct account_switch *a);
/* Is there anything of an earlier daemon? */
bool account_switch_left(const char *run);
/* Where accounting is not wanted: switch it off if it still goes into the newest
 * file of a daemon that was killed.  What is unread stays. */
void account_switch_end_left(const char *run, const struct drop_user *user);
/* Remove the folder, if all in it has been read. */
void account_switch_close(struct account_switch *a);

#endif
