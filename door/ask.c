#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "door.h"
#include "heard.h"

static struct event_text
view(const char *s)
{
	if (s == NULL || s[0] == '\0')
		return (struct event_text){ NULL, 0 };
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

/* argv joined with NUL, as far as it is kept, and one byte more so that the
 * cut is noticed. */
static void
join_command(char **argv, struct ops_buf *b)
{
	for (size_t i = 0; argv[i] != NULL; i++) {
		/* each argument with the NUL that ends it, the last without */
		size_t n = strlen(argv[i]) + (argv[i + 1] != NULL);

		if (n > b->max - b->len) {
			ops_buf_put(b, argv[i], b->max - b->len);
			return;
		}
		ops_buf_put(b, argv[i], n);
	}
}

static int
send_request(struct door *d, enum session_kind kind, const int *fds,
    unsigned n_fds, struct ops_err *err)
{
	struct ops_buf command = { .max = EVENT_ARGV_MAX + 1 };
	struct ops_buf body = { .max = MSG_PAYLOAD_MAX };
	struct proto_open o = { .kind = kind, .term = view(getenv("TERM")) };
	char **said = d->command;
	int rc = -1;

	o.from = view(getenv("SSH_CONNECTION"));
	for (size_t i = 0; i < o.from.n; i++)
		if (o.from.p[i] == ' ')
			o.from.n = i;
	if (said == NULL && d->args != NULL && d->args[1] != NULL)
		said = d->args;
	if (said != NULL) {
		join_command(said, &command);
		o.command = (struct event_text){ command.data, command.len };
	}
	proto_open_put(&body, &o);
	if (ops_buf_check(&command, "request", err) == 0 &&
	    ops_buf_check(&body, "request", err) == 0)
		rc = msg_send(
		    d->sock, DOOR_OPEN, body.data, body.len, fds, n_fds, err);
	ops_buf_free(&command);
	ops_buf_free(&body);
	return rc;
}

/* One message; ms: how long to wait for it, -1: as long as it takes. */
static int
wait_message(struct door *d, int ms, struct heard *heard, struct ops_err *err)
{
	static uint8_t buf[MSG_MAX];
	struct pollfd pfd = { .fd = d->sock, .events = POLLIN };
	struct msg m;
	int rc;

	do
		rc = poll(&pfd, 1, ms);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return ops_fail_errno(err, "poll");
	if (rc == 0) {
		d->no_answer = true;
		return ops_fail(err, OPS_EUNAVAIL,
		    "the daemon gives no answer in %d s",
		    DOOR_ANSWER_MS / 1000);
	}
	rc = msg_recv(d->sock, buf, &m, err);
	if (rc < 0)
		return -1;
	if (rc == 0) {
		d->broke_off = true;
		return ops_fail(err, OPS_EUNAVAIL,
		    "the daemon broke off without an answer");
	}
	rc = heard_take(heard, HEARD_ASKED, &m, err);
	if (rc < 0 || !heard->off)
		return rc;
	d->off = true;
	memcpy(d->off_text, heard->why, sizeof(heard->why));
	return ops_fail(err, OPS_EPERM, "recording is switched off");
}

/* While the recorder asks the person for something it is up to the recorder how
 * long that may take. */
static int
wait_answer(struct door *d, struct ops_err *err)
{
	struct heard heard = { 0 };

	while (!heard.go)
		if (wait_message(
			d, heard.asking ? -1 : DOOR_ANSWER_MS, &heard, err) < 0)
			return -1;
	return 0;
}

/*
 * Only a socket that isn't there, or at which nobody listens, is a missing
 * daemon.  Whatever happens later (no answer in time, a connection broken off)
 * may be the user's doing: he can stop us, or keep the daemon busy.
 */
static int
connect_daemon(struct door *d, struct ops_err *err)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/session.sock", d->run);

	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "the path is too long");
	if (msg_connect(path, &d->sock, err) == 0)
		return 0;
	d->missing = err->sys == ENOENT || err->sys == ECONNREFUSED;
	return -1;
}

static int
ask_once(struct door *d, enum session_kind kind, const int *fds, unsigned n_fds,
    struct ops_err *err)
{
	int rc;

	d->missing = d->broke_off = false;
	if (connect_daemon(d, err) < 0)
		return -1;
	rc = send_request(d, kind, fds, n_fds, err);
	/* A daemon that didn't wait for the request may have said why. */
	if (rc == 0 || err->code == OPS_EUNAVAIL)
		rc = wait_answer(d, err);
	if (rc == 0)
		return 0;
	close(d->sock);
	d->sock = -1;
	d->broke_off |= err->code == OPS_EUNAVAIL && err->sys != 0;
	return -1;
}

/*
 * A recorder does so, unless it was killed.  It takes the terminal before it says
 * anything to us, so that we can't know whether it had it.  Who was put into the
 * background since leaves it alone: it is somebody else's now.
 */
static void
give_back(int terminal, const struct termios *modes)
{
	if (tcgetpgrp(terminal) != getpgrp())
		return;
	(void)ioctl(terminal, TIOCNXCL);
	(void)tcsetattr(terminal, TCSANOW, modes);
}

/*
 * A daemon that is started again, or upgraded, lets go of those it has not answered:
 * no reason to refuse a login.  So it is asked again for a while, in which it may also
 * be missing.
 */
int
door_ask(struct door *d, enum session_kind kind, const int *fds, unsigned n_fds,
    struct ops_err *err)
{
	const struct timespec pause = { 0, DOOR_AGAIN_MS * 1000000L };
	bool again = false;
	struct termios modes;

	if (kind == SESSION_TERMINAL && tcgetattr(fds[0], &modes) < 0)
		return ops_fail_errno(err, "terminal");
	for (int tries = 0;; tries++) {
		*err = (struct ops_err){ 0 };
		if (ask_once(d, kind, fds, n_fds, err) == 0)
			return 0;
		if (kind == SESSION_TERMINAL && (d->broke_off || d->no_answer))
			give_back(fds[0], &modes);
		again |= d->broke_off;
		if (!again || !(d->broke_off || d->missing) ||
		    tries >= DOOR_RESTART_MS / DOOR_AGAIN_MS) {
			d->no_answer |= d->broke_off;
			return -1;
		}
		(void)nanosleep(&pause, NULL);
	}
}
