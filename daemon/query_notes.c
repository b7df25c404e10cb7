#include <string.h>

#include "base/bytes.h"
#include "ipc/proto.h"
#include "procid.h"
#include "query_conn.h"
#include "record/record.h"
#include "record/remark.h"
#include "store/remarks.h"

/* -- C_NOTE -- */

/* Its controlling terminal.  It waits for us: of another there is none. */
static uint32_t
terminal_of(const struct query_who *who)
{
	struct procid_seen seen;

	if (procid_see(who->peer.pid, &seen, NULL) < 0 ||
	    seen.start != who->way.self.start)
		return 0;
	return seen.tty_major << 20 | seen.tty_minor;
}

static int
tell(struct query_conn *q, const uint8_t *id, const uint8_t *text, size_t n,
    struct ops_err *err)
{
	const struct query_who *who = &q->who;
	struct proto_note note = { .uid = who->peer.uid,
		.auid = who->auid,
		.ses = who->way.ses,
		.pid = who->way.self.pid,
		.start = who->way.self.start,
		.tty = terminal_of(who),
		.ancestors = who->way.ancestors,
		.text = { text, n } };
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	int rc;

	memcpy(note.session, id, OPS_ID_LEN);
	proto_note_put(&b, &note);
	rc = ops_buf_check(&b, "note", err);
	if (rc == 0)
		rc = query_tell(q, Q_NOTE, &b, err);
	ops_buf_free(&b);
	return rc;
}

int
query_on_note(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct ops_err why = { 0 };
	int own = 1;

	if (!q->who.full && !ops_all_zero(m->p, OPS_ID_LEN))
		own = query_owns(q, m->p, &why);
	if (own == 0)
		return query_refuse(q, m->p, "no such session of yours", err);
	if (own < 0 ||
	    tell(q, m->p, m->p + OPS_ID_LEN, m->n - OPS_ID_LEN, &why) < 0)
		return query_fail(q, &why, err);
	return query_done(q, err);
}

/* -- C_NOTES -- */

static int
send_all(struct query_conn *q, const uint8_t *id, const struct remark_list *l,
    struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		ops_buf_reset(&b);
		remark_seen_put(&b, id, &l->r[i]);
		rc = ops_buf_check(&b, "note", err);
		if (rc == 0)
			rc = msg_send(
			    q->fd, C_NOTE_IS, b.data, b.len, NULL, 0, err);
	}
	ops_buf_free(&b);
	return rc < 0 ? -1 : query_end_missing(q, l->n, l->missing, err);
}

int
query_on_notes(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct remark_list list = { 0 };
	struct ops_err why = { 0 };
	struct store *s;
	int rc;

	if (!query_may(q, m->p)) {
		ops_fail(&why, OPS_EPERM, "ask to read the session first");
		return query_fail(q, &why, err);
	}
	if (store_open(q->vfs, 0, &s, &why) < 0)
		return query_fail(q, &why, err);
	rc = remark_list_load(s, m->p, &list, &why) < 0
		 ? query_fail(q, &why, err)
		 : send_all(q, m->p, &list, err);
	remark_list_free(&list);
	store_free(s);
	return rc;
}
