#include "writer_peer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/proto.h"
#include "logline.h"
#include "record/record.h"

#define MESSAGES_A_TURN 64
#define LAST_TURNS 64 /* more than a socket holds */
#define ACCEPTS_A_TURN 64
/* Two full reads of a terminal in a turn promise more of them.  The recorder's
 * socket holds what comes in some two milliseconds. */
#define BULK_BYTES 8000
#define BULK_NAP 1000000 /* ns */
#define IN(state) (1u << (state))

static struct peer *
peer_of(struct watch *w)
{
	return (struct peer *)w;
}

/* clang-format off */
static const struct msg_rule rules[] = {
	/* type            name           states                          min                           max                                   fds   handler */
	{ MSG_REC_HELLO,   "REC_HELLO",   IN(PEER_NEW),                   PEER_HELLO_LEN,               PEER_HELLO_LEN,                       0, 0, recorder_on_hello },
	{ MSG_REC_EVENT,   "REC_EVENT",   IN(PEER_RECORDER),              PEER_EVENT_HEAD + OPS_ID_LEN, PEER_EVENT_HEAD + RECORD_PAYLOAD_MAX, 0, 0, recorder_on_event },
	{ MSG_REC_RECORDS, "REC_RECORDS", IN(PEER_RECORDER) | IN(PEER_CAPTURE) | IN(PEER_IMPORT), 8 + RECORD_HEADER, MSG_PAYLOAD_MAX,                      0, 0, recorder_on_records },
	{ Q_ACCESS,        "Q_ACCESS",    IN(PEER_NEW) | IN(PEER_QUERY),  OPS_ID_LEN,                   RECORD_PAYLOAD_MAX,                   0, 0, writer_query_access },
	{ Q_STATUS,        "Q_STATUS",    IN(PEER_NEW) | IN(PEER_QUERY),  0,                            0,                                    0, 0, writer_query_status },
	{ Q_SEAL,          "Q_SEAL",      IN(PEER_NEW) | IN(PEER_QUERY),  0,                            0,                                    0, 0, writer_query_seal },
	{ MSG_REC_OUTER,   "REC_OUTER",   IN(PEER_RECORDER),              PROTO_OUTER_LEN,              PROTO_OUTER_LEN,                      0, 0, recorder_on_outer },
	{ MSG_REC_INNER,   "REC_INNER",   IN(PEER_RECORDER),              PROTO_INNER_LEN,              PROTO_INNER_LEN,                      0, 0, recorder_on_inner },
	{ MSG_CAP_HELLO,   "CAP_HELLO",   IN(PEER_NEW),                   PEER_HELLO_LEN,               PEER_HELLO_LEN,                       0, 0, capture_on_hello },
	{ MSG_IMP_HELLO,   "IMP_HELLO",   IN(PEER_NEW),                   PEER_HELLO_LEN,               PEER_HELLO_LEN,                       0, 0, import_on_hello },
	{ MSG_LOGIN,       "LOGIN",       IN(PEER_NEW) | IN(PEER_QUERY),  OPS_ID_LEN,                   RECORD_PAYLOAD_MAX,                   0, 0, writer_on_login },
	{ MSG_LOGOUT,      "LOGOUT",      IN(PEER_NEW) | IN(PEER_QUERY),  OPS_ID_LEN,                   RECORD_PAYLOAD_MAX,                   0, 0, writer_on_logout },
	{ Q_NOTE,          "Q_NOTE",      IN(PEER_NEW) | IN(PEER_QUERY),  1,                            2048,                                 0, 0, writer_on_note },
	{ MSG_SWITCH,      "SWITCH",      IN(PEER_NEW) | IN(PEER_QUERY),  OPS_ID_LEN,                   OFFSWITCH_MAX,                        0, 0, writer_on_switch },
	{ MSG_CAP_STATE,   "CAP_STATE",   IN(PEER_CAPTURE),               PROTO_CAPTURE_HEAD,           PROTO_CAPTURE_HEAD + PROTO_CAPTURE_TEXT, 0, 0, capture_on_state },
	{ MSG_CAP_SYNC,    "CAP_SYNC",    IN(PEER_CAPTURE),               8,                            8,                                    0, 0, capture_on_sync },
	{ Q_WATCH,         "Q_WATCH",     IN(PEER_NEW),                   0,                            0,                                    0, 0, writer_scan_watch },
	{ Q_FOUND,         "Q_FOUND",     IN(PEER_SCAN),                  PROTO_FOUND_HEAD,             PROTO_FOUND_HEAD + PROTO_COMM_MAX,    0, 0, writer_scan_found },
};
/* clang-format on */

/* -- connections -- */

bool
peers_have(const struct writer_role *r, const uint8_t id[static OPS_ID_LEN])
{
	for (const struct peer *p = r->peers; p != NULL; p = p->next)
		if (!p->dead && p->state == PEER_RECORDER &&
		    memcmp(p->id, id, OPS_ID_LEN) == 0)
			return true;
	return false;
}

/* -- who waits for room -- */

bool
peer_must_wait(const struct peer *p)
{
	return p->r->wait_first != NULL && p->held == NULL;
}

static void
get_in_line(struct peer *p)
{
	struct writer_role *r = p->r;
	struct peer **at = r->wait_first != NULL ? r->wait_end : &r->wait_first;

	/* A session's begin and end are small, and its door waits for them. */
	if (p->held_type != MSG_REC_RECORDS)
		for (at = &r->wait_first;
		     *at != NULL && (*at)->held_type != MSG_REC_RECORDS;
		     at = &(*at)->wait_next)
			continue;
	p->wait_next = *at;
	p->wait_link = at;
	if (p->wait_next != NULL)
		p->wait_next->wait_link = &p->wait_next;
	else
		r->wait_end = &p->wait_next;
	*at = p;
}

static void
leave_line(struct peer *p)
{
	if (p->wait_link == NULL)
		return;
	*p->wait_link = p->wait_next;
	if (p->wait_next != NULL)
		p->wait_next->wait_link = p->wait_link;
	else
		p->r->wait_end = p->wait_link;
	p->wait_link = NULL;
}

int
peer_hold(struct peer *p, const struct msg *m, struct ops_err *err)
{
	uint8_t *copy;

	/* Room may come without a wake: when records have been framed. */
	loop_timer_set(p->r->again.fd, AGAIN_AFTER, 0);
	p->no_room = true;
	if (p->held != NULL) /* its turn, but in vain: it stays the first */
		return 0;
	copy = malloc(m->n > 0 ? m->n : 1);
	if (copy == NULL)
		return ops_fail(err, OPS_ENOMEM, "message: out of memory");
	memcpy(copy, m->p, m->n);
	p->held = copy;
	p->held_len = m->n;
	p->held_type = m->type;
	/* Out of the loop altogether: a hang-up would wake it for ever. */
	loop_remove(&p->r->loop, &p->watch);
	bell_pause(p);
	get_in_line(p);
	return 0;
}

uint32_t
peer_events(const struct peer *p)
{
	bool more = p->state_due || p->ack_due || p->told_waits || p->sync_due;

	return bell_events(p) | (more ? EPOLLOUT : 0u);
}

struct peer *
peer_spare(void)
{
	return calloc(1, sizeof(struct peer));
}

static struct peer *
new_peer(struct writer_role *r)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (p != NULL)
		return p;
	memory_short(r);
	p = r->spare;
	if (p != NULL) {
		r->spare = NULL;
		*p = (struct peer){ .spare = true };
	}
	return p;
}

static void
free_peer(struct peer *p)
{
	if (p->spare)
		p->r->spare = p;
	else
		free(p);
}

static void
peer_free(struct peer *p)
{
	struct writer_session s;
	struct writer_role *r = p->r;

	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	r->n_peers--;
	if (r->scan == p)
		r->scan = NULL;
	if (r->capture == p)
		capture_gone(r);
	switch_forget(p);
	leave_line(p);
	if (p->held == NULL)
		loop_remove(&r->loop, &p->watch);
	close(p->watch.fd);
	if (p->state == PEER_RECORDER && !peers_have(r, p->id)) {
		writer_session(r->w, p->id, &s);
		if (s.known && !s.closed)
			lost_add(r, p->id, p->who.pid, p->start);
	}
	free(p->held);
	free_peer(p);
}

void
peers_free_dead(struct writer_role *r)
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
	p->dead = true;
	if (err.code == OPS_ENOMEM) {
		/* Who is cut off comes back at once, for as long as it lasts. */
		memory_short(p->r);
		logline_often("record.sock, process %d: %s; cut off",
		    (int)p->who.pid, err.msg);
		return;
	}
	logline(
	    "record.sock, process %d: %s; cut off", (int)p->who.pid, err.msg);
}

bool
peer_receive(struct peer *p)
{
	static uint8_t buf[MSG_MAX];
	size_t bytes = 0;

	for (int i = 0; i < MESSAGES_A_TURN && !p->dead && p->held == NULL;
	     i++) {
		struct ops_err err = { 0 };
		struct msg m;
		int rc = msg_recv(p->watch.fd, buf, &m, &err);

		if (rc > 0) {
			bytes += m.n;
			dispatch(p, &m);
			/* One question, and the spare is free for another's. */
			p->dead |= p->spare && p->state == PEER_QUERY;
		} else if (rc == 0) {
			p->dead = true;
		} else if (err.code == OPS_EBUSY) {
			if (bytes >= BULK_BYTES)
				p->r->loop.nap = BULK_NAP;
			return false;
		} else {
			if (err.code == OPS_EFORMAT)
				logline("record.sock, process %d: %s; cut off",
				    (int)p->who.pid, err.msg);
			p->dead = true;
		}
	}
	return !p->dead && p->held == NULL;
}

static void
on_ready(struct watch *w, uint32_t events)
{
	struct peer *p = peer_of(w);
	struct writer_role *r = p->r;

	if (events & EPOLLOUT && p->state == PEER_SCAN)
		scan_flush(r);
	else if (events & EPOLLOUT)
		recorder_flush(p);
	if (events & EPOLLOUT && p->state == PEER_CAPTURE)
		capture_flush(r);
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		(void)peer_receive(p);
	capture_sync(p);
	peers_free_dead(r);
}

/* Only the log's own processes may speak here; the socket's mode says so too. */
static bool
is_ours(const struct writer_role *r, const struct msg_peer *who)
{
	return who->uid == r->role->user.uid || who->uid == 0;
}

int
peer_add(struct writer_role *r, int fd, struct ops_err *err)
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
	p = new_peer(r);
	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "connection: out of memory");
	p->watch = (struct watch){ fd, on_ready };
	p->r = r;
	p->who = who;
	if (loop_add(&r->loop, &p->watch, EPOLLIN, err) < 0) {
		free_peer(p);
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
		if (peer_add(r, fd, &err) < 0) {
			logline_often("record.sock: %s", err.msg);
			close(fd);
		}
	}
}

/* Take what had to wait.  False: it still has to. */
static bool
retry(struct peer *p)
{
	struct msg m = { .type = p->held_type, .p = p->held, .n = p->held_len };
	struct ops_err err = { 0 };

	p->no_room = false;
	dispatch(p, &m);
	if (p->no_room)
		return false;
	leave_line(p);
	free(p->held);
	p->held = NULL;
	if (bell_resume(p, &err) < 0 ||
	    loop_add(&p->r->loop, &p->watch, peer_events(p), &err) < 0) {
		logline("record.sock: %s", err.msg);
		p->dead = true;
	}
	return true;
}

/* In turn, until the first finds no room: so do the others then. */
static void
retry_all(struct writer_role *r)
{
	struct peer *p;

	while ((p = r->wait_first) != NULL)
		if (p->dead)
			leave_line(p);
		else if (!retry(p))
			return;
}

static bool
is_recorder(const struct peer *p)
{
	return p->state == PEER_RECORDER || p->state == PEER_CAPTURE ||
	       p->state == PEER_IMPORT;
}

/* Who stands in line for long may have nothing left to be acknowledged; that
 * the log can be written is said again, before he takes us for dead. */
static void
comfort(struct writer_role *r)
{
	uint64_t now = ops_boottime();

	if (r->state != WRITER_OK ||
	    now - r->comforted < r->role->config.hold_time / 3)
		return;
	r->comforted = now;
	for (struct peer *p = r->wait_first; p != NULL; p = p->wait_next)
		p->state_due = is_recorder(p);
}

void
peers_wake(struct writer_role *r)
{
	uint64_t durable = writer_durable(r->w);

	comfort(r);
	for (struct peer *p = r->peers; p != NULL; p = p->next) {
		if (writer_query_waiting(p, durable) < 0 ||
		    (p->state == PEER_LATE &&
			recorder_late(p, durable, NULL) < 0))
			p->dead = true;
		recorder_take_acks(p, durable);
		if (!p->dead && (p->ack_due || p->state_due))
			recorder_flush(p);
	}
	retry_all(r);
	peers_free_dead(r);
}

void
peers_tell_state(struct writer_role *r)
{
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		if (is_recorder(p))
			p->state_due = true;
}

void
peers_close(struct writer_role *r)
{
	/* What was shown already and not rung for yet, and what those sent who
	 * ended before us. */
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		for (int i = 0; i < LAST_TURNS && is_recorder(p); i++)
			if (!peer_receive(p))
				break;
	for (struct peer *p = r->peers, *next; p != NULL; p = next) {
		next = p->next;
		peer_free(p);
	}
}
