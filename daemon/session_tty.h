/*
 * session_tty - the two terminals that come with a DOOR_OPEN.  A peer may
 * pass any descriptor; only real terminals of the right kind are taken.
 */
#ifndef OPS_DAEMON_SESSION_TTY_H
#define OPS_DAEMON_SESSION_TTY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

#define SESSION_TTY_NAME 64

struct session_tty {
	/* "pts/3", by its number: no path that the peer chose.  "pts/3 of another
	 * devpts": a container's.  "pts/3 as /dev/tty": either. */
	char outer[SESSION_TTY_NAME];
	char inner[SESSION_TTY_NAME];
	uint32_t inner_fs, inner_dev; /* as in struct event_open */
	uint16_t cols, rows;          /* of the outer one */
};

/*
 * outer must be a terminal open for reading and writing; master a pty master
 * whose slave belongs to uid and is not the outer terminal itself.
 */
int session_tty_check(int outer, int master, uid_t uid, struct session_tty *ret,
    struct ops_err *err);

#endif
