#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/proto.h"
#include "record/remark.h"
#include "writer_peer.h"

#define SECOND UINT64_C(1000000000)
#define INTERVAL (SECOND / NOTE_RATE)

/* -- where it belongs -- */

static bool
is_session(const struct peer *p)
{
	return p->state == PEER_RECORDER && !p->dead && p->inner.door != 0;
}

/* The session that begins with this process. */
static const struct peer *
of_process(const struct writer_role *r, const struct event_process *x)
{
	for (const struct peer *p = r->peers; p != NULL; p = p->next)
		if (is_session(p) && p->inner.door == x->pid &&
		    p->inner.door_start == x->start)
			return p;
	return NULL;
}

/* The one whose door is the nearest that it descends from. */
static const struct peer *
by_descent(const struct writer_role *r, const struct proto_note *n)
{
	struct event_process x = { n->pid, n->start };
	const struct peer *p;
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
static const struct peer *
by_login(const struct writer_role *r, const struct proto_note *n, bool *several)
{
	const struct peer *only = NULL;

	*several = false;
	if (n->ses == EVENT_UNSET)
		return NULL;
	for (const struct peer *p = r->peers; p != NULL; p = p->next) {
		if (!is_session(p) || p->inner.ses != n->ses)
			continue;
		if (n->tty != 0 && p->inner.dev == n->tty)
			return p;
		*several = only != NULL;
		only = p;
	}
	return *several ? NULL : only;
}

static int
find_session(struct writer_role *r, const struct proto_note *n,
    uint8_t id[static OPS_ID_LEN], struct ops_err *err)
{
	struct writer_session s;
	const struct peer *p;
	bool several;

	if (!ops_all_zero(n->session, OPS_ID_LEN)) {
		writer_session(r->w, n->session, &s);
		if (!s.known || s.closed || s.imported)
			return ops_fail(err, OPS_ENOENT,
			    "that session has ended: nothing is added to it");
		memcpy(id, n->session, OPS_ID_LEN);
		return 0;
	}
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
	memcpy(id, p->id, OPS_ID_LEN);
	return 0;
}

/* -- taking it -- */

/* Who talks without end may not fill the disk; as with logins. */
static int
check_rate(struct writer_role *r, const uint8_t id[static OPS_ID_LEN],
    uint64_t now, struct ops_err *err)
{
	uint64_t *used = &r->note_used[id[0] % WRITER_NOTE_SLOTS];

	if (*used < now)
		*used = now;
	if (*used - now >= NOTE_BURST * INTERVAL)
		return ops_fail(err, OPS_EBUSY,
		    "too many notes in this session at once; try again in a "
		    "moment");
	*used += INTERVAL;
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
	uint8_t id[OPS_ID_LEN];
	struct proto_note n;
	struct ops_err why = { 0 };

	if (proto_note_get(m->p, m->n, &n, err) < 0)
		return -1;
	if (p->r->state != WRITER_OK)
		return writer_query_failed(p, p->r->reason, err);
	if (find_session(p->r, &n, id, &why) < 0 ||
	    check_rate(p->r, id, ops_boottime(), &why) < 0 ||
	    put(p, id, &n, &why) < 0)
		return refuse(p, &why, err);
	p->state = PEER_QUERY_WAITS;
	return 0;
}
