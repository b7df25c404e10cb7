/* What FRAME, CLOSE and TOMBSTONE leaves must say (see history_rules.c). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "history_work.h"
#include "record/event.h"

static void
check_frame(struct history_work *w, const struct leaf_frame *f,
    const struct history_stream *s, const char *id)
{
	bool first = s->log != w->log;

	if (f->class != s->class || f->class == 0 || f->class >= CLASSES ||
	    f->codec != CODEC_ZSTD)
		history_say_here(w, FIND_TAMPER,
		    "stream %s: a class or codec that can't be", id);
	if (f->number > s->next_frame)
		history_say_here(w, FIND_MISSING,
		    "stream %s: frame %" PRIu64 " follows %" PRIu64 " frames",
		    id, f->number, s->next_frame);
	else if (f->number < s->next_frame)
		history_say_here(w, FIND_TAMPER,
		    "stream %s: frame %" PRIu64 " again, after %" PRIu64
		    " frames",
		    id, f->number, s->next_frame);
	else if (f->first != s->next_record)
		history_say_here(w,
		    f->first > s->next_record ? FIND_MISSING : FIND_TAMPER,
		    "stream %s frame %" PRIu64 ": begins with record %" PRIu64
		    ", where %" PRIu64 " is expected",
		    id, f->number, f->first, s->next_record);
	if (f->has_prev == first ||
	    (!first && memcmp(f->prev, s->last, OPS_HASH_LEN) != 0))
		history_say_here(w, FIND_TAMPER,
		    "stream %s frame %" PRIu64
		    ": it does not name the frame before it",
		    id, f->number);
	if (f->count == 0 || f->first + f->count < f->first ||
	    f->arrived_first > f->arrived_last ||
	    f->stored_len < FRAME_HEADER || f->stored_len > FRAME_STORED_MAX ||
	    f->raw_len > FRAME_RAW_MAX)
		history_say_here(w, FIND_TAMPER,
		    "stream %s frame %" PRIu64 ": impossible numbers", id,
		    f->number);
}

/* Nothing of a session comes after its CLOSE, in one log. */
static void
check_open(struct history_work *w, const uint8_t *stream, const char *id)
{
	const struct history_stream *s = history_find(&w->closed, stream);

	if (s != NULL && s->log == w->log)
		history_say_here(w, FIND_TAMPER,
		    "session %s had been closed before this leaf", id);
}

int
history_rules_frame(struct history_work *w, const struct leaf_frame *f,
    const uint8_t *hash, struct ops_err *err)
{
	char id[OPS_ID_TEXT_LEN + 1];
	struct history_stream *s;
	struct store_frame *sf;

	s = history_stream_get(w->h, f->stream, f->class);
	if (s == NULL ||
	    !history_grow(&s->frame, s->n, &s->cap, sizeof(*s->frame)) ||
	    !history_grow(&w->pending, w->n_pending, &w->cap_pending,
		sizeof(*w->pending)))
		return history_fail_memory(err);
	ops_id_text(f->stream, id);
	if (w->final)
		history_say_here(
		    w, FIND_TAMPER, "it stands behind a closing seal");
	check_open(w, f->stream, id);
	check_frame(w, f, s, id);
	if (s->log != w->log) {
		s->log = w->log;
		s->log_frames = 0;
	}
	/* What can't be a frame's number is named above and not shown. */
	if (f->number >= s->next_frame && f->count > 0 &&
	    f->first + f->count > f->first && f->class == s->class) {
		w->pending[w->n_pending++] =
		    (struct history_pending){ (uint32_t)(s - w->h->stream),
			    (uint32_t)s->n };
		sf = &s->frame[s->n++];
		*sf = (struct store_frame){
			.leaf = *f, .log = (uint32_t)w->log, .index = w->index
		};
		s->next_frame = f->number + 1;
		s->next_record = f->first + f->count;
	}
	s->log_frames++;
	memcpy(s->last, hash, OPS_HASH_LEN);
	return 0;
}

int
history_rules_close(
    struct history_work *w, const struct leaf_close *c, struct ops_err *err)
{
	struct history_stream *s = history_find(w->h, c->stream);
	bool here = s != NULL && s->log == w->log;
	uint64_t frames = here ? s->log_frames : 0;
	struct history_stream *closed =
	    history_stream_get(&w->closed, c->stream, CLASS_SCREEN);
	char id[OPS_ID_TEXT_LEN + 1];
	struct history *h = w->h;

	if (closed == NULL || !history_grow(&h->close, h->closes, &h->close_cap,
				  sizeof(*h->close)))
		return history_fail_memory(err);
	ops_id_text(c->stream, id);
	if (w->final)
		history_say_here(
		    w, FIND_TAMPER, "it stands behind a closing seal");
	check_open(w, c->stream, id);
	closed->log = w->log;
	if (s != NULL)
		s->closed = true;
	if (c->frames != frames)
		history_say_here(w, FIND_INCOMPLETE,
		    "session %s had %" PRIu64
		    " frames, but the log has %" PRIu64,
		    id, c->frames, frames);
	else if (frames > 0 ? memcmp(c->last, s->last, OPS_HASH_LEN) != 0
			    : !ops_all_zero(c->last, OPS_HASH_LEN))
		history_say_here(w, FIND_INCOMPLETE,
		    "session %s ended with another frame", id);
	if (c->state != CLOSE_CLOSED && c->state != CLOSE_LOST)
		history_say_here(
		    w, FIND_TAMPER, "session %s: no such state", id);
	else if (c->state == CLOSE_LOST)
		history_say_here(
		    w, FIND_LOST, "session %s: its end is missing", id);
	h->close[h->closes++] = (struct history_close){
		.leaf = *c, .log = (uint32_t)w->log, .index = w->index
	};
	return 0;
}

#define FORMAT_WITH_RULES 4

int
history_rules_tombstone(
    struct history_work *w, const struct leaf_tombstone *t, struct ops_err *err)
{
	const struct history_stream *s = history_find(w->h, t->stream);
	char id[OPS_ID_TEXT_LEN + 1];
	struct history *h = w->h;

	if (!history_grow(&h->tombstone, h->tombstones, &h->tombstone_cap,
		sizeof(*h->tombstone)))
		return history_fail_memory(err);
	ops_id_text(t->stream, id);
	if (w->final)
		history_say_here(
		    w, FIND_TAMPER, "it stands behind a closing seal");
	if (s == NULL || t->from >= t->to || t->to > s->next_frame ||
	    (t->has_rule && t->class != s->class))
		history_say_here(w, FIND_TAMPER,
		    "stream %s: frames %" PRIu64 " to %" PRIu64
		    " can't have expired",
		    id, t->from, t->to);
	else if (t->has_rule ? w->format < FORMAT_WITH_RULES
			     : w->format >= FORMAT_WITH_RULES)
		history_say_here(w, FIND_TAMPER,
		    "stream %s: a TOMBSTONE %s rule, as version %" PRIu64
		    " has none",
		    id, t->has_rule ? "with a" : "without a", w->format);
	h->tombstone[h->tombstones++] = (struct history_tombstone){
		.leaf = *t, .log = (uint32_t)w->log, .index = w->index
	};
	return 0;
}

/* When it was made, by the TOMBSTONE itself; and not after the SEAL over it. */
static uint64_t
made_at(const struct history *h, const struct history_tombstone *t)
{
	const struct history_log *l = &h->log[t->log];
	const struct history_mark *m = h->mark + l->first_mark;
	size_t lo = 0, hi = l->marks;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m[mid].index < t->index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->marks && m[lo].realtime < t->leaf.realtime
		   ? m[lo].realtime
		   : t->leaf.realtime;
}

size_t
history_frame_at(const struct history_stream *s, uint64_t number)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->frame[mid].leaf.number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The first frame that it names although it was too young, or NULL. */
static const struct store_frame *
too_young(const struct history *h, const struct history_tombstone *t)
{
	const struct history_stream *s = history_find(h, t->leaf.stream);
	uint64_t made = made_at(h, t);

	if (s == NULL)
		return NULL; /* said where it stands */
	for (size_t i = history_frame_at(s, t->leaf.from); i < s->n; i++) {
		const struct store_frame *f = &s->frame[i];
		uint64_t newest = f->leaf.arrived_last + (uint64_t)f->wall;

		if (f->leaf.number >= t->leaf.to)
			break;
		if (newest > made || made - newest < t->leaf.age ||
		    f->index >= history_signed(h, f->log))
			return f;
	}
	return NULL;
}

/*
 * Behind the last BOOT or SEAL a crash may leave one whose append was cut short;
 * it explains nothing until a checkpoint covers it.
 */
void
history_judge_tombstones(struct history_work *w)
{
	const struct history *h = w->h;

	for (size_t i = 0; i < h->tombstones; i++) {
		const struct history_tombstone *t = &h->tombstone[i];
		const struct store_frame *f = NULL;
		char where[HISTORY_WHERE], id[OPS_ID_TEXT_LEN + 1];
		bool sealed = t->log + 1 != h->logs ||
			      t->index < history_signed(h, t->log);

		snprintf(where, sizeof(where),
		    "log/%" PRIu32 "/leaves leaf %" PRIu64,
		    h->log[t->log].pub.n, t->index);
		if (t->leaf.has_rule)
			f = too_young(h, t);
		if (f != NULL) {
			ops_id_text(t->leaf.stream, id);
			history_say(w, FIND_EARLY, where,
			    "stream %s frame %" PRIu64
			    " was younger than the rule that it says it was "
			    "deleted by",
			    id, f->leaf.number);
		} else if (!sealed && !t->leaf.has_rule) {
			history_say(w, FIND_TAMPER, where,
			    "a TOMBSTONE that no SEAL signed");
		} else if (!sealed) {
			history_say(w, FIND_CRASH, where,
			    "a TOMBSTONE that no SEAL signed yet: it explains "
			    "nothing");
		}
	}
}
