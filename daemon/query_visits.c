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
	return rc < 0 ? -1 : query_end_missing(q, all->n, all->missing, err);
}

int
query_on_visits(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct query_filter f = { 0 };
	struct visit_filter of;
	struct visits all = { 0 };
	struct ops_err why = { 0 };
	struct store *s = NULL;
	int rc = query_filter(q, m, &f, err);

	if (rc <= 0)
		return rc;
	of = (struct visit_filter){ .since = f.l.since,
		.until = f.l.until,
		.has_uid = f.l.has_uid,
		.uid = f.l.uid,
		.reader = f.l.reader };
	if (store_open(q->vfs, 0, &s, &why) < 0 ||
	    visits_load(s, &of, &all, &why) < 0) {
		store_free(s);
		return query_fail(q, &why, err);
	}
	store_free(s);
	rc = send_all(q, &all, err);
	visits_free(&all);
	return rc;
}
