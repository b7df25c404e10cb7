/*
 * query_who - who asks on control.sock, and whether he may read everything:
 * root, the daemon's own user, and members of the group opseal-read.
 */
#ifndef OPS_DAEMON_QUERY_WHO_H
#define OPS_DAEMON_QUERY_WHO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/msg.h"
#include "store/logins.h"

#define READERS_GROUP "opseal-read"

struct query_who {
	struct msg_peer peer;
	uint32_t auid;  /* EVENT_UNSET if there is none */
	char user[257]; /* name of the uid, or "" */
	bool full;      /* may read everything */
	/* By which login he came: who isn't full reads what is of the same
	 * person only.  Its texts are here. */
	struct login_way way;
	uint8_t ancestors[EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN];
};

/* own: the daemon's uid. */
int query_who(int conn, uid_t own, struct query_who *ret, struct ops_err *err);

#endif
