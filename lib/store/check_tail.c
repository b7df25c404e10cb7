/*
 * The leaves behind the last BOOT or SEAL.  A CRC is all that guards them, so
 * they count for nothing by themselves: each must say what the signed batches
 * of the WAL say.  The writer frees those only when a checkpoint covers the
 * leaves, so between a crash and the next start, and in a running store, they
 * are there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "check_work.h"
#include "record/event.h"
#include "record/record.h"

/* A frame, and what the WAL holds for it. */
struct tail_frame {
	size_t stream, frame;
	uint64_t records;
	uint64_t arrived_first, arrived_last;
	uint8_t chain[OPS_HASH_LEN]; /* over the records, as in CLOSE */
};

struct tail_close {
	size_t close; /* index into h.close[] */
	bool met;     /* its SESSION-CLOSE is in the WAL, and in a frame */
	bool whole;   /* and so is all that the session showed before it */
	uint32_t state;
};

struct check_tail {
	struct tail_frame *frame; /* by stream, then number */
	size_t n, cap;
	size_t *at; /* by stream: the frame that its next entry may be in */
	size_t streams;
	struct tail_close *close;
	size_t closes, close_cap;
};

void
check_tail_free(struct check_tail *t)
{
	if (t == NULL)
		return;
	free(t->frame);
	free(t->at);
	free(t->close);
	free(t);
}

/* -- which they are -- */

static bool
add_frames(
    struct check_tail *t, const struct history *h, size_t stream, uint64_t from)
{
	const struct history_stream *s = &h->stream[stream];
	size_t i = s->n;

	while (i > 0 && s->frame[i - 1].log + 1 == h->logs &&
	       s->frame[i - 1].index >= from)
		i--;
	t->at[stream] = t->n;
	for (; i < s->n; i++) {
		if (!history_grow(&t->frame, t->n, &t->cap, sizeof(*t->frame)))
			return false;
		t->frame[t->n++] =
		    (struct tail_frame){ .stream = stream, .frame = i };
	}
	return true;
}

int
check_tail_begin(struct check *c, struct ops_err *err)
{
	struct history *h = &c->h;
	uint64_t from = h->logs == 0 ? 0 : history_signed(h, h->logs - 1);
	struct check_tail *t = calloc(1, sizeof(*t));

	c->tail = t;
	if (t == NULL ||
	    (t->at = calloc(h->streams + 1, sizeof(*t->at))) == NULL)
		return check_no_memory(err);
	t->streams = h->streams;
	for (size_t i = 0; i < h->streams; i++)
		if (!add_frames(t, h, i, from))
			return check_no_memory(err);
	for (size_t i = h->closes; i > 0; i--) {
		const struct history_close *cl = &h->close[i - 1];

		if (cl->log + 1 != h->logs || cl->index < from)
			break;
		if (!history_grow(
			&t->close, t->closes, &t->close_cap, sizeof(*t->close)))
			return check_no_memory(err);
		t->close[t->closes++] = (struct tail_close){ .close = i - 1 };
	}
	return 0;
}

/* -- what the WAL says -- */

/* The end of a session whose CLOSE leaf is among them. */
static void
take_end(struct check *c, const struct wal_entry *e)
{
	struct check_tail *t = c->tail;
	struct event_close ev;
	struct record r;

	if (record_decode(e->record, e->len, &r, NULL) < 0 ||
	    r.type != REC_SESSION_CLOSE || r.len < OPS_ID_LEN)
		return;
	for (size_t i = 0; i < t->closes; i++) {
		const struct history_close *cl = &c->h.close[t->close[i].close];
		const struct history_stream *s;

		if (memcmp(cl->leaf.stream, r.payload, OPS_ID_LEN) != 0)
			continue;
		s = history_find(&c->h, r.payload);
		t->close[i].met = true;
		t->close[i].whole = s == NULL || s->wal_records == 0;
		t->close[i].state =
		    event_close_get(r.payload, r.len, &ev, NULL) == 0
			? ev.state
			: CLOSE_LOST;
	}
}

void
check_tail_entry(struct check *c, const struct wal_entry *e)
{
	const struct history_stream *s = history_find(&c->h, e->stream);
	struct check_tail *t = c->tail;
	const struct leaf_frame *l;
	struct tail_frame *f;
	size_t i;

	if (s == NULL || (i = (size_t)(s - c->h.stream)) >= t->streams)
		return;
	for (;; t->at[i]++) {
		if (t->at[i] == t->n || t->frame[t->at[i]].stream != i)
			return;
		f = &t->frame[t->at[i]];
		l = &s->frame[f->frame].leaf;
		if (e->number < l->first + l->count)
			break;
	}
	if (e->class != s->class || e->number != l->first + f->records)
		return;
	if (f->records++ == 0)
		f->arrived_first = e->arrival;
	f->arrived_last = e->arrival;
	ops_sha256_parts((struct ops_part[]){ { f->chain, OPS_HASH_LEN },
			     { e->record, e->len } },
	    2, f->chain);
	if (e->class == CLASS_EVENTS)
		take_end(c, e);
}

/* -- do they say the same? -- */

static void
say(struct check *c, uint64_t index, const char *what)
{
	char where[CHECK_WHERE];

	snprintf(where, sizeof(where), "log/%" PRIu32 "/leaves leaf %" PRIu64,
	    c->h.log[c->h.logs - 1].pub.n, index);
	check_say(c, FIND_TAMPER, where,
	    "no SEAL signs it, and %s in the signed part of the WAL", what);
}

static bool
same_records(
    const struct ops_buf *raw, const uint8_t chain[static OPS_HASH_LEN])
{
	uint8_t have[OPS_HASH_LEN] = { 0 };
	struct record r;
	long used;

	for (size_t at = 0; at < raw->len; at += (size_t)used) {
		used = record_decode(raw->data + at, raw->len - at, &r, NULL);
		if (used < 0)
			return false;
		ops_sha256_parts((struct ops_part[]){ { have, OPS_HASH_LEN },
				     { raw->data + at, (size_t)used } },
		    2, have);
	}
	return memcmp(have, chain, OPS_HASH_LEN) == 0;
}

/* The segment of a frame, and where in it; NULL: it isn't there. */
static const struct check_segment *
place_of(const struct check *c, const struct tail_frame *f, uint64_t *offset)
{
	const struct store_frame *frame = c->h.stream[f->stream].frame;

	for (size_t k = 0; k < c->segments; k++) {
		const struct check_segment *s = &c->segment[k];

		if (s->stream != f->stream || f->frame < s->l.first ||
		    f->frame >= s->l.first + s->l.n)
			continue;
		*offset = SEGMENT_HEADER;
		for (size_t i = s->l.first; i < f->frame; i++)
			*offset += frame[i].leaf.stored_len;
		return s->there ? s : NULL;
	}
	return NULL;
}

static void
judge_frame(struct check *c, struct check_reader *r, const struct tail_frame *f,
    struct ops_buf *raw)
{
	const struct store_frame *sf = &c->h.stream[f->stream].frame[f->frame];
	const struct check_segment *seg;
	struct check_mark mark = check_mark(c);
	struct check_result before = *c->r;
	uint64_t offset;
	bool opened;

	if (f->records != sf->leaf.count) {
		say(c, sf->index, "its records are not all");
		return;
	}
	if (f->arrived_first != sf->leaf.arrived_first ||
	    f->arrived_last != sf->leaf.arrived_last) {
		say(c, sf->index, "its records arrived at other times");
		return;
	}
	seg = place_of(c, f, &offset);
	if (seg == NULL)
		return; /* that was named */
	/* What is wrong with its bytes, and how many there are, check_frames()
	 * says. */
	opened = check_one_frame(c, r, seg, f->frame, offset, raw);
	check_take_back(c, &mark);
	*c->r = before;
	if (opened && !same_records(raw, f->chain))
		say(c, sf->index, "its records are others");
}

static void
judge_close(struct check *c, const struct tail_close *tc)
{
	const struct history_close *cl = &c->h.close[tc->close];

	if (!tc->met)
		say(c, cl->index, "no end of that session is");
	else if (tc->state != cl->leaf.state)
		say(c, cl->index, "another end of that session is");
	else if (!tc->whole)
		say(c, cl->index, "more of that session is");
}

static bool
concerns(const struct check *c, size_t stream)
{
	const struct history_stream *s = &c->h.stream[stream];

	return check_wants(c, s->id) || s->class == CLASS_EVENTS;
}

static int
judge(struct check *c, struct ops_err *err)
{
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	struct check_reader *r = check_reader_new();
	struct check_tail *t = c->tail;

	if (r == NULL)
		return check_no_memory(err);
	for (size_t i = 0; i < t->n; i++)
		if (concerns(c, t->frame[i].stream))
			judge_frame(c, r, &t->frame[i], &raw);
	for (size_t i = 0; i < t->closes; i++) {
		const uint8_t *id = c->h.close[t->close[i].close].leaf.stream;

		if (check_wants(c, id))
			judge_close(c, &t->close[i]);
	}
	check_reader_free(r);
	ops_buf_free(&raw);
	return 0;
}

int
check_tail_end(struct check *c, struct ops_err *err)
{
	struct check_mark mark = check_mark(c);
	struct check_tail *t = c->tail;

	if (t->n + t->closes == 0 || c->wal_moved || c->wal_unread)
		return 0;
	if (c->copy) {
		check_say(c, FIND_UNSEALED, "log",
		    "%zu leaves behind the last SEAL: nothing signs them, and "
		    "the WAL that could is not in this copy",
		    t->n + t->closes);
		return 0;
	}
	if (judge(c, err) < 0)
		return -1;
	/* The writer may have sealed them, and freed the WAL. */
	if (c->r->fails > mark.fails && check_moved_on(c)) {
		check_take_back(c, &mark);
		c->wal_moved = true;
		check_say(c, FIND_UNSEALED, "log",
		    "the writer went on meanwhile; %zu leaves that were not "
		    "sealed yet were not checked",
		    t->n + t->closes);
	}
	return 0;
}
