#include "switchlog.h"

#include <stdlib.h>

#include "record/event.h"
#include "record/record.h"
#include "store.h"

/* What a stretch of the log says, if nothing comes behind it. */
struct stretch {
	bool
	    known; /* an off or an on is in it, or a run that went on without */
	struct offswitch is;
	bool started; /* it ends with a run that has said nothing else yet */
	bool other;   /* there is something that only a run says that goes on */
};

/* A stream of events, and where its last frame is. */
struct part {
	const struct store_frame *frame;
	size_t n;
	const uint8_t *id;
};

static void
take_daemon(struct stretch *s, const struct record *r)
{
	struct event_daemon e;
	struct offswitch to;

	if (event_daemon_get(r->payload, r->len, &e, NULL) < 0) {
		s->other = true;
		return;
	}
	switch (e.what) {
	case DAEMON_START:
		s->started = true;
		break;
	case DAEMON_CONFIG: /* each run says that before it looks at the switch */
		break;
	case DAEMON_OFF:
	case DAEMON_ON:
		if (offswitch_get(r->payload, r->len, &to, NULL) < 0)
			to = (struct offswitch){ .off = false };
		s->known = true;
		s->is = to;
		s->started = false;
		break;
	default:
		s->other = true;
		break;
	}
}

static void
take(struct stretch *s, const struct record *r)
{
	bool before = s->other;

	s->other = false;
	if (r->type == REC_DAEMON)
		take_daemon(s, r);
	else if (r->type != REC_SESSION_CLOSE) /* a start says these, too */
		s->other = true;
	if (s->other && s->started) {
		s->known = true;
		s->is = (struct offswitch){ .off = false };
		s->started = false;
	}
	s->other |= before;
}

static int
read_frame(struct store *st, const struct part *p, const struct store_frame *f,
    struct stretch *s, struct ops_err *err)
{
	struct stream_reader *reader;
	struct stream_pos pos;
	struct record r;
	int rc = 1;

	if (store_expired(st, f) != NULL)
		return ops_fail(
		    err, OPS_ENOENT, "the events of that time went by a rule");
	if (stream_open(st, p->id, f->leaf.first, &reader, err) < 0)
		return -1;
	for (uint32_t i = 0; rc > 0 && i < f->leaf.count; i++) {
		rc = stream_next(reader, &r, &pos, err);
		if (rc > 0 && pos.number != f->leaf.first + i)
			rc = 0;
		if (rc > 0)
			take(s, &r);
	}
	stream_free(reader);
	if (rc == 0)
		return ops_fail(err, OPS_ETAMPER, "an event is missing");
	return rc < 0 ? -1 : 0;
}

/* From its end to its begin.  1: ret is what is in force. */
static int
look_back(struct store *st, const struct part *p, bool *other, unsigned *left,
    struct offswitch *ret, struct ops_err *err)
{
	for (size_t i = p->n; i-- > 0;) {
		struct stretch s = { 0 };

		if (!p->frame[i].sealed)
			continue; /* of the run that asks */
		if ((*left)-- == 0)
			return ops_fail(err, OPS_EUSAGE,
			    "no word of it in the last %d frames of events",
			    SWITCHLOG_FRAMES);
		if (read_frame(st, p, &p->frame[i], &s, err) < 0)
			return -1;
		if (s.started && *other) {
			s.known = true;
			s.is = (struct offswitch){ .off = false };
		}
		if (s.known) {
			*ret = s.is.off ? s.is
					: (struct offswitch){ .off = false };
			return 1;
		}
		*other |= s.other;
	}
	return 0;
}

static int
newest_first(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	const struct store_frame *f = &x->frame[x->n - 1];
	const struct store_frame *g = &y->frame[y->n - 1];

	if (f->log != g->log)
		return f->log > g->log ? -1 : 1;
	return f->index == g->index ? 0 : f->index > g->index ? -1 : 1;
}

static int
find(struct store *st, struct offswitch *ret, struct ops_err *err)
{
	const struct store_stream *stream;
	size_t n = store_streams(st, &stream), parts = 0;
	struct part *part = calloc(n + 1, sizeof(*part));
	unsigned left = SWITCHLOG_FRAMES;
	bool other = false;
	int rc = 0;

	if (part == NULL)
		return ops_fail(err, OPS_ENOMEM, "events: no memory");
	for (size_t i = 0; i < n; i++) {
		struct part p = { .id = stream[i].id };

		if (stream[i].class != CLASS_EVENTS)
			continue;
		p.n = store_frames(st, p.id, &p.frame);
		if (p.n > 0)
			part[parts++] = p;
	}
	qsort(part, parts, sizeof(*part), newest_first);
	*ret = (struct offswitch){ .off = false };
	for (size_t i = 0; rc == 0 && i < parts; i++)
		rc = look_back(st, &part[i], &other, &left, ret, err);
	free(part);
	return rc < 0 ? -1 : 0;
}

int
switchlog_find(struct vfs *v, struct offswitch *ret, struct ops_err *err)
{
	struct offswitch is;
	struct store *st;
	int rc;

	if (store_open(v, STORE_NO_WAL, &st, err) < 0)
		return -1;
	rc = find(st, &is, err);
	store_free(st);
	if (rc == 0)
		*ret = is;
	return rc;
}
