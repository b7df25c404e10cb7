#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/proto.h"
#include "record/remark.h"
#include "writer_peer.h"

const struct bucket_rule note_user_rule = { NOTE_USER_BURST,
	NOTE_USER_BURST / NOTE_USER_RATE };
static const struct bucket_rule in_session = { NOTE_BURST,
	NOTE_BURST / NOTE_RATE };

/* -- where it belongs -- */

static bool
is_session(const struct peer *p)
{
	return p->state == PEER_RECORDER && !p->dead && p->inner.door != 0;
}

/* The session that begins with this process. */
static struct peer *
of_process(const struct writer_role *r, const struct event_process *x)
{
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		if (is_session(p) && p->inner.door == x->pid &&
		    p->inner.door_start == x->start)
			return p;
	return NULL;
}

/* The one whose door is the nearest that it descends from. */
static struct peer *
by_descent(const struct writer_role *r, const struct proto_note *n)
{
	struct event_process x = { n->pid, n->start };
	struct peer *p;
	size_t i = 0;

	do {
		p = of_process(r, &x);
	} while (p == NULL && event_process_get(n->ancestors, i++, &x));
	return p;
}

/*
 * The one of its login that has its terminal, else the only one of its login: for who
 * was given to init meanwhile, or runs below a tmux.  A terminal's number alone says
 * nothing, a container counts its own.
 */
static struct peer *
by_login(const struct writer_role *r, const struct proto_note *n, bool *several)
{
	struct peer *only = NULL;

	*several = false;
	if (n->ses == EVENT_UNSET)
		return NULL;
	for (struct peer *p = r->peers; p != NULL; p = p->next) {
		if (!is_session(p) || p->inner.ses != n->ses)
			continue;
		if (n->tty != 0 && p->inner.dev == n->tty)
			return p;
		*several = only != NULL;
		only = p;
	}
	return *several ? NULL : only;
}

static struct peer *
recorder_of(const struct writer_role *r, const uint8_t id[static OPS_ID_LEN])
{
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		if (p->state == PEER_RECORDER && !p->dead &&
		    memcmp(p->id, id, OPS_ID_LEN) == 0)
			return p;
	return NULL;
}

/* Where it belongs, and to whom it counts. */
struct place {
	uint8_t id[OPS_ID_LEN];
	struct peer *recorder; /* NULL: away just now */
	uint32_t payer;
};

/* One that is named may be somebody else's: what is said there doesn't count to him. */
static int
find_named(struct writer_role *r, const struct proto_note *n, struct place *ret,
    struct ops_err *err)
{
	struct writer_session s;

	writer_session(r->w, n->session, &s);
	if (!s.known || s.closed || s.imported)
		return ops_fail(err, OPS_ENOENT,
		    "that session has ended: nothing is added to it");
	memcpy(ret->id, n->session, OPS_ID_LEN);
	ret->recorder = recorder_of(r, n->session);
	ret->payer = peer_proves(r, n->auid, n->ses) ? n->auid : n->uid;
	return 0;
}

static int
find_session(struct writer_role *r, const struct proto_note *n,
    struct place *ret, struct ops_err *err)
{
	struct peer *p;
	bool several;

	if (!ops_all_zero(n->session, OPS_ID_LEN))
		return find_named(r, n, ret, err);
	p = by_descent(r, n);
	if (p == NULL)
		p = by_login(r, n, &several);
	else
		several = false;
	if (p == NULL)
		return ops_fail(err, OPS_ENOENT,
		    several ? "this login has several sessions; --session says "
			      "which one is meant"
			    : "this is not in a session that is recorded now");
	memcpy(ret->id, p->id, OPS_ID_LEN);
	ret->recorder = p;
	ret->payer = p->charge;
	return 0;
}

/* -- taking it -- */

/* Who talks without end may not fill the disk, in one session or in many. */
static int
check_rate(struct writer_role *r, const struct place *at, uint64_t now,
    struct ops_err *err)
{
	if (at->recorder != NULL &&
	    !ration_bucket(&at->recorder->notes, &in_session, now))
		return ops_fail(err, OPS_EBUSY,
		    "too many notes in this session at once; try again in a "
		    "moment");
	if (!ration_take(&r->notes, at->payer, now))
		return ops_fail(err, OPS_EBUSY,
		    "too many notes of one user at once, over all "
		    "sessions; try again in a moment");
	return 0;
}

static int
put(struct peer *p, const uint8_t id[static OPS_ID_LEN],
    const struct proto_note *n, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct ops_clock now;
	struct remark said = { .kind = REMARK_NOTE,
		.uid = n->uid,
		.auid = n->auid,
		.pid = n->pid,
		.start = n->start,
		.text = n->text };
	int rc;

	ops_clock_read(&now);
	said.realtime = now.realtime;
	remark_put(&b, id, &said);
	rc = ops_buf_check(&b, "note", err);
	if (rc == 0)
		rc = writer_role_event(p->r, REC_NOTE, now.boottime, b.data,
		    b.len, &p->ticket, err);
	ops_buf_free(&b);
	return rc;
}

static int
refuse(struct peer *p, const struct ops_err *why, struct ops_err *err)
{
	uint8_t code = (uint8_t)why->code;

	p->state = PEER_QUERY;
	return msg_send2(p->watch.fd, Q_NOT_NOTED, &code, 1, why->msg,
	    strlen(why->msg), err);
}

int
writer_on_note(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct place at = { .payer = EVENT_UNSET };
	struct proto_note n;
	struct ops_err why = { 0 };

	if (proto_note_get(m->p, m->n, &n, err) < 0)
		return -1;
	if (p->r->state != WRITER_OK)
		return writer_query_failed(p, p->r->reason, err);
	if (find_session(p->r, &n, &at, &why) < 0 ||
	    check_rate(p->r, &at, ops_boottime(), &why) < 0 ||
	    put(p, at.id, &n, &why) < 0)
		return refuse(p, &why, err);
	p->state = PEER_QUERY_WAITS;
	return 0;
}
