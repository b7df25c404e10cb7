#include "past.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
	p->events[p->n_events++].first = l->first;
	return 0;
}

static int
seen(void *arg, const struct leaf *l, const uint8_t *bytes, size_t len,
    uint64_t index, struct ops_err *err)
{
	struct past *p = arg;

	(void)index;
	p->ends_in_seal = l->type == LEAF_SEAL;
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
		return 0;
	}
	return 0;
}

/* Number of the newest log/<n>; *any: there is one. */
static int
newest_log(struct vfs *v, uint32_t *ret, bool *any, struct ops_err *err)
{
	struct vfs_names names = { 0 };

	*any = false;
	if (!vfs_exists(v, "log"))
		return 0;
	if (vfs_list(v, "log", &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		uint32_t n;
		int end = 0;

		if (sscanf(names.name[i], "%9" SCNu32 "%n", &n, &end) == 1 &&
		    names.name[i][end] == '\0' && (!*any || n > *ret)) {
			*ret = n;
			*any = true;
		}
	}
	vfs_names_free(&names);
	return 0;
}

static int
seen_before(void *arg, const struct leaf *l, const uint8_t *bytes, size_t len,
    uint64_t index, struct ops_err *err)
{
	struct past *p = arg;

	(void)bytes, (void)len, (void)index;
	if (l->type == LEAF_FRAME)
		return framer_seen_before(p->e->framer, &l->u.frame, err);
	if (l->type == LEAF_CLOSE)
		framer_seen_close(p->e->framer, &l->u.close);
	return 0;
}

/* Without them, their segments would look like what a crash left. */
static int
read_predecessors(struct past *p, struct vfs *v, struct ops_err *err)
{
	p->whole = true;
	for (uint32_t n = 0; n < p->n; n++) {
		struct ops_err e = { 0 };
		struct log *log = NULL;
		uint64_t torn;

		if (log_open(v, n, seen_before, p, &log, &torn, &e) == 0) {
			log_free(log);
			continue;
		}
		if (e.code == OPS_ENOMEM) {
			if (err != NULL)
				*err = e;
			return -1;
		}
		/* Removed or damaged: check's to name, and no reason not to
		 * record. */
		p->whole = false;
	}
	return 0;
}

int
past_read(struct past *p, struct vfs *v, struct engine *e, struct ops_err *err)
{
	struct ops_err first = { 0 };
	uint32_t n = 0;
	bool any;

	p->e = e;
	if (newest_log(v, &n, &any, err) < 0)
		return -1;
	/* An empty log is a start that was cut short before its BOOT. */
	for (; any; n--) {
		p->n = n;
		if (log_open(v, n, seen, p, &e->log, &p->torn, &first) == 0) {
			if (p->any)
				return read_predecessors(p, v, err);
			log_free(e->log);
			e->log = NULL;
		} else if (first.code != OPS_ENOENT) {
			if (err != NULL)
				*err = first;
			return -1;
		}
		if (n == 0)
			break;
	}
	return 0;
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
	while ((rc = stream_next(sr, &rec, &pos, err)) > 0) {
		size_t n = record_encode(&rec, bytes);

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
		/* A damaged frame costs the account of its sessions, not the
		 * log: check names both. */
		if (replay_stream(p, st, i, err) < 0 && err != NULL &&
		    err->code == OPS_ENOMEM)
			rc = -1;
	}
	store_free(st);
	return rc;
}
