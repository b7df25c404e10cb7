#include "uplink.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "record/event.h"
#include "record/record.h"

/* Without this it is no session's terminal: so else the next connection says it. */
static void
must_say(struct link *l, uint16_t type, const void *p, size_t n, uint64_t now)
{
	if (l->held && !link_say(l, type, p, n, now) && l->held)
		link_close(l, now);
}

void
uplink_outer(struct uplink *u, uint64_t now)
{
	uint8_t p[PROTO_OUTER_LEN];

	if (u->outer.door == 0)
		return;
	proto_outer_encode(&u->outer, p);
	must_say(u->link, MSG_REC_OUTER, p, sizeof(p), now);
}

/* The inner terminal first: no program runs in it before this was sent. */
static void
name_terminals(void *arg, uint64_t now)
{
	struct uplink *u = arg;
	uint8_t p[PROTO_INNER_LEN];

	proto_inner_encode(&u->inner, p);
	must_say(u->link, MSG_REC_INNER, p, sizeof(p), now);
	uplink_outer(u, now);
}

/* The log that the session was in is gone or damaged.  What goes on is recorded
 * where it can be, and says that what came before is not there: to who lists
 * sessions, and at its place to who reads the screen. */
static int
go_on(void *arg, const struct proto_held *h, uint64_t now, struct ops_err *err)
{
	struct uplink *u = arg;
	struct queue *q = u->link->queue;
	uint8_t payload[QUEUE_GAP_LEN], bytes[QUEUE_EVENT_SMALL];
	struct ops_buf b = OPS_BUF_FIXED(bytes);
	struct queue_event gap = { .type = REC_GAP_EVENT };
	struct queue_gap g;
	struct event_gap e;

	queue_gap(q, h->next_record, now, &g);
	e = (struct event_gap){
		.bytes = g.bytes, .from = g.from, .until = g.until
	};
	event_gap_put(&b, u->link->id, &e);
	assert(!b.failed);
	ops_putle64(payload, g.bytes);
	ops_putle64(payload + 8, g.from);
	ops_putle64(payload + 16, g.until);
	gap.time = g.until;
	gap.p = b.data;
	gap.n = b.len;
	if (queue_restart(q, h->next_record, h->next_event, &gap, payload) < 0)
		return ops_fail(
		    err, OPS_ENOMEM, "going on in another log: no memory");
	return 0;
}

static int
got_found(void *conn, struct msg *m, struct ops_err *err)
{
	struct uplink *u = conn;
	struct proto_found f;

	if (proto_found_get(m->p, m->n, &f, err) < 0)
		return -1;
	if (memcmp(f.id, u->link->id, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_EFORMAT, "of another session");
	u->found(u->arg, &f);
	return 0;
}

static const struct msg_rule rules[] = {
	{ MSG_REC_FOUND, "REC_FOUND", 1u << LINK_OPEN, PROTO_FOUND_HEAD,
	    PROTO_FOUND_HEAD + PROTO_COMM_MAX, 0, 0, got_found },
};

const struct link_owner uplink_owner = {
	.hello = MSG_REC_HELLO,
	.rules = rules,
	.n_rules = OPS_ARRAY_LEN(rules),
	.held = name_terminals,
	.behind = go_on,
};
