/* C_VISITS: who was here, with the sessions that each had. */
#include "base/bytes.h"
#include "ipc/proto.h"
#include "query_conn.h"
#include "store/store.h"
#include "store/visits.h"

static int
send_all(struct query_conn *q, const struct visits *all, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	uint8_t end[12];
	int rc = 0;

	for (size_t i = 0; i < all->n && rc == 0; i++) {
		ops_buf_reset(&b);
		visit_put(&b, &all->v[i]);
		rc = ops_buf_check(&b, "login", err);
		if (rc == 0)
			rc = msg_send(
			    q->fd, C_VISIT, b.data, b.len, NULL, 0, err);
	}
	ops_buf_free(&b);
	ops_putle32(end, (uint32_t)all->n);
	ops_putle64(end + 4, all->missing);
	return rc < 0 ? -1
		      : msg_send(q->fd, C_END, end, sizeof(end), NULL, 0, err);
}

int
query_on_visits(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct visit_filter f = { 0 };
	struct visits all = { 0 };
	struct proto_filter asked;
	struct ops_err why = { 0 };
	struct store *s = NULL;
	int rc;

	if (proto_filter_get(m->p, m->n, &asked, err) < 0)
		return -1;
	f.since = asked.since;
	f.until = asked.until;
	f.has_uid = asked.mine || !q->who.full;
	f.uid = q->who.peer.uid;
	f.reader = q->who.full ? NULL : &q->who.way;
	if (store_open(q->vfs, 0, &s, &why) < 0 ||
	    visits_load(s, &f, &all, &why) < 0) {
		store_free(s);
		return query_fail(q, &why, err);
	}
	store_free(s);
	rc = send_all(q, &all, err);
	visits_free(&all);
	return rc;
}
