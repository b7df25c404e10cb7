#include "session_start.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/io.h"
#include "glass.h"
#include "ipc/proto.h"
#include "logline.h"
#include "record/event.h"
#include "record/record.h"
#include "scope.h"
#include "session_tty.h"

#define REFUSED_MAX 200 /* bytes of text a door takes */
#define NAME_MAX_LEN 256

/* Where the recorder finds its descriptors. */
enum rec_fd {
	REC_CONN = 3,
	REC_PIDFD,
	REC_OPEN,
	REC_OUTER,
	REC_MASTER,
	REC_NOTICE,
	REC_END
};

struct starting {
	const struct session_start *s;
	int conn; /* of the door, wherever it is now */
	uint8_t id[OPS_ID_LEN];
	int outer, master, open, notice; /* -1: none */
	char user[NAME_MAX_LEN], login[NAME_MAX_LEN];
	struct session_tty tty;
	struct ops_buf command; /* without its secrets */
	uint8_t ancestors[EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN];
};

void
session_refuse(int conn, const char *text)
{
	size_t n = strlen(text);

	(void)msg_send(conn, DOOR_REFUSED, text,
	    n < REFUSED_MAX ? n : REFUSED_MAX, NULL, 0, NULL);
}

/* -- what is known of the session -- */

static struct event_text
text_of(const char *s)
{
	size_t n = strlen(s);

	return (struct event_text){ n > 0 ? (const uint8_t *)s : NULL, n };
}

static void
name_of(uid_t uid, char out[static NAME_MAX_LEN])
{
	const struct passwd *pw = getpwuid(uid);

	out[0] = '\0';
	if (pw != NULL)
		(void)snprintf(out, NAME_MAX_LEN, "%s", pw->pw_name);
}

/*
 * Secrets in the command are replaced, as capture does with those of a program's
 * arguments.  It is joined with NUL, of which the rules want one behind each.
 */
static int
hide_secrets(const struct mask *m, struct event_open *e, struct ops_buf *masked)
{
	struct ops_buf plain = { .max = EVENT_ARGV_MAX + 1 };

	if (m == NULL || e->command.n == 0)
		return 0;
	ops_buf_put(&plain, e->command.p, e->command.n);
	ops_buf_put8(&plain, 0);
	if (!plain.failed)
		(void)mask_args(m, plain.data, plain.len, masked);
	masked->failed |= plain.failed;
	ops_buf_free(&plain);
	if (masked->failed)
		return -1;
	e->command = (struct event_text){ masked->data, masked->len - 1 };
	if (e->command.n > EVENT_ARGV_MAX) {
		e->command.n = EVENT_ARGV_MAX;
		e->command_cut = true;
	}
	return 0;
}

static int
fill_open(struct starting *t, const struct proto_open *o,
    const struct utsname *host, struct event_open *ret, struct ops_err *err)
{
	const struct session_start *s = t->s;
	struct ops_clock now;
	struct event_open e = { .kind = o->kind,
		.uid = s->peer.uid,
		.gid = s->peer.gid,
		.auid = s->id.auid,
		.ses = s->id.ses,
		.pid = (uint32_t)s->peer.pid,
		.start = s->id.start,
		.cols = t->tty.cols,
		.rows = t->tty.rows,
		.term = o->term,
		.from = o->from,
		.command = o->command,
		.command_cut = o->command_cut,
		.recorder_pid = (uint32_t)getpid(), /* exec keeps it */
		.input = s->role->config.input,
		.has_charge = s->charge != s->peer.uid,
		.charge = s->charge };

	name_of(s->peer.uid, t->user);
	if (s->id.auid != EVENT_UNSET)
		name_of(s->id.auid, t->login);
	ops_clock_read(&now);
	e.user = text_of(t->user);
	e.login = text_of(t->login);
	e.tty = text_of(t->tty.outer);
	e.inner = text_of(t->tty.inner);
	e.has_inner = t->tty.inner_dev != 0;
	e.inner_fs = t->tty.inner_fs;
	e.inner_dev = t->tty.inner_dev;
	e.host = text_of(host->nodename);
	e.realtime = now.realtime;
	/* It waits for us. */
	e.ancestors.n =
	    procid_ancestors(s->peer.pid, s->id.start, t->ancestors);
	e.ancestors.p = e.ancestors.n > 0 ? t->ancestors : NULL;
	if (procid_start(getpid(), &e.recorder_start, err) < 0)
		return -1;
	if (hide_secrets(s->mask, &e, &t->command) < 0)
		return ops_fail(err, OPS_ENOMEM, "command: no memory");
	*ret = e;
	return 0;
}

/* These bytes in a memfd that nobody can change any more. */
static int
seal_bytes(
    const char *name, const void *p, size_t n, int *ret, struct ops_err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return ops_fail_errno(err, "memfd_create");
	if (ops_write_full(fd, p, n, err) < 0) {
		close(fd);
		return -1;
	}
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
		ops_fail_errno(err, "%s", name);
		close(fd);
		return -1;
	}
	*ret = fd;
	return 0;
}

/* The SESSION-OPEN payload; and what a terminal is to show before the shell. */
static int
seal_open(struct starting *t, const struct event_open *e, struct ops_err *err)
{
	const char *notice = t->s->role->config.notice;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	int rc;

	event_open_put(&b, t->id, e);
	rc = ops_buf_check(&b, "SESSION-OPEN", err);
	if (rc == 0)
		rc = seal_bytes("session-open", b.data, b.len, &t->open, err);
	ops_buf_free(&b);
	if (rc == 0 && t->outer >= 0 && notice[0] != '\0')
		rc = seal_bytes(
		    "notice", notice, strlen(notice), &t->notice, err);
	return rc;
}

/* -- becoming the recorder -- */

static int
place_fds(struct starting *t, struct ops_err *err)
{
	const int from[] = { t->conn, t->s->pidfd, t->open, t->outer, t->master,
		t->notice };
	int high[OPS_ARRAY_LEN(from)];

	/* First out of the way, then to their places. */
	for (size_t i = 0; i < OPS_ARRAY_LEN(from); i++) {
		high[i] = -1;
		if (from[i] < 0)
			continue;
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, REC_END);
		if (high[i] < 0)
			return ops_fail_errno(err, "descriptor");
	}
	t->conn = high[0];
	for (size_t i = 0; i < OPS_ARRAY_LEN(from); i++)
		if (high[i] >= 0 && dup2(high[i], REC_CONN + (int)i) < 0)
			return ops_fail_errno(err, "descriptor");
	/* The end of the tie that tells the role of the exec is among these. */
	if (close_range(REC_END, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return ops_fail_errno(err, "close_range");
	if (t->outer < 0)
		(void)close_range(REC_OUTER, REC_MASTER, 0);
	if (t->notice < 0)
		(void)close_range(REC_NOTICE, REC_NOTICE, 0);
	return 0;
}

/* Root, and who may break the glass, are recorded as far as it goes, and go on: it
 * takes them to mend the log. */
static bool
goes_on(const struct session_start *s)
{
	return s->peer.uid == 0 ||
	       (s->glass && glass_member(s->conn, s->glass_group));
}

static int
become_recorder(struct starting *t, struct ops_err *err)
{
	const struct config *c = &t->s->role->config;
	char id[OPS_ID_TEXT_LEN + 1], hold[24], record[PATH_MAX];
	const char *argv[28] = { "opseal-rec", "--session", id, "--record",
		record, "--hold-time", hold, "--conn", "3", "--pidfd", "4",
		"--open", "5" };
	size_t n = 13;
	int len;

	ops_id_text(t->id, id);
	(void)snprintf(hold, sizeof(hold), "%" PRIu64, c->hold_time);
	len = snprintf(record, sizeof(record), "%s/%s", t->s->role->run,
	    role_table[ROLE_WRITER].socket);
	if (len < 0 || (size_t)len >= sizeof(record))
		return ops_fail(err, OPS_EUSAGE, "RUN: too long");
	if (t->outer >= 0) {
		argv[n++] = "--outer";
		argv[n++] = "6";
		argv[n++] = "--master";
		argv[n++] = "7";
	}
	if (t->notice >= 0) {
		argv[n++] = "--notice";
		argv[n++] = "8";
	}
	if (t->outer >= 0 && c->reason != REASON_OFF) {
		argv[n++] = "--reason";
		argv[n++] = c->reason == REASON_ASK ? "ask" : "require";
	}
	if (c->input)
		argv[n++] = "--input";
	if (c->on_log_failure == ON_FAILURE_REFUSE && !goes_on(t->s))
		argv[n++] = "--refuse";
	if (place_fds(t, err) < 0)
		return -1;
	/* An alarm would survive the exec. */
	(void)alarm(0);
	(void)execv(t->s->recorder, (char *const *)(void *)argv);
	return ops_fail_errno(err, "%s", t->s->recorder);
}

/* -- the one message -- */

static int
on_open(void *arg, struct msg *m, struct ops_err *err)
{
	struct starting *t = arg;
	struct proto_open o;
	struct event_open e = { 0 };
	struct utsname host;
	unsigned fds;

	if (t->s->refuse != NULL)
		return ops_fail(err, OPS_EBUSY, "%s", t->s->refuse);
	if (proto_open_get(m->p, m->n, &o, err) < 0)
		return -1;
	if (o.kind != SESSION_TERMINAL && o.kind != SESSION_COMMAND)
		return ops_fail(
		    err, OPS_EFORMAT, "no such kind of session: %u", o.kind);
	fds = o.kind == SESSION_TERMINAL ? 2 : 0;
	if (m->fds != fds)
		return ops_fail(
		    err, OPS_EFORMAT, "%u descriptors, not %u", m->fds, fds);
	if (fds > 0) {
		t->outer = m->fd[0];
		t->master = m->fd[1];
		m->fd[0] = m->fd[1] = -1;
		if (session_tty_check(
			t->outer, t->master, t->s->peer.uid, &t->tty, err) < 0)
			return -1;
	}
	if (uname(&host) < 0)
		return ops_fail_errno(err, "uname");
	ops_random(t->id, sizeof(t->id));
	if (fill_open(t, &o, &host, &e, err) < 0 || seal_open(t, &e, err) < 0)
		return -1;
	scope_tell(ROLE_FD_SCOPES, e.recorder_start, t->id);
	/* The kernel's word about the door was read while it lived; a door that
	 * died since then is the recorder's to notice. */
	return become_recorder(t, err);
}

static const struct msg_rule rules[] = {
	{ DOOR_OPEN, "DOOR_OPEN", 1, 1, MSG_PAYLOAD_MAX, 0, 2, on_open },
};

/* For who runs out of time: a whole message, since a signal's handler may call
 * hardly anything. */
static uint8_t late[MSG_HEADER + REFUSED_MAX];
static size_t late_len;
static const struct starting *timed;

static void
prepare_late(const struct starting *t)
{
	static const char text[] = "no request came in time";

	ops_putle16(late, DOOR_REFUSED);
	ops_putle32(late + 4, sizeof(text) - 1);
	memcpy(late + MSG_HEADER, text, sizeof(text) - 1);
	late_len = MSG_HEADER + sizeof(text) - 1;
	timed = t;
}

static void
on_alarm(int sig)
{
	(void)sig;
	/* A door that was stopped hears of it when it goes on. */
	(void)send(timed->conn, late, late_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	_exit(1); /* not close(): an exit doesn't linger over descriptors */
}

/* Its own session, no signal blocked or ignored, a limited time. */
static int
settle(const struct session_start *s, struct ops_err *err)
{
	static const int ignored[] = { SIGINT, SIGHUP, SIGPIPE, SIGXFSZ };
	int flags = fcntl(s->conn, F_GETFL), null;
	sigset_t none;

	for (size_t i = 0; i < OPS_ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(SESSION_OPEN_SECONDS);
	if (setsid() < 0 || flags < 0 ||
	    fcntl(s->conn, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return ops_fail_errno(err, "settle");
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		return ops_fail_errno(err, "/dev/null");
	close(null);
	return 0;
}

void
session_start(const struct session_start *s)
{
	static uint8_t buf[MSG_MAX];
	static struct starting t;
	struct ops_err err = { 0 };
	struct msg m;
	int rc;

	t = (struct starting){ .s = s,
		.conn = s->conn,
		.outer = -1,
		.master = -1,
		.open = -1,
		.notice = -1,
		.command.max = 4 * EVENT_ARGV_MAX };
	prepare_late(&t);
	if (settle(s, &err) == 0) {
		rc = msg_recv(s->conn, buf, &m, &err);
		if (rc == 0)
			_exit(0);
		if (rc > 0)
			(void)msg_dispatch(
			    rules, OPS_ARRAY_LEN(rules), 0, &t, &m, &err);
	}
	(void)alarm(0);
	logline_often("session.sock, process %d of uid %u: refused: %s",
	    (int)s->peer.pid, (unsigned)s->peer.uid, err.msg);
	session_refuse(t.conn, s->refuse != NULL ? s->refuse : err.msg);
	_exit(1);
}
