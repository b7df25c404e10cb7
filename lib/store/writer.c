#include "writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "engine.h"
#include "latency.h"
#include "record/event.h"
#include "streamtab.h"

#define MS 1000000ull
#define SEC 1000000000ull
#define GATHER_NS (3 * MS)	/* a lone keystroke waits for company */
#define GATHER_BYTES (16u << 10) /* more than this is bulk: no waiting */
#define RETRY_NS SEC
#define SEAL_GAP (100 * MS)	 /* at most ten seals a second */
#define SEAL_BYTES (16u << 20)	 /* memory of unsealed frames that asks for one */
#define SEAL_WAL (16u << 20)	 /* so does this much WAL: its files are reused */
#define CLOSE_TRIES 3
#define POOL 4

/* Records on their way: queued, made durable by the sync thread, then framed. */
struct batch {
	struct ops_buf b;
	uint64_t last_ticket;
	uint64_t first_arrival;
	uint32_t records;
	struct batch *next;
};

struct list {
	struct batch *head, **end;
};

struct writer {
	struct engine *e;
	uint64_t seal_after, seal_idle;
	void (*wake)(void *arg);
	void *arg;
	pthread_t sync_thread, frame_thread;
	bool sync_running, frame_running;

	pthread_mutex_t lock; /* all below, but the atomics */
	pthread_cond_t sync_cv, frame_cv;
	struct list queue;    /* not durable; the tail is being filled */
	struct list durable;  /* not framed */
	struct list pool;
	size_t pooled;
	uint64_t in_flight; /* bytes of batches queued or not framed */
	uint64_t waiting;   /* bytes not durable */
	uint64_t ticket, last_arrival;
	uint64_t oldest; /* arrival of the oldest record not durable; 0: none */
	bool urgent, stop, sync_done, seal_soon;
	struct streamtab *known; /* sessions, as of what was queued */
	uint64_t next_event;	 /* number in the events stream */
	uint8_t gone[ENGINE_CLOSED][OPS_ID_LEN]; /* sessions closed and forgotten */
	size_t n_gone;
	uint64_t open;
	bool failed[2]; /* sync side, framing side */
	char reason[2][240];
	uint64_t since;
	uint64_t records, bytes;
	uint64_t unsealed, stored, sealed_size;
	uint64_t sync_unframed; /* records durable, not framed */
	struct ops_buf note;
	struct latency durable_time, sealed_time;

	atomic_uint_fast64_t done; /* highest durable ticket */
};

enum side { SYNC_SIDE, FRAME_SIDE };

static void
list_init(struct list *l)
{
	l->head = NULL;
	l->end = &l->head;
}

static void
list_push(struct list *l, struct batch *b)
{
	b->next = NULL;
	*l->end = b;
	l->end = &b->next;
}

static struct batch *
list_pop(struct list *l)
{
	struct batch *b = l->head;

	if (b != NULL && (l->head = b->next) == NULL)
		l->end = &l->head;
	return b;
}

static void
batch_free(struct batch *b)
{
	ops_buf_free(&b->b);
	free(b);
}

static void
list_free(struct list *l)
{
	struct batch *b;

	while ((b = list_pop(l)) != NULL)
		batch_free(b);
}

/* -- the state a user sees -- */

static void
wake(const struct writer *w)
{
	if (w->wake != NULL)
		w->wake(w->arg);
}

/* The log can't be written (reason), or can again (NULL).  Lock held.
 * Returns whether the whole changed. */
static bool
set_state(struct writer *w, enum side side, const char *reason)
{
	bool before = w->failed[SYNC_SIDE] || w->failed[FRAME_SIDE];
	bool after;

	w->failed[side] = reason != NULL;
	if (reason != NULL) {
		size_t n = strnlen(reason, sizeof(w->reason[0]) - 1);

		memcpy(w->reason[side], reason, n);
		w->reason[side][n] = '\0';
	}
	after = w->failed[SYNC_SIDE] || w->failed[FRAME_SIDE];
	if (after != before && after)
		w->since = ops_boottime();
	return after != before;
}

static int queue_event(struct writer *w, uint8_t type, uint64_t time,
    const uint8_t *payload, size_t n, uint64_t *ticket, struct ops_err *err);

/* The span in which nothing could be written is itself a record. */
static void
say_back(struct writer *w, const char *reason)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct ops_clock now;
	struct event_daemon d = { .what = DAEMON_LOG_BACK, .since = w->since };
	uint64_t ticket;

	ops_clock_read(&now);
	d.realtime = now.realtime;
	d.text.p = (const uint8_t *)reason;
	d.text.n = strlen(reason);
	event_daemon_put(&b, &d);
	if (!b.failed)
		queue_event(w, REC_DAEMON, now.boottime, b.data, b.len,
		    &ticket, NULL);
	ops_buf_free(&b);
}

static void
report(struct writer *w, enum side side, const struct ops_err *err)
{
	bool changed;

	pthread_mutex_lock(&w->lock);
	changed = set_state(w, side, err == NULL ? NULL : err->msg);
	if (changed && err == NULL) {
		say_back(w, w->reason[side]);
		w->since = ops_boottime();
	}
	pthread_mutex_unlock(&w->lock);
	if (changed)
		wake(w);
}

/* Wait on cv until `until` (BOOTTIME) at most.  Lock held. */
static void
wait_until(struct writer *w, pthread_cond_t *cv, uint64_t until)
{
	uint64_t now = ops_boottime();
	struct timespec ts;
	uint64_t at;

	if (until <= now)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	at = (uint64_t)ts.tv_sec * SEC + (uint64_t)ts.tv_nsec + (until - now);
	ts.tv_sec = (time_t)(at / SEC);
	ts.tv_nsec = (long)(at % SEC);
	pthread_cond_timedwait(cv, &w->lock, &ts);
}

/* After a failure: try again in a second; false once the writer is closing and
 * has tried often enough. */
static bool
pause_for_retry(struct writer *w, pthread_cond_t *cv, unsigned *tries)
{
	uint64_t until = ops_boottime() + RETRY_NS;
	bool go_on;

	pthread_mutex_lock(&w->lock);
	if (w->stop) {
		go_on = ++*tries < CLOSE_TRIES;
		until = ops_boottime() + 100 * MS;
	} else {
		go_on = true;
	}
	while (go_on && ops_boottime() < until) {
		bool was = w->stop;

		wait_until(w, cv, until);
		if (w->stop && !was)
			break;
	}
	pthread_mutex_unlock(&w->lock);
	return go_on;
}

/* -- sync thread -- */

/* The next batch to make durable; NULL: the writer is closing.  Lock held. */
static struct batch *
next_batch(struct writer *w)
{
	struct batch *b;

	for (;;) {
		uint64_t wait;

		b = w->queue.head;
		if (b == NULL && w->stop)
			return NULL;
		if (b == NULL) {
			pthread_cond_wait(&w->sync_cv, &w->lock);
			continue;
		}
		wait = b->first_arrival + GATHER_NS;
		if (w->urgent || w->stop || w->waiting >= GATHER_BYTES ||
		    ops_boottime() >= wait)
			break;
		wait_until(w, &w->sync_cv, wait);
	}
	list_pop(&w->queue);
	if (w->queue.head == NULL)
		w->urgent = false;
	return b;
}

static void
batch_durable(struct writer *w, struct batch *b, uint64_t now)
{
	pthread_mutex_lock(&w->lock);
	latency_add(&w->durable_time, now - b->first_arrival);
	w->waiting -= b->b.len;
	w->oldest = w->queue.head != NULL ? w->queue.head->first_arrival : 0;
	w->records += b->records;
	w->bytes += b->b.len;
	w->sync_unframed += b->records;
	list_push(&w->durable, b);
	atomic_store(&w->done, b->last_ticket);
	pthread_cond_signal(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
	wake(w);
}

static void *
sync_main(void *arg)
{
	struct writer *w = arg;
	struct ops_buf blocks = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };
	unsigned tries = 0;

	for (;;) {
		struct ops_err err = { 0 };
		struct batch *b;
		uint64_t len;
		bool ok;

		pthread_mutex_lock(&w->lock);
		b = next_batch(w);
		pthread_mutex_unlock(&w->lock);
		if (b == NULL)
			break;
		len = b->b.len;
		while (!(ok = engine_batch_end(w->e, &b->b, &err) == 0)) {
			report(w, SYNC_SIDE, &err);
			if (!pause_for_retry(w, &w->sync_cv, &tries))
				break;
		}
		pthread_mutex_lock(&w->lock);
		w->waiting += b->b.len - len;
		w->in_flight += b->b.len - len;
		pthread_mutex_unlock(&w->lock);
		while (ok &&
		    !(ok = engine_wal_write(w->e, &b->b, &blocks, &err) == 0)) {
			report(w, SYNC_SIDE, &err);
			if (!pause_for_retry(w, &w->sync_cv, &tries))
				break;
			ok = true;
		}
		if (!ok) {
			/* Closing without having been able to write. */
			batch_free(b);
			break;
		}
		report(w, SYNC_SIDE, NULL);
		batch_durable(w, b, ops_boottime());
	}
	ops_buf_free(&blocks);
	pthread_mutex_lock(&w->lock);
	w->sync_done = true;
	pthread_cond_signal(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* -- framing thread -- */

struct framing {
	uint64_t first;	    /* arrival of the period's first record; 0: none */
	uint64_t last_seal; /* BOOTTIME */
	uint64_t bytes;	    /* of WAL consumed since */
	unsigned tries;
};

static void
batch_done(struct writer *w, struct batch *b)
{
	uint64_t pending = framer_pending(w->e->framer);

	pthread_mutex_lock(&w->lock);
	w->in_flight -= b->b.len;
	w->sync_unframed -= b->records;
	w->unsealed = pending;
	if (w->pooled < POOL) {
		w->pooled++;
		ops_buf_reset(&b->b);
		list_push(&w->pool, b);
		b = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	if (b != NULL)
		batch_free(b);
}

/* false: closing, and it can't be done. */
static bool
consume(struct writer *w, struct framing *fr, struct batch *b)
{
	struct ops_err err = { 0 };
	size_t at = 0;

	while (engine_consume(w->e, &b->b, &at, &err) < 0) {
		report(w, FRAME_SIDE, &err);
		if (!pause_for_retry(w, &w->frame_cv, &fr->tries))
			return false;
	}
	if (fr->first == 0)
		fr->first = b->first_arrival;
	fr->bytes += b->b.len;
	batch_done(w, b);
	return true;
}

static void
note_sealed(struct writer *w, struct framing *fr)
{
	uint64_t now = ops_boottime();

	pthread_mutex_lock(&w->lock);
	if (fr->first != 0)
		latency_add(&w->sealed_time, now - fr->first);
	w->unsealed = framer_pending(w->e->framer);
	w->stored = framer_stored(w->e->framer);
	w->sealed_size = w->e->log->sealed;
	ops_buf_reset(&w->note);
	ops_buf_put(&w->note, w->e->log->note.data, w->e->log->note.len);
	w->seal_soon = false;
	pthread_mutex_unlock(&w->lock);
	fr->first = 0;
	fr->bytes = 0;
	fr->last_seal = now;
}

static bool
seal(struct writer *w, struct framing *fr, bool final)
{
	struct ops_err err = { 0 };

	while (engine_seal(w->e, final, &err) < 0) {
		report(w, FRAME_SIDE, &err);
		if (!pause_for_retry(w, &w->frame_cv, &fr->tries))
			return false;
	}
	report(w, FRAME_SIDE, NULL);
	note_sealed(w, fr);
	return true;
}

/* When the next seal is due (BOOTTIME).  Lock held. */
static uint64_t
seal_due(const struct writer *w, const struct framing *fr)
{
	uint64_t due = fr->last_seal + w->seal_idle;

	if (fr->first != 0 && fr->first + w->seal_after < due)
		due = fr->first + w->seal_after;
	if ((w->seal_soon ||
		fr->bytes >= SEAL_WAL ||
		framer_pending_bytes(w->e->framer) >= SEAL_BYTES) &&
	    due > fr->last_seal + SEAL_GAP)
		due = fr->last_seal + SEAL_GAP;
	return due;
}

/* The next batch to frame, or NULL: a seal is due, or all is done. */
static struct batch *
next_durable(struct writer *w, const struct framing *fr, bool *finished)
{
	struct batch *b = NULL;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		uint64_t due = seal_due(w, fr);

		*finished = w->sync_done && w->durable.head == NULL;
		if (*finished || ops_boottime() >= due)
			break;
		b = list_pop(&w->durable);
		if (b != NULL)
			break;
		wait_until(w, &w->frame_cv, due);
	}
	pthread_mutex_unlock(&w->lock);
	return b;
}

static void *
frame_main(void *arg)
{
	struct writer *w = arg;
	struct framing fr = { .last_seal = ops_boottime() };
	bool finished = false, ok = true;

	while (ok && !finished) {
		struct batch *b = next_durable(w, &fr, &finished);

		if (b != NULL && !(ok = consume(w, &fr, b)))
			batch_free(b);
		else if (b == NULL && !finished)
			ok = seal(w, &fr, false);
	}
	/* Only a log that took everything it was given ends with a final
	 * SEAL. */
	pthread_mutex_lock(&w->lock);
	if (w->waiting > 0)
		ok = false;
	pthread_mutex_unlock(&w->lock);
	if (ok && seal(w, &fr, true))
		return w;
	return NULL;
}

/* -- open and close -- */

struct copy {
	struct writer *w;
	bool failed;
};

static void
copy_stream(void *arg, const struct framer_stream *s)
{
	struct copy *c = arg;
	struct stream *k = streamtab_get(c->w->known, s->id, s->class);

	if (k == NULL) {
		c->failed = true;
		return;
	}
	k->pub = *s;
	c->w->open += s->opened && !s->closing;
}

static void
free_writer(struct writer *w)
{
	engine_free(w->e);
	list_free(&w->queue);
	list_free(&w->durable);
	list_free(&w->pool);
	streamtab_free(w->known);
	ops_buf_free(&w->note);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->sync_cv);
	pthread_cond_destroy(&w->frame_cv);
	free(w);
}

static void
init_locks(struct writer *w)
{
	pthread_condattr_t ca;

	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&ca);
	pthread_condattr_setclock(&ca, CLOCK_MONOTONIC);
	pthread_cond_init(&w->sync_cv, &ca);
	pthread_cond_init(&w->frame_cv, &ca);
	pthread_condattr_destroy(&ca);
}

/* What the framer knows after recovery is what the callers' side begins with. */
static int
copy_state(struct writer *w, struct ops_err *err)
{
	struct copy c = { w, false };
	struct framer_stream ev = { 0 };

	framer_each(w->e->framer, copy_stream, &c);
	if (c.failed)
		return ops_fail(err, OPS_ENOMEM, "writer");
	framer_stream(w->e->framer, w->e->events, &ev);
	w->next_event = ev.next_record;
	memcpy(w->gone, w->e->closed, sizeof(w->gone));
	w->n_gone = w->e->n_closed;
	w->last_arrival = w->e->until;
	w->sealed_size = w->e->log->sealed;
	ops_buf_put(&w->note, w->e->log->note.data, w->e->log->note.len);
	return ops_buf_check(&w->note, "writer", err);
}

static int
start_threads(struct writer *w, struct ops_err *err)
{
	int rc = pthread_create(&w->sync_thread, NULL, sync_main, w);

	if (rc == 0) {
		w->sync_running = true;
		rc = pthread_create(&w->frame_thread, NULL, frame_main, w);
		w->frame_running = rc == 0;
	}
	if (rc != 0) {
		errno = rc;
		return ops_fail_errno(err, "writer: thread");
	}
	return 0;
}

int
writer_open(struct vfs *v, const struct writer_opts *o, struct writer **ret,
    struct ops_err *err)
{
	const struct engine_opts eo = { .machine_id = o->machine_id,
		.resume_every = o->resume_every,
		.note = o->note };
	struct engine_opts opts = eo;
	struct writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ops_fail(err, OPS_ENOMEM, "writer");
	memcpy(opts.boot_id, o->boot_id, sizeof(opts.boot_id));
	init_locks(w);
	list_init(&w->queue);
	list_init(&w->durable);
	list_init(&w->pool);
	w->seal_after = o->seal_after != 0 ? o->seal_after : SEC;
	w->seal_idle = o->seal_idle != 0 ? o->seal_idle : 60 * SEC;
	w->wake = o->wake;
	w->arg = o->arg;
	w->note.max = NOTE_MAX;
	w->since = ops_boottime();
	w->known = streamtab_new();
	if (w->known == NULL)
		ops_fail(err, OPS_ENOMEM, "writer");
	if (w->known == NULL || engine_open(v, &opts, &w->e, err) < 0 ||
	    copy_state(w, err) < 0 || start_threads(w, err) < 0) {
		if (w->sync_running)
			writer_close(w, NULL);
		else
			free_writer(w);
		return -1;
	}
	streamtab_settle(w->known);
	*ret = w;
	return 0;
}

static void
say_stopped(struct writer *w)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct ops_clock now;
	struct event_daemon d = { .what = DAEMON_STOP };
	uint64_t ticket;

	ops_clock_read(&now);
	d.realtime = now.realtime;
	event_daemon_put(&b, &d);
	if (!b.failed)
		queue_event(w, REC_DAEMON, now.boottime, b.data, b.len,
		    &ticket, NULL);
	ops_buf_free(&b);
}

int
writer_close(struct writer *w, struct ops_err *err)
{
	void *sealed = NULL;
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	say_stopped(w);
	w->stop = true;
	pthread_cond_broadcast(&w->sync_cv);
	pthread_cond_broadcast(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->sync_thread, NULL);
	if (w->frame_running)
		pthread_join(w->frame_thread, &sealed);
	if (sealed == NULL)
		rc = ops_fail(err, OPS_EIO, "the final seal was not written: %s",
		    w->failed[FRAME_SIDE] ? w->reason[FRAME_SIDE] :
		                            w->reason[SYNC_SIDE]);
	else
		rc = engine_finish(w->e, err);
	free_writer(w);
	return rc;
}

/* -- putting -- */

/* The batch that takes n more bytes of record.  Lock held. */
static struct batch *
tail_batch(struct writer *w, size_t n, uint64_t arrival)
{
	static const uint8_t zero[OPS_HASH_LEN];
	struct batch *b;

	if (w->queue.head != NULL) {
		b = (struct batch *)((char *)w->queue.end -
		    offsetof(struct batch, next));
		if (wal_batch_fits(&b->b, n))
			return b;
	}
	b = list_pop(&w->pool);
	if (b != NULL)
		w->pooled--;
	else if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->b.max = WAL_BATCH_MAX;
	b->records = 0;
	b->first_arrival = arrival;
	wal_batch_begin(&b->b, 0, 0, zero);
	if (b->b.failed) {
		batch_free(b);
		return NULL;
	}
	w->in_flight += b->b.len;
	w->waiting += b->b.len;
	if (w->queue.head == NULL)
		w->oldest = arrival;
	list_push(&w->queue, b);
	return b;
}

/* Append one record to the queue.  Lock held. */
static int
queue_record(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    uint8_t class, uint64_t number, const uint8_t *record, size_t n,
    struct ops_err *err)
{
	struct wal_entry e = { .class = class,
		.number = number,
		.record = record,
		.len = n };
	uint64_t now = ops_boottime();
	struct batch *b;
	size_t before;

	/* Strictly ascending, so that a cut between two records is one in time
	 * as well. */
	e.arrival = now > w->last_arrival ? now : w->last_arrival + 1;
	b = tail_batch(w, n, e.arrival);
	if (b == NULL)
		return ops_fail(err, OPS_ENOMEM, "writer: queue");
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
	return 0;
}

static int
queue_event(struct writer *w, uint8_t type, uint64_t time,
    const uint8_t *payload, size_t n, uint64_t *ticket, struct ops_err *err)
{
	uint8_t bytes[RECORD_MAX], id[OPS_ID_LEN];
	struct record r = { .type = type,
		.time = time,
		.payload = payload,
		.len = n };
	struct stream *s = NULL;
	bool was_open;
	size_t len;

	if (n > RECORD_PAYLOAD_MAX || !record_type_is_event(type))
		return ops_fail(err, OPS_EUSAGE, "event of type %u, %zu bytes",
		    type, n);
	len = record_encode(&r, bytes);
	if (record_decode(bytes, len, &r, err) < 0)
		return -1;
	if (stream_event_owner(&r, id) &&
	    (s = streamtab_get(w->known, id, CLASS_SCREEN)) == NULL)
		return ops_fail(err, OPS_ENOMEM, "writer: sessions");
	if (s != NULL && s->pub.closing)
		return ops_fail(err, OPS_EUSAGE, "the session is closed");
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

static int
check_room(const struct writer *w, struct ops_err *err)
{
	if (w->in_flight > WRITER_QUEUE_MAX)
		return ops_fail(err, OPS_EBUSY,
		    "%u MiB wait to be written", WRITER_QUEUE_MAX >> 20);
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
		rc = queue_event(w, type, time, payload, n, ticket, err);
	if (rc == 0 && type == REC_SESSION_CLOSE) {
		forget(w, payload);
		w->seal_soon = true;
		pthread_cond_signal(&w->frame_cv);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

static int
put_screen(struct writer *w, struct stream *s, uint64_t number,
    const uint8_t *records, size_t n, struct ops_err *err)
{
	for (size_t at = 0; at < n; number++) {
		struct record r;
		long len = record_decode(records + at, n - at, &r, err);

		if (len < 0)
			return -1;
		if (!record_type_is_screen(r.type))
			return ops_fail(err, OPS_EUSAGE,
			    "record of type %u in a screen stream", r.type);
		if (number > s->pub.next_record)
			return ops_fail(err, OPS_EUSAGE,
			    "records are missing before this one");
		if (number == s->pub.next_record) {
			if (queue_record(w, s->pub.id, CLASS_SCREEN, number,
				records + at, (size_t)len, err) < 0)
				return -1;
			s->pub.next_record++;
		}
		at += (size_t)len;
	}
	return 0;
}

int
writer_put_screen(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    uint64_t first, const uint8_t *records, size_t n, uint64_t *ticket,
    struct ops_err *err)
{
	struct stream *s;
	int rc;

	pthread_mutex_lock(&w->lock);
	s = streamtab_find(w->known, id);
	if (s == NULL || !s->pub.opened || s->pub.closing)
		rc = ops_fail(err, OPS_EUSAGE, "no such open session");
	else
		rc = check_room(w, err);
	if (rc == 0)
		rc = put_screen(w, s, first, records, n, err);
	if (rc == 0) {
		*ticket = w->ticket;
		pthread_cond_signal(&w->sync_cv);
	}
	pthread_mutex_unlock(&w->lock);
	return rc;
}

uint64_t
writer_durable(const struct writer *w)
{
	return atomic_load(&w->done);
}

/* -- asking -- */

static void
describe(const struct stream *s, struct writer_session *ret)
{
	ret->known = s->pub.opened;
	ret->closed = s->pub.closing;
	ret->next_record = s->pub.next_record;
	ret->next_event = s->pub.recorder_events;
	ret->recorder_pid = s->pub.recorder_pid;
	ret->recorder_start = s->pub.recorder_start;
}

void
writer_session(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    struct writer_session *ret)
{
	const struct stream *s;

	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&w->lock);
	s = streamtab_find(w->known, id);
	if (s != NULL)
		describe(s, ret);
	for (size_t i = 0; s == NULL && i < ENGINE_CLOSED && i < w->n_gone;
	     i++) {
		if (memcmp(w->gone[i], id, OPS_ID_LEN) == 0)
			ret->known = ret->closed = true;
	}
	pthread_mutex_unlock(&w->lock);
}

struct each_open {
	void (*fn)(void *arg, const uint8_t *id, const struct writer_session *s);
	void *arg;
};

static void
tell_open(void *arg, struct stream *s)
{
	struct each_open *e = arg;
	struct writer_session ws;

	if (!s->pub.opened || s->pub.closing)
		return;
	describe(s, &ws);
	e->fn(e->arg, s->pub.id, &ws);
}

void
writer_open_sessions(struct writer *w,
    void (*fn)(void *arg, const uint8_t *id, const struct writer_session *s),
    void *arg)
{
	struct each_open e = { fn, arg };

	pthread_mutex_lock(&w->lock);
	streamtab_each(w->known, tell_open, &e);
	pthread_mutex_unlock(&w->lock);
}

void
writer_status(struct writer *w, struct writer_status *ret)
{
	enum side side;

	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&w->lock);
	side = w->failed[SYNC_SIDE] ? SYNC_SIDE : FRAME_SIDE;
	if (w->failed[side]) {
		ret->state = WRITER_FAILED;
		memcpy(ret->reason, w->reason[side], sizeof(ret->reason));
	}
	ret->since = w->since;
	ret->records = w->records;
	ret->bytes = w->bytes;
	ret->queued = w->waiting;
	ret->unsealed = w->unsealed + w->sync_unframed;
	ret->lag = w->oldest != 0 ? ops_boottime() - w->oldest : 0;
	ret->sessions = w->open;
	ret->sealed_size = w->sealed_size;
	ret->log = w->e->log->n;
	ret->stored = w->stored;
	latency_percentiles(
	    &w->durable_time, &ret->durable_p50, &ret->durable_p99);
	latency_percentiles(&w->sealed_time, &ret->sealed_p50, &ret->sealed_p99);
	pthread_mutex_unlock(&w->lock);
}

void
writer_seal_soon(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->seal_soon = true;
	pthread_cond_signal(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
}

int
writer_checkpoint(struct writer *w, struct ops_buf *note, struct ops_buf *vkey,
    uint64_t *size, struct ops_err *err)
{
	pthread_mutex_lock(&w->lock);
	ops_buf_put(note, w->note.data, w->note.len);
	*size = w->sealed_size;
	pthread_mutex_unlock(&w->lock);
	/* The key does not change while the writer is open. */
	note_vkey_put(&w->e->log->key, vkey);
	if (ops_buf_check(note, "checkpoint", err) < 0)
		return -1;
	return ops_buf_check(vkey, "vkey", err);
}
