#include "glass.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "ipc/msg.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif
#define ROOM_MIN ((size_t)16 << 10)
#define ROOM_MAX ((size_t)8 << 20)
#define GROUPS_MAX 65536 /* of a process, in Linux */

static int
find(const char *name, char *room, size_t size, gid_t *ret, struct ops_err *err)
{
	struct group g, *found;

	errno = getgrnam_r(name, &g, room, size, &found);
	if (errno != 0)
		return ops_fail_errno(err, "break_glass: group %s", name);
	if (found == NULL)
		return ops_fail(err, OPS_ENOENT,
		    "break_glass: there is no group %s; nobody is in it", name);
	*ret = g.gr_gid;
	return 0;
}

int
glass_find(const char *name, gid_t *ret, struct ops_err *err)
{
	struct ops_err why = { 0 };
	int rc = -1;

	/* All its members go there. */
	for (size_t size = ROOM_MIN; size <= ROOM_MAX; size *= 8) {
		char *room = malloc(size);

		if (room == NULL)
			return ops_fail(
			    err, OPS_ENOMEM, "break_glass: no memory");
		rc = find(name, room, size, ret, &why);
		free(room);
		if (rc == 0 || why.sys != ERANGE)
			break;
	}
	if (rc < 0 && err != NULL)
		*err = why;
	return rc;
}

bool
glass_member(int conn, gid_t group)
{
	struct msg_peer peer;
	socklen_t size = GROUPS_MAX * sizeof(gid_t);
	gid_t *groups;
	bool found;

	if (msg_peer(conn, &peer, NULL) < 0)
		return false;
	if (peer.gid == group)
		return true;
	groups = malloc(size);
	if (groups == NULL)
		return false;
	found = false;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
		for (size_t i = 0; i < size / sizeof(gid_t); i++)
			found |= groups[i] == group;
	free(groups);
	return found;
}
