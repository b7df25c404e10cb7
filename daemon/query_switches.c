/* C_SWITCHES: when recording was switched off, and on. */
#include "ipc/proto.h"
#include "query_conn.h"
#include "store/store.h"
#include "store/switches.h"

static int
send_all(struct query_conn *q, const struct switches *all, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	int rc = 0;

	for (size_t i = 0; i < all->n && rc == 0; i++) {
		ops_buf_reset(&b);
		switched_put(&b, &all->s[i]);
		rc = ops_buf_check(&b, "switch", err);
		if (rc == 0)
			rc = msg_send(
			    q->fd, C_SWITCHED, b.data, b.len, NULL, 0, err);
	}
	ops_buf_free(&b);
	return rc < 0 ? -1 : query_end_missing(q, all->n, all->missing, err);
}

int
query_on_switches(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct switches all = { 0 };
	struct ops_err why = { 0 };
	struct store *s;
	int rc;

	(void)m;
	if (store_open(q->vfs, 0, &s, &why) < 0)
		return query_fail(q, &why, err);
	rc = switches_load(s, &all, &why) < 0 ? query_fail(q, &why, err)
					      : send_all(q, &all, err);
	switches_free(&all);
	store_free(s);
	return rc;
}
