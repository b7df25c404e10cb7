#include "base/clock.h"
#include "charge.h"
#include "ipc/proto.h"
#include "logline.h"
#include "procid.h"
#include "record/login.h"
#include "record/record.h"
#include "writer_peer.h"

const struct bucket_rule login_rule = { LOGIN_BURST, LOGIN_BURST / LOGIN_RATE };

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

/* Is there a session of that very login that counts to its user?  Then the pair is
 * proven: charge.h. */
static bool
is_recorded(const struct writer_role *r, uint32_t auid, uint32_t ses)
{
	for (const struct peer *p = r->peers; p != NULL; p = p->next)
		if (p->state == PEER_RECORDER && !p->imports &&
		    p->inner.door != 0 && p->inner.ses == ses &&
		    p->auid == auid && p->charge == auid)
			return true;
	return false;
}

bool
peer_proves(const struct writer_role *r, uint32_t auid, uint32_t ses)
{
	return charge_can_prove(auid, ses) && is_recorded(r, auid, ses);
}

/*
 * To whom a login counts.  su and sudo run in the login of who called them; for
 * others the account's uid is that login's uid, and who chose it by himself could
 * only bring that about by being let in as that account.
 */
static uint32_t
payer_of(const struct peer *p, const struct procid_seen *who, uint32_t account)
{
	bool can = charge_can_prove(who->auid, who->ses);
	struct charge_descent d;

	if (can &&
	    (who->auid == account || is_recorded(p->r, who->auid, who->ses)))
		return who->auid;
	d = charge_descent(p->who.pid, who->start, who->auid, who->ses);
	if (d.proven)
		return who->auid;
	return d.user != 0 ? d.user : account;
}

/* 1: go on.  0: it was told why not.  -1: it is to be cut off. */
static int
begin(struct peer *p, struct procid_seen *who, struct ops_err *err)
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
	return 1;
}

/* Who logs in without end may not fill the disk.  Not so where who it is was shown to
 * the service, which has limits of its own: if that could be refused here, anybody with
 * the same account could have it refused.  As begin(). */
static int
check_rate(struct peer *p, const struct procid_seen *who, const struct login *l,
    struct ops_err *err)
{
	uint32_t payer;

	if (l->method.p != NULL || l->key.p != NULL)
		return 1;
	payer = payer_of(p, who, l->uid);
	if (ration_take(&p->r->logins, payer, ops_boottime()))
		return 1;
	logline_often(
	    "record.sock: too many logins of uid %u at once", (unsigned)payer);
	return writer_query_failed(
	    p, "too many logins of this user at once", err);
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
	rc = begin(conn, &who, err);
	if (rc > 0)
		rc = check_rate(conn, &who, &l, err);
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
	rc = begin(conn, &who, err); /* no more of them than of LOGINs */
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
