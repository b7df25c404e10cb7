#include "base/clock.h"
#include "ipc/proto.h"
#include "logline.h"
#include "procid.h"
#include "record/login.h"
#include "record/record.h"
#include "writer_peer.h"

#define SECOND UINT64_C(1000000000)
#define INTERVAL (SECOND / LOGIN_RATE)

/*
 * Only root's PAM may say who logged in, and in a private instance its owner.
 * Not the other roles and the recorders of a daemon that root started: they are
 * no root's, and parse what users send.
 */
bool
peer_is_root(const struct peer *p)
{
	const struct drop_user *own = &p->r->role->user;

	return p->who.uid == 0 || (!own->change && p->who.uid == own->uid);
}

/* Who logs in and out without end may not fill the disk: each slot is the time
 * until which it has used up what it may. */
static bool
within_rate(struct writer_role *r, uint32_t auid, uint64_t now)
{
	uint64_t *used = &r->login_used[auid % WRITER_LOGIN_SLOTS];

	if (*used < now)
		*used = now;
	if (*used - now > LOGIN_BURST * INTERVAL)
		return false;
	*used += INTERVAL;
	return true;
}

/* shown: who it is was shown to the service, which has limits of its own.  If that
 * could be refused here, anybody with the same login uid could have it refused.
 * 1: go on.  0: it was told why not.  -1: it is to be cut off. */
static int
begin(struct peer *p, bool shown, struct procid_seen *who, struct ops_err *err)
{
	struct ops_err why = { 0 };

	if (!peer_is_root(p))
		return ops_fail(err, OPS_EPERM,
		    "uid %u may not say who logged in", (unsigned)p->who.uid);
	if (p->spare)
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (p->r->state != WRITER_OK)
		return writer_query_failed(p, p->r->reason, err);
	/* It waits for the answer, so it is the one that connected. */
	if (procid_see(p->who.pid, who, &why) < 0)
		return writer_query_failed(p, why.msg, err);
	if (!shown && !within_rate(p->r, who->auid, ops_boottime())) {
		logline_often("record.sock: too many logins of uid %u at once",
		    (unsigned)who->auid);
		return writer_query_failed(
		    p, "too many logins of this user at once", err);
	}
	return 1;
}

static int
put(struct peer *p, uint8_t type, uint64_t time, struct ops_buf *b,
    struct ops_err *err)
{
	struct ops_err why = { 0 };
	int rc = ops_buf_check(b, "login", &why);

	if (rc == 0)
		rc = writer_role_event(
		    p->r, type, time, b->data, b->len, &p->ticket, &why);
	ops_buf_free(b);
	if (rc < 0)
		return writer_query_failed(p, why.msg, err);
	p->state = PEER_QUERY_WAITS;
	return 0;
}

int
writer_on_login(void *conn, struct msg *m, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct procid_seen who = { 0 };
	struct ops_clock now;
	struct login l;
	int rc;

	if (login_get(m->p, m->n, &l, err) < 0)
		return -1;
	rc = begin(conn, l.method.p != NULL || l.key.p != NULL, &who, err);
	if (rc <= 0)
		return rc;
	ops_clock_read(&now);
	l.auid = who.auid;
	l.ses = who.ses;
	l.pid = (uint32_t)((struct peer *)conn)->who.pid;
	l.start = who.start;
	l.realtime = now.realtime;
	login_put(&b, &l);
	return put(conn, REC_LOGIN, now.boottime, &b, err);
}

int
writer_on_logout(void *conn, struct msg *m, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct procid_seen who = { 0 };
	struct ops_clock now;
	struct logout l;
	int rc;

	if (logout_get(m->p, m->n, &l, err) < 0)
		return -1;
	rc = begin(conn, false, &who, err);
	if (rc <= 0)
		return rc;
	ops_clock_read(&now);
	l.auid = who.auid;
	l.ses = who.ses;
	l.pid = (uint32_t)((struct peer *)conn)->who.pid;
	l.start = who.start;
	l.realtime = now.realtime;
	logout_put(&b, &l);
	return put(conn, REC_LOGOUT, now.boottime, &b, err);
}
