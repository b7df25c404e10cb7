/*
 * recover - opening a store for writing: what a crash left is put right, and a
 * BOOT leaf says so (design 4.3, 4.5).
 *
 * The order is what makes it repeatable: nothing is removed before the append
 * that replaces it is durable, so a crash in the middle of this leads back here
 * with the same input.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "engine.h"
#include "past.h"
#include "store.h"
#include "walread.h"

#define RESUME_EVERY 60000000000ull

struct recovery {
	struct vfs *v;
	const struct engine_opts *o;
	struct engine *e;
	struct past past;
	struct leaf_boot boot; /* being made */
	char store_id[OPS_ID_TEXT_LEN + 1];
	bool whole;   /* nothing is wrong with the newest log */
	bool wal_bad; /* the WAL holds what no crash leaves */
};

/* -- may this log be continued? -- */

static void
machine_hash(const struct recovery *r, uint8_t out[static 16])
{
	uint8_t h[OPS_HASH_LEN];
	const struct ops_part parts[] = {
		{ "opseal machine", strlen("opseal machine") },
		{ r->store_id, strlen(r->store_id) },
		{ r->o->machine_id, strlen(r->o->machine_id) },
	};

	ops_sha256_parts(parts, OPS_ARRAY_LEN(parts), h);
	memcpy(out, h, 16);
}

/* The log's key, if it is there: else it can be read, but not written. */
static int
load_key(struct recovery *r, struct ops_err *err)
{
	struct ops_signer *key = NULL;
	struct ops_err why = { 0 };

	if (keys_log_load(r->v, r->past.n, &key, &why) < 0) {
		if (why.code == OPS_ENOENT || why.code == OPS_EFORMAT)
			return 0;
		return ops_fail(err, why.code, "%s", why.msg);
	}
	if (memcmp(ops_signer_pub(key), r->e->log->key.pub, OPS_PUB_LEN) == 0)
		log_set_signer(r->e->log, key);
	else
		ops_signer_free(key);
	return 0;
}

/* 0: it may.  Else the enum boot_why of the successor that is needed. */
static int
why_not(struct recovery *r, uint32_t *ret, struct ops_err *err)
{
	struct engine *e = r->e;
	struct past *p = &r->past;
	uint8_t machine[16];
	int fits;

	*ret = 0;
	if (resume_load(r->v, &e->resume, err) < 0 || load_key(r, err) < 0)
		return -1;
	e->resume_slot = resume_find(&e->resume, p->resume_pub);
	fits = log_check_checkpoint(e->log, err);
	if (fits < 0)
		return -1;
	/* A crash leaves at most one SEAL beyond a checkpoint. */
	r->whole = fits == 1 && !e->log->damaged && e->log->seals <= 1;
	machine_hash(r, machine);
	if (e->log->signer == NULL || e->resume_slot < 0)
		*ret = BOOT_NO_RESUME;
	else if (!r->whole)
		*ret = BOOT_DAMAGED;
	else if (memcmp(machine, p->boot.machine, 16) != 0)
		*ret = BOOT_MACHINE;
	return 0;
}

/*
 * Leave in the newest log only what is signed for, also if it gets a successor:
 * what follows was to become durable together with a SEAL, and its records are
 * in the WAL.  Where the end is damaged nothing is touched, so that it can be
 * named for ever.
 */
static int
settle_log(struct recovery *r, struct ops_err *err)
{
	struct log *l = r->e->log;

	if (!l->end_damaged && l->tail > 0) {
		r->boot.found.leaf_torn_bytes = l->tail;
		if (log_cut_tail(l, err) < 0)
			return -1;
	}
	/* Never two SEALs beyond a checkpoint, however often a start is cut
	 * short. */
	if (!r->whole)
		return 0;
	return log_catch_up(l, l->ends_in_seal && l->signer != NULL, err);
}

/* "opseal/<store id>/<n>" */
static void
store_id_of(struct recovery *r)
{
	const char *s = r->past.any ? r->e->log->origin : "";
	uint8_t id[OPS_ID_LEN];

	if (strncmp(s, "opseal/", 7) == 0 && strlen(s) > 7 + OPS_ID_TEXT_LEN) {
		memcpy(r->store_id, s + 7, OPS_ID_TEXT_LEN);
		r->store_id[OPS_ID_TEXT_LEN] = '\0';
		if (ops_id_parse(r->store_id, id) == 0)
			return;
	}
	ops_random(id, sizeof(id));
	ops_id_text(id, r->store_id);
}

/* The first log of a store, or the successor of one that can't go on. */
static int
new_log(struct recovery *r, uint32_t why, struct ops_err *err)
{
	struct engine *e = r->e;
	struct leaf_boot *b = &r->boot;
	struct ops_signer *key = NULL;
	char origin[LEAF_ORIGIN_MAX + 1];
	uint32_t n = 0;

	b->why = why;
	if (r->past.any) {
		b->has_pred = true;
		/* Not even its first leaf may be left. */
		if (e->log->origin[0] != '\0')
			memcpy(b->pred_origin, e->log->origin,
			    sizeof(b->pred_origin));
		else
			snprintf(b->pred_origin, sizeof(b->pred_origin),
			    "opseal/%s/%" PRIu32, r->store_id, r->past.n);
		b->pred_size = e->log->tree.size;
		tree_root(&e->log->tree, b->pred_root);
		framer_successor(e->framer);
		log_free(e->log);
		e->log = NULL;
		n = r->past.n + 1;
		if (n >= STORE_LOGS_MAX)
			return ops_fail(err, OPS_EFORMAT,
			    "there are %d logs, and no more can be",
			    STORE_LOGS_MAX);
	}
	snprintf(origin, sizeof(origin), "opseal/%s/%" PRIu32, r->store_id, n);
	if (keys_log_create(r->v, n, &key, err) < 0)
		return -1;
	if (log_create(r->v, n, origin, key, &e->log, err) < 0) {
		ops_signer_free(key);
		return -1;
	}
	e->resume_slot = 1; /* slot 0 is staged next */
	return 0;
}

/* -- the WAL -- */

static int
replay_wal(struct recovery *r, struct ops_err *err)
{
	struct engine *e = r->e;
	struct wal_reader *w;
	struct wal_batch b;
	struct wal_entry entry;
	uint64_t before = framer_pending(e->framer);
	uint64_t number = r->past.wal.batch;
	uint8_t chain[OPS_HASH_LEN];
	int rc;

	memcpy(chain, r->past.wal.chain, sizeof(chain));
	if (wal_open_read(r->v, number, &w, err) < 0)
		return -1;
	while ((rc = wal_next(w, &b, err)) > 0) {
		const uint8_t *pub = past_key(&r->past, b.period);
		size_t at = 0;

		/* Not the log's own: nothing from here on is believed. */
		if (pub == NULL || !wal_batch_signed(&b, pub) ||
		    memcmp(b.prev, chain, sizeof(chain)) != 0) {
			r->wal_bad = true;
			break;
		}
		while (wal_entry_next(&b, &at, &entry)) {
			rc = framer_put(e->framer, &entry, err);
			if (rc < 0)
				break;
		}
		if (rc < 0)
			break;
		number = b.number + 1;
		memcpy(chain, b.chain, sizeof(chain));
	}
	if (rc >= 0) {
		const char *where, *detail;

		if (!r->wal_bad)
			r->wal_bad =
			    wal_reader_end(w, &where, &detail,
				&r->boot.found.wal_torn_bytes) ==
				WAL_END_DAMAGED ||
			    (wal_stops_short(w) && !past_clean(&r->past));
		r->boot.found.wal_records = framer_pending(e->framer) - before;
		/* A successor may find batches of a later past of the same
		 * store: its own numbers must lie above them. */
		e->next_batch =
		    r->boot.has_pred ? number + (1ull << 32) : number;
		memcpy(e->chain, chain, sizeof(chain));
		rc = 0;
	}
	wal_reader_free(w);
	return rc;
}

static void
events_id(const struct engine *e, uint8_t id[static OPS_ID_LEN])
{
	uint8_t h[OPS_HASH_LEN];
	const struct ops_part parts[] = {
		{ "opseal events", strlen("opseal events") },
		{ e->log->origin, strlen(e->log->origin) },
		{ e->boot_id, sizeof(e->boot_id) },
	};

	ops_sha256_parts(parts, OPS_ARRAY_LEN(parts), h);
	memcpy(id, h, OPS_ID_LEN);
}

/* -- BOOT -- */

static int
append_boot(struct engine *e, void *arg, struct ops_err *err)
{
	struct recovery *r = arg;
	struct leaf l = { .type = LEAF_BOOT, .u.boot = r->boot };
	bool first = e->log->tree.size == 0;
	const struct ops_signer *key =
	    first ? e->log->signer : e->resume.slot[e->resume_slot];
	/* Signed by the key the log named last, and naming the one that was
	 * made durable just before. */
	const struct ops_signer *next = e->resume.slot[1 - e->resume_slot];

	memcpy(l.u.boot.resume_pub, ops_signer_pub(next), OPS_PUB_LEN);
	return log_append_signed(e->log, &e->append, &l, key, err);
}

/* Open period: the one after the last SEAL, or the last BOOT's. */
static uint64_t
next_period(const struct recovery *r)
{
	const struct past *p = &r->past;

	if (!r->past.any || r->boot.has_pred)
		return 0;
	return p->seal_after_boot ? p->seal.period + 2 : p->boot.period + 1;
}

static int
fill_boot(struct recovery *r, struct ops_err *err)
{
	struct engine *e = r->e;
	struct leaf_boot *b = &r->boot;

	b->format = LEAF_FORMAT;
	memcpy(b->origin, e->log->origin, sizeof(b->origin));
	memcpy(b->log_pub, ops_signer_pub(e->log->signer), OPS_PUB_LEN);
	b->period = e->period = next_period(r);
	e->seal_key = engine_new_key();
	if (e->seal_key == NULL)
		return ops_fail(err, OPS_ENOMEM, "seal key: no memory");
	memcpy(b->seal_pub, ops_signer_pub(e->seal_key), OPS_PUB_LEN);
	machine_hash(r, b->machine);
	events_id(e, e->events);
	memcpy(b->events, e->events, OPS_ID_LEN);
	/* The old place: were the frames that follow cut off, their records
	 * would still be looked for. */
	b->wal = r->past.wal;
	if (b->has_pred || !r->past.any) {
		memset(&b->wal, 0, sizeof(b->wal));
		b->wal.batch = e->next_batch;
		memcpy(b->wal.chain, e->chain, OPS_HASH_LEN);
	}
	return 0;
}

static bool
same_boot(const struct recovery *r)
{
	return r->past.any &&
	       memcmp(r->past.clock.boot_id, r->o->boot_id, 16) == 0;
}

/* Its CLOSE leaf is in the append that is about to be made. */
static void
remember_closing(void *arg, const struct framer_stream *s)
{
	if (s->closing)
		engine_remember_closed(arg, s->id);
}

static int
boot(struct recovery *r, struct ops_err *err)
{
	struct engine *e = r->e;
	uint64_t now = r->boot.clock.at.boottime;

	if (fill_boot(r, err) < 0)
		return -1;
	e->until = now;
	/* What this start has to say goes through the WAL like all else
	 * (notices.c): a frame here would be one that neither a leaf nor a
	 * batch speaks of, were the append cut off. */
	e->rebooted = r->past.any && !same_boot(r);
	e->from = r->boot.why == BOOT_CRASH && same_boot(r) && r->past.has_seal
		      ? r->past.seal.until
		      : 0;
	/* The clocks of this boot were set back (another time namespace). */
	if (e->from > now)
		e->from = 0;
	e->consumed.batch = e->next_batch;
	memcpy(e->consumed.chain, e->chain, OPS_HASH_LEN);
	e->resume_at = now;
	/* Durable before BOOT, so that a log that is not closed always has a
	 * WAL file. */
	if (wal_create(r->v, e->next_batch, r->wal_bad, &e->wal, err) < 0 ||
	    resume_stage(r->v, &e->resume, 1 - e->resume_slot, err) < 0)
		return -1;
	framer_each(e->framer, remember_closing, e);
	if (engine_seal_begin(e, false, append_boot, r, err) < 0 ||
	    engine_seal_go(e, err) < 0)
		return -1;
	e->resume_slot = 1 - e->resume_slot;
	e->resume_every =
	    r->o->resume_every != 0 ? r->o->resume_every : RESUME_EVERY;
	return resume_drop(r->v, &e->resume, 1 - e->resume_slot, err);
}

static int
recover(struct recovery *r, struct ops_err *err)
{
	struct engine *e = r->e;
	uint32_t why = BOOT_FIRST;
	char day[11];

	ops_clock_read(&r->boot.clock.at);
	memcpy(r->boot.clock.boot_id, r->o->boot_id, 16);
	memcpy(e->boot_id, r->o->boot_id, 16);
	e->next_batch = 1;
	if (past_read(&r->past, r->v, e, err) < 0)
		return -1;
	store_id_of(r);
	if (r->past.any) {
		if (why_not(r, &why, err) < 0)
			return -1;
		if (why == 0)
			r->boot.why =
			    past_clean(&r->past) ? BOOT_CLEAN : BOOT_CRASH;
		if (settle_log(r, err) < 0 ||
		    past_replay_events(&r->past, r->v, err) < 0)
			return -1;
		if (r->past.damaged)
			framer_allow_holes(e->framer);
	}
	if (why != 0 && new_log(r, why, err) < 0)
		return -1;
	ops_time_day(r->boot.clock.at.realtime, day);
	framer_run(e->framer, day);
	if (r->past.any &&
	    (replay_wal(r, err) < 0 ||
		framer_recover(e->framer, &r->boot.found.frames_cut, err) < 0))
		return -1;
	framer_settle(e->framer);
	return boot(r, err);
}

int
engine_open(struct vfs *v, const struct engine_opts *o, struct engine **ret,
    struct ops_err *err)
{
	struct recovery *r = calloc(1, sizeof(*r));
	struct engine *e = calloc(1, sizeof(*e));
	int rc = -1;

	if (r == NULL || e == NULL) {
		ops_fail(err, OPS_ENOMEM, "store: no memory");
		free(e);
		free(r);
		return -1;
	}
	pthread_mutex_init(&e->wal_lock, NULL);
	pthread_mutex_init(&e->key_lock, NULL);
	e->v = v;
	/* BOOT names a new resume key itself. */
	e->resume_every = UINT64_MAX;
	r->v = v;
	r->o = o;
	r->e = e;
	if (vfs_lock(v, err) == 0 && framer_new(v, &e->framer, err) == 0 &&
	    keys_prepare(v, err) == 0 && recover(r, err) == 0) {
		*ret = e;
		e = NULL;
		rc = 0;
	}
	engine_free(e);
	free(r);
	return rc;
}
