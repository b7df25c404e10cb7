#include "past.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store.h"

static void
remember_key(struct past *p, uint64_t period, const uint8_t *pub)
{
	size_t i = p->n_keys++ % PAST_PERIODS;

	p->key[i].period = period;
	memcpy(p->key[i].pub, pub, OPS_PUB_LEN);
}

bool
past_clean(const struct past *p)
{
	return p->seal_after_boot && p->seal.final;
}

const uint8_t *
past_key(const struct past *p, uint64_t period)
{
	for (size_t i = 0; i < PAST_PERIODS && i < p->n_keys; i++) {
		if (p->key[i].period == period)
			return p->key[i].pub;
	}
	return NULL;
}

/* The first leaf of a log: what was read before is its predecessors'. */
static void
begin(struct past *p)
{
	if (p->any)
		framer_successor(p->e->framer);
	p->begun = p->any = true;
	p->n = p->reading;
	p->has_seal = p->seal_after_boot = false;
	p->n_keys = 0;
	memset(p->resume_pub, 0, sizeof(p->resume_pub));
	memset(p->boot.log_pub, 0, sizeof(p->boot.log_pub));
}

static void
new_day(const struct past *p, char day[static 11])
{
	ops_time_day(p->clock.at.realtime, day);
}

static void
seen_boot(struct past *p, const struct leaf_boot *b)
{
	char day[11];

	p->boot = *b;
	p->seal_after_boot = false;
	memcpy(p->resume_pub, b->resume_pub, OPS_PUB_LEN);
	p->wal = b->wal;
	p->clock = b->clock;
	remember_key(p, b->period, b->seal_pub);
	new_day(p, day);
	framer_run(p->e->framer, day);
}

static void
seen_seal(struct past *p, const struct leaf_seal *s)
{
	char day[11];

	p->has_seal = true;
	p->seal = *s;
	p->seal_after_boot = true;
	if (s->has_resume)
		memcpy(p->resume_pub, s->resume_pub, OPS_PUB_LEN);
	p->wal = s->wal;
	p->clock = s->clock;
	remember_key(p, s->period + 1, s->next_pub);
	new_day(p, day);
	framer_day(p->e->framer, day);
	/* No session was open: nothing before matters to an account. */
	if (s->open == 0)
		p->n_events = 0;
}

static int
seen_frame(struct past *p, const struct leaf_frame *l, const uint8_t *bytes,
    size_t len, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];

	leaf_hash(bytes, len, hash);
	if (framer_seen_frame(p->e->framer, l, hash, err) < 0)
		return -1;
	if (l->class != CLASS_EVENTS)
		return 0;
	for (size_t i = 0; i < p->n_events; i++) {
		if (memcmp(p->events[i].id, l->stream, OPS_ID_LEN) == 0)
			return 0;
	}
	if (p->n_events == PAST_EVENT_STREAMS)
		return ops_fail(err, OPS_EFORMAT,
		    "sessions open through %d boots", PAST_EVENT_STREAMS);
	memcpy(p->events[p->n_events].id, l->stream, OPS_ID_LEN);
	p->events[p->n_events].log = p->n;
	p->events[p->n_events++].first = l->first;
	return 0;
}

/* A BOOT by the resume key named last, a SEAL by the key of its period. */
static const uint8_t *
key_of(void *arg, const struct leaf *l)
{
	const struct past *p = arg;
	size_t last = (p->n_keys - 1) % PAST_PERIODS;

	if (!p->begun || p->n_keys == 0)
		return NULL;
	if (l->type == LEAF_BOOT)
		return p->resume_pub;
	return p->key[last].period == l->u.seal.period ? p->key[last].pub
						       : NULL;
}

static int
seen(void *arg, const struct leaf *l, const uint8_t *bytes, size_t len,
    struct ops_err *err)
{
	struct past *p = arg;

	if (!p->begun)
		begin(p);
	switch (l->type) {
	case LEAF_FRAME:
		return seen_frame(p, &l->u.frame, bytes, len, err);
	case LEAF_BOOT:
		seen_boot(p, &l->u.boot);
		return 0;
	case LEAF_SEAL:
		seen_seal(p, &l->u.seal);
		return 0;
	case LEAF_CLOSE:
		framer_seen_close(p->e->framer, &l->u.close);
		engine_remember_closed(p->e, l->u.close.stream);
		return 0;
	case LEAF_TOMBSTONE:
		p->e->tombstones = true;
		return 0;
	}
	return 0;
}

/* Read log n; it becomes e->log, unless it is a start that was cut short before
 * its BOOT. */
static int
read_log(struct past *p, struct vfs *v, uint32_t n, struct ops_err *err)
{
	const struct log_reader r = { .seen = seen, .key = key_of, .arg = p };
	struct ops_err why = { 0 };
	struct log *l = NULL;

	p->begun = false;
	p->reading = n;
	if (log_open(v, n, &r, &l, &why) < 0) {
		if (why.code == OPS_ENOENT)
			return 0;
		if (err != NULL)
			*err = why;
		return -1;
	}
	if (!p->begun && !l->damaged) {
		log_free(l);
		return 0;
	}
	if (!p->begun)
		begin(p);
	p->damaged |= l->damaged;
	log_free(p->e->log);
	p->e->log = l;
	return 0;
}

int
past_read(struct past *p, struct vfs *v, struct engine *e, struct ops_err *err)
{
	uint32_t *n = NULL;
	size_t count = 0;
	int rc;

	p->e = e;
	rc = log_list(v, &n, &count, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = read_log(p, v, n[i], err);
	free(n);
	if (rc == 0)
		framer_seen_all(e->framer);
	return rc;
}

/* -- sessions: rebuild their accounts from framed events -- */

static int
replay_stream(
    const struct past *p, struct store *st, size_t i, struct ops_err *err)
{
	struct stream_reader *sr;
	struct stream_pos pos;
	struct record rec;
	uint8_t bytes[RECORD_MAX];
	int rc;

	if (stream_open(st, p->events[i].id, p->events[i].first, &sr, err) < 0)
		return -1;
	while ((rc = stream_next(sr, &rec, &pos, err)) != 0) {
		const struct store_frame *f = stream_failed(sr);
		size_t n;

		/* What has expired was of sessions that are closed. */
		if (rc < 0 && f != NULL && store_expired(st, f))
			continue;
		if (rc < 0)
			break;
		n = record_encode(&rec, bytes);
		rc = framer_seen_event(p->e->framer, &rec, bytes, n, err);
		if (rc < 0)
			break;
	}
	stream_free(sr);
	return rc;
}

int
past_replay_events(const struct past *p, struct vfs *v, struct ops_err *err)
{
	struct store *st;
	int rc = 0;

	if (p->n_events == 0)
		return 0;
	if (store_open(v, STORE_NO_WAL, &st, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < p->n_events; i++) {
		/* A CLOSE leaf counts the events in its own log. */
		if (i > 0 && p->events[i].log != p->events[i - 1].log)
			framer_accounts_successor(p->e->framer);
		/* A damaged frame costs the account of its sessions, not the
		 * log: check names both. */
		if (replay_stream(p, st, i, err) < 0 && err != NULL &&
		    err->code == OPS_ENOMEM)
			rc = -1;
	}
	if (p->events[p->n_events - 1].log != p->n)
		framer_accounts_successor(p->e->framer);
	store_free(st);
	return rc;
}
