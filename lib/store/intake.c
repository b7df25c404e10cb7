#include "writer_work.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "record/event.h"

/* -- batches -- */

void
batches_init(struct batches *l)
{
	l->head = NULL;
	l->end = &l->head;
}

void
batches_push(struct batches *l, struct batch *b)
{
	b->next = NULL;
	*l->end = b;
	l->end = &b->next;
}

struct batch *
batches_pop(struct batches *l)
{
	struct batch *b = l->head;

	if (b != NULL && (l->head = b->next) == NULL)
		l->end = &l->head;
	return b;
}

void
batch_free(struct batch *b)
{
	ops_buf_free(&b->b);
	free(b);
}

void
batches_free(struct batches *l)
{
	struct batch *b;

	while ((b = batches_pop(l)) != NULL)
		batch_free(b);
}

/* -- putting -- */

/* For how long records wait: it begins when they were sent, and what is sent
 * again after an outage doesn't count.  Those of programs are put in order
 * first, which takes its time. */
static uint64_t
sent_at(const uint8_t *record, uint64_t arrival)
{
	uint64_t stated = ops_getle64(record + 4);

	if (record_type_class(record[0]) == CLASS_PROGRAMS)
		return arrival;
	return stated < arrival && arrival - stated < SEC ? stated : arrival;
}

/* The batch that takes n more bytes of record.  Lock held. */
static struct batch *
tail_batch(struct writer *w, const uint8_t *record, size_t n, uint64_t arrival)
{
	static const uint8_t zero[OPS_HASH_LEN];
	struct batch *b;

	if (w->queue.head != NULL) {
		b = (struct batch *)((char *)w->queue.end -
				     offsetof(struct batch, next));
		if (wal_batch_fits(&b->b, n))
			return b;
	}
	b = batches_pop(&w->pool);
	if (b != NULL)
		w->pooled--;
	else if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->b.max = WAL_BATCH_MAX;
	b->records = 0;
	b->first_arrival = arrival;
	b->first_stated = sent_at(record, arrival);
	b->last_ticket = w->ticket;
	wal_batch_begin(&b->b, 0, 0, zero);
	/* An empty batch is never queued. */
	if (ops_buf_reserve(&b->b, WAL_ENTRY_HEADER + n) == NULL) {
		batch_free(b);
		return NULL;
	}
	w->in_flight += b->b.len;
	w->waiting += b->b.len;
	if (w->queue.head == NULL)
		w->oldest = arrival;
	batches_push(&w->queue, b);
	return b;
}

/* Append one record to the queue.  Lock held. */
static int
queue_record(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    uint8_t class, uint64_t number, const uint8_t *record, size_t n,
    struct ops_err *err)
{
	struct wal_entry e = {
		.class = class, .number = number, .record = record, .len = n
	};
	uint64_t now = ops_boottime();
	struct batch *b;
	size_t before;

	/* Strictly ascending, so that a cut between two records is one in time
	 * as well. */
	e.arrival = now > w->last_arrival ? now : w->last_arrival + 1;
	b = tail_batch(w, record, n, e.arrival);
	if (b == NULL)
		return ops_fail(err, OPS_ENOMEM, "writer: queue: no memory");
	memcpy(e.stream, id, OPS_ID_LEN);
	before = b->b.len;
	wal_batch_add(&b->b, &e);
	if (ops_buf_check(&b->b, "writer: queue", err) < 0) {
		b->b.failed = false;
		return -1;
	}
	w->last_arrival = e.arrival;
	w->in_flight += b->b.len - before;
	w->waiting += b->b.len - before;
	b->records++;
	b->last_ticket = ++w->ticket;
	/* One wake-up a batch, not one a record. */
	if (w->waiting >= w->sync_wants)
		pthread_cond_signal(&w->sync_cv);
	return 0;
}

/* The session an event belongs to. */
static struct stream *
event_session_of(
    struct writer *w, const uint8_t id[static OPS_ID_LEN], struct ops_err *err)
{
	struct stream *s = streamtab_find(w->known, id);

	/* Its CLOSE leaf counts its events: there can be no more. */
	if (s == NULL ? writer_is_gone(w, id) : s->pub.closing) {
		ops_fail(err, OPS_EUSAGE, "the session is closed");
		return NULL;
	}
	if (s != NULL && s->pub.class != CLASS_SCREEN) {
		ops_fail(err, OPS_EUSAGE, "a stream of programs is no session");
		return NULL;
	}
	if (s == NULL &&
	    (s = streamtab_get(w->known, id, CLASS_SCREEN)) == NULL)
		ops_fail(err, OPS_ENOMEM, "writer: sessions: no memory");
	return s;
}

int
writer_queue_event(struct writer *w, uint8_t type, uint64_t time,
    const uint8_t *payload, size_t n, uint64_t *ticket, struct ops_err *err)
{
	uint8_t bytes[RECORD_MAX], id[OPS_ID_LEN];
	struct record r = {
		.type = type, .time = time, .payload = payload, .len = n
	};
	struct stream *s = NULL;
	bool was_open;
	size_t len;

	if (n > RECORD_PAYLOAD_MAX || record_type_class(type) != CLASS_EVENTS)
		return ops_fail(
		    err, OPS_EUSAGE, "event of type %u, %zu bytes", type, n);
	len = record_encode(&r, bytes);
	if (record_decode(bytes, len, &r, err) < 0)
		return -1;
	if (event_owner(&r, id) && (s = event_session_of(w, id, err)) == NULL)
		return -1;
	if (queue_record(w, w->e->events, CLASS_EVENTS, w->next_event, bytes,
		len, err) < 0)
		return -1;
	w->next_event++;
	if (s != NULL) {
		was_open = s->pub.opened;
		stream_note_event(s, &r);
		w->open += s->pub.opened && !was_open;
		w->open -= s->pub.closing && s->pub.opened;
	}
	w->urgent = true;
	if (w->sync_wants != UINT64_MAX)
		pthread_cond_signal(&w->sync_cv);
	*ticket = w->ticket;
	return 0;
}

/* A session that is over is remembered by its id only. */
static void
forget(struct writer *w, const uint8_t id[static OPS_ID_LEN])
{
	memcpy(w->gone[w->n_gone++ % ENGINE_CLOSED], id, OPS_ID_LEN);
	streamtab_close(w->known, id);
}

bool
writer_is_gone(const struct writer *w, const uint8_t id[static OPS_ID_LEN])
{
	for (size_t i = 0; i < ENGINE_CLOSED && i < w->n_gone; i++) {
		if (memcmp(w->gone[i], id, OPS_ID_LEN) == 0)
			return true;
	}
	return false;
}

static int
check_room(const struct writer *w, struct ops_err *err)
{
	if (w->in_flight > WRITER_QUEUE_MAX)
		return ops_fail(err, OPS_EBUSY, "%u MiB wait to be written",
		    WRITER_QUEUE_MAX >> 20);
	return 0;
}

int
writer_put_event(struct writer *w, uint8_t type, uint64_t time,
    const uint8_t *payload, size_t n, uint64_t *ticket, struct ops_err *err)
{
	int rc;

	pthread_mutex_lock(&w->lock);
	rc = check_room(w, err);
	if (rc == 0)
		rc = writer_queue_event(w, type, time, payload, n, ticket, err);
	if (rc == 0 && type == REC_SESSION_CLOSE) {
		forget(w, payload);
		w->seal_soon = true;
		pthread_cond_signal(&w->frame_cv);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* May records be added to this stream? */
static bool
takes_records(const struct stream *s)
{
	if (s == NULL || s->pub.class == CLASS_EVENTS)
		return false;
	return s->pub.class == CLASS_PROGRAMS ||
	       (s->pub.opened && !s->pub.closing);
}

static int
put_records(struct writer *w, struct stream *s, uint64_t number,
    const uint8_t *records, size_t n, struct ops_err *err)
{
	for (size_t at = 0; at < n; number++) {
		struct record r;
		long len = record_decode(records + at, n - at, &r, err);

		if (len < 0)
			return -1;
		if (record_type_class(r.type) != s->pub.class)
			return ops_fail(err, OPS_EUSAGE,
			    "record of type %u in a %s stream", r.type,
			    stream_class_name(s->pub.class));
		if (number > s->pub.next_record)
			return ops_fail(err, OPS_EUSAGE,
			    "records are missing before this one");
		if (number == s->pub.next_record) {
			if (queue_record(w, s->pub.id, s->pub.class, number,
				records + at, (size_t)len, err) < 0)
				return -1;
			s->pub.next_record++;
		}
		at += (size_t)len;
	}
	return 0;
}

int
writer_programs(
    struct writer *w, const uint8_t id[static OPS_ID_LEN], struct ops_err *err)
{
	struct stream *s;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	s = streamtab_get(w->known, id, CLASS_PROGRAMS);
	if (s == NULL)
		rc = ops_fail(err, OPS_ENOMEM, "writer: streams: no memory");
	else if (s->pub.class != CLASS_PROGRAMS)
		rc = ops_fail(err, OPS_EUSAGE, "not a stream of programs");
	pthread_mutex_unlock(&w->lock);
	return rc;
}

int
writer_put_records(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    uint64_t first, const uint8_t *records, size_t n, uint64_t *ticket,
    struct ops_err *err)
{
	struct stream *s;
	int rc;

	pthread_mutex_lock(&w->lock);
	s = streamtab_find(w->known, id);
	if (!takes_records(s))
		rc = ops_fail(err, OPS_EUSAGE, "no such open session");
	else
		rc = check_room(w, err);
	if (rc == 0)
		rc = put_records(w, s, first, records, n, err);
	if (rc == 0)
		*ticket = w->ticket;
	pthread_mutex_unlock(&w->lock);
	return rc;
}

uint64_t
writer_durable(const struct writer *w)
{
	return atomic_load(&w->done);
}

uint64_t
writer_newest(struct writer *w)
{
	uint64_t newest;

	pthread_mutex_lock(&w->lock);
	newest = w->ticket;
	pthread_mutex_unlock(&w->lock);
	return newest;
}
