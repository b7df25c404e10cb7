#include <string.h>

#include "ipc/proto.h"
#include "writer_peer.h"

/* Tell the scanner of each terminal that it hasn't heard of; what doesn't fit
 * into the socket stays due. */
void
scan_flush(struct writer_role *r)
{
	uint8_t b[PROTO_OUTER_LEN];
	struct peer *scan = r->scan;
	struct ops_err err = { 0 };

	if (scan == NULL || scan->dead)
		return;
	for (struct peer *p = r->peers; p != NULL && err.code == OPS_OK;
	     p = p->next) {
		if (!p->outer_due || p->dead)
			continue;
		proto_outer_encode(&p->outer, b);
		p->outer_due = msg_send(scan->watch.fd, Q_OUTER, b, sizeof(b),
				   NULL, 0, &err) < 0;
	}
	if (err.code != OPS_OK && err.code != OPS_EBUSY)
		scan->dead = true;
	else
		loop_change(&r->loop, &scan->watch,
		    EPOLLIN | (err.code == OPS_EBUSY ? EPOLLOUT : 0u));
}

int
recorder_on_outer(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct proto_outer o;

	if (proto_outer_decode(m->p, m->n, &o, err) < 0)
		return -1;
	if (memcmp(o.id, p->id, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_EPERM, "another session's terminal");
	p->outer = o;
	p->outer_due = true;
	scan_flush(p->r);
	return 0;
}

int
writer_scan_watch(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *me = conn;
	struct writer_role *r = me->r;

	(void)m;
	if (me->spare)
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (r->scan != NULL)
		r->scan->dead = true; /* a new one has given it up */
	r->scan = me;
	me->state = PEER_SCAN;
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		p->outer_due = p->outer.door != 0;
	scan_flush(r);
	return 0;
}

int
writer_scan_found(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *me = conn;
	struct proto_found f;

	if (proto_found_get(m->p, m->n, &f, err) < 0)
		return -1;
	for (struct peer *p = me->r->peers; p != NULL; p = p->next) {
		if (p->dead || p->state != PEER_RECORDER ||
		    memcmp(p->id, f.id, OPS_ID_LEN) != 0)
			continue;
		/* Told of the terminal again, the scanner finds it again. */
		if (msg_send(p->watch.fd, MSG_REC_FOUND, m->p, m->n, NULL, 0,
			NULL) < 0)
			p->outer_due = true;
		break;
	}
	scan_flush(me->r);
	return 0;
}
