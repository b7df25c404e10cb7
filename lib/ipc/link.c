#include "link.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "record/record.h"

#define SEND_BUFFER (1 << 20)
#define NUMBER_LEN 8
#define EVENT_HEAD_LEN 17 /* u64 number, u8 type, u64 time */
#define BATCH_MAX (MSG_PAYLOAD_MAX - NUMBER_LEN)

void
link_close(struct link *l, uint64_t now)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->bell >= 0)
		close(l->bell);
	l->fd = l->bell = -1;
	l->ring = 0;
	l->unrung = 0;
	l->held = l->full = l->limited = false;
	l->failed++;
	l->retry =
	    now + LINK_RETRY_NS * (l->failed > LINK_SLOW_AFTER ? 10u : 1u);
}

bool
link_open(const struct link *l)
{
	return l->fd >= 0 && l->held && l->log_ok;
}

void
link_connect(struct link *l, uint64_t now)
{
	uint8_t hello[OPS_ID_LEN + 12];
	int size = SEND_BUFFER, flags;

	if (l->fd >= 0 || now < l->retry)
		return;
	if (msg_connect(l->path, &l->fd, NULL) < 0) {
		l->fd = -1;
		link_close(l, now);
		return;
	}
	setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	memcpy(hello, l->id, OPS_ID_LEN);
	ops_putle32(hello + OPS_ID_LEN, (uint32_t)getpid());
	ops_putle64(hello + OPS_ID_LEN + 4, l->start);
	flags = fcntl(l->fd, F_GETFL);
	l->opened++;
	l->log_ok = true; /* until told otherwise */
	l->no_screens = false;
	if (flags < 0 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    msg_send(l->fd, l->owner->hello, hello, sizeof(hello), NULL, 0,
		NULL) < 0)
		link_close(l, now);
}

bool
link_say(struct link *l, uint16_t type, const void *p, size_t n, uint64_t now)
{
	struct ops_err err;

	if (!l->held)
		return false;
	if (msg_send(l->fd, type, p, n, NULL, 0, &err) == 0) {
		l->ring = now;
		return true;
	}
	if (err.code == OPS_EBUSY)
		l->ring = now; /* for room */
	else
		link_close(l, now);
	return false;
}

/* The connection's states, for the table of messages. */
enum { GREETED, OPEN = LINK_OPEN };

static int
got_held(void *conn, struct msg *m, struct ops_err *err)
{
	struct link *l = conn;
	struct proto_held h;

	if (proto_held_decode(m->p, m->n, &h, err) < 0)
		return -1;
	if (h.closed && !queue_closed(l->queue))
		return ops_fail(
		    err, OPS_EFORMAT, "the writer closed this session");
	/* Our CLOSE arrived; only its acknowledgement was lost. */
	if (h.closed)
		return queue_ack(
		    l->queue, l->queue->tail_no, l->queue->event_tail, err);
	if (queue_behind(l->queue, h.next_record, h.next_event)) {
		if (l->owner->behind(l->arg, &h, l->now, err) < 0)
			return -1;
	} else if (queue_rewind(l->queue, h.next_record, h.next_event, err) <
		   0) {
		return -1;
	}
	l->bell = m->fds > 0 ? m->fd[0] : -1;
	if (l->bell >= 0)
		m->fd[0] = -1;
	l->held = true;
	l->failed = 0;
	return 0;
}

static int
got_ack(void *conn, struct msg *m, struct ops_err *err)
{
	struct link *l = conn;

	return queue_ack(
	    l->queue, ops_getle64(m->p), ops_getle64(m->p + 8), err);
}

static int
got_state(void *conn, struct msg *m, struct ops_err *err)
{
	struct link *l = conn;
	size_t n;

	(void)err;
	l->log_ok = m->p[0] != 0;
	l->off = m->p[0] == 3;
	l->no_screens = m->p[0] == 2 || l->off;
	n = m->n - 1 < LINK_TEXT ? m->n - 1 : LINK_TEXT;
	memcpy(l->off_text, m->p + 1, n);
	l->off_text[n] = '\0';
	l->limited = m->p[0] == 4;
	return 0;
}

/* What every link hears, then what only this owner does. */
static int
dispatch(struct link *l, struct msg *m, struct ops_err *err)
{
	static const struct msg_rule rules[] = {
		{ MSG_REC_HELD, "REC_HELD", 1u << GREETED, PROTO_HELD_LEN,
		    PROTO_HELD_LEN, 0, 1, got_held },
		{ MSG_REC_ACK, "REC_ACK", 1u << OPEN, 16, 16, 0, 0, got_ack },
		{ MSG_REC_STATE, "REC_STATE", 1u << GREETED | 1u << OPEN, 1,
		    1024, 0, 0, got_state },
	};
	const struct link_owner *o = l->owner;
	unsigned state = l->held ? OPEN : GREETED;

	for (size_t i = 0; i < o->n_rules; i++)
		if (o->rules[i].type == m->type)
			return msg_dispatch(
			    o->rules, o->n_rules, state, l->arg, m, err);
	return msg_dispatch(rules, OPS_ARRAY_LEN(rules), state, l, m, err);
}

/* An owner's own messages say nothing about the disk. */
static bool
says_it_writes(uint16_t type)
{
	return type == MSG_REC_HELD || type == MSG_REC_ACK ||
	       type == MSG_REC_STATE;
}

void
link_read(struct link *l, uint64_t now)
{
	static uint8_t buf[MSG_MAX];
	struct ops_err err;
	struct msg m;
	bool held;
	int rc;

	l->now = now;
	while (l->fd >= 0) {
		held = l->held;
		rc = msg_recv(l->fd, buf, &m, &err);
		if (rc < 0 && err.code == OPS_EBUSY)
			return;
		if (rc <= 0 || dispatch(l, &m, &err) < 0)
			link_close(l, now);
		else if (l->held && !held)
			l->owner->held(l->arg, now);
		if (rc > 0 && l->log_ok && says_it_writes(m.type))
			l->heard = now;
	}
}

static int
send_event(struct link *l, const struct queue_event *ev, uint64_t no,
    struct ops_err *err)
{
	uint8_t head[EVENT_HEAD_LEN];

	ops_putle64(head, no);
	head[8] = ev->type;
	ops_putle64(head + 9, ev->time);
	return msg_send2(
	    l->fd, MSG_REC_EVENT, head, sizeof(head), ev->p, ev->n, err);
}

static int
send_records(struct link *l, const uint8_t *p, size_t n, uint64_t no,
    struct ops_err *err)
{
	uint8_t head[NUMBER_LEN];

	ops_putle64(head, no);
	return msg_send2(l->fd, MSG_REC_RECORDS, head, sizeof(head), p, n, err);
}

/* Much, or an event, is for now; a key's echo is for a little later. */
static void
sent(struct link *l, size_t n, uint64_t now)
{
	l->unrung += n;
	if (n == 0 || l->unrung >= LINK_RING_BYTES)
		l->ring = now;
	else if (l->ring == 0)
		l->ring = now + LINK_RING_NS;
}

void
link_ring(struct link *l, uint64_t now)
{
	uint64_t one = 1;

	if (l->ring == 0 || now < l->ring)
		return;
	l->ring = 0;
	l->unrung = 0;
	/* EAGAIN: it has been rung, and not been heard yet. */
	if (l->bell >= 0 && write(l->bell, &one, sizeof(one)) < 0)
		return;
}

bool
link_flush(struct link *l, uint64_t now)
{
	const struct queue_event *ev;
	const uint8_t *p;
	struct ops_err err;
	uint64_t no;
	size_t n;
	int rc;

	while (link_open(l)) {
		switch (queue_next(l->queue, BATCH_MAX, &p, &n, &ev, &no)) {
		case QUEUE_NOTHING:
			l->full = false;
			return true;
		case QUEUE_EVENT:
			n = 0;
			rc = send_event(l, ev, no, &err);
			break;
		case QUEUE_RECORDS:
		default:
			rc = send_records(l, p, n, no, &err);
			break;
		}
		if (rc < 0 && err.code == OPS_EBUSY) {
			l->full = true;
			l->ring = now; /* for room */
			return false;
		}
		if (rc < 0) {
			link_close(l, now);
			return false;
		}
		queue_sent(l->queue, n);
		sent(l, n, now);
	}
	l->full = false; /* room is of no use now */
	return false;
}
