#include <string.h>

#include "base/bytes.h"
#include "index/lookup.h"
#include "ipc/proto.h"
#include "query_conn.h"
#include "store/programs.h"

/* Texts of the filter that are given, each ended by a NUL. */
struct texts {
	char name[EVENT_TEXT_MAX + 1], exe[EVENT_TEXT_MAX + 1],
	    tty[EVENT_TEXT_MAX + 1], person[EVENT_TEXT_MAX + 1];
};

static int
fill_filter(struct query_conn *q, const struct proto_programs *asked,
    struct texts *t, struct program_filter *f, struct ops_err *err)
{
	*f = (struct program_filter){ .has_owner = !q->who.full,
		.owner = q->who.peer.uid,
		.reader = q->who.full ? NULL : &q->who.way,
		.has_login = asked->has_login,
		.has_euid = asked->has_euid,
		.login = asked->login,
		.euid = asked->euid,
		.has_session = asked->has_session,
		.since = asked->since,
		.until = asked->until,
		.failed = asked->failed,
		.forks = asked->forks,
		.seeded = asked->seeded,
		.coverage = asked->coverage,
		.source = asked->source,
		.newest = asked->newest };
	memcpy(f->session, asked->session, OPS_ID_LEN);
	return query_text(&asked->name, t->name, &f->name, err) < 0 ||
		       query_text(&asked->exe, t->exe, &f->exe, err) < 0 ||
		       query_text(&asked->tty, t->tty, &f->tty, err) < 0 ||
		       query_text(&asked->person, t->person, &f->person, err) <
			   0
		   ? -1
		   : 0;
}

static int
load(struct query_conn *q, const struct program_filter *f,
    struct program_list *ret, struct ops_err *err)
{
	return lookup_programs(q->role->store, q->vfs, f, ret, NULL, NULL, err);
}

static int
send_rest(struct query_conn *q, const struct program *p, struct ops_err *err)
{
	size_t at = PROGRAM_ARGS_MAX;

	while (p->kind == PROGRAM_RAN && at < p->exec.args.n) {
		size_t n = p->exec.args.n - at;

		if (n > MSG_PAYLOAD_MAX)
			n = MSG_PAYLOAD_MAX;
		if (msg_send(q->fd, C_PROGRAM_ARGS, p->exec.args.p + at, n,
			NULL, 0, err) < 0)
			return -1;
		at += n;
	}
	return 0;
}

static int
send_all(
    struct query_conn *q, const struct program_list *l, struct ops_err *err)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	uint8_t end[16];
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		ops_buf_reset(&b);
		program_put(&b, &l->p[i]);
		rc = ops_buf_check(&b, "program", err);
		if (rc == 0)
			rc = msg_send(
			    q->fd, C_PROGRAM, b.data, b.len, NULL, 0, err);
		if (rc == 0)
			rc = send_rest(q, &l->p[i], err);
	}
	ops_buf_free(&b);
	ops_putle32(end, (uint32_t)l->n);
	ops_putle32(end + 4, (uint32_t)l->missing);
	ops_putle64(end + 8, l->expired);
	return rc < 0 ? -1
		      : msg_send(q->fd, C_END, end, sizeof(end), NULL, 0, err);
}

int
query_on_programs(void *conn, struct msg *m, struct ops_err *err)
{
	struct query_conn *q = conn;
	struct program_list list = { 0 };
	struct proto_programs asked;
	struct program_filter f;
	struct ops_err why = { 0 };
	struct texts texts;
	int rc;

	if (proto_programs_get(m->p, m->n, &asked, err) < 0)
		return -1;
	if (fill_filter(q, &asked, &texts, &f, &why) < 0 ||
	    load(q, &f, &list, &why) < 0)
		return query_fail(q, &why, err);
	rc = send_all(q, &list, err);
	program_list_free(&list);
	return rc;
}
