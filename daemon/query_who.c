#include "query_who.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/peerfd.h"
#include "procid.h"

#define GROUPS_MAX 65536 /* NGROUPS_MAX, limits.h */

static bool
contains(const gid_t *groups, size_t n, gid_t gid)
{
	for (size_t i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* The groups the peer's process has (SO_PEERGROUPS). */
static bool
process_in_group(int conn, gid_t gid)
{
	socklen_t len = 0;
	gid_t *groups, none;
	bool in = false;

	if (getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, &none, &len) == 0 ||
	    errno != ERANGE || len > GROUPS_MAX * sizeof(gid_t))
		return false; /* none at all, or not to be known */
	groups = malloc(len);
	if (groups == NULL)
		return false;
	if (getsockopt(conn, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		in = contains(groups, len / sizeof(gid_t), gid);
	free(groups);
	return in;
}

/* The groups the user has: he was made a member after he logged in. */
static bool
user_in_group(const struct passwd *pw, gid_t gid)
{
	gid_t *groups = NULL;
	bool in = false;
	int n = 0;

	(void)getgrouplist(pw->pw_name, pw->pw_gid, NULL, &n);
	if (n <= 0 || n > GROUPS_MAX)
		return false;
	groups = malloc((size_t)n * sizeof(gid_t));
	if (groups == NULL)
		return false;
	if (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) > 0)
		in = contains(groups, (size_t)n, gid);
	free(groups);
	return in;
}

static bool
is_reader(int conn, const struct msg_peer *peer, const struct passwd *pw)
{
	const struct group *gr = getgrnam(READERS_GROUP);

	if (gr == NULL)
		return false;
	return peer->gid == gr->gr_gid || process_in_group(conn, gr->gr_gid) ||
	       (pw != NULL && user_in_group(pw, gr->gr_gid));
}

/* A reader whose boot isn't known is nobody's, and reads no person's. */
static void
find_way(struct query_who *who, const struct procid *id)
{
	struct login_way *w = &who->way;

	w->ses = id->ses;
	w->when = ops_boottime();
	w->self = (struct event_process){ (uint32_t)who->peer.pid, id->start };
	w->ancestors.n =
	    procid_ancestors(who->peer.pid, id->start, who->ancestors);
	w->ancestors.p = who->ancestors;
	if (ops_boot_id(w->boot, NULL) < 0)
		memset(w->boot, 0, sizeof(w->boot));
}

int
query_who(int conn, uid_t own, struct query_who *ret, struct ops_err *err)
{
	struct query_who who = { 0 };
	const struct passwd *pw;
	struct procid id;
	int pidfd, rc;

	if (msg_peer(conn, &who.peer, err) < 0 ||
	    peerfd_get(conn, &pidfd, err) < 0)
		return -1;
	rc = procid_read(pidfd, who.peer.pid, &id, err);
	if (rc == 0)
		find_way(&who, &id);
	close(pidfd);
	if (rc < 0)
		return -1;
	who.auid = id.auid;
	pw = getpwuid(who.peer.uid);
	if (pw != NULL)
		(void)snprintf(who.user, sizeof(who.user), "%s", pw->pw_name);
	who.full = who.peer.uid == 0 || who.peer.uid == own ||
		   is_reader(conn, &who.peer, pw);
	*ret = who;
	ret->way.ancestors.p = ret->ancestors;
	return 0;
}
