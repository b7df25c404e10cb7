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
#include "record/event.h"
#include "store.h"
#include "walread.h"

#define RESUME_EVERY 60000000000ull
#define PERIODS 64 /* period keys remembered; the WAL spans a few at most */
#define EVENT_STREAMS_MAX 1024

/* What the leaves say. */
struct past {
	bool any;
	struct leaf_boot boot; /* the last one */
	bool has_seal;
	struct leaf_seal seal; /* the last one */
	bool seal_after_boot;
	uint64_t seals;
	uint8_t resume_pub[OPS_PUB_LEN]; /* named last */
	struct leaf_wal wal;		 /* where the WAL goes on */
	struct leaf_clock clock;	 /* of the last BOOT or SEAL */
	struct {
		uint64_t period;
		uint8_t pub[OPS_PUB_LEN];
	} key[PERIODS];
	size_t n_keys;
	/* Event frames since the last SEAL with no session open. */
	struct {
		uint8_t id[OPS_ID_LEN];
		uint64_t first;
	} events[EVENT_STREAMS_MAX];
	size_t n_events;
};

struct recovery {
	struct vfs *v;
	const struct engine_opts *o;
	struct engine *e;
	struct past past;
	struct leaf_boot boot; /* being made */
	char store_id[OPS_ID_TEXT_LEN + 1];
	uint32_t n; /* newest log */
	bool exists;
	uint64_t torn;
	bool wal_bad; /* the WAL holds what no crash leaves */
};

/* -- reading the leaves -- */

static void
remember_key(struct past *p, uint64_t period, const uint8_t *pub)
{
	size_t i = p->n_keys++ % PERIODS;

	p->key[i].period = period;
	memcpy(p->key[i].pub, pub, OPS_PUB_LEN);
}

static const uint8_t *
period_key(const struct past *p, uint64_t period)
{
	for (size_t i = 0; i < PERIODS && i < p->n_keys; i++) {
		if (p->key[i].period == period)
			return p->key[i].pub;
	}
	return NULL;
}

static void
seen_boot(struct past *p, const struct leaf_boot *b)
{
	p->any = true;
	p->boot = *b;
	p->seal_after_boot = false;
	memcpy(p->resume_pub, b->resume_pub, OPS_PUB_LEN);
	p->wal = b->wal;
	p->clock = b->clock;
	remember_key(p, b->period, b->seal_pub);
}

static void
seen_seal(struct past *p, const struct leaf_seal *s)
{
	p->has_seal = true;
	p->seal = *s;
	p->seal_after_boot = true;
	p->seals++;
	if (s->has_resume)
		memcpy(p->resume_pub, s->resume_pub, OPS_PUB_LEN);
	p->wal = s->wal;
	p->clock = s->clock;
	remember_key(p, s->period + 1, s->next_pub);
	/* No session was open: nothing before matters to an account. */
	if (s->open == 0)
		p->n_events = 0;
}

static int
seen_frame(struct recovery *r, const struct leaf_frame *l, const uint8_t *bytes,
    size_t len, struct ops_err *err)
{
	struct past *p = &r->past;
	uint8_t hash[OPS_HASH_LEN];

	leaf_hash(bytes, len, hash);
	if (framer_seen_frame(r->e->framer, l, hash, err) < 0)
		return -1;
	if (l->class != CLASS_EVENTS)
		return 0;
	for (size_t i = 0; i < p->n_events; i++) {
		if (memcmp(p->events[i].id, l->stream, OPS_ID_LEN) == 0)
			return 0;
	}
	if (p->n_events == EVENT_STREAMS_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "sessions open through %d boots", EVENT_STREAMS_MAX);
	memcpy(p->events[p->n_events].id, l->stream, OPS_ID_LEN);
	p->events[p->n_events++].first = l->first;
	return 0;
}

static int
seen(void *arg, const struct leaf *l, const uint8_t *bytes, size_t len,
    uint64_t index, struct ops_err *err)
{
	struct recovery *r = arg;

	(void)index;
	switch (l->type) {
	case LEAF_FRAME:
		return seen_frame(r, &l->u.frame, bytes, len, err);
	case LEAF_BOOT:
		seen_boot(&r->past, &l->u.boot);
		return 0;
	case LEAF_SEAL:
		seen_seal(&r->past, &l->u.seal);
		return 0;
	case LEAF_CLOSE:
		framer_seen_close(r->e->framer, &l->u.close);
		memcpy(r->e->closed[r->e->n_closed++ % ENGINE_CLOSED],
		    l->u.close.stream, OPS_ID_LEN);
		return 0;
	case LEAF_TOMBSTONE:
		return 0;
	}
	return 0;
}

static int
newest_log(struct recovery *r, struct ops_err *err)
{
	struct vfs_names names = { 0 };

	if (!vfs_exists(r->v, "log"))
		return 0;
	if (vfs_list(r->v, "log", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		uint32_t n;
		int end = 0;

		if (sscanf(names.name[i], "%9" SCNu32 "%n", &n, &end) == 1 &&
		    names.name[i][end] == '\0' && (!r->exists || n > r->n)) {
			r->n = n;
			r->exists = true;
		}
	}
	vfs_names_free(&names);
	return 0;
}

/* The newest log with a leaf in it: an empty one is a start that was cut short
 * before its BOOT. */
static int
read_log(struct recovery *r, struct ops_err *err)
{
	struct engine *e = r->e;
	struct ops_err first = { 0 };

	if (newest_log(r, err) < 0)
		return -1;
	for (; r->exists; r->n--) {
		if (log_open(r->v, r->n, seen, r, &e->log, &r->torn, &first) ==
		    0) {
			if (r->past.any)
				return 0;
			log_free(e->log);
			e->log = NULL;
		} else if (first.code != OPS_ENOENT) {
			if (err != NULL)
				*err = first;
			return -1;
		}
		if (r->n == 0)
			break;
	}
	r->exists = false;
	return 0;
}

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

/* 0: it may.  Else the enum boot_why of the successor that is needed. */
static int
why_not(struct recovery *r, uint32_t *ret, struct ops_err *err)
{
	struct engine *e = r->e;
	struct past *p = &r->past;
	struct ops_signer *key = NULL;
	uint8_t machine[16];
	struct ops_err e2 = { 0 };

	*ret = 0;
	if (resume_load(r->v, &e->resume, err) < 0)
		return -1;
	e->resume_slot = resume_find(&e->resume, p->resume_pub);
	if (keys_log_load(r->v, r->n, &key, &e2) < 0 &&
	    e2.code != OPS_ENOENT && e2.code != OPS_EFORMAT) {
		if (err != NULL)
			*err = e2;
		return -1;
	}
	machine_hash(r, machine);
	if (key == NULL ||
	    memcmp(ops_signer_pub(key), p->boot.log_pub, OPS_PUB_LEN) != 0 ||
	    e->resume_slot < 0) {
		*ret = BOOT_NO_RESUME;
	} else if (log_set_key(e->log, p->boot.origin, key, err) < 0) {
		ops_signer_free(key);
		return -1;
	} else {
		key = NULL; /* the log's now */
		if (log_check_checkpoint(e->log, NULL) == 0 ||
		    /* A crash leaves at most one SEAL beyond a checkpoint. */
		    (e->log->sealed == 0 && p->seals > 1))
			*ret = BOOT_DAMAGED;
		else if (memcmp(machine, p->boot.machine, 16) != 0)
			*ret = BOOT_MACHINE;
	}
	ops_signer_free(key);
	return 0;
}

/* "opseal/<store id>/<n>" */
static void
store_id_of(struct recovery *r)
{
	const char *s = r->past.boot.origin;
	uint8_t id[OPS_ID_LEN];

	if (r->exists && strncmp(s, "opseal/", 7) == 0 &&
	    strlen(s) > 7 + OPS_ID_TEXT_LEN) {
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
	if (r->exists) {
		b->has_pred = true;
		memcpy(b->pred_origin, r->past.boot.origin,
		    sizeof(b->pred_origin));
		b->pred_size = e->log->tree.size;
		tree_root(&e->log->tree, b->pred_root);
		framer_successor(e->framer);
		log_free(e->log);
		e->log = NULL;
		n = r->n + 1;
	}
	snprintf(
	    origin, sizeof(origin), "opseal/%s/%" PRIu32, r->store_id, n);
	if (keys_log_create(r->v, n, &key, err) < 0)
		return -1;
	if (log_create(r->v, n, origin, key, &e->log, err) < 0) {
		return -1;
	}
	e->resume_slot = 1; /* slot 0 is staged next */
	return 0;
}

/* -- sessions: rebuild their accounts from framed events -- */

static int
replay_stream(struct recovery *r, struct store *st, size_t i, struct ops_err *err)
{
	struct stream_reader *sr;
	struct stream_pos pos;
	struct record rec;
	uint8_t bytes[RECORD_MAX];
	int rc;

	if (stream_open(st, r->past.events[i].id, r->past.events[i].first, &sr,
		err) < 0)
		return -1;
	while ((rc = stream_next(sr, &rec, &pos, err)) > 0) {
		size_t n = record_encode(&rec, bytes);

		rc = framer_seen_event(r->e->framer, &rec, bytes, n, err);
		if (rc < 0)
			break;
	}
	stream_free(sr);
	return rc;
}

static int
replay_events(struct recovery *r, struct ops_err *err)
{
	struct store *st;
	int rc = 0;

	if (r->past.n_events == 0)
		return 0;
	if (store_open(r->v, STORE_NO_WAL, &st, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < r->past.n_events; i++) {
		/* A damaged frame costs the account of its sessions, not the
		 * log: check names both. */
		if (replay_stream(r, st, i, err) < 0 &&
		    err != NULL && err->code == OPS_ENOMEM)
			rc = -1;
	}
	store_free(st);
	return rc;
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
		const uint8_t *pub = period_key(&r->past, b.period);
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
			r->wal_bad = wal_reader_end(w, &where, &detail,
			    &r->boot.found.wal_torn_bytes) == WAL_END_DAMAGED;
		r->boot.found.wal_records =
		    framer_pending(e->framer) - before;
		/* A successor may find batches of a later past of the same
		 * store: its own numbers must lie above them. */
		e->next_batch = r->boot.has_pred ? number + (1ull << 32) :
		                                   number;
		memcpy(e->chain, chain, sizeof(chain));
		rc = 0;
	}
	wal_reader_free(w);
	return rc;
}

/* -- what this start itself has to say -- */

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

static int
put_event(struct recovery *r, uint8_t type, const struct ops_buf *payload,
    struct ops_err *err)
{
	struct engine *e = r->e;
	struct framer_stream st = { 0 };
	uint8_t bytes[RECORD_MAX];
	struct wal_entry entry = { .class = CLASS_EVENTS, .record = bytes };
	struct record rec = { .type = type,
		.time = r->boot.clock.at.boottime,
		.payload = payload->data,
		.len = payload->len };

	if (ops_buf_check(payload, "event", err) < 0)
		return -1;
	memcpy(entry.stream, e->events, OPS_ID_LEN);
	framer_stream(e->framer, e->events, &st);
	entry.number = st.next_record;
	entry.arrival = r->boot.clock.at.boottime;
	entry.len = record_encode(&rec, bytes);
	return framer_put(e->framer, &entry, err);
}

/* Sessions that the end of their machine's boot ended. */
struct lost {
	struct framer_stream *s;
	size_t n, cap;
	bool failed;
};

static void
collect_open(void *arg, const struct framer_stream *s)
{
	struct lost *l = arg;

	if (!s->opened || s->closing || l->failed)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 16 : l->cap * 2;
		void *p = reallocarray(l->s, cap, sizeof(*l->s));

		if (p == NULL) {
			l->failed = true;
			return;
		}
		l->s = p;
		l->cap = cap;
	}
	l->s[l->n++] = *s;
}

static int
lose_sessions(struct recovery *r, struct ops_err *err)
{
	struct lost lost = { 0 };
	int rc = 0;

	framer_each(r->e->framer, collect_open, &lost);
	if (lost.failed)
		rc = ops_fail(err, OPS_ENOMEM, "sessions");
	for (size_t i = 0; rc == 0 && i < lost.n; i++) {
		struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
		struct event_close c = { .state = CLOSE_LOST,
			.why = CLOSE_REBOOT,
			.records = lost.s[i].next_record };

		event_close_put(&b, lost.s[i].id, &c);
		rc = put_event(r, REC_SESSION_CLOSE, &b, err);
		ops_buf_free(&b);
	}
	free(lost.s);
	return rc;
}

static int
say_started(struct recovery *r, struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_daemon d = { .what = DAEMON_START,
		.realtime = r->boot.clock.at.realtime };
	int rc;

	if (r->o->note != NULL) {
		d.text.p = (const uint8_t *)r->o->note;
		d.text.n = strlen(r->o->note);
	}
	event_daemon_put(&b, &d);
	rc = put_event(r, REC_DAEMON, &b, err);
	ops_buf_free(&b);
	return rc;
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

	if (!r->exists || r->boot.has_pred)
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
		return ops_fail(err, OPS_ENOMEM, "seal key");
	memcpy(b->seal_pub, ops_signer_pub(e->seal_key), OPS_PUB_LEN);
	machine_hash(r, b->machine);
	events_id(e, e->events);
	memcpy(b->events, e->events, OPS_ID_LEN);
	/* The old place: were the frames that follow cut off, their records
	 * would still be looked for. */
	b->wal = r->past.wal;
	if (b->has_pred || !r->exists) {
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

static int
boot(struct recovery *r, struct ops_err *err)
{
	struct engine *e = r->e;
	uint64_t now = r->boot.clock.at.boottime;
	char day[11];

	if (fill_boot(r, err) < 0)
		return -1;
	ops_time_day(r->boot.clock.at.realtime, day);
	framer_day(e->framer, day);
	if (!same_boot(r) && lose_sessions(r, err) < 0)
		return -1;
	if (say_started(r, err) < 0)
		return -1;
	e->from = r->boot.why == BOOT_CRASH && same_boot(r) &&
	        r->past.has_seal ?
	    r->past.seal.until :
	    0;
	e->until = now;
	e->consumed.batch = e->next_batch;
	memcpy(e->consumed.chain, e->chain, OPS_HASH_LEN);
	e->resume_at = now;
	/* Durable before BOOT, so that a log that is not closed always has a
	 * WAL file. */
	if (wal_create(r->v, e->next_batch, r->wal_bad, &e->wal, err) < 0 ||
	    resume_stage(r->v, &e->resume, 1 - e->resume_slot, err) < 0)
		return -1;
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
	char day[11] = "";

	ops_clock_read(&r->boot.clock.at);
	memcpy(r->boot.clock.boot_id, r->o->boot_id, 16);
	memcpy(e->boot_id, r->o->boot_id, 16);
	e->next_batch = 1;
	if (read_log(r, err) < 0)
		return -1;
	store_id_of(r);
	if (r->exists) {
		if (why_not(r, &why, err) < 0)
			return -1;
		if (why == 0) {
			bool clean =
			    r->past.seal_after_boot && r->past.seal.final;

			r->boot.why = clean ? BOOT_CLEAN : BOOT_CRASH;
			r->boot.found.leaf_torn_bytes = r->torn;
			if (r->torn > 0 && log_cut_tail(e->log, err) < 0)
				return -1;
			ops_time_day(r->past.clock.at.realtime, day);
		}
		if (framer_recover(e->framer, day, &r->boot.found.frames_cut,
			err) < 0 ||
		    replay_events(r, err) < 0)
			return -1;
	}
	if (why != 0 && new_log(r, why, err) < 0)
		return -1;
	ops_time_day(r->boot.clock.at.realtime, day);
	framer_day(e->framer, day);
	if (r->exists && replay_wal(r, err) < 0)
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
		ops_fail(err, OPS_ENOMEM, "store");
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
