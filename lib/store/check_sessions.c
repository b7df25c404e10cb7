/*
 * Events, opened in the order of their leaves, and with them the account that
 * each CLOSE leaf gives of its session: how many event records, and the chain
 * over them (design 4.4).  A window of frames is opened on all cores, then
 * gone through in order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "check_work.h"
#include "parallel.h"
#include "record/body.h"
#include "record/event.h"
#include "record/record.h"

#define WINDOW_FRAMES 4 /* for each thread */

struct event_frame {
	const struct store_frame *f;
	size_t segment;
	size_t i; /* in its stream's frame[] */
	uint64_t offset;
};

struct slot {
	struct ops_buf raw;
	bool good;
};

struct account {
	uint64_t events;
	uint64_t holes; /* of the log before its SESSION-OPEN */
	bool opened;    /* that was seen in this log */
	uint8_t chain[OPS_HASH_LEN];
};

struct sessions {
	struct check *c;
	struct event_frame *frame; /* in order of their leaves */
	size_t n, cap;
	struct check_reader *reader[PARALLEL_MAX];
	struct slot slot[PARALLEL_MAX * WINDOW_FRAMES];
	size_t base;        /* the frame in slot 0 */
	struct history ids; /* its stream table: session -> account */
	struct account *account;
	size_t accounts, account_cap;
	uint32_t log;   /* the accounts are of this one */
	uint64_t holes; /* frames of it up to here that have expired */
	size_t close;   /* the next of h.close[] */
};

static int
compare_frames(const void *a, const void *b)
{
	const struct store_frame *x = ((const struct event_frame *)a)->f;
	const struct store_frame *y = ((const struct event_frame *)b)->f;

	if (x->log != y->log)
		return x->log < y->log ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static int
list_frames(struct sessions *ss, struct ops_err *err)
{
	struct check *c = ss->c;

	for (size_t k = 0; k < c->segments; k++) {
		const struct check_segment *s = &c->segment[k];
		const struct history_stream *st = &c->h.stream[s->stream];
		uint64_t offset = SEGMENT_HEADER;

		if (st->class != CLASS_EVENTS)
			continue;
		for (size_t i = s->l.first; i < s->l.first + s->l.n; i++) {
			if (!history_grow(&ss->frame, ss->n, &ss->cap,
				sizeof(*ss->frame)))
				return check_no_memory(err);
			ss->frame[ss->n++] =
			    (struct event_frame){ .f = &st->frame[i],
				    .segment = k,
				    .i = i,
				    .offset = offset };
			offset += st->frame[i].leaf.stored_len;
		}
	}
	if (ss->n > 1)
		qsort(ss->frame, ss->n, sizeof(*ss->frame), compare_frames);
	return 0;
}

static void
open_one(void *arg, size_t i, unsigned worker)
{
	struct sessions *ss = arg;
	const struct event_frame *e = &ss->frame[ss->base + i];
	const struct check_segment *s = &ss->c->segment[e->segment];

	ss->slot[i].good =
	    s->there && check_one_frame(ss->c, ss->reader[worker], s, e->i,
			    e->offset, &ss->slot[i].raw);
}

/* -- accounts -- */

static struct account *
account_of(struct sessions *ss, const uint8_t *id)
{
	struct history_stream *st = history_stream_get(&ss->ids, id, 0);
	size_t i;

	if (st == NULL)
		return NULL;
	i = (size_t)(st - ss->ids.stream);
	while (ss->accounts <= i) {
		if (!history_grow(&ss->account, ss->accounts, &ss->account_cap,
			sizeof(*ss->account)))
			return NULL;
		memset(&ss->account[ss->accounts++], 0, sizeof(*ss->account));
	}
	return &ss->account[i];
}

static void
judge_close(struct sessions *ss, const struct history_close *cl)
{
	struct account *a = account_of(ss, cl->leaf.stream);
	char where[CHECK_WHERE], id[OPS_ID_TEXT_LEN + 1];
	struct check *c = ss->c;

	if (a == NULL) {
		c->no_memory = true;
		return;
	}
	if (!check_wants(c, cl->leaf.stream))
		return;
	ops_id_text(cl->leaf.stream, id);
	snprintf(where, sizeof(where), "log/%" PRIu32 "/leaves leaf %" PRIu64,
	    c->h.log[cl->log].pub.n, cl->index);
	/* What has expired can't be counted: it may have been of any session
	 * that was open then. */
	if (a->opened ? ss->holes != a->holes : ss->holes != 0)
		;
	else if (a->events != cl->leaf.events)
		check_say(c, FIND_INCOMPLETE, where,
		    "session %s had %" PRIu64 " events, but %" PRIu64
		    " are there",
		    id, cl->leaf.events, a->events);
	else if (memcmp(a->chain, cl->leaf.chain, OPS_HASH_LEN) != 0)
		check_say(c, FIND_INCOMPLETE, where,
		    "session %s had other events than those that are there",
		    id);
	memset(a, 0, sizeof(*a));
}

/* Go on to this place: judge the CLOSE leaves before it, and begin anew where
 * a log begins. */
static void
advance(struct sessions *ss, uint32_t log, uint64_t index)
{
	const struct history *h = &ss->c->h;

	for (;;) {
		const struct history_close *cl =
		    ss->close < h->closes ? &h->close[ss->close] : NULL;
		uint32_t to = log;

		if (cl != NULL && cl->log < to)
			to = cl->log;
		if (to != ss->log) {
			if (ss->accounts > 0)
				memset(ss->account, 0,
				    ss->accounts * sizeof(*ss->account));
			ss->log = to;
			ss->holes = 0;
		}
		if (cl == NULL || cl->log > log ||
		    (cl->log == log && cl->index > index))
			return;
		judge_close(ss, cl);
		ss->close++;
	}
}

static void
say_gap(struct check *c, const char *where, const struct record *r)
{
	char id[OPS_ID_TEXT_LEN + 1];
	uint8_t session[OPS_ID_LEN];
	struct event_gap g;

	if (body_session(r->payload, r->len, session, NULL) < 0 ||
	    event_gap_get(r->payload, r->len, &g, NULL) < 0)
		return;
	if (!check_wants(c, session))
		return;
	ops_id_text(session, id);
	if (r->type == REC_GAP_EVENT)
		check_say(c, FIND_GAP, where,
		    "session %s: %" PRIu64 " bytes were not recorded%s%s", id,
		    g.bytes, g.has_why ? ": " : "",
		    g.has_why ? event_gap_why(g.why) : "");
	else
		check_say(c, FIND_GAP, where,
		    "%" PRIu64 " records could not be captured", g.bytes);
}

static bool
take_records(
    struct sessions *ss, const struct event_frame *e, const struct ops_buf *raw)
{
	struct record r;
	long used;

	for (size_t at = 0; at < raw->len; at += (size_t)used) {
		uint8_t id[OPS_ID_LEN];

		used = record_decode(raw->data + at, raw->len - at, &r, NULL);
		if (used < 0)
			return true; /* frame_open() has refused that */
		if (r.type == REC_GAP_EVENT) {
			char where[CHECK_WHERE];

			snprintf(where, sizeof(where),
			    "%s offset %" PRIu64 " (frame %" PRIu64 ")",
			    ss->c->segment[e->segment].l.path, e->offset,
			    e->f->leaf.number);
			say_gap(ss->c, where, &r);
		}
		if (event_owner(&r, id)) {
			struct account *a = account_of(ss, id);

			if (a == NULL)
				return false;
			if (r.type == REC_SESSION_OPEN && !a->opened) {
				a->opened = true;
				a->holes = ss->holes;
			}
			ops_sha256_parts(
			    (struct ops_part[]){ { a->chain, OPS_HASH_LEN },
				{ raw->data + at, (size_t)used } },
			    2, a->chain);
			a->events++;
			check_met_session(ss->c, id);
			ss->c->r->events +=
			    ss->c->one && check_wants(ss->c, id);
		}
	}
	return true;
}

static int
go_through(struct sessions *ss, struct ops_err *err)
{
	struct check *c = ss->c;
	size_t window = (size_t)c->threads * WINDOW_FRAMES;

	for (ss->base = 0; ss->base < ss->n; ss->base += window) {
		size_t n =
		    ss->n - ss->base < window ? ss->n - ss->base : window;

		parallel_for(c->threads, n, open_one, ss);
		for (size_t i = 0; i < n; i++) {
			const struct event_frame *e = &ss->frame[ss->base + i];

			advance(ss, e->f->log, e->f->index);
			if (ss->slot[i].good &&
			    !take_records(ss, e, &ss->slot[i].raw))
				return check_no_memory(err);
			if (!ss->slot[i].good &&
			    history_expired(
				&c->h, e->f->leaf.stream, e->f->leaf.number))
				ss->holes++;
		}
	}
	if (c->h.logs > 0)
		advance(ss, (uint32_t)c->h.logs - 1, UINT64_MAX);
	return 0;
}

int
check_sessions(struct check *c, struct ops_err *err)
{
	struct sessions *ss = calloc(1, sizeof(*ss));
	int rc;

	if (ss == NULL)
		return check_no_memory(err);
	ss->c = c;
	for (size_t i = 0; i < OPS_ARRAY_LEN(ss->slot); i++)
		ss->slot[i].raw.max = FRAME_RAW_MAX;
	rc = list_frames(ss, err);
	for (unsigned i = 0; rc == 0 && i < c->threads; i++) {
		ss->reader[i] = check_reader_new();
		if (ss->reader[i] == NULL)
			rc = check_no_memory(err);
	}
	if (rc == 0)
		rc = go_through(ss, err);
	for (unsigned i = 0; i < PARALLEL_MAX; i++)
		check_reader_free(ss->reader[i]);
	for (size_t i = 0; i < OPS_ARRAY_LEN(ss->slot); i++)
		ops_buf_free(&ss->slot[i].raw);
	history_free(&ss->ids);
	free(ss->account);
	free(ss->frame);
	free(ss);
	return rc;
}
