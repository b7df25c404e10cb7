#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "logline.h"
#include "record/event.h"
#include "writer_role.h"

#define HELLO_LEN (OPS_ID_LEN + 4 + 8)
#define EVENT_HEAD 17 /* u64 number, u8 type, u64 time */
#define ACKS_MAX 64   /* kept apart; more are merged into the newest */
#define MESSAGES_A_TURN 16
#define ACCEPTS_A_TURN 64

enum peer_state {
	PEER_NEW,
	PEER_RECORDER,
	PEER_LATE, /* a recorder whose session is closed: it is told so as soon
		    * as that is durable, and sends nothing more */
	PEER_QUERY,
	PEER_QUERY_WAITS, /* its event is on the way to the disk */
};
#define IN(state) (1u << (state))

/* Once `ticket` is durable, so is all below these numbers. */
struct ack {
	uint64_t ticket, next_record, next_event;
};

struct peer {
	struct watch watch; /* first: a watch is its peer */
	struct writer_role *r;
	struct peer *next, **link; /* in r->peers */
	struct msg_peer who;
	enum peer_state state;
	bool dead; /* to be closed before anything else is done with it */

	uint8_t id[OPS_ID_LEN]; /* PEER_RECORDER */
	uint64_t start;
	uint64_t next_record, next_event; /* what the writer takes next */
	struct ack ack[ACKS_MAX];
	unsigned acks;
	struct ack due; /* what the next REC_ACK says */
	bool ack_due, state_due;

	uint64_t ticket; /* PEER_QUERY_WAITS, PEER_LATE */

	/* A message that the writer had no room for; nothing more is read
	 * until it is taken. */
	uint8_t *held;
	size_t held_len;
	uint16_t held_type;
};

static struct peer *
peer_of(struct watch *w)
{
	return (struct peer *)w;
}

/* -- what goes out -- */

static bool
send_ack(struct peer *p, struct ops_err *err)
{
	uint8_t b[16];

	ops_putle64(b, p->due.next_record);
	ops_putle64(b + 8, p->due.next_event);
	return msg_send(p->watch.fd, MSG_REC_ACK, b, sizeof(b), NULL, 0,
		   err) == 0;
}

static bool
send_state(struct peer *p, struct ops_err *err)
{
	uint8_t ok = p->r->state == WRITER_OK;

	return msg_send2(p->watch.fd, MSG_REC_STATE, &ok, 1, p->r->reason,
		   ok ? 0 : strlen(p->r->reason), err) == 0;
}

/* Send what is due; what does not fit into the socket stays due. */
static void
flush(struct peer *p)
{
	struct ops_err err = { 0 };

	if (p->state_due)
		p->state_due = !send_state(p, &err);
	if (p->ack_due && err.code == OPS_OK)
		p->ack_due = !send_ack(p, &err);
	if (err.code != OPS_OK && err.code != OPS_EBUSY)
		p->dead = true;
	else if (p->held == NULL)
		loop_change(&p->r->loop, &p->watch,
		    EPOLLIN | (p->state_due || p->ack_due ? EPOLLOUT : 0u));
}

/* All that was taken so far is durable once the newest ticket is. */
static void
expect_ack(struct peer *p)
{
	if (p->acks == ACKS_MAX)
		p->acks--; /* merged: its records are below the new one's */
	p->ack[p->acks++] = (struct ack){ p->r->last_ticket, p->next_record,
		p->next_event };
}

static void
take_acks(struct peer *p, uint64_t durable)
{
	unsigned n = 0;

	while (n < p->acks && p->ack[n].ticket <= durable)
		p->due = p->ack[n++];
	if (n == 0)
		return;
	p->acks -= n;
	memmove(p->ack, p->ack + n, p->acks * sizeof(p->ack[0]));
	p->ack_due = true;
}

/* -- recorders -- */

bool
peers_have(const struct writer_role *r, const uint8_t id[static OPS_ID_LEN])
{
	for (const struct peer *p = r->peers; p != NULL; p = p->next)
		if (!p->dead && p->state == PEER_RECORDER &&
		    memcmp(p->id, id, OPS_ID_LEN) == 0)
			return true;
	return false;
}

/* A recorder that connects again has given up its old connection. */
static void
end_older(struct peer *me)
{
	for (struct peer *p = me->r->peers; p != NULL; p = p->next)
		if (p != me && p->state == PEER_RECORDER &&
		    memcmp(p->id, me->id, OPS_ID_LEN) == 0)
			p->dead = true;
}

static int
send_held(struct peer *p, const struct writer_session *s, struct ops_err *err)
{
	const struct proto_held held = { s->known, s->closed, s->next_record,
		s->next_event };
	uint8_t b[PROTO_HELD_LEN];

	proto_held_encode(&held, b);
	return msg_send(
	    p->watch.fd, MSG_REC_HELD, b, sizeof(b), NULL, 0, err);
}

static int
answer_late(struct peer *p, uint64_t durable, struct ops_err *err)
{
	struct writer_session s;

	if (p->ticket > durable)
		return 0;
	writer_session(p->r->w, p->id, &s);
	p->ticket = UINT64_MAX; /* once */
	return send_held(p, &s, err);
}

static int
on_hello(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	uint32_t pid = ops_getle32(m->p + OPS_ID_LEN);
	struct writer_session s;

	if (pid != (uint32_t)p->who.pid)
		return ops_fail(err, OPS_EPERM, "says it is process %u", pid);
	memcpy(p->id, m->p, OPS_ID_LEN);
	p->start = ops_getle64(m->p + OPS_ID_LEN + 4);
	writer_session(p->r->w, p->id, &s);
	if (s.known && !s.closed &&
	    (s.recorder_pid != pid || s.recorder_start != p->start))
		return ops_fail(err, OPS_EPERM,
		    "the session's recorder is process %llu",
		    (unsigned long long)s.recorder_pid);
	if (s.closed) {
		p->state = PEER_LATE;
		p->ticket = p->r->last_ticket;
		return answer_late(p, writer_durable(p->r->w), err);
	}
	end_older(p);
	lost_remove(p->r, p->id);
	p->state = PEER_RECORDER;
	p->next_record = s.next_record;
	p->next_event = s.next_event;
	if (send_held(p, &s, err) < 0)
		return -1;
	/* What the writer holds need not be durable yet. */
	expect_ack(p);
	take_acks(p, writer_durable(p->r->w));
	p->state_due = true;
	flush(p);
	return 0;
}

/* Keep a message for later: the writer's queue is full. */
static int
hold(struct peer *p, const struct msg *m, struct ops_err *err)
{
	uint8_t *copy = malloc(m->n > 0 ? m->n : 1);

	if (copy == NULL)
		return ops_fail(err, OPS_ENOMEM, "message");
	assert(p->held == NULL);
	memcpy(copy, m->p, m->n);
	p->held = copy;
	p->held_len = m->n;
	p->held_type = m->type;
	/* Out of the loop altogether: a hang-up would wake it for ever. */
	loop_remove(&p->r->loop, &p->watch);
	/* Room may come without a wake: when records have been framed. */
	loop_timer_set(p->r->again.fd, AGAIN_AFTER, 0);
	return 0;
}

static int
on_records(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct writer_session s;
	struct ops_err e = { 0 };
	uint64_t ticket;

	if (writer_put_screen(p->r->w, p->id, ops_getle64(m->p), m->p + 8,
		m->n - 8, &ticket, &e) == 0) {
		if (ticket > p->r->last_ticket)
			p->r->last_ticket = ticket;
		writer_session(p->r->w, p->id, &s);
		p->next_record = s.next_record;
		expect_ack(p);
		return 0;
	}
	if (e.code == OPS_EBUSY)
		return hold(p, m, err);
	if (err != NULL)
		*err = e;
	return -1;
}

/* Does the body say what its type promises, about this very session? */
static int
check_event(struct peer *p, uint8_t type, uint64_t number, const uint8_t *b,
    size_t n, struct ops_err *err)
{
	union {
		struct event_open open;
		struct event_close close;
		struct event_gap gap;
		struct event_bypass bypass;
	} u;
	uint8_t id[OPS_ID_LEN];

	if (event_session(b, n, id, err) < 0)
		return -1;
	if (memcmp(id, p->id, OPS_ID_LEN) != 0)
		return ops_fail(
		    err, OPS_EPERM, "an event of another session");
	if ((type == REC_SESSION_OPEN) != (number == 0))
		return ops_fail(err, OPS_EFORMAT,
		    "event %llu has type %u", (unsigned long long)number, type);
	switch (type) {
	case REC_SESSION_OPEN:
		if (event_open_get(b, n, &u.open, err) < 0)
			return -1;
		if (u.open.recorder_pid != (uint32_t)p->who.pid ||
		    u.open.recorder_start != p->start)
			return ops_fail(err, OPS_EPERM,
			    "SESSION-OPEN names another recorder");
		return 0;
	case REC_SESSION_CLOSE:
		return event_close_get(b, n, &u.close, err);
	case REC_GAP_EVENT:
		if (event_gap_get(b, n, &u.gap, err) < 0)
			return -1;
		p->r->lost_bytes += u.gap.bytes;
		return 0;
	case REC_BYPASS:
		return event_bypass_get(b, n, &u.bypass, err);
	default:
		return ops_fail(
		    err, OPS_EPERM, "events of type %u are not yours", type);
	}
}

static int
on_event(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	uint64_t number = ops_getle64(m->p), time = ops_getle64(m->p + 9);
	const uint8_t *body = m->p + EVENT_HEAD;
	size_t n = m->n - EVENT_HEAD;
	uint8_t type = m->p[8];
	struct ops_err e = { 0 };
	uint64_t lost = p->r->lost_bytes;

	if (number > p->next_event)
		return ops_fail(err, OPS_EFORMAT,
		    "event %llu, but %llu is next", (unsigned long long)number,
		    (unsigned long long)p->next_event);
	if (check_event(p, type, number, body, n, err) < 0)
		return -1;
	if (number < p->next_event) { /* sent again after a restart */
		p->r->lost_bytes = lost;
		expect_ack(p);
		return 0;
	}
	if (writer_role_event(p->r, type, time, body, n, NULL, &e) < 0) {
		p->r->lost_bytes = lost;
		if (e.code == OPS_EBUSY)
			return hold(p, m, err);
		if (err != NULL)
			*err = e;
		return -1;
	}
	p->next_event++;
	expect_ack(p);
	return 0;
}

/* -- the query role -- */

static int
q_failed(struct peer *p, const char *why, struct ops_err *err)
{
	p->state = PEER_QUERY;
	return msg_send(
	    p->watch.fd, Q_FAILED, why, strlen(why), NULL, 0, err);
}

static int
on_access(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct event_access e;
	struct ops_err why = { 0 };

	if (event_access_get(m->p, m->n, &e, err) < 0)
		return -1;
	if (p->r->state != WRITER_OK)
		return q_failed(p, p->r->reason, err);
	if (writer_role_event(p->r, REC_ACCESS, ops_boottime(), m->p, m->n,
		&p->ticket, &why) < 0)
		return q_failed(p, why.msg, err);
	p->state = PEER_QUERY_WAITS;
	return 0;
}

static int
on_status(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	int rc;

	(void)m;
	p->state = PEER_QUERY;
	rc = status_put(p->r, &b, err);
	if (rc == 0)
		rc = msg_send(p->watch.fd, Q_STATUS_IS, b.data, b.len, NULL,
		    0, err);
	ops_buf_free(&b);
	return rc;
}

static int
on_seal(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;

	(void)m;
	p->state = PEER_QUERY;
	writer_seal_soon(p->r->w);
	return msg_send(p->watch.fd, Q_DONE, NULL, 0, NULL, 0, err);
}

/* What it waits for is durable, or can't become so. */
static void
answer_waiting(struct peer *p, uint64_t durable)
{
	int rc = 0;

	if (p->state == PEER_LATE)
		rc = answer_late(p, durable, NULL);
	if (p->state == PEER_QUERY_WAITS && p->ticket <= durable) {
		p->state = PEER_QUERY;
		rc = msg_send(p->watch.fd, Q_DONE, NULL, 0, NULL, 0, NULL);
	} else if (p->state == PEER_QUERY_WAITS && p->r->state != WRITER_OK) {
		rc = q_failed(p, p->r->reason, NULL);
	}
	if (rc < 0)
		p->dead = true;
}

/* clang-format off */
static const struct msg_rule rules[] = {
	/* type            name           states                           min              max                      fds   handler */
	{ MSG_REC_HELLO,   "REC_HELLO",   IN(PEER_NEW),                    HELLO_LEN,       HELLO_LEN,               0, 0, on_hello },
	{ MSG_REC_EVENT,   "REC_EVENT",   IN(PEER_RECORDER),               EVENT_HEAD + OPS_ID_LEN, EVENT_HEAD + RECORD_PAYLOAD_MAX, 0, 0, on_event },
	{ MSG_REC_RECORDS, "REC_RECORDS", IN(PEER_RECORDER),               8 + RECORD_HEADER, MSG_PAYLOAD_MAX,       0, 0, on_records },
	{ Q_ACCESS,        "Q_ACCESS",    IN(PEER_NEW) | IN(PEER_QUERY),   OPS_ID_LEN,      RECORD_PAYLOAD_MAX,      0, 0, on_access },
	{ Q_STATUS,        "Q_STATUS",    IN(PEER_NEW) | IN(PEER_QUERY),   0,               0,                       0, 0, on_status },
	{ Q_SEAL,          "Q_SEAL",      IN(PEER_NEW) | IN(PEER_QUERY),   0,               0,                       0, 0, on_seal },
};
/* clang-format on */

/* -- connections -- */

static void
peer_free(struct peer *p)
{
	struct writer_session s;
	struct writer_role *r = p->r;

	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	r->n_peers--;
	if (p->held == NULL)
		loop_remove(&r->loop, &p->watch);
	close(p->watch.fd);
	if (p->state == PEER_RECORDER && !peers_have(r, p->id)) {
		writer_session(r->w, p->id, &s);
		if (s.known && !s.closed)
			lost_add(r, p->id, p->who.pid, p->start);
	}
	free(p->held);
	free(p);
}

/* Another peer may have been marked by end_older(), so look at all. */
static void
free_dead(struct writer_role *r)
{
	struct peer *next;

	for (struct peer *p = r->peers; p != NULL; p = next) {
		next = p->next;
		if (p->dead)
			peer_free(p);
	}
}

static void
dispatch(struct peer *p, struct msg *m)
{
	struct ops_err err = { 0 };

	if (msg_dispatch(rules, OPS_ARRAY_LEN(rules), (unsigned)p->state, p, m,
		&err) == 0)
		return;
	logline("record.sock, process %d: %s; cut off", (int)p->who.pid,
	    err.msg);
	p->dead = true;
}

static void
receive(struct peer *p)
{
	static uint8_t buf[MSG_MAX];

	for (int i = 0; i < MESSAGES_A_TURN && !p->dead && p->held == NULL;
	     i++) {
		struct ops_err err = { 0 };
		struct msg m;
		int rc = msg_recv(p->watch.fd, buf, &m, &err);

		if (rc > 0) {
			dispatch(p, &m);
		} else if (rc == 0) {
			p->dead = true;
		} else if (err.code == OPS_EBUSY) {
			return;
		} else {
			if (err.code == OPS_EFORMAT)
				logline("record.sock, process %d: %s; cut off",
				    (int)p->who.pid, err.msg);
			p->dead = true;
		}
	}
}

static void
on_ready(struct watch *w, uint32_t events)
{
	struct peer *p = peer_of(w);
	struct writer_role *r = p->r;

	if (events & EPOLLOUT)
		flush(p);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive(p);
	free_dead(r);
}

/* Only the log's own processes may speak here; the socket's mode says so too. */
static bool
is_ours(const struct writer_role *r, const struct msg_peer *who)
{
	return who->uid == r->role->user.uid || who->uid == 0;
}

static int
peer_new(struct writer_role *r, int fd, struct ops_err *err)
{
	struct msg_peer who;
	struct peer *p;

	if (msg_peer(fd, &who, err) < 0)
		return -1;
	if (!is_ours(r, &who))
		return ops_fail(err, OPS_EPERM,
		    "process %d has uid %u; cut off", (int)who.pid,
		    (unsigned)who.uid);
	if (r->n_peers >= WRITER_PEERS_MAX)
		return ops_fail(err, OPS_EBUSY, "too many connections");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "connection");
	p->watch = (struct watch){ fd, on_ready };
	p->r = r;
	p->who = who;
	if (loop_add(&r->loop, &p->watch, EPOLLIN, err) < 0) {
		free(p);
		return -1;
	}
	p->next = r->peers;
	p->link = &r->peers;
	if (p->next != NULL)
		p->next->link = &p->next;
	r->peers = p;
	r->n_peers++;
	return 0;
}

void
peer_accept(struct writer_role *r)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct ops_err err = { 0 };
		int fd;

		if (msg_accept(r->role->listener, &fd, &err) < 0) {
			if (err.code != OPS_EBUSY)
				logline("record.sock: %s", err.msg);
			return;
		}
		if (peer_new(r, fd, &err) < 0) {
			logline("record.sock: %s", err.msg);
			close(fd);
		}
	}
}

/* The writer may have room again: take what had to wait. */
static void
retry(struct peer *p)
{
	struct msg m = { .type = p->held_type, .p = p->held, .n = p->held_len };
	uint8_t *held = p->held;
	struct ops_err err = { 0 };

	if (held == NULL)
		return;
	p->held = NULL;
	if (loop_add(&p->r->loop, &p->watch, EPOLLIN, &err) < 0) {
		logline("record.sock: %s", err.msg);
		p->held = held; /* still out of the loop */
		p->dead = true;
		return;
	}
	dispatch(p, &m);
	free(held);
}

void
peers_wake(struct writer_role *r)
{
	uint64_t durable = writer_durable(r->w);

	for (struct peer *p = r->peers; p != NULL; p = p->next) {
		answer_waiting(p, durable);
		take_acks(p, durable);
		retry(p);
		if (!p->dead && (p->ack_due || p->state_due))
			flush(p);
	}
	free_dead(r);
}

void
peers_tell_state(struct writer_role *r)
{
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		if (p->state == PEER_RECORDER)
			p->state_due = true;
}

void
peers_close(struct writer_role *r)
{
	while (r->peers != NULL)
		peer_free(r->peers);
}
