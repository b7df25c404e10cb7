#include "engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

/* Places in a batch's header that are known only when it is sent. */
#define BATCH_NUMBER 8
#define BATCH_PERIOD 16
#define BATCH_PREV 32

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	framer_free(e->framer);
	log_free(e->log);
	wal_free(e->wal);
	ops_signer_free(e->seal_key);
	ops_signer_free(e->next_key);
	resume_free(&e->resume);
	log_append_free(&e->append);
	free(e->stones);
	pthread_mutex_destroy(&e->wal_lock);
	pthread_mutex_destroy(&e->key_lock);
	free(e);
}

struct ops_signer *
engine_new_key(void)
{
	uint8_t seed[OPS_SEED_LEN];
	struct ops_signer *s;

	ops_random(seed, sizeof(seed));
	s = ops_signer_new(seed);
	ops_wipe(seed, sizeof(seed));
	return s;
}

void
engine_remember_closed(struct engine *e, const uint8_t id[static OPS_ID_LEN])
{
	memcpy(e->closed[e->n_closed++ % ENGINE_CLOSED], id, OPS_ID_LEN);
}

/* -- sync side -- */

int
engine_batch_end(struct engine *e, struct ops_buf *b, struct ops_err *err)
{
	int rc;

	assert(b->len >= WAL_BATCH_HEADER);
	/* All of the trailer or nothing, so that it can be tried again. */
	if (ops_buf_reserve(b, WAL_BATCH_TRAILER) == NULL) {
		rc = ops_buf_check(b, "batch", err);
		b->failed = false;
		return rc;
	}
	memcpy(b->data + BATCH_PREV, e->chain, OPS_HASH_LEN);
	pthread_mutex_lock(&e->key_lock);
	ops_putle64(b->data + BATCH_NUMBER, e->next_batch);
	ops_putle64(b->data + BATCH_PERIOD, e->period);
	rc = wal_batch_end(b, e->seal_key, e->chain, err);
	if (rc == 0)
		e->next_batch++;
	pthread_mutex_unlock(&e->key_lock);
	return rc;
}

int
engine_wal_write(struct engine *e, const struct ops_buf *b,
    struct ops_buf *blocks, struct ops_err *err)
{
	int rc;

	if (wal_batch_blocks(b, blocks, err) < 0)
		return -1;
	pthread_mutex_lock(&e->wal_lock);
	rc =
	    wal_write(e->wal, ops_getle64(b->data + BATCH_NUMBER), blocks, err);
	pthread_mutex_unlock(&e->wal_lock);
	return rc < 0 ? ops_context(err, "WAL") : 0;
}

/* -- framing side -- */

int
engine_consume(
    struct engine *e, const struct ops_buf *b, size_t *at, struct ops_err *err)
{
	const struct wal_batch batch = { .body = b->data + WAL_BATCH_HEADER,
		.body_len = b->len - WAL_BATCH_HEADER - WAL_BATCH_TRAILER };
	struct wal_entry entry;
	size_t next = *at;

	assert(e->step == SEAL_IDLE);
	while (wal_entry_next(&batch, &next, &entry)) {
		if (framer_put(e->framer, &entry, err) < 0)
			return -1;
		e->until = entry.arrival;
		*at = next;
	}
	e->consumed.batch = ops_getle64(b->data + BATCH_NUMBER) + 1;
	memcpy(e->consumed.chain, b->data + b->len - WAL_BATCH_TRAILER,
	    OPS_HASH_LEN);
	return 0;
}

static int
add_leaf(void *arg, const uint8_t *leaf, size_t n, struct ops_err *err)
{
	return log_append_leaf(arg, leaf, n, err);
}

/* What a later root can cut off and call a crash is what came after the newest
 * resume key: a minute at most, and nothing of a log that was closed. */
static int
maybe_new_resume(
    struct engine *e, uint64_t now, bool final, struct ops_err *err)
{
	int slot = 1 - e->resume_slot;

	if (e->resume_staged ||
	    (!final && now - e->resume_at < e->resume_every))
		return 0;
	if (resume_stage(e->v, &e->resume, slot, err) < 0)
		return -1;
	e->resume_staged = true;
	return 0;
}

static int
append_seal(struct engine *e, bool final, struct ops_err *err)
{
	struct leaf l = { .type = LEAF_SEAL };
	struct leaf_seal *s = &l.u.seal;

	ops_clock_read(&s->clock.at);
	memcpy(s->clock.boot_id, e->boot_id, sizeof(s->clock.boot_id));
	if (maybe_new_resume(e, s->clock.at.boottime, final, err) < 0)
		return -1;
	e->next_key = engine_new_key();
	if (e->next_key == NULL)
		return ops_fail(err, OPS_ENOMEM, "seal key: no memory");
	s->period = e->period;
	memcpy(s->next_pub, ops_signer_pub(e->next_key), OPS_PUB_LEN);
	if (e->resume_staged) {
		s->has_resume = true;
		memcpy(s->resume_pub,
		    ops_signer_pub(e->resume.slot[1 - e->resume_slot]),
		    OPS_PUB_LEN);
	}
	s->from = e->from;
	s->until = e->until;
	s->final = final;
	s->open = framer_open_sessions(e->framer);
	s->wal = e->consumed;
	if (log_append_signed(e->log, &e->append, &l, e->seal_key, err) < 0)
		return -1;
	e->seal = *s;
	return 0;
}

int
engine_seal_begin(struct engine *e, bool final,
    int (*prepare)(struct engine *e, void *arg, struct ops_err *err), void *arg,
    struct ops_err *err)
{
	assert(e->step == SEAL_IDLE);
	if (framer_cut(e->framer, err) < 0)
		return -1;
	log_append_begin(e->log, &e->append);
	if ((prepare == NULL || prepare(e, arg, err) == 0) &&
	    framer_leaves(e->framer, add_leaf, &e->append, err) == 0 &&
	    append_seal(e, final, err) == 0) {
		e->step = SEAL_PAYLOAD;
		return 0;
	}
	log_append_free(&e->append);
	ops_signer_free(e->next_key);
	e->next_key = NULL;
	return -1;
}

/* The SEAL is durable: the period's key may go. */
static void
period_over(struct engine *e)
{
	char day[11];

	pthread_mutex_lock(&e->key_lock);
	ops_signer_free(e->seal_key);
	e->seal_key = e->next_key;
	e->next_key = NULL;
	e->period = e->seal.period + 1;
	e->period_batch = e->next_batch;
	pthread_mutex_unlock(&e->key_lock);
	framer_sealed(e->framer);
	ops_time_day(e->seal.clock.at.realtime, day);
	framer_day(e->framer, day);
	e->from = e->until;
	if (e->resume_staged) {
		e->resume_staged = false;
		e->resume_slot = 1 - e->resume_slot;
		e->resume_at = e->seal.clock.at.boottime;
		/* If this fails the next one overwrites it. */
		resume_drop(e->v, &e->resume, 1 - e->resume_slot, NULL);
	}
}

int
engine_seal_go(struct engine *e, struct ops_err *err)
{
	if (e->step == SEAL_PAYLOAD) {
		if (framer_write(e->framer, err) < 0)
			return ops_context(err, "frames");
		e->step = SEAL_LEAVES;
	}
	if (e->step == SEAL_LEAVES) {
		if (log_append_write(e->log, &e->append, err) < 0)
			return ops_context(err, "leaves");
		log_append_free(&e->append);
		period_over(e);
		e->step = SEAL_CHECKPOINT;
	}
	if (e->step == SEAL_CHECKPOINT) {
		if (log_checkpoint(e->log, err) < 0)
			return ops_context(err, "checkpoint");
		e->step = SEAL_IDLE;
		if (e->stones_in) {
			free(e->stones);
			e->stones = NULL;
			e->n_stones = 0;
			e->stones_in = false;
		}
		/* Files that can't be removed now are tried again with the
		 * next seal. */
		pthread_mutex_lock(&e->wal_lock);
		wal_release(e->wal, e->seal.wal.batch, NULL);
		pthread_mutex_unlock(&e->wal_lock);
	}
	return 0;
}

bool
engine_may_seal(struct engine *e)
{
	bool may;

	pthread_mutex_lock(&e->key_lock);
	may = e->consumed.batch >= e->period_batch;
	pthread_mutex_unlock(&e->key_lock);
	return may;
}

static int
put_stones(struct engine *e, void *arg, struct ops_err *err)
{
	(void)arg;
	for (size_t i = 0; i < e->n_stones; i++) {
		const struct leaf l = { .type = LEAF_TOMBSTONE,
			.u.tombstone = e->stones[i] };
		uint8_t bytes[LEAF_MAX];
		long n = leaf_encode(&l, bytes, err);

		if (n < 0 ||
		    log_append_leaf(&e->append, bytes, (size_t)n, err) < 0)
			return -1;
	}
	return 0;
}

int
engine_seal(struct engine *e, bool final, struct ops_err *err)
{
	bool stones;

	/* One that failed is finished first, byte for byte: a period is
	 * signed once. */
	if (e->step != SEAL_IDLE) {
		if (engine_seal_go(e, err) < 0)
			return -1;
		/* Nothing was consumed since, and nothing may stand behind
		 * a final one. */
		if (e->seal.final == final)
			return 0;
	}
	stones = !final && e->n_stones > 0;
	if (engine_seal_begin(e, final, stones ? put_stones : NULL, NULL, err) <
	    0)
		return -1;
	e->stones_in = stones;
	return engine_seal_go(e, err);
}

int
engine_finish(struct engine *e, struct ops_err *err)
{
	int rc;

	assert(e->step == SEAL_IDLE && e->seal.final);
	pthread_mutex_lock(&e->wal_lock);
	rc = wal_clear(e->wal, err);
	pthread_mutex_unlock(&e->wal_lock);
	if (rc < 0)
		return -1;
	return log_partial_tiles(e->log, err);
}
