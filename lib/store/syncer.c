#include "writer_work.h"

#include "base/clock.h"

#define GATHER_NS (1 * MS)        /* several recorders may have rung */
#define GATHER_BYTES (256u << 10) /* enough for a batch: no more waiting */

/* The next batch to make durable; NULL: the writer is closing. */
static struct batch *
next_batch(struct writer *w)
{
	struct batch *b;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		uint64_t wait;

		b = w->queue.head;
		if (b == NULL && w->stop) {
			/* From here on nobody may queue anything: said in
			 * the same breath as it is seen to be empty. */
			w->sync_done = true;
			pthread_cond_signal(&w->frame_cv);
			break;
		}
		if (b == NULL) {
			w->sync_wants = 1;
			pthread_cond_wait(&w->sync_cv, &w->lock);
			continue;
		}
		wait = b->first_arrival + GATHER_NS;
		if (w->urgent || w->stop || w->waiting >= GATHER_BYTES ||
		    ops_boottime() >= wait)
			break;
		w->sync_wants = GATHER_BYTES;
		writer_wait_until(w, &w->sync_cv, wait);
	}
	w->sync_wants = UINT64_MAX;
	batches_pop(&w->queue);
	if (w->queue.head == NULL)
		w->urgent = false;
	pthread_mutex_unlock(&w->lock);
	return b;
}

static void
batch_durable(struct writer *w, struct batch *b, uint64_t len, uint64_t now)
{
	pthread_mutex_lock(&w->lock);
	latency_add(&w->durable_time, now - b->first_stated);
	/* What was added since it was queued: chain value and signature. */
	w->waiting -= len;
	w->in_flight += b->b.len - len;
	w->oldest = w->queue.head != NULL ? w->queue.head->first_arrival : 0;
	w->records += b->records;
	w->bytes += b->b.len;
	w->sync_unframed += b->records;
	batches_push(&w->durable, b);
	atomic_store(&w->done, b->last_ticket);
	pthread_cond_signal(&w->frame_cv);
	pthread_mutex_unlock(&w->lock);
	writer_wake(w);
}

/* false: the writer is closing and can't write. */
static bool
make_durable(
    struct writer *w, struct batch *b, struct ops_buf *blocks, unsigned *tries)
{
	bool ended = false;

	for (;;) {
		struct ops_err err = { 0 };

		if (!ended)
			ended = engine_batch_end(w->e, &b->b, &err) == 0;
		if (ended && engine_wal_write(w->e, &b->b, blocks, &err) == 0)
			break;
		writer_report(w, SYNC_SIDE, &err);
		if (!writer_pause(w, &w->sync_cv, tries))
			return false;
	}
	writer_report(w, SYNC_SIDE, NULL);
	return true;
}

void *
writer_sync_main(void *arg)
{
	struct writer *w = arg;
	struct ops_buf blocks = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };
	unsigned tries = 0;
	struct batch *b;

	while ((b = next_batch(w)) != NULL) {
		uint64_t len = b->b.len;

		if (!make_durable(w, b, &blocks, &tries)) {
			batch_free(b);
			pthread_mutex_lock(&w->lock);
			w->sync_done = true;
			pthread_cond_signal(&w->frame_cv);
			pthread_mutex_unlock(&w->lock);
			break;
		}
		batch_durable(w, b, len, ops_boottime());
	}
	ops_buf_free(&blocks);
	return NULL;
}
