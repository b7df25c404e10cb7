#include "queue.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define FIRST_CAP 65536
#define GAP_SIZE (RECORD_HEADER + QUEUE_GAP_LEN)
#define EXTRA_MAX 65536 /* bytes of what is inserted, beyond QUEUE_MAX */

static_assert(QUEUE_MAX + EXTRA_MAX <= QUEUE_MEMORY, "a full queue can go on");

static_assert(
    QUEUE_MEMORY % FIRST_CAP == 0 &&
	(QUEUE_MEMORY / FIRST_CAP & (QUEUE_MEMORY / FIRST_CAP - 1)) == 0,
    "doubling FIRST_CAP ends at QUEUE_MEMORY");

static int
begin(struct queue *q)
{
	q->data = malloc(QUEUE_MEMORY);
	if (q->data == NULL)
		return -1;
	q->cap = FIRST_CAP;
	return 0;
}

/*
 * The bytes stay in one piece.  They move to the front when the end of what is
 * in use is reached, and more is used only if that made no good room, so that
 * each byte moves about once and a quiet session keeps to the first pages.
 */
uint8_t *
queue_room(struct queue *q, size_t n)
{
	size_t need = RECORD_HEADER + n, used = q->tail - q->head;

	assert(n <= RECORD_PAYLOAD_MAX);
	if (used + need > QUEUE_MAX || (q->data == NULL && begin(q) < 0))
		return NULL;
	if (q->tail + need > q->cap) {
		while (q->cap < (used + need) * 2)
			q->cap *= 2;
		if (q->head > 0)
			memmove(q->data, q->data + q->head, used);
		q->sent -= q->head;
		q->tail = used;
		q->head = 0;
	}
	return q->data + q->tail + RECORD_HEADER;
}

void
queue_add(struct queue *q, uint8_t type, uint64_t time, size_t n)
{
	const struct record head = { .type = type, .time = time };
	uint8_t *p = q->data + q->tail;

	assert(q->tail + RECORD_HEADER + n <= q->cap);
	record_encode(&head, p);
	ops_putle16(p + 2, (uint16_t)n); /* the payload is there already */
	q->tail += RECORD_HEADER + n;
	q->tail_no++;
}

int
queue_put(struct queue *q, uint8_t type, uint64_t time, const void *p, size_t n)
{
	uint8_t *room = queue_room(q, n);

	if (room == NULL)
		return -1;
	if (n > 0)
		memcpy(room, p, n);
	queue_add(q, type, time, n);
	return 0;
}

/* Fill in a place that holds none.  0 or -1: memory, which no small one takes. */
static int
copy_event(struct queue_event *to, uint64_t after, uint64_t time, uint8_t type,
    const void *p, size_t n)
{
	uint8_t *copy = n <= sizeof(to->small) ? to->small : NULL;

	if (copy == NULL && (copy = malloc(n)) == NULL)
		return -1;
	memcpy(copy, p, n);
	to->after = after;
	to->time = time;
	to->type = type;
	to->p = copy;
	to->n = n;
	return 0;
}

static void
move_event(struct queue_event *to, const struct queue_event *from)
{
	*to = *from;
	if (from->p == from->small)
		to->p = to->small;
}

static void
free_event(struct queue_event *ev)
{
	if (ev->p != ev->small)
		free(ev->p);
	ev->p = NULL;
}

int
queue_event_room(const struct queue *q, int urgent)
{
	return q->event_tail - q->event_head <
	       QUEUE_EVENTS_MAX - (urgent ? 0u : QUEUE_EVENTS_KEPT);
}

int
queue_event(struct queue *q, uint8_t type, uint64_t time, const void *p,
    size_t n, int urgent)
{
	struct queue_event *ev = &q->event[q->event_tail % QUEUE_EVENTS_MAX];

	if (!queue_event_room(q, urgent))
		return -1;
	if (q->event_tail == 0 && q->first.p == NULL &&
	    copy_event(&q->first, 0, time, type, p, n) < 0)
		return -1;
	if (copy_event(ev, q->tail_no, time, type, p, n) < 0)
		return -1;
	q->event_tail++;
	return 0;
}

static void
drop_event(struct queue *q)
{
	free_event(&q->event[q->event_head++ % QUEUE_EVENTS_MAX]);
}

static size_t
record_size(const uint8_t *p)
{
	return RECORD_HEADER + (size_t)ops_getle16(p + 2);
}

enum queue_next
queue_next(const struct queue *q, size_t max, const uint8_t **p, size_t *n,
    const struct queue_event **ev, uint64_t *no)
{
	uint64_t stop = q->tail_no, at = q->sent_no;
	size_t end = q->sent;

	if (q->event_sent < q->event_tail) {
		*ev = &q->event[q->event_sent % QUEUE_EVENTS_MAX];
		*no = q->event_sent;
		if ((*ev)->after <= q->sent_no)
			return QUEUE_EVENT;
		stop = (*ev)->after;
	}
	for (; at < stop; at++) {
		size_t size = record_size(q->data + end);

		if (end - q->sent + size > max)
			break;
		end += size;
	}
	if (end == q->sent)
		return QUEUE_NOTHING;
	*p = q->data + q->sent;
	*n = end - q->sent;
	*no = q->sent_no;
	return QUEUE_RECORDS;
}

void
queue_sent(struct queue *q, size_t n)
{
	size_t end = q->sent + n;

	if (n == 0)
		q->event_sent++;
	while (q->sent < end) {
		q->sent += record_size(q->data + q->sent);
		q->sent_no++;
	}
	assert(q->sent <= q->tail && q->event_sent <= q->event_tail);
}

int
queue_ack(struct queue *q, uint64_t record, uint64_t event, struct ops_err *err)
{
	if (record > q->sent_no || event > q->event_sent)
		return ops_fail(err, OPS_EFORMAT,
		    "the writer has record %" PRIu64 " or event %" PRIu64
		    ", which it can't have",
		    record, event);
	while (q->head_no < record) {
		const uint8_t *p = q->data + q->head;

		if (p[0] == REC_OUTPUT)
			q->acked += ops_getle16(p + 2);
		else if (p[0] == REC_GAP)
			q->acked_gaps += ops_getle64(p + RECORD_HEADER);
		q->head += record_size(q->data + q->head);
		q->head_no++;
	}
	while (q->event_head < event)
		drop_event(q);
	if (q->head == q->tail)
		q->head = q->sent = q->tail = 0;
	return 0;
}

/* Where the record of this number is, which is kept or the next to come. */
static size_t
place_of(const struct queue *q, uint64_t record)
{
	size_t at = q->head;

	for (uint64_t no = q->head_no; no < record; no++)
		at += record_size(q->data + at);
	return at;
}

int
queue_rewind(
    struct queue *q, uint64_t record, uint64_t event, struct ops_err *err)
{
	if (record < q->head_no || record > q->tail_no ||
	    event < q->event_head || event > q->event_tail)
		return ops_fail(err, OPS_EFORMAT,
		    "the writer holds records below %" PRIu64
		    " and events below %" PRIu64 ", which can't be",
		    record, event);
	q->sent = place_of(q, record);
	q->sent_no = record;
	q->event_sent = event;
	return 0;
}

bool
queue_behind(const struct queue *q, uint64_t record, uint64_t event)
{
	return record < q->head_no || event < q->event_head;
}

/* The records kept are numbered from `record` on. */
static void
renumber(struct queue *q, uint64_t record)
{
	uint64_t less = q->head_no - record;

	q->head_no -= less;
	q->sent_no -= less;
	q->tail_no -= less;
	for (uint64_t i = q->event_head; i < q->event_tail; i++) {
		struct queue_event *ev = &q->event[i % QUEUE_EVENTS_MAX];

		/* It may have been behind one that is acknowledged. */
		ev->after =
		    ev->after > record + less ? ev->after - less : record;
	}
}

void
queue_gap(
    const struct queue *q, uint64_t record, uint64_t now, struct queue_gap *ret)
{
	size_t at = q->head;

	if (record > q->head_no)
		at = record < q->tail_no ? place_of(q, record) : q->tail;
	ret->bytes = q->acked + q->acked_gaps;
	ret->from = q->first.time;
	ret->until = at < q->tail ? ops_getle64(q->data + at + 4) : now;
}

/*
 * This becomes the record of this number; those from there on move up by one.
 * What is added keeps to QUEUE_MAX, this needn't: who can't go on until the queue
 * has room gets no room until he goes on.
 */
static void
insert(struct queue *q, uint64_t record, const struct record *r)
{
	size_t used = q->tail - q->head, at = place_of(q, record) - q->head;
	size_t size = RECORD_HEADER + r->len;

	/* What stands before it moves to the front, and makes room there. */
	memmove(q->data, q->data + q->head, at);
	memmove(q->data + at + size, q->data + q->head + at, used - at);
	record_encode(r, q->data + at);
	q->head = 0;
	q->tail = used + size;
	q->tail_no++;
	while (q->cap < q->tail)
		q->cap *= 2;
	for (uint64_t i = q->event_head; i < q->event_tail; i++)
		if (q->event[i % QUEUE_EVENTS_MAX].after > record)
			q->event[i % QUEUE_EVENTS_MAX].after++;
}

int
queue_restart(struct queue *q, uint64_t record, uint64_t event,
    const struct queue_event *gap, const uint8_t payload[static QUEUE_GAP_LEN])
{
	struct queue_event kept[QUEUE_EVENTS_MAX];
	const struct queue_event *first = &q->first;
	const struct record screen = { .type = REC_GAP,
		.time = gap->time,
		.payload = payload,
		.len = QUEUE_GAP_LEN };
	size_t n = 0, put = 1;
	bool reopen = event == 0 && q->event_head > 0;

	if (record > q->tail_no || event > q->event_tail ||
	    q->event_tail - q->event_head + 2 > QUEUE_EVENTS_MAX ||
	    queue_bytes(q) + GAP_SIZE > QUEUE_MAX + EXTRA_MAX ||
	    (q->data == NULL && begin(q) < 0))
		return -1;
	if (reopen && copy_event(&kept[n++], 0, first->time, first->type,
			  first->p, first->n) < 0)
		return -1;
	if (copy_event(&kept[n], 0, gap->time, gap->type, gap->p, gap->n) < 0) {
		while (n > 0)
			free_event(&kept[--n]);
		return -1;
	}
	put = ++n;
	if (record < q->head_no)
		renumber(q, record);
	insert(q, record, &screen);
	for (size_t i = 0; i < put; i++)
		kept[i].after = q->head_no;
	for (uint64_t i = q->event_head; i < q->event_tail; i++) {
		struct queue_event *ev = &q->event[i % QUEUE_EVENTS_MAX];

		if (i < event) /* the peer has it */
			free_event(ev);
		else
			move_event(&kept[n++], ev);
	}
	q->event_head = event;
	q->event_tail = event + n;
	for (size_t i = 0; i < n; i++)
		move_event(&q->event[(event + i) % QUEUE_EVENTS_MAX], &kept[i]);
	/* Not acknowledged by this peer, whatever the other one said. */
	q->missing += q->acked;
	q->acked = q->acked_gaps = 0;
	return queue_rewind(q, record, event, NULL);
}

int
queue_anew(
    struct queue *q, uint8_t type, uint64_t time, const void *p, size_t n)
{
	const struct record r = {
		.type = type, .time = time, .payload = p, .len = n
	};

	if (q->event_tail > 0 || n > RECORD_PAYLOAD_MAX ||
	    queue_bytes(q) + RECORD_HEADER + n > QUEUE_MAX + EXTRA_MAX ||
	    (q->data == NULL && begin(q) < 0))
		return -1;
	renumber(q, 0);
	insert(q, 0, &r);
	q->acked = q->acked_gaps = 0;
	return queue_rewind(q, 0, 0, NULL);
}

int
queue_all_sent(const struct queue *q)
{
	return q->sent_no == q->tail_no && q->event_sent == q->event_tail;
}

int
queue_closed(const struct queue *q)
{
	return q->event_tail > 0 && queue_all_sent(q) &&
	       q->event[(q->event_tail - 1) % QUEUE_EVENTS_MAX].type ==
		   REC_SESSION_CLOSE;
}

int
queue_empty(const struct queue *q)
{
	return q->head_no == q->tail_no && q->event_head == q->event_tail;
}

size_t
queue_bytes(const struct queue *q)
{
	return q->tail - q->head;
}

void
queue_free(struct queue *q)
{
	while (q->event_head < q->event_tail)
		drop_event(q);
	free_event(&q->first);
	free(q->data);
	*q = (struct queue){ 0 };
}
