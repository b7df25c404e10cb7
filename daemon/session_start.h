/*
 * session_start - from an accepted connection to a running opseal-rec.
 */
#ifndef OPS_DAEMON_SESSION_START_H
#define OPS_DAEMON_SESSION_START_H

#include "capture_mask.h"
#include "ipc/msg.h"
#include "procid.h"
#include "role.h"

#define SESSION_OPEN_SECONDS 5 /* for the door to say what it wants */

struct session_start {
	const struct role *role;
	const char *recorder; /* path of opseal-rec */
	int conn, pidfd;      /* of the door */
	struct msg_peer peer;
	struct procid id;
	uint32_t charge;         /* to whom it counts: charge.h */
	const struct mask *mask; /* of the command; NULL: it is kept as it is */
	const char *refuse;      /* not NULL: the answer is this */
	bool glass;              /* members of this group (glass.h) go on */
	gid_t glass_group;
};

/*
 * In a process of its own: a descriptor that a peer passes may hang whoever
 * looks at it (FUSE), and so may the name service.  Takes one DOOR_OPEN and
 * becomes opseal-rec, or answers DOOR_REFUSED and exits.
 */
void session_start(const struct session_start *s) __attribute__((noreturn));

/* Answer DOOR_REFUSED; text is cut to what a door takes. */
void session_refuse(int conn, const char *text);

#endif
