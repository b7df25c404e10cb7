/*
 * role_query - answers those who read: RUN/control.sock.
 *
 * Each client gets a process of its own, with the rights of this one: a slow
 * client, or one that finds a bug in a parser, is alone with it.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"
#include "ipc/msg.h"
#include "logline.h"
#include "loop.h"
#include "pulse.h"
#include "query_conn.h"
#include "role.h"

#define CLIENTS_MAX 64
#define CLIENTS_PER_UID 16 /* of those who aren't root */
#define CLIENTS_OTHERS 48  /* of all who aren't root: he always gets in */

struct client {
	pid_t pid; /* 0: free */
	uid_t uid;
};

struct query_role {
	struct role *role;
	struct loop loop;
	struct watch listen, signals;
	struct pulse pulse;
	struct handover handover;
	struct ops_err failed; /* why the loop was stopped; OPS_OK: SIGTERM */
	struct client client[CLIENTS_MAX];
};

#define ROLE_OF(w, member)                                                     \
	((struct query_role *)(void *)((char *)(w)-offsetof(                   \
	    struct query_role, member)))

/* A place for a client of this uid, or NULL. */
static struct client *
find_place(struct query_role *r, uid_t uid)
{
	struct client *place = NULL;
	unsigned same = 0, others = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &r->client[i];

		if (c->pid == 0)
			place = c;
		else if (c->uid != 0)
			others++;
		if (c->pid != 0 && c->uid == uid)
			same++;
	}
	if (uid != 0 && (same >= CLIENTS_PER_UID || others >= CLIENTS_OTHERS))
		return NULL;
	return place;
}

/* In the child: of what the role had open only the connection is left, what
 * tells of the writer, and what takes findings. */
static void
serve(const struct role *role, int fd, pid_t parent)
{
	sigset_t none;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ||
	    getppid() != parent)
		_exit(1);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	logline_release();
	if (dup2(fd, ROLE_FD_LISTEN) < 0 ||
	    close_range(ROLE_FD_READY, ROLE_FD_LISTEN - 1, 0) < 0 ||
	    close_range(ROLE_FD_LISTEN + 1, ROLE_FD_TROUBLE - 1, 0) < 0 ||
	    close_range(ROLE_FD_ALERTS + 1, ~0U, 0) < 0)
		_exit(1);
	query_conn_serve(role, ROLE_FD_LISTEN);
	_exit(0);
}

static int
start_client(struct query_role *r, int fd, struct ops_err *err)
{
	struct msg_peer peer;
	struct client *c;
	pid_t pid, self = getpid();
	int tie;

	if (msg_peer(fd, &peer, err) < 0)
		return -1;
	c = find_place(r, peer.uid);
	if (c == NULL)
		return ops_fail(
		    err, OPS_EBUSY, "too many clients at once; try again");
	pid = handover_fork(&r->handover, fd, &tie, err);
	if (pid == 0)
		serve(r->role, fd, self);
	if (pid < 0)
		return -1;
	close(tie);
	*c = (struct client){ pid, peer.uid };
	return 0;
}

static void
on_connection(struct watch *w, uint32_t events)
{
	struct query_role *r = ROLE_OF(w, listen);
	struct ops_err err = { 0 };

	(void)events;
	for (int i = 0; i < HANDOVER_TURN; i++) {
		struct query_conn q = { 0 };

		err = (struct ops_err){ 0 };
		if (msg_accept(w->fd, &q.fd, &err) < 0) {
			if (err.code != OPS_EBUSY)
				logline_often("control.sock: %s", err.msg);
			break;
		}
		if (start_client(r, q.fd, &err) == 0)
			continue;
		(void)query_fail(&q, &err, NULL);
		handover_refuse(&r->handover, q.fd);
		logline_often("control.sock: %s", err.msg);
	}
	if (handover_end(&r->handover, &r->failed) < 0)
		r->loop.stop = true;
}

static void
reap(struct query_role *r)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (handover_reaped(&r->handover, pid))
			continue;
		for (size_t i = 0; i < CLIENTS_MAX; i++)
			if (r->client[i].pid == pid)
				r->client[i].pid = 0;
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM)
			logline("process %d for a client: ended by signal %d",
			    (int)pid, WTERMSIG(status));
	}
}

static void
on_signal(struct watch *w, uint32_t events)
{
	struct query_role *r = ROLE_OF(w, signals);
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(r);
		else
			r->loop.stop = true;
	}
}

int
role_query(struct role *role, struct ops_err *err)
{
	const int signals[] = { SIGTERM, SIGCHLD, 0 };
	static struct query_role r;
	int rc = -1;

	r.role = role;
	logline_share();
	if (loop_init(&r.loop, err) < 0 || role_shut_in(role, err) < 0)
		return -1;
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
	loop_close(&r.loop);
	return rc;
}
