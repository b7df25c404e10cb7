#include <string.h>

#include "alert.h"
#include "base/bytes.h"
#include "ipc/proto.h"
#include "record/body.h"
#include "record/event.h"
#include "record/remark.h"
#include "writer_peer.h"

/* -- what goes out -- */

static bool
send_ack(struct peer *p, struct ops_err *err)
{
	uint8_t b[16];

	ops_putle64(b, p->due.next_record);
	ops_putle64(b + 8, p->due.next_event);
	return msg_send(p->watch.fd, MSG_REC_ACK, b, sizeof(b), NULL, 0, err) ==
	       0;
}

static bool
send_state(struct peer *p, struct ops_err *err)
{
	const struct writer_role *r = p->r;
	bool screens = p->state == PEER_RECORDER;
	const char *why = "";
	uint8_t state = 1;

	/* A log that fails is no reason to hold what isn't recorded. */
	if (r->off.off && screens && !p->imports) {
		state = 3;
		why = r->off_text;
	} else if (r->state != WRITER_OK) {
		state = 0;
		why = r->reason;
	} else if (r->no_screens && screens) {
		state = 2;
	} else if (quota_hold(p)) {
		state = 4;
	}
	return msg_send2(p->watch.fd, MSG_REC_STATE, &state, 1, why,
		   strlen(why), err) == 0;
}

void
recorder_flush(struct peer *p)
{
	struct ops_err err = { 0 };

	if (p->state_due)
		p->state_due = !send_state(p, &err);
	if (p->ack_due && err.code == OPS_OK)
		p->ack_due = !send_ack(p, &err);
	if (err.code == OPS_EUNAVAIL)
		/* It is gone; what it has sent, and shown, is still to be
		 * taken.  Its hang-up sees to that. */
		p->state_due = p->ack_due = false;
	else if (err.code != OPS_OK && err.code != OPS_EBUSY)
		p->dead = true;
	if (!p->dead && p->held == NULL)
		loop_change(&p->r->loop, &p->watch, peer_events(p));
}

/* All that was taken so far is durable once the newest ticket is. */
static void
expect_ack(struct peer *p)
{
	if (p->acks == PEER_ACKS_MAX)
		p->acks--; /* merged: its records are below the new one's */
	p->ack[p->acks++] =
	    (struct ack){ p->r->last_ticket, p->next_record, p->next_event };
}

void
recorder_take_acks(struct peer *p, uint64_t durable)
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
	return msg_send(p->watch.fd, MSG_REC_HELD, b, sizeof(b), &p->r->bell.fd,
	    p->state == PEER_RECORDER || p->state == PEER_LATE ? 1 : 0, err);
}

int
recorder_late(struct peer *p, uint64_t durable, struct ops_err *err)
{
	struct writer_session s;

	if (p->ticket > durable)
		return 0;
	writer_session(p->r->w, p->id, &s);
	p->ticket = UINT64_MAX; /* once */
	return send_held(p, &s, err);
}

int
recorder_begin(struct peer *p, struct ops_err *err)
{
	struct writer_session s;
	struct ops_err e = { 0 };

	writer_session(p->r->w, p->id, &s);
	/* Records of a put that failed have a ticket, too. */
	p->r->last_ticket = writer_newest(p->r->w);
	p->next_record = s.next_record;
	p->next_event = s.next_event;
	/* First: with this it may begin at once. */
	p->state_due = !send_state(p, &e);
	if (e.code != OPS_OK && e.code != OPS_EBUSY) {
		*err = e;
		return -1;
	}
	if (send_held(p, &s, err) < 0)
		return -1;
	/* What the writer holds need not be durable yet. */
	expect_ack(p);
	recorder_take_acks(p, writer_durable(p->r->w));
	recorder_flush(p);
	return 0;
}

int
recorder_on_hello(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	uint32_t pid = ops_getle32(m->p + OPS_ID_LEN);
	struct writer_session s;

	if (p->spare) /* it will try again, and nothing is lost meanwhile */
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (pid != (uint32_t)p->who.pid)
		return ops_fail(err, OPS_EPERM, "says it is process %u", pid);
	memcpy(p->id, m->p, OPS_ID_LEN);
	p->start = ops_getle64(m->p + OPS_ID_LEN + 4);
	writer_session(p->r->w, p->id, &s);
	/* Records of a put that failed have a ticket, too. */
	p->r->last_ticket = writer_newest(p->r->w);
	if (s.known && !s.closed &&
	    (s.recorder_pid != pid || s.recorder_start != p->start))
		return ops_fail(err, OPS_EPERM,
		    "the session's recorder is process %llu",
		    (unsigned long long)s.recorder_pid);
	if (s.closed) {
		p->state = PEER_LATE;
		p->ticket = p->r->last_ticket;
		return recorder_late(p, writer_durable(p->r->w), err);
	}
	end_older(p);
	lost_remove(p->r, p->id);
	p->state = PEER_RECORDER;
	p->imports = s.imported; /* as the log has it; else by what it says */
	if (p->r->off.off && !s.known)
		p->r->off_sessions++;
	/* Whose it is its OPEN says, if that isn't in the log yet. */
	p->auid = s.known ? s.auid : EVENT_UNSET;
	p->charge = s.known ? s.charge : EVENT_UNSET;
	return recorder_begin(p, err) < 0 ? -1 : bell_follow(p, err);
}

int
recorder_on_records(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct writer_session s;
	struct ops_err e = { 0 };
	uint64_t ticket;

	if (p->state == PEER_IMPORT && import_check_records(p, m, err) < 0)
		return -1;
	if (peer_must_wait(p))
		return peer_hold(p, m, err);
	if (writer_put_records(p->r->w, p->id, ops_getle64(m->p), m->p + 8,
		m->n - 8, &ticket, &e) == 0) {
		if (ticket > p->r->last_ticket)
			p->r->last_ticket = ticket;
		writer_session(p->r->w, p->id, &s);
		p->next_record = s.next_record;
		expect_ack(p);
		quota_took(p, m->n - 8);
		reserve_took(p->r, m->n - 8);
		return 0;
	}
	if (e.code == OPS_EBUSY)
		return peer_hold(p, m, err);
	if (err != NULL)
		*err = e;
	return -1;
}

/* Does the body say what its type promises, about this very session? */
static int
check_event(struct peer *p, uint8_t type, uint64_t number, const uint8_t *b,
    size_t n, bool *by_limit, struct ops_err *err)
{
	union {
		struct event_open open;
		struct event_close close;
		struct event_gap gap;
		struct event_bypass bypass;
		struct remark note;
	} u;
	uint8_t id[OPS_ID_LEN];

	if (body_session(b, n, id, err) < 0)
		return -1;
	if (memcmp(id, p->id, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_EPERM, "an event of another session");
	if ((type == REC_SESSION_OPEN) != (number == 0))
		return ops_fail(err, OPS_EFORMAT, "event %llu has type %u",
		    (unsigned long long)number, type);
	switch (type) {
	case REC_SESSION_OPEN:
		if (event_open_get(b, n, &u.open, err) < 0)
			return -1;
		if (u.open.recorder_pid != (uint32_t)p->who.pid ||
		    u.open.recorder_start != p->start)
			return ops_fail(err, OPS_EPERM,
			    "SESSION-OPEN names another recorder");
		/* What the log has counts, not what is said once more. */
		if (number == p->next_event) {
			p->imports = u.open.import.p != NULL;
			p->auid = u.open.auid;
			p->charge = event_open_charge(&u.open);
		}
		return u.open.import.p != NULL ? import_check(p, &u.open, err)
					       : 0;
	case REC_SESSION_CLOSE:
		return event_close_get(b, n, &u.close, err);
	case REC_GAP_EVENT:
		if (event_gap_get(b, n, &u.gap, err) < 0)
			return -1;
		p->r->lost_bytes += u.gap.bytes;
		*by_limit = u.gap.has_why && u.gap.why == GAP_LIMIT;
		return 0;
	case REC_BYPASS:
		return event_bypass_get(b, n, &u.bypass, err);
	case REC_NOTE:
		if (remark_get(b, n, &u.note, err) < 0)
			return -1;
		return u.note.kind == REMARK_REASON
			   ? 0
			   : ops_fail(err, OPS_EPERM,
				 "only who is in the session says notes");
	default:
		return ops_fail(
		    err, OPS_EPERM, "events of type %u are not yours", type);
	}
}

static void
tell_gap(const struct peer *p, uint64_t bytes)
{
	char id[OPS_ID_TEXT_LEN + 1];

	ops_id_text(p->id, id);
	alert_tell(ALERT_GAP, p->id, bytes,
	    "session %s: %llu bytes were shown and not recorded", id,
	    (unsigned long long)bytes);
}

int
recorder_on_event(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	uint64_t number = ops_getle64(m->p), time = ops_getle64(m->p + 9);
	const uint8_t *body = m->p + PEER_EVENT_HEAD;
	size_t n = m->n - PEER_EVENT_HEAD;
	uint8_t type = m->p[8];
	struct ops_err e = { 0 };
	uint64_t lost = p->r->lost_bytes;
	bool by_limit = false;

	if (number > p->next_event)
		return ops_fail(err, OPS_EFORMAT,
		    "event %llu, but %llu is next", (unsigned long long)number,
		    (unsigned long long)p->next_event);
	if (check_event(p, type, number, body, n, &by_limit, err) < 0)
		return -1;
	if (number < p->next_event) { /* sent again after a restart */
		p->r->lost_bytes = lost;
		expect_ack(p);
		return 0;
	}
	if (writer_role_event(p->r, type, time, body, n, NULL, &e) < 0) {
		p->r->lost_bytes = lost;
		if (e.code == OPS_EBUSY)
			return peer_hold(p, m, err);
		if (err != NULL)
			*err = e;
		return -1;
	}
	p->next_event++;
	if (type == REC_SESSION_OPEN && quota_hold(p))
		p->state_due = true; /* told with its acknowledgement */
	if (type == REC_SESSION_CLOSE)
		capture_over(p->r, p->id);
	/* Of a limit somebody was told already, once and not of each gap. */
	if (by_limit)
		p->r->limit_bytes += p->r->lost_bytes - lost;
	else if (type == REC_GAP_EVENT)
		tell_gap(p, p->r->lost_bytes - lost);
	expect_ack(p);
	return 0;
}
