#include <string.h>

#include "index/lookup.h"
#include "ipc/proto.h"
#include "query_conn.h"
#include "store/session.h"

static int
send_all(
    struct query_conn *q, const struct session_list *l, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	int rc = 0;

	for (size_t i = 0; i < l->logins.n && rc == 0; i++) {
		ops_buf_reset(&b);
		login_seen_put(&b, &l->logins.l[i]);
		rc = ops_buf_check(&b, "login", err);
		if (rc == 0)
			rc = msg_send(
			    q->fd, C_LOGIN, b.data, b.len, NULL, 0, err);
	}
	ops_buf_free(&b);
	return rc < 0 ? -1 : query_end_events(q, l->logins.n, l, err);
}

int
query_on_logins(void *conn, struct msg *m, struct ops_err *err)
{
	static const struct session_filter all;
	struct query_conn *q = conn;
	struct query_filter f = { 0 };
	struct session_list list = { 0 };
	struct ops_err why = { 0 };
	int rc = query_filter(q, m, &f, err);

	if (rc <= 0)
		return rc;
	if (lookup_sessions(q->role->store, q->vfs, &all, &list, &why) < 0)
		return query_fail(q, &why, err);
	logins_keep(&list.logins, &f.l);
	rc = send_all(q, &list, err);
	session_list_free(&list);
	return rc;
}
