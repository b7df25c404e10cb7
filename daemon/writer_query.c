#include <string.h>

#include "base/clock.h"
#include "ipc/proto.h"
#include "record/event.h"
#include "writer_peer.h"

int
writer_query_failed(struct peer *p, const char *why, struct ops_err *err)
{
	p->state = PEER_QUERY;
	return msg_send(p->watch.fd, Q_FAILED, why, strlen(why), NULL, 0, err);
}

int
writer_query_access(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct event_access e;
	struct ops_err why = { 0 };

	if (event_access_get(m->p, m->n, &e, err) < 0)
		return -1;
	if (p->r->state != WRITER_OK)
		return writer_query_failed(p, p->r->reason, err);
	if (writer_role_event(p->r, REC_ACCESS, ops_boottime(), m->p, m->n,
		&p->ticket, &why) < 0)
		return writer_query_failed(p, why.msg, err);
	p->state = PEER_QUERY_WAITS;
	return 0;
}

int
writer_query_status(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	/* Without memory: it may be what the state is about. */
	static uint8_t answer[MSG_PAYLOAD_MAX];
	struct ops_buf b = OPS_BUF_FIXED(answer);
	int rc;

	(void)m;
	p->state = PEER_QUERY;
	rc = status_put(p->r, &b, err);
	if (rc == 0)
		rc = msg_send(
		    p->watch.fd, Q_STATUS_IS, b.data, b.len, NULL, 0, err);
	return rc;
}

int
writer_query_seal(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;

	(void)m;
	p->state = PEER_QUERY;
	writer_seal_soon(p->r->w);
	return msg_send(p->watch.fd, Q_DONE, NULL, 0, NULL, 0, err);
}

int
writer_query_waiting(struct peer *p, uint64_t durable)
{
	if (p->state == PEER_QUERY_WAITS && p->ticket <= durable) {
		p->state = PEER_QUERY;
		return msg_send(p->watch.fd, Q_DONE, NULL, 0, NULL, 0, NULL);
	}
	if (p->state == PEER_QUERY_WAITS && p->r->state != WRITER_OK)
		return writer_query_failed(p, p->r->reason, NULL);
	return 0;
}
