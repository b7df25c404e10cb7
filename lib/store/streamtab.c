#include "streamtab.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/event.h"
#include "record/remark.h"

#define BUCKETS 8192 /* a power of two; ids are random, so any bits do */

struct streamtab {
	struct stream *bucket[BUCKETS];
	size_t n;
	bool settled;
	struct stream *touched, **touched_end;
};

static size_t
bucket_of(const uint8_t id[static OPS_ID_LEN])
{
	return ops_getle32(id) & (BUCKETS - 1);
}

struct streamtab *
streamtab_new(void)
{
	struct streamtab *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->touched_end = &t->touched;
	return t;
}

static void
free_stream(struct stream *s)
{
	ops_buf_free(&s->raw);
	free(s);
}

void
streamtab_free(struct streamtab *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct stream *s, *next;

		for (s = t->bucket[i]; s != NULL; s = next) {
			next = s->next;
			free_stream(s);
		}
	}
	free(t);
}

struct stream *
streamtab_find(const struct streamtab *t, const uint8_t id[static OPS_ID_LEN])
{
	struct stream *s;

	for (s = t->bucket[bucket_of(id)]; s != NULL; s = s->next) {
		if (memcmp(s->pub.id, id, OPS_ID_LEN) == 0)
			return s;
	}
	return NULL;
}

struct stream *
streamtab_get(
    struct streamtab *t, const uint8_t id[static OPS_ID_LEN], uint8_t class)
{
	struct stream *s = streamtab_find(t, id);
	size_t b = bucket_of(id);

	if (s != NULL)
		return s;
	if (t->n == STREAMTAB_MAX || (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	memcpy(s->pub.id, id, OPS_ID_LEN);
	s->pub.class = class;
	s->next = t->bucket[b];
	t->bucket[b] = s;
	t->n++;
	return s;
}

static void
unlink_stream(struct streamtab *t, struct stream *s)
{
	struct stream **p = &t->bucket[bucket_of(s->pub.id)];

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	t->n--;
	if (s->touched) {
		for (p = &t->touched; *p != s; p = &(*p)->next_touched)
			;
		*p = s->next_touched;
		if (*p == NULL)
			t->touched_end = p;
	}
	free_stream(s);
}

void
streamtab_close(struct streamtab *t, const uint8_t id[static OPS_ID_LEN])
{
	/* A session without a screen has no stream of its own yet. */
	struct stream *s =
	    t->settled ? streamtab_find(t, id) : streamtab_get(t, id, 1);

	if (s == NULL)
		return;
	if (t->settled)
		unlink_stream(t, s);
	else
		s->closed = true;
}

bool
streamtab_closed(const struct streamtab *t, const uint8_t id[static OPS_ID_LEN])
{
	const struct stream *s = streamtab_find(t, id);

	return s != NULL && s->closed;
}

void
streamtab_settle(struct streamtab *t)
{
	t->settled = true;
	for (size_t i = 0; i < BUCKETS; i++) {
		struct stream *s, *next;

		for (s = t->bucket[i]; s != NULL; s = next) {
			next = s->next;
			if (s->closed)
				unlink_stream(t, s);
		}
	}
}

void
streamtab_each(
    struct streamtab *t, void (*fn)(void *arg, struct stream *s), void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct stream *s, *next;

		for (s = t->bucket[i]; s != NULL; s = next) {
			next = s->next;
			fn(arg, s);
		}
	}
}

void
stream_note_event(struct stream *s, const struct record *r)
{
	struct event_open o;
	struct event_close c;
	struct remark note;

	if (r->type == REC_SESSION_OPEN) {
		s->pub.recorder_events++;
		s->pub.opened = true;
		s->pub.opened_at = r->time;
		if (event_open_get(r->payload, r->len, &o, NULL) == 0) {
			s->pub.recorder_pid = o.recorder_pid;
			s->pub.recorder_start = o.recorder_start;
			s->pub.imported = o.import.p != NULL;
			s->pub.auid = o.auid;
			s->pub.charge = event_open_charge(&o);
		}
	} else if (r->type == REC_SESSION_CLOSE) {
		s->pub.recorder_events++;
		s->pub.closing = true;
		s->close_state =
		    event_close_get(r->payload, r->len, &c, NULL) == 0
			? c.state
			: CLOSE_LOST;
	} else if (r->type == REC_GAP_EVENT || r->type == REC_BYPASS) {
		s->pub.recorder_events++;
	} else if (r->type == REC_NOTE) {
		/* Others come from who is in it: opseal note. */
		if (remark_get(r->payload, r->len, &note, NULL) == 0 &&
		    note.kind == REMARK_REASON)
			s->pub.recorder_events++;
	}
}

void
streamtab_touch(struct streamtab *t, struct stream *s)
{
	if (s->touched)
		return;
	s->touched = true;
	s->next_touched = NULL;
	*t->touched_end = s;
	t->touched_end = &s->next_touched;
}

struct stream *
streamtab_touched(struct streamtab *t)
{
	return t->touched;
}

void
streamtab_untouch_all(struct streamtab *t)
{
	struct stream *s, *next;

	for (s = t->touched; s != NULL; s = next) {
		next = s->next_touched;
		s->touched = false;
		s->next_touched = NULL;
		/* An idle stream keeps no megabyte. */
		if (s->count == 0)
			ops_buf_free(&s->raw);
	}
	t->touched = NULL;
	t->touched_end = &t->touched;
}
