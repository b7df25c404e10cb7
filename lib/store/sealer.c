#include "writer_work.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

#define SEAL_GAP (100 * MS)    /* at most ten seals a second */
#define SEAL_BYTES (16u << 20) /* memory of unsealed frames that asks for one */
#define SEAL_WAL (16u << 20)   /* so does this much WAL: its files are reused */
#define POOL 4
/* Nobody waits for a frame; for a terminal somebody does. */
#define FRAME_NICE 10

struct framing {
	uint64_t first;     /* arrival of the period's first record; 0: none */
	uint64_t stated;    /* when that was sent */
	uint64_t last_seal; /* BOOTTIME */
	uint64_t due_seen;  /* when the next seal was seen to be due; 0: not */
	uint64_t bytes;     /* of WAL consumed since */
	unsigned tries;
};

static void
batch_done(struct writer *w, struct batch *b)
{
	uint64_t pending = framer_pending(w->e->framer);
	uint64_t bytes = framer_pending_bytes(w->e->framer);

	pthread_mutex_lock(&w->lock);
	w->in_flight -= b->b.len;
	w->sync_unframed -= b->records;
	w->unsealed = pending;
	w->unwritten = bytes;
	if (w->pooled < POOL) {
		w->pooled++;
		ops_buf_reset(&b->b);
		batches_push(&w->pool, b);
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
		writer_report(w, FRAME_SIDE, &err);
		if (!writer_pause(w, &w->frame_cv, &fr->tries))
			return false;
	}
	if (fr->first == 0) {
		fr->first = b->first_arrival;
		fr->stated = b->first_stated;
	}
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
		latency_add(&w->sealed_time, now - fr->stated);
	w->unsealed = framer_pending(w->e->framer);
	w->unwritten = framer_pending_bytes(w->e->framer);
	w->stored = framer_stored(w->e->framer);
	w->sealed_size = w->e->log->sealed;
	ops_buf_reset(&w->note);
	ops_buf_put(&w->note, w->e->log->note.data, w->e->log->note.len);
	/* TOMBSTONEs that came meanwhile wait for the next one. */
	w->seal_soon = w->stones != NULL;
	pthread_mutex_unlock(&w->lock);
	fr->first = 0;
	fr->bytes = 0;
	fr->due_seen = 0;
	fr->last_seal = now;
}

static bool
seal(struct writer *w, struct framing *fr, bool final)
{
	struct ops_err err = { 0 };

	if (!final)
		writer_stones_take(w);
	while (engine_seal(w->e, final, &err) < 0) {
		writer_report(w, FRAME_SIDE, &err);
		if (!writer_pause(w, &w->frame_cv, &fr->tries))
			return false;
	}
	writer_report(w, FRAME_SIDE, NULL);
	note_sealed(w, fr);
	writer_stones_done(w);
	return true;
}

/* When the next seal is due (BOOTTIME).  Lock held. */
static uint64_t
seal_due(const struct writer *w, const struct framing *fr)
{
	uint64_t due = fr->last_seal + w->seal_idle;

	if (fr->first != 0 && fr->first + w->seal_after < due)
		due = fr->first + w->seal_after;
	if ((w->seal_soon || fr->bytes >= SEAL_WAL ||
		framer_pending_bytes(w->e->framer) >= SEAL_BYTES) &&
	    due > fr->last_seal + SEAL_GAP)
		due = fr->last_seal + SEAL_GAP;
	return due;
}

/*
 * What waits already goes into the seal that is due.  Else a writer that fell
 * behind once would make a seal of every batch, each later than the one
 * before, and never catch up.  Lock held.
 */
static bool
seal_now(const struct writer *w, struct framing *fr, uint64_t due)
{
	const struct batch *b = w->durable.head;
	uint64_t now = ops_boottime();

	if (now < due)
		return false;
	if (fr->due_seen == 0)
		fr->due_seen = now;
	return b == NULL || b->first_arrival > fr->due_seen ||
	       fr->bytes >= SEAL_WAL ||
	       framer_pending_bytes(w->e->framer) >= SEAL_BYTES;
}

/* The next batch to frame, or NULL: a seal is due, or all is done. */
static struct batch *
next_durable(struct writer *w, struct framing *fr, bool *finished)
{
	struct batch *b = NULL;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		uint64_t due = seal_due(w, fr);

		*finished = w->sync_done && w->durable.head == NULL;
		/* What wakes us is the next durable batch. */
		if (!engine_may_seal(w->e))
			due = ops_boottime() + SEC;
		if (*finished || seal_now(w, fr, due))
			break;
		b = batches_pop(&w->durable);
		if (b != NULL)
			break;
		writer_wait_until(w, &w->frame_cv, due);
	}
	pthread_mutex_unlock(&w->lock);
	return b;
}

void *
writer_frame_main(void *arg)
{
	struct writer *w = arg;
	struct framing fr = { .last_seal = ops_boottime() };
	bool finished = false, ok = true;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), FRAME_NICE);
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
