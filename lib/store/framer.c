#include "framer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "record/event.h"
#include "segment.h"
#include "streamtab.h"

/* Bytes of records that an open frame may hold: the seeds take the rest.  One of
 * programs is read, and its hash checked, for a single record (lib/index). */
#define FRAME_ROOM (FRAME_RAW_MAX - FRAME_SEEDS)
#define FRAME_ROOM_PROGRAMS (FRAME_CHUNK * FRAME_CHUNKS_MAX)

/* A cut frame, until it is sealed. */
struct cut {
	struct segment_place place;
	uint8_t *stored;
	size_t stored_len;
	uint32_t records;
	bool written;
	uint8_t leaf[LEAF_MAX];
	size_t leaf_len;
};

struct framer {
	struct vfs *v;
	struct frame_maker *maker;
	struct streamtab *tab;
	char day[11];
	uint64_t run; /* counts BOOTs */
	bool holes;   /* framer_allow_holes() */
	struct cut *cuts;
	size_t n_cuts, cap_cuts;
	struct ops_buf scratch; /* one stored frame */
	uint64_t open_records;  /* in open frames */
	uint64_t bytes;         /* memory of open and cut frames */
	uint64_t stored;
	uint64_t open_sessions;
};

int
framer_new(struct vfs *v, struct framer **ret, struct ops_err *err)
{
	struct framer *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return ops_fail(err, OPS_ENOMEM, "framer: no memory");
	f->v = v;
	f->scratch.max = FRAME_STORED_MAX;
	f->maker = frame_maker_new();
	f->tab = streamtab_new();
	if (f->maker == NULL || f->tab == NULL) {
		framer_free(f);
		return ops_fail(err, OPS_ENOMEM, "framer: no memory");
	}
	*ret = f;
	return 0;
}

static void
drop_cuts(struct framer *f)
{
	for (size_t i = 0; i < f->n_cuts; i++) {
		f->bytes -= f->cuts[i].stored_len;
		free(f->cuts[i].stored);
	}
	f->n_cuts = 0;
}

void
framer_free(struct framer *f)
{
	if (f == NULL)
		return;
	drop_cuts(f);
	free(f->cuts);
	streamtab_free(f->tab);
	frame_maker_free(f->maker);
	ops_buf_free(&f->scratch);
	free(f);
}

/* -- the account of sessions -- */

static void
account(struct framer *f, struct stream *s, const struct record *r,
    const uint8_t *encoded, size_t n)
{
	bool was_open;
	struct ops_part parts[] = {
		{ s->chain, sizeof(s->chain) },
		{ encoded, n },
	};

	ops_sha256_parts(parts, OPS_ARRAY_LEN(parts), s->chain);
	s->events++;
	was_open = s->pub.opened;
	stream_note_event(s, r);
	f->open_sessions += s->pub.opened && !was_open;
}

int
framer_seen_event(struct framer *f, const struct record *r,
    const uint8_t *encoded, size_t n, struct ops_err *err)
{
	uint8_t id[OPS_ID_LEN];
	struct stream *s;

	if (!event_owner(r, id))
		return 0;
	/* The events of a session that has its CLOSE leaf are done with. */
	if (streamtab_closed(f->tab, id))
		return 0;
	s = streamtab_get(f->tab, id, CLASS_SCREEN);
	if (s == NULL)
		return ops_fail(err, OPS_ENOMEM, "framer: sessions: no memory");
	account(f, s, r, encoded, n);
	return 0;
}

/* The place of the stream's next frame, which the leaves alone give
 * (doc/format.md section 7). */
static void
place(struct framer *f, struct stream *s, uint64_t number, size_t stored_len,
    struct segment_place *ret)
{
	if (s->run != f->run)
		s->seg.open = false;
	s->run = f->run;
	segment_place(
	    &s->seg, s->pub.id, s->pub.class, f->day, number, stored_len, ret);
}

int
framer_seen_frame(struct framer *f, const struct leaf_frame *l,
    const uint8_t hash[static OPS_HASH_LEN], struct ops_err *err)
{
	struct stream *s = streamtab_get(f->tab, l->stream, l->class);
	struct segment_place at;

	if (s == NULL)
		return ops_fail(err, OPS_ENOMEM, "framer: streams: no memory");
	if (!s->has_prev)
		s->first_frame = l->number;
	s->numbered = true;
	s->pub.class = l->class;
	place(f, s, l->number, l->stored_len, &at);
	s->pub.next_frame = l->number + 1;
	s->pub.next_record = l->first + l->count;
	s->has_prev = true;
	memcpy(s->prev, hash, OPS_HASH_LEN);
	return 0;
}

void
framer_seen_close(struct framer *f, const struct leaf_close *l)
{
	streamtab_close(f->tab, l->stream);
}

static void
account_again(void *arg, struct stream *s)
{
	(void)arg;
	s->events = 0;
	memset(s->chain, 0, sizeof(s->chain));
}

void
framer_accounts_successor(struct framer *f)
{
	streamtab_each(f->tab, account_again, NULL);
}

static void
start_again(void *arg, struct stream *s)
{
	s->has_prev = false;
	s->first_frame = s->pub.next_frame;
	account_again(arg, s);
}

void
framer_successor(struct framer *f)
{
	streamtab_each(f->tab, start_again, NULL);
}

static void
remember_sealed(void *arg, struct stream *s)
{
	(void)arg;
	s->sealed.frame = s->pub.next_frame;
	s->sealed.record = s->pub.next_record;
	s->sealed.segments = s->seg.next;
	memcpy(s->sealed.path, s->seg.path, sizeof(s->sealed.path));
}

void
framer_allow_holes(struct framer *f)
{
	f->holes = true;
}

void
framer_seen_all(struct framer *f)
{
	streamtab_each(f->tab, remember_sealed, NULL);
}

static void
touch_closing(void *arg, struct stream *s)
{
	/* The append with its CLOSE leaf was cut short. */
	if (s->pub.closing)
		streamtab_touch(arg, s);
}

void
framer_settle(struct framer *f)
{
	f->holes = false;
	streamtab_settle(f->tab);
	streamtab_each(f->tab, touch_closing, f->tab);
}

int
framer_recover(struct framer *f, uint64_t *cut, struct ops_err *err)
{
	return segment_recover(f->v, f->tab, cut, err);
}

/* -- cutting frames -- */

void
framer_run(struct framer *f, const char day[static 11])
{
	f->run++;
	framer_day(f, day);
}

void
framer_day(struct framer *f, const char day[static 11])
{
	memcpy(f->day, day, sizeof(f->day));
}

static struct cut *
new_cut(struct framer *f)
{
	if (f->n_cuts == f->cap_cuts) {
		size_t cap = f->cap_cuts == 0 ? 16 : f->cap_cuts * 2;
		struct cut *p = reallocarray(f->cuts, cap, sizeof(*p));

		if (p == NULL)
			return NULL;
		f->cuts = p;
		f->cap_cuts = cap;
	}
	memset(&f->cuts[f->n_cuts], 0, sizeof(f->cuts[0]));
	return &f->cuts[f->n_cuts];
}

static int
make_leaf(const struct stream *s, const struct frame_id *id,
    const struct frame_digest *d, struct cut *c, struct ops_err *err)
{
	struct leaf l = { .type = LEAF_FRAME };
	struct leaf_frame *lf = &l.u.frame;
	long n;

	memcpy(lf->stream, id->stream, OPS_ID_LEN);
	lf->class = id->class;
	lf->number = id->number;
	lf->has_prev = s->has_prev;
	memcpy(lf->prev, s->prev, OPS_HASH_LEN);
	lf->first = id->first;
	lf->count = s->count;
	lf->arrived_first = s->arrived_first;
	lf->arrived_last = s->arrived_last;
	lf->codec = CODEC_ZSTD;
	lf->stored_len = d->stored_len;
	lf->raw_len = d->raw_len;
	memcpy(lf->sha256, d->sha256, OPS_HASH_LEN);
	memcpy(lf->root, d->root, OPS_HASH_LEN);
	n = leaf_encode(&l, c->leaf, err);
	if (n < 0)
		return -1;
	c->leaf_len = (size_t)n;
	return 0;
}

/* Close the open frame of s.  On failure the frame stays open. */
static int
cut_frame(struct framer *f, struct stream *s, struct ops_err *err)
{
	struct frame_id id = { .class = s->pub.class,
		.number = s->pub.next_frame,
		.first = s->pub.next_record - s->count };
	uint8_t seeds[FRAME_SEEDS];
	struct frame_digest d;
	struct cut *c = new_cut(f);
	int rc;

	if (c == NULL)
		return ops_fail(err, OPS_ENOMEM, "frame: no memory");
	memcpy(id.stream, s->pub.id, OPS_ID_LEN);
	ops_random(seeds, sizeof(seeds));
	ops_buf_reset(&f->scratch);
	rc = frame_make(f->maker, &id, s->count, s->raw.data, s->raw.len, seeds,
	    &f->scratch, &d, err);
	ops_wipe(seeds, sizeof(seeds));
	if (rc < 0 || make_leaf(s, &id, &d, c, err) < 0)
		return -1;
	c->stored = malloc(f->scratch.len);
	if (c->stored == NULL)
		return ops_fail(err, OPS_ENOMEM, "frame: no memory");
	memcpy(c->stored, f->scratch.data, f->scratch.len);
	c->stored_len = f->scratch.len;
	c->records = s->count;
	place(f, s, id.number, c->stored_len, &c->place);
	f->n_cuts++;
	f->bytes = f->bytes + c->stored_len - s->raw.len;
	f->open_records -= s->count;
	leaf_hash(c->leaf, c->leaf_len, s->prev);
	if (!s->has_prev)
		s->first_frame = id.number;
	s->has_prev = true;
	s->pub.next_frame++;
	s->count = 0;
	ops_buf_reset(&s->raw);
	return 0;
}

int
framer_put(struct framer *f, const struct wal_entry *e, struct ops_err *err)
{
	struct stream *s = streamtab_get(f->tab, e->stream, e->class);
	struct stream *owner = NULL;
	uint8_t id[OPS_ID_LEN];
	struct record r;
	size_t room =
	    e->class == CLASS_PROGRAMS ? FRAME_ROOM_PROGRAMS : FRAME_ROOM;

	if (s == NULL)
		return ops_fail(err, OPS_ENOMEM, "framer: streams: no memory");
	/* Recovery: the append that closed it was durable, so all of it is. */
	if (s->closed)
		return 0;
	if (record_decode(e->record, e->len, &r, err) < 0)
		return -1;
	if (!s->numbered ||
	    (f->holes && s->count == 0 && e->number > s->pub.next_record)) {
		s->numbered = true;
		s->pub.class = e->class;
		s->pub.next_record = s->sealed.record = e->number;
	}
	if (e->number < s->pub.next_record)
		return 0;
	if (e->number > s->pub.next_record)
		return ops_fail(err, OPS_EFORMAT,
		    "stream: record %" PRIu64 " after %" PRIu64, e->number,
		    s->pub.next_record);
	if (e->class == CLASS_EVENTS && event_owner(&r, id) &&
	    (owner = streamtab_get(f->tab, id, CLASS_SCREEN)) == NULL)
		return ops_fail(err, OPS_ENOMEM, "framer: sessions: no memory");
	if (s->count > 0 && s->raw.len + e->len > room &&
	    cut_frame(f, s, err) < 0)
		return -1;
	s->raw.max = room;
	ops_buf_put(&s->raw, e->record, e->len);
	if (ops_buf_check(&s->raw, "frame", err) < 0) {
		s->raw.failed = false;
		return -1;
	}
	if (s->count++ == 0) {
		s->arrived_first = e->arrival;
		streamtab_touch(f->tab, s);
	}
	s->arrived_last = e->arrival;
	s->pub.next_record++;
	f->open_records++;
	f->bytes += e->len;
	if (owner != NULL && !owner->closed) {
		account(f, owner, &r, e->record, e->len);
		streamtab_touch(f->tab, owner);
	}
	return 0;
}

int
framer_cut(struct framer *f, struct ops_err *err)
{
	struct stream *s;

	for (s = streamtab_touched(f->tab); s != NULL; s = s->next_touched) {
		if (s->count > 0 && cut_frame(f, s, err) < 0)
			return -1;
	}
	return 0;
}

/* -- payload -- */

int
framer_write(struct framer *f, struct ops_err *err)
{
	struct segment_sync sync = { .v = f->v };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->n_cuts; i++) {
		struct cut *c = &f->cuts[i];

		if (!c->written)
			rc = segment_write(
			    &sync, &c->place, c->stored, c->stored_len, err);
	}
	if (rc == 0)
		rc = segment_sync_all(&sync, err);
	segment_sync_free(&sync);
	/* After a failed sync no page of these files can be trusted to be on
	 * its way: all of it is written again next time. */
	for (size_t i = 0; i < f->n_cuts; i++)
		f->cuts[i].written = rc == 0;
	return rc;
}

/* -- leaves -- */

static int
close_leaf(const struct stream *s, uint8_t out[static LEAF_MAX], size_t *n,
    struct ops_err *err)
{
	struct leaf l = { .type = LEAF_CLOSE };
	struct leaf_close *c = &l.u.close;
	long len;

	memcpy(c->stream, s->pub.id, OPS_ID_LEN);
	c->state = s->close_state;
	c->frames = s->has_prev ? s->pub.next_frame - s->first_frame : 0;
	memcpy(c->last, s->prev, OPS_HASH_LEN);
	c->events = s->events;
	memcpy(c->chain, s->chain, OPS_HASH_LEN);
	len = leaf_encode(&l, out, err);
	if (len < 0)
		return -1;
	*n = (size_t)len;
	return 0;
}

int
framer_leaves(struct framer *f,
    int (*fn)(void *arg, const uint8_t *leaf, size_t n, struct ops_err *err),
    void *arg, struct ops_err *err)
{
	uint8_t leaf[LEAF_MAX];
	struct stream *s;
	size_t n;

	for (size_t i = 0; i < f->n_cuts; i++) {
		if (fn(arg, f->cuts[i].leaf, f->cuts[i].leaf_len, err) < 0)
			return -1;
	}
	for (s = streamtab_touched(f->tab); s != NULL; s = s->next_touched) {
		assert(s->count == 0);
		if (s->pub.closing && (close_leaf(s, leaf, &n, err) < 0 ||
					  fn(arg, leaf, n, err) < 0))
			return -1;
	}
	return 0;
}

void
framer_sealed(struct framer *f)
{
	struct stream *s, *next;

	for (size_t i = 0; i < f->n_cuts; i++)
		f->stored += f->cuts[i].stored_len;
	drop_cuts(f);
	for (s = streamtab_touched(f->tab); s != NULL; s = next) {
		next = s->next_touched;
		if (s->pub.closing && s->pub.opened)
			f->open_sessions--;
		if (s->pub.closing)
			streamtab_close(f->tab, s->pub.id);
	}
	streamtab_untouch_all(f->tab);
}

/* -- numbers -- */

uint64_t
framer_pending(const struct framer *f)
{
	uint64_t sum = f->open_records;

	for (size_t i = 0; i < f->n_cuts; i++)
		sum += f->cuts[i].records;
	return sum;
}

uint64_t
framer_pending_bytes(const struct framer *f)
{
	return f->bytes;
}

uint64_t
framer_stored(const struct framer *f)
{
	return f->stored;
}

uint64_t
framer_open_sessions(const struct framer *f)
{
	return f->open_sessions;
}

bool
framer_stream(const struct framer *f, const uint8_t id[static OPS_ID_LEN],
    struct framer_stream *ret)
{
	const struct stream *s = streamtab_find(f->tab, id);

	if (s == NULL)
		return false;
	*ret = s->pub;
	return true;
}

struct each {
	void (*fn)(void *arg, const struct framer_stream *s);
	void *arg;
};

static void
each_stream(void *arg, struct stream *s)
{
	struct each *e = arg;

	e->fn(e->arg, &s->pub);
}

void
framer_each(const struct framer *f,
    void (*fn)(void *arg, const struct framer_stream *s), void *arg)
{
	struct each e = { fn, arg };

	streamtab_each(f->tab, each_stream, &e);
}
