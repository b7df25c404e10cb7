#include "scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "logline.h"
#include "procid.h"
#include "scopemsg.h"

#define SYSTEMD "/run/systemd/private"
#define ASK_SECONDS 5

/* What goes over the pipe, between processes of one program. */
#define TURN_MAX 16 /* recorders at once */

struct told {
	uint32_t pid;
	uint64_t start;
	uint8_t id[OPS_ID_LEN];
};

int
scope_open(struct scopes *s, struct ops_err *err)
{
	s->fd[0] = s->fd[1] = -1;
	if (geteuid() != 0 || getenv("NOTIFY_SOCKET") == NULL ||
	    access(SYSTEMD, F_OK) < 0)
		return 0;
	/* In packets, so that two can't mix theirs. */
	if (pipe2(s->fd, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0)
		return ops_fail_errno(err, "pipe");
	return 0;
}

void
scope_close(struct scopes *s)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(s->fd); i++)
		if (s->fd[i] >= 0)
			close(s->fd[i]);
	s->fd[0] = s->fd[1] = -1;
}

void
scope_tell(int fd, uint64_t start, const uint8_t id[static OPS_ID_LEN])
{
	struct told t = { .pid = (uint32_t)getpid(), .start = start };

	memcpy(t.id, id, OPS_ID_LEN);
	(void)!write(fd, &t, sizeof(t));
}

/* -- asking -- */

static int
converse(int fd, const struct ops_buf *out, struct ops_err *err)
{
	static uint8_t heard[SCOPEMSG_HEARD];
	enum scopemsg_answer answer = SCOPEMSG_MORE;
	size_t n = 0;

	if (send(fd, out->data, out->len, MSG_NOSIGNAL) != (ssize_t)out->len)
		return ops_fail_errno(err, SYSTEMD);
	while (answer == SCOPEMSG_MORE && n < sizeof(heard)) {
		ssize_t got = recv(fd, heard + n, sizeof(heard) - n, 0);

		if (got <= 0)
			return ops_fail(err, OPS_EIO, SYSTEMD ": no answer");
		n += (size_t)got;
		answer = scopemsg_heard(heard, n);
	}
	/* More was said than fits: it was queued long ago. */
	if (answer == SCOPEMSG_REFUSED)
		return ops_fail(err, OPS_EPERM, "systemd refused");
	return 0;
}

/* The recorder's control group is another when this returns 0. */
static int
ask(const struct told *t, struct ops_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = SYSTEMD };
	char id[OPS_ID_TEXT_LEN + 1], unit[64], about[96];
	const struct scopemsg m = { .uid = geteuid(),
		.pid = t->pid,
		.unit = unit,
		.about = about,
		.slice = "system-opseal.slice",
		/* At a shutdown it ends after the sessions of all users, and
		 * before the daemon, which takes its last words. */
		.after = "opseald.service",
		.before = "systemd-user-sessions.service" };
	uint8_t bytes[SCOPEMSG_MAX];
	struct ops_buf out = OPS_BUF_FIXED(bytes);
	int fd, rc;

	ops_id_text(t->id, id);
	(void)snprintf(unit, sizeof(unit), "opseal-%s.scope", id);
	(void)snprintf(
	    about, sizeof(about), "opseal, recorder of session %s", id);
	scopemsg_put(&out, &m);
	if (ops_buf_check(&out, "scope", err) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ops_fail_errno(err, "socket");
	rc = connect(fd, (const struct sockaddr *)&sun, sizeof(sun));
	rc = rc < 0 ? ops_fail_errno(err, SYSTEMD) : converse(fd, &out, err);
	close(fd);
	return rc;
}

/* In a process of its own: it holds nothing of the daemon's, and ends in time. */
static void
ask_and_exit(const struct told *t, pid_t parent)
{
	struct ops_err err = { 0 };
	uint64_t start;

	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(ASK_SECONDS);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
	    close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
		_exit(1);
	if (ask(t, &err) == 0)
		_exit(0);
	/* One that was turned away has gone already. */
	if (procid_start((pid_t)t->pid, &start, NULL) < 0 || start != t->start)
		_exit(0);
	logline_often("recorder %u has no unit of its own: %s",
	    (unsigned)t->pid, err.msg);
	_exit(1);
}

/* Else a role that was taken over could have any process moved. */
static bool
is_recorder(const struct told *t, pid_t session)
{
	struct procid_seen seen;
	struct ops_err err = { 0 };

	return t->pid > 1 && t->pid <= INT_MAX &&
	       procid_see((pid_t)t->pid, &seen, &err) == 0 &&
	       seen.parent == session && seen.start == t->start;
}

void
scope_take(const struct scopes *s, pid_t session)
{
	pid_t self = getpid();
	struct told t;
	ssize_t n;

	/* A role that was taken over must not keep us here: the rest comes with the
	 * next turn of the loop. */
	for (int i = 0; i < TURN_MAX; i++) {
		pid_t pid;

		n = read(s->fd[0], &t, sizeof(t));
		if (n <= 0)
			break;

		if (n != (ssize_t)sizeof(t) || !is_recorder(&t, session))
			continue;
		pid = fork();
		if (pid == 0)
			ask_and_exit(&t, self);
		if (pid < 0)
			logline("recorder %u has no unit of its own: fork: %s",
			    (unsigned)t.pid, strerror(errno));
	}
}
