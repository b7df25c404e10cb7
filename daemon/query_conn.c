#include "query_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "alert.h"
#include "base/bytes.h"
#include "ipc/proto.h"
#include "logline.h"
#include "record/event.h"
#include "record/record.h"
#include "record/remark.h"
#include "trouble.h"

#define IN(state) (1u << (state))
#define WRITER_SECONDS 5   /* for an answer of the writer */
#define SPACE_LOW 16777216 /* bytes; a writer that starts needs some */

int
query_fail(struct query_conn *q, const struct ops_err *why, struct ops_err *err)
{
	uint8_t code = (uint8_t)why->code;

	return msg_send2(
	    q->fd, C_FAILED, &code, 1, why->msg, strlen(why->msg), err);
}

/* -- asking the writer -- */

static int
connect_writer(struct query_conn *q, struct ops_err *err)
{
	char path[PATH_MAX];
	int n;

	if (q->writer >= 0)
		return 0;
	n = snprintf(path, sizeof(path), "%s/%s", q->role->run,
	    role_table[ROLE_WRITER].socket);
	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "%s: too long", q->role->run);
	return msg_connect(path, &q->writer, err);
}

/* It may be started again and again, and the supervisor knows what of; or be
 * stopped.  What can be seen of that from here is said. */
static int
no_answer(struct query_conn *q, struct ops_err *err)
{
	char why[TROUBLE_MAX];
	uint64_t space;

	if (trouble_read(ROLE_FD_TROUBLE, why))
		return ops_fail(
		    err, OPS_EUNAVAIL, "the writer does not answer: %s", why);
	if (faccessat(q->store_fd, ".", W_OK, AT_EACCESS) < 0)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the writer does not answer; the store: %s",
		    strerror(errno));
	if (vfs_space(q->vfs, &space, NULL) == 0 && space < SPACE_LOW)
		return ops_fail(err, OPS_EUNAVAIL,
		    "the writer does not answer; %llu bytes are free on the "
		    "disk of the store",
		    (unsigned long long)space);
	return ops_fail(err, OPS_EUNAVAIL,
	    "the writer does not answer; opseald's messages say why");
}

/* Send a question and receive the answer into buf. */
static int
ask_writer(struct query_conn *q, uint16_t type, const void *p, size_t n,
    uint8_t buf[static MSG_MAX], struct msg *ret, struct ops_err *err)
{
	const struct timeval wait = { .tv_sec = WRITER_SECONDS };
	struct ops_err why = { 0 };
	int rc;

	if (connect_writer(q, err) < 0)
		return -1;
	(void)setsockopt(
	    q->writer, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	rc = msg_send(q->writer, type, p, n, NULL, 0, &why);
	if (rc == 0)
		rc = msg_recv(q->writer, buf, ret, &why);
	if (rc > 0) {
		msg_close_fds(ret);
		return 0;
	}
	/* The next question tries a new connection, on which no late answer
	 * to this one can come. */
	close(q->writer);
	q->writer = -1;
	if (rc == 0)
		return ops_fail(err, OPS_EUNAVAIL, "the writer is gone");
	if (why.code == OPS_EBUSY)
		(void)no_answer(q, err);
	else if (err != NULL)
		*err = why;
	return -1;
}

static struct event_text
text_of(const char *s)
{
	size_t n = strlen(s);

	return (struct event_text){ n > 0 ? (const uint8_t *)s : NULL, n };
}

int
query_tell(struct query_conn *q, uint16_t type, const struct ops_buf *b,
    struct ops_err *err)
{
	static uint8_t buf[MSG_MAX];
	struct msg m;

	if (ask_writer(q, type, b->data, b->len, buf, &m, err) < 0)
		return -1;
	if (m.type == Q_DONE)
		return 0;
	if (m.type == Q_NOT_NOTED && m.n > 0 && m.p[0] != OPS_OK &&
	    m.p[0] <= OPS_EUNAVAIL)
		return ops_fail(err, (enum ops_code)m.p[0], "%.*s",
		    (int)(m.n - 1), (const char *)m.p + 1);
	return ops_fail(err, OPS_EUNAVAIL, "%.*s",
	    m.type == Q_FAILED ? (int)m.n : 0, (const char *)m.p);
}

int
query_log(
    struct query_conn *q, const uint8_t *id, bool refused, struct ops_err *err)
{
	struct event_access e = { .uid = q->who.peer.uid,
		.auid = q->who.auid,
		.pid = (uint32_t)q->who.peer.pid,
		.user = text_of(q->who.user),
		.what = text_of(q->what),
		.has_session = id != NULL,
		.refused = refused };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	int rc;

	if (id != NULL)
		memcpy(e.session, id, OPS_ID_LEN);
	event_access_put(&b, &e);
	rc = ops_buf_check(&b, "access record", err);
	if (rc == 0)
		rc = query_tell(q, Q_ACCESS, &b, err);
	ops_buf_free(&b);
	if (rc < 0) {
		ops_context(err, "the access can't be logged");
		if (err != NULL)
			err->code = OPS_EUNAVAIL;
	}
	return rc;
}

/* Nothing is shown whose reading isn't in the log.  Root can go around the
 * daemon anyway, and is told how. */
static int
log_or_fail(
    struct query_conn *q, const uint8_t *id, bool *logged, struct ops_err *err)
{
	struct ops_err why = { 0 };
	size_t n;

	*logged = query_log(q, id, false, &why) == 0;
	if (*logged)
		return 0;
	n = strlen(why.msg);
	if (q->who.peer.uid == 0)
		(void)snprintf(why.msg + n, sizeof(why.msg) - n,
		    "; --store %s reads without the daemon", q->role->store);
	return query_fail(q, &why, err);
}

/* -- permission -- */

bool
query_may(const struct query_conn *q, const uint8_t id[static OPS_ID_LEN])
{
	if (q->all)
		return true;
	for (size_t i = 0; i < q->n_may; i++)
		if (memcmp(q->may[i], id, OPS_ID_LEN) == 0)
			return true;
	return false;
}

/* The attempt is logged; who keeps trying is cut off. */
int
query_refuse(struct query_conn *q, const uint8_t *id, const char *text,
    struct ops_err *err)
{
	struct ops_err why = { 0 }, unlogged = { 0 };

	ops_fail(&why, OPS_EPERM, "%s", text);
	if (query_log(q, id, true, &unlogged) < 0)
		logline_often("uid %u, refused: %s", (unsigned)q->who.peer.uid,
		    unlogged.msg);
	if (++q->refusals >= QUERY_REFUSALS_MAX)
		return ops_fail(
		    err, OPS_EPERM, "refused %u times", q->refusals);
	return query_fail(q, &why, err);
}

int
query_done(struct query_conn *q, struct ops_err *err)
{
	return msg_send(q->fd, C_DONE, NULL, 0, NULL, 0, err);
}

static int
allow(struct query_conn *q, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	uint8_t(*p)[OPS_ID_LEN];

	if (query_may(q, id))
		return 0;
	if (q->n_may >= QUERY_SESSIONS_MAX)
		return ops_fail(err, OPS_EUSAGE,
		    "more than %d sessions on one connection",
		    QUERY_SESSIONS_MAX);
	p = realloc(q->may, (q->n_may + 1) * sizeof(*p));
	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "session: no memory");
	q->may = p;
	memcpy(q->may[q->n_may++], id, OPS_ID_LEN);
	return 0;
}

/* -- handlers -- */

static int
on_hello(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	uint8_t full = q->who.full;

	memcpy(q->what, m->p, m->n);
	q->what[m->n] = '\0';
	q->state = QUERY_OPEN;
	return msg_send(q->fd, C_WELCOME, &full, 1, NULL, 0, err);
}

static int
on_status(void *conn, struct msg *m, struct ops_err *err)
{
	static uint8_t buf[MSG_MAX], out[MSG_PAYLOAD_MAX];
	struct query_conn *q = conn;
	struct ops_buf b = OPS_BUF_FIXED(out);
	struct ops_err why = { 0 };
	struct proto_status s;
	char self[QUERY_SELF_MAX];
	struct msg answer;

	(void)m;
	if (ask_writer(q, Q_STATUS, NULL, 0, buf, &answer, &why) < 0)
		return query_fail(q, &why, err);
	if (answer.type != Q_STATUS_IS)
		return ops_fail(err, OPS_EFORMAT,
		    "the writer answers with message %u", answer.type);
	if (proto_status_get(answer.p, answer.n, &s, err) < 0)
		return ops_context(err, "the writer's status");
	query_self(q, &s, self);
	proto_status_put(&b, &s);
	if (ops_buf_check(&b, "status", err) < 0)
		return -1;
	return msg_send(q->fd, C_STATUS_IS, b.data, b.len, NULL, 0, err);
}

static int
on_read(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct ops_err why = { 0 };
	bool logged;
	int own = 1;

	if (!q->who.full)
		own = query_owns(q, m->p, &why);
	if (own < 0)
		return query_fail(q, &why, err);
	if (own == 0)
		return query_refuse(q, m->p, "no such session of yours", err);
	if (log_or_fail(q, m->p, &logged, err) < 0)
		return -1;
	if (!logged)
		return 0;
	if (allow(q, m->p, &why) < 0)
		return query_fail(q, &why, err);
	return query_done(q, err);
}

static int
on_read_all(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	bool logged;

	(void)m;
	if (!q->who.full)
		return query_refuse(q, NULL,
		    "only root and the group " READERS_GROUP
		    " may read everything",
		    err);
	if (log_or_fail(q, NULL, &logged, err) < 0)
		return -1;
	if (!logged)
		return 0;
	q->all = true;
	return query_done(q, err);
}

/* A list of others' doings is logged; of one's own it needn't be. */
static int
list_logged(struct query_conn *q, struct msg *m,
    int (*list)(void *conn, struct msg *m, struct ops_err *err),
    struct ops_err *err)
{
	bool logged;

	if (q->who.full) {
		if (log_or_fail(q, NULL, &logged, err) < 0)
			return -1;
		if (!logged)
			return 0;
	}
	return list(q, m, err);
}

static int
on_sessions(void *conn, struct msg *m, struct ops_err *err)
{
	return list_logged(conn, m, query_on_sessions, err);
}

static int
on_visits(void *conn, struct msg *m, struct ops_err *err)
{
	return list_logged(conn, m, query_on_visits, err);
}

static int
on_programs(void *conn, struct msg *m, struct ops_err *err)
{
	return list_logged(conn, m, query_on_programs, err);
}

static int
on_logins(void *conn, struct msg *m, struct ops_err *err)
{
	return list_logged(conn, m, query_on_logins, err);
}

/* What a check of root's found; he may as well say it himself. */
static int
on_report(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct proto_alert f;

	if (proto_alert_get(m->p, m->n, &f, err) < 0)
		return -1;
	if (q->who.peer.uid != 0 && q->who.peer.uid != q->role->user.uid)
		return query_refuse(q, NULL, "only root reports findings", err);
	if (f.kind != ALERT_DOOR && f.kind != ALERT_VERIFY)
		return ops_fail(err, OPS_EFORMAT,
		    "a report of kind %u, which only opseald tells", f.kind);
	alert_tell((enum alert_kind)f.kind, f.has_session ? f.session : NULL,
	    f.count, "%.*s", (int)f.detail.n,
	    f.detail.p != NULL ? (const char *)f.detail.p : "");
	return query_done(q, err);
}

/* clang-format off */
static const struct msg_rule rules[] = {
	/* type        name          states          min         max              fds   handler */
	{ C_HELLO,    "C_HELLO",    IN(QUERY_NEW),  1,          QUERY_WHAT_MAX,  0, 0, on_hello },
	{ C_STATUS,   "C_STATUS",   IN(QUERY_OPEN), 0,          0,               0, 0, on_status },
	{ C_SESSIONS, "C_SESSIONS", IN(QUERY_OPEN), 1,          4096,            0, 0, on_sessions },
	{ C_LOGINS,   "C_LOGINS",   IN(QUERY_OPEN), 1,          4096,            0, 0, on_logins },
	{ C_PROGRAMS, "C_PROGRAMS", IN(QUERY_OPEN), 1,          4096,            0, 0, on_programs },
	{ C_VISITS,   "C_VISITS",   IN(QUERY_OPEN), 1,          4096,            0, 0, on_visits },
	{ C_SWITCHES, "C_SWITCHES", IN(QUERY_OPEN), 0,          0,               0, 0, query_on_switches },
	{ C_READ,     "C_READ",     IN(QUERY_OPEN), OPS_ID_LEN, OPS_ID_LEN,      0, 0, on_read },
	{ C_READ_ALL, "C_READ_ALL", IN(QUERY_OPEN), 0,          0,               0, 0, on_read_all },
	{ C_OPEN,     "C_OPEN",     IN(QUERY_OPEN), 1,          QUERY_PATH_MAX,  0, 0, query_on_open },
	{ C_LIST,     "C_LIST",     IN(QUERY_OPEN), 0,          QUERY_PATH_MAX,  0, 0, query_on_list },
	{ C_TAIL,     "C_TAIL",     IN(QUERY_OPEN), OPS_ID_LEN, OPS_ID_LEN,      0, 0, query_on_tail },
	{ C_REPORT,   "C_REPORT",   IN(QUERY_OPEN), 1,          1024,            0, 0, on_report },
	{ C_NOTE,     "C_NOTE",     IN(QUERY_OPEN), OPS_ID_LEN + 1, OPS_ID_LEN + REMARK_TEXT_MAX, 0, 0, query_on_note },
	{ C_NOTES,    "C_NOTES",    IN(QUERY_OPEN), OPS_ID_LEN, OPS_ID_LEN,      0, 0, query_on_notes },
};
/* clang-format on */

/* -- the connection -- */

static int
open_conn(struct query_conn *q, struct ops_err *err)
{
	int flags = fcntl(q->fd, F_GETFL);

	/* It has this process for itself, so it may wait. */
	if (flags < 0 || fcntl(q->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return ops_fail_errno(err, "fcntl");
	if (query_who(q->fd, q->role->user.uid, &q->who, err) < 0)
		return -1;
	q->store_fd = open(q->role->store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->store_fd < 0)
		return ops_fail_errno(err, "%s", q->role->store);
	return vfs_dir_new(q->role->store, &q->vfs, err);
}

static int
serve(struct query_conn *q, struct ops_err *err)
{
	static uint8_t buf[MSG_MAX];
	struct msg m;
	int rc;

	for (;;) {
		/* SIGALRM ends it: a client that is asleep, or that does not
		 * take its answers, must not hold a place for ever. */
		(void)alarm(QUERY_IDLE_SECONDS);
		rc = msg_recv(q->fd, buf, &m, err);
		if (rc <= 0)
			return rc;
		if (msg_dispatch(rules, OPS_ARRAY_LEN(rules),
			(unsigned)q->state, q, &m, err) < 0)
			return -1;
	}
}

void
query_conn_serve(const struct role *role, int fd)
{
	struct query_conn q = {
		.role = role, .fd = fd, .store_fd = -1, .writer = -1
	};
	struct ops_err err = { 0 };

	if ((open_conn(&q, &err) < 0 || serve(&q, &err) < 0) &&
	    err.code != OPS_EUNAVAIL)
		logline_often("control.sock, process %d of uid %u: %s; cut off",
		    (int)q.who.peer.pid, (unsigned)q.who.peer.uid, err.msg);
	vfs_free(q.vfs);
	free(q.may);
	if (q.store_fd >= 0)
		close(q.store_fd);
	if (q.writer >= 0)
		close(q.writer);
	/* The connection is left to the exit of the process, which doesn't
	 * linger over descriptors that came with a message. */
}
