/*
 * role_session - the acceptor: a door asks for a session, it gets a recorder.
 *
 * Each connection gets a process at once (session_start.h) that becomes its
 * recorder.  The recorders outlive this role: they are in sessions of their
 * own and pass to init when it ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "charge.h"
#include "glass.h"
#include "handover.h"
#include "installed.h"
#include "ipc/msg.h"
#include "ipc/peerfd.h"
#include "logline.h"
#include "loop.h"
#include "mask_rules.h"
#include "procid.h"
#include "pulse.h"
#include "record/event.h"
#include "role.h"
#include "session_start.h"

#define SESSIONS_MAX 4096
#define SESSIONS_PER_UID 512
#define PENDING_MAX 1024 /* have not become a recorder yet */
#define PENDING_PER_UID 64
#define FLOOD_QUIET_NS UINT64_C(10000000000) /* between words about a flood */

struct session_role;

/* A process that is, or is to become, a recorder. */
struct started {
	struct watch watch; /* first; tie closed by exec, fd -1 from then on */
	struct session_role *r;
	pid_t pid;
	uint32_t owner; /* to whom it counts */
	struct started *next;
};

struct counts {
	unsigned all, same; /* recorders; of one owner */
	unsigned pending, pending_same;
};

struct session_role {
	struct role *role;
	struct loop loop;
	struct watch listen, signals;
	struct pulse pulse;
	struct handover handover;
	struct started *list;
	uint64_t quiet_until;
	bool glass; /* break_glass names a group, which has this number */
	gid_t glass_group;
	struct charges charges;
	struct mask *mask; /* of commands; NULL: they are kept as they are */
	uint8_t mask_key[MASK_KEY];
	struct ops_err failed; /* why the loop was stopped; OPS_OK: SIGTERM */
	char recorder[PATH_MAX];
};

#define ROLE_OF(w, member)                                                     \
	((struct session_role *)(void *)((char *)(w)-offsetof(                 \
	    struct session_role, member)))

static struct counts
count(const struct session_role *r, uint32_t owner)
{
	struct counts c = { 0 };

	for (const struct started *s = r->list; s != NULL; s = s->next) {
		bool pending = s->watch.fd >= 0, same = s->owner == owner;

		c.all += !pending;
		c.same += !pending && same;
		c.pending += pending;
		c.pending_same += pending && same;
	}
	return c;
}

static void
close_tie(struct started *s)
{
	if (s->watch.fd < 0)
		return;
	loop_remove(&s->r->loop, &s->watch);
	close(s->watch.fd);
	s->watch.fd = -1;
}

static void
on_exec(struct watch *w, uint32_t events)
{
	(void)events;
	close_tie((struct started *)w);
}

static void
forget(struct started **at)
{
	struct started *s = *at;

	close_tie(s);
	*at = s->next;
	free(s);
}

/* -- starting one -- */

/* From now on it counts.  If it can't be seen when it executes, it counts as a
 * recorder at once. */
static void
remember(struct session_role *r, struct started *s, int tie)
{
	struct ops_err err = { 0 };

	s->watch.fd = tie;
	s->next = r->list;
	r->list = s;
	if (loop_add(&r->loop, &s->watch, EPOLLIN, &err) < 0) {
		logline_often("session.sock: %s", err.msg);
		close(tie);
		s->watch.fd = -1;
	}
}

static int
fork_start(struct session_role *r, const struct session_start *start,
    struct ops_err *err)
{
	struct started *s = calloc(1, sizeof(*s));
	int tie;

	if (s == NULL)
		return ops_fail(err, OPS_ENOMEM, "session: no memory");
	*s = (struct started){
		.watch = { -1, on_exec }, .r = r, .owner = start->charge
	};
	s->pid = handover_fork(&r->handover, start->conn, &tie, err);
	if (s->pid == 0)
		session_start(start);
	if (s->pid < 0) {
		free(s);
		return -1;
	}
	remember(r, s, tie);
	return 0;
}

/* Root has no share: whoever can be root needs no way around. */
static int
has_room(struct session_role *r, struct session_start *s, struct ops_err *err)
{
	const struct counts c = count(r, s->charge);

	if (s->peer.uid == 0)
		return 0;
	if (c.pending >= PENDING_MAX || c.pending_same >= PENDING_PER_UID)
		return ops_fail(err, OPS_EBUSY,
		    "uid %u: too many connections that ask for nothing",
		    (unsigned)s->charge);
	if (c.all >= SESSIONS_MAX)
		s->refuse = "too many sessions are recorded at once";
	else if (c.same >= SESSIONS_PER_UID)
		s->refuse = "too many sessions of yours at once";
	return 0;
}

/* Whose share of the sessions it is. */
static uint32_t
charge(struct session_role *r, const struct session_start *s)
{
	const struct charge_who who = { s->peer.pid, s->id.start, s->peer.uid,
		s->id.auid, s->id.ses };

	return charge_of(&r->charges, &who, ops_boottime());
}

/* 0: the connection has a process.  -1: it is to be refused, and why. */
static int
serve(struct session_role *r, int conn, struct ops_err *err)
{
	struct session_start start = { .role = r->role,
		.mask = r->mask,
		.recorder = r->recorder,
		.glass = r->glass,
		.glass_group = r->glass_group,
		.conn = conn,
		.pidfd = -1 };
	int rc = -1;

	if (msg_peer(conn, &start.peer, err) < 0)
		return -1;
	/* Now, while the door waits for its answer: it all vanishes with it. */
	if (peerfd_get(conn, &start.pidfd, err) < 0)
		return -1;
	if (procid_read(start.pidfd, start.peer.pid, &start.id, err) == 0) {
		start.charge = charge(r, &start);
		if (has_room(r, &start, err) == 0)
			rc = fork_start(r, &start, err);
	}
	close(start.pidfd);
	return rc;
}

/* -- what wakes it -- */

/* Who floods us must not flood the journal as well. */
static void
complain(struct session_role *r, const struct ops_err *err)
{
	uint64_t now = ops_boottime();

	if (err->code == OPS_EBUSY) {
		if (now < r->quiet_until)
			return;
		r->quiet_until = now + FLOOD_QUIET_NS;
	}
	logline_often("session.sock: %s", err->msg);
}

static void
on_connection(struct watch *w, uint32_t events)
{
	struct session_role *r = ROLE_OF(w, listen);
	struct ops_err err = { 0 };

	(void)events;
	for (int i = 0; i < HANDOVER_TURN; i++) {
		int conn;

		err = (struct ops_err){ 0 };
		if (msg_accept(w->fd, &conn, &err) < 0) {
			if (err.code != OPS_EBUSY)
				logline_often("session.sock: %s", err.msg);
			break;
		}
		if (serve(r, conn, &err) == 0)
			continue;
		/* Never without an answer: that must not look as if nobody
		 * was there. */
		session_refuse(conn, err.msg);
		handover_refuse(&r->handover, conn);
		complain(r, &err);
	}
	if (handover_end(&r->handover, &r->failed) < 0)
		r->loop.stop = true;
}

static void
reap(struct session_role *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct started **at = &r->list;

		if (handover_reaped(&r->handover, pid))
			continue;
		while (*at != NULL && (*at)->pid != pid)
			at = &(*at)->next;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM)
			logline("recorder %d: ended by signal %d", (int)pid,
			    WTERMSIG(status));
		if (*at != NULL)
			forget(at);
	}
}

/* -- the settings -- */

/* Equal secrets are seen to be equal as long as this process lives; the log's own
 * key is for the role that parses nothing a user sends. */
static int
load_mask(struct session_role *r, struct ops_err *err)
{
	struct mask *mask;

	if (mask_rules_load(&r->role->config, &mask, err) < 0)
		return -1;
	if (mask != NULL)
		mask_key(mask, r->mask_key);
	mask_free(r->mask);
	r->mask = mask;
	return 0;
}

/* One that can't be looked up is nobody's: said, and no reason to end. */
static void
load_glass(struct session_role *r)
{
	const char *name = r->role->config.break_glass;
	struct ops_err err = { 0 };

	r->glass = false;
	if (name[0] == '\0')
		return;
	r->glass = glass_find(name, &r->glass_group, &err) == 0;
	if (!r->glass)
		logline("%s", err.msg);
}

/* For the sessions to come; those that are recorded keep theirs. */
static void
read_settings(struct session_role *r)
{
	struct ops_err err = { 0 };

	if (role_reread(r->role, &err) < 0 || load_mask(r, &err) < 0)
		logline("%s", err.msg);
	load_glass(r);
}

static void
on_signal(struct watch *w, uint32_t events)
{
	struct session_role *r = ROLE_OF(w, signals);
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(r);
		else if (si.ssi_signo == SIGHUP)
			read_settings(r);
		else
			r->loop.stop = true;
	}
}

/* -- starting -- */

/* Beside opseald, as in a build folder, or where it is installed. */
static int
find_recorder(char out[static PATH_MAX], struct ops_err *err)
{
	const char *name = "opseal-rec";
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;
	int len;

	if (n < 0)
		return ops_fail_errno(err, "/proc/self/exe");
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash != NULL) {
		*slash = '\0';
		len = snprintf(out, PATH_MAX, "%s/%s", self, name);
		if (len > 0 && len < PATH_MAX && access(out, X_OK) == 0)
			return 0;
	}
	(void)snprintf(out, PATH_MAX, "%s/%s", OPSEAL_LIBEXECDIR, name);
	if (access(out, X_OK) == 0)
		return 0;
	return ops_fail(err, OPS_ENOENT, "%s is neither in %s nor in %s", name,
	    self, OPSEAL_LIBEXECDIR);
}

int
role_session(struct role *role, struct ops_err *err)
{
	const int signals[] = { SIGTERM, SIGCHLD, SIGHUP, 0 };
	static struct session_role r;
	int rc = -1;

	r.role = role;
	logline_share();
	ops_random(r.mask_key, sizeof(r.mask_key));
	if (find_recorder(r.recorder, err) < 0 || loop_init(&r.loop, err) < 0 ||
	    load_mask(&r, err) < 0 || role_shut_in(role, err) < 0)
		return -1;
	load_glass(&r);
	r.signals.ready = on_signal;
	r.listen = (struct watch){ role->listener, on_connection };
	if (loop_signalfd(signals, &r.signals.fd, err) == 0 &&
	    loop_add(&r.loop, &r.signals, EPOLLIN, err) == 0 &&
	    loop_add(&r.loop, &r.listen, EPOLLIN, err) == 0) {
		role_ready(role);
		rc = pulse_start(&r.pulse, &r.loop, role->pulse, err);
		if (rc == 0)
			rc = loop_run(&r.loop, err);
	}
	if (rc == 0 && r.failed.code != OPS_OK) {
		*err = r.failed;
		rc = -1;
	}
	while (r.list != NULL)
		forget(&r.list);
	mask_free(r.mask);
	charges_free(&r.charges);
	loop_close(&r.loop);
	return rc;
}
