#include "handover.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* One byte, or the other end's end. */
static void
await(int tie)
{
	char c;

	while (read(tie, &c, 1) < 0 && errno == EINTR)
		continue;
}

static void
tell(int tie)
{
	/* MSG_NOSIGNAL: a child that was killed must not end the role. */
	(void)send(tie, "", 1, MSG_NOSIGNAL);
}

/* Those that wait for their end are the role's; a child that had them over
 * its exec would be the last to have them. */
static void
close_refused(struct handover *h)
{
	for (unsigned i = 0; i < h->n_refused; i++)
		close(h->refused[i]);
	h->n_refused = 0;
}

pid_t
handover_fork(struct handover *h, int conn, int *tie, struct ops_err *err)
{
	bool others = h->n_refused > 0;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		ops_fail_errno(err, "socketpair");
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		close_refused(h);
		if (others)
			tell(ends[1]);
		await(ends[1]);
		*tie = ends[1];
		return 0;
	}
	close(ends[1]);
	if (pid < 0) {
		ops_fail_errno(err, "fork");
		close(ends[0]);
		return -1;
	}
	/* What it closes has an owner here until it has done so. */
	if (others)
		await(ends[0]);
	close(conn);
	tell(ends[0]);
	*tie = ends[0];
	return pid;
}

void
handover_refuse(struct handover *h, int conn)
{
	/* handover_end() made room, or the role has ended. */
	assert(h->n_refused < HANDOVER_REFUSED_MAX);
	h->refused[h->n_refused++] = conn;
}

/* A child that has all of these and ends, once nobody else has them. */
static pid_t
fork_end(struct handover *h)
{
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		await(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (pid > 0) {
		close_refused(h);
		tell(ends[0]);
	}
	close(ends[0]);
	return pid;
}

int
handover_end(struct handover *h, struct ops_err *err)
{
	pid_t pid;

	if (h->n_refused == 0)
		return 0;
	if (h->n_ending < HANDOVER_ENDING_MAX) {
		pid = fork_end(h);
		if (pid > 0)
			h->ending[h->n_ending++] = pid;
	}
	if (h->n_refused > HANDOVER_REFUSED_MAX - HANDOVER_TURN)
		return ops_fail(err, OPS_EBUSY,
		    "%u connections can't be closed", h->n_refused);
	return 0;
}

bool
handover_reaped(struct handover *h, pid_t pid)
{
	for (unsigned i = 0; i < h->n_ending; i++)
		if (h->ending[i] == pid) {
			h->ending[i] = h->ending[--h->n_ending];
			return true;
		}
	return false;
}
