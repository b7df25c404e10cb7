/* Where the frames of a store lie: segments, and what went by a rule. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "expire.h"
#include "store_work.h"

static int
compare_segments(const void *a, const void *b)
{
	const struct layout_segment *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The header of a segment of this stream; false if the file has none. */
static bool
read_header(struct store *s, const char *path, const struct history_stream *st,
    struct segment_header *ret)
{
	uint8_t head[SEGMENT_HEADER];
	struct vfs_file *f;
	bool ok;

	if (vfs_open(s->v, path, VFS_READ, &f, NULL) < 0)
		return false;
	ok = vfs_pread(f, head, sizeof(head), 0, NULL) ==
		 (ssize_t)sizeof(head) &&
	     segment_header_decode(head, sizeof(head), ret, NULL) >= 0 &&
	     memcmp(ret->stream, st->id, OPS_ID_LEN) == 0;
	vfs_close(f);
	return ok;
}

/* Take the segments of one stream in the folder of one day. */
static int
list_day(struct store *s, size_t stream, const char day[static 11], size_t *cap,
    struct ops_err *err)
{
	const struct history_stream *st = &s->h.stream[stream];
	struct store_extra *x = &s->extra[stream];
	char dir[SEGMENT_PATH_MAX];
	struct vfs_names names;
	int rc = 0;

	segment_dir(st->class, day, dir);
	if (vfs_list(s->v, dir, &names, NULL) < 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		struct layout_segment seg = { 0 };
		struct segment_header h;
		uint8_t id[OPS_ID_LEN];

		if (segment_name_parse(names.name[i], id, &seg.number) < 0 ||
		    memcmp(id, st->id, OPS_ID_LEN) != 0)
			continue;
		segment_path(st->class, day, id, seg.number, seg.path);
		if (!read_header(s, seg.path, st, &h))
			continue;
		seg.first_frame = h.first_frame;
		if (history_grow(&x->segment, x->segments, cap, sizeof(seg)))
			x->segment[x->segments++] = seg;
		else
			rc = ops_fail(err, OPS_ENOMEM, "segments: no memory");
	}
	vfs_names_free(&names);
	return rc;
}

/* The leaves led nowhere (a copy that was moved about): look at all folders. */
static int
list_segments(struct store *s, size_t stream, struct ops_err *err)
{
	struct store_extra *x = &s->extra[stream];
	const char *class = stream_class_name(s->h.stream[stream].class);
	char dir[SEGMENT_PATH_MAX];
	struct vfs_names days;
	size_t cap = 0;
	int rc = 0;

	free(x->segment);
	x->segment = NULL;
	x->segments = 0;
	x->listed = true;
	x->last = x->checked = NULL;
	snprintf(dir, sizeof(dir), "data/%s", class);
	if (vfs_list(s->v, dir, &days, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < days.n; i++)
		if (strlen(days.name[i]) == 10)
			rc = list_day(s, stream, days.name[i], &cap, err);
	vfs_names_free(&days);
	if (x->segments > 1)
		qsort(x->segment, x->segments, sizeof(*x->segment),
		    compare_segments);
	return rc;
}

/* The segment that should hold frame `number`, NULL if there is none. */
static struct layout_segment *
segment_of(const struct store_extra *x, uint64_t number)
{
	size_t n = x->segment != NULL ? x->segments : 0;

	for (size_t i = n; i > 0; i--)
		if (x->segment[i - 1].first_frame <= number)
			return &x->segment[i - 1];
	return NULL;
}

/* Does the file begin as this segment? */
static bool
is_segment(struct store *s, const struct history_stream *st,
    const struct layout_segment *seg)
{
	struct segment_header h;

	/* What no BOOT is in front of has no day, so its path is none. */
	return seg->day[0] != '\0' && read_header(s, seg->path, st, &h) &&
	       h.first_frame == seg->first_frame && h.number == seg->number;
}

/* The segment that holds frame `number`, its beginning checked; or NULL. */
static const struct layout_segment *
find_segment(struct store *s, const struct history_stream *st, uint64_t number,
    struct ops_err *err)
{
	size_t stream = (size_t)(st - s->h.stream);
	struct store_extra *x = &s->extra[stream];
	const struct layout_segment *seg;
	char id[OPS_ID_TEXT_LEN + 1];
	const struct leaf_tombstone *gone =
	    history_tombstone(&s->h, st->id, number);
	char text[EXPIRE_TEXT];

	if (x->segment == NULL && !x->listed &&
	    layout_segments(&s->h, st, &x->segment, &x->segments, err) < 0)
		return NULL;
	seg = segment_of(x, number);
	if (!x->listed && seg != NULL && seg != x->checked)
		x->checked = is_segment(s, st, seg) ? seg : NULL;
	if (!x->listed && (seg == NULL || seg != x->checked)) {
		seg = NULL;
		if (gone == NULL) {
			if (list_segments(s, stream, err) < 0)
				return NULL;
			seg = segment_of(x, number);
		}
	}
	if (seg != NULL)
		return seg;
	ops_id_text(st->id, id);
	if (gone == NULL) {
		ops_fail(err, OPS_ENOENT,
		    "%s frame %" PRIu64 ": its segment is missing", id, number);
		return NULL;
	}
	expire_text(gone, text);
	ops_fail(err, OPS_ENOENT, "%s frame %" PRIu64 ": expired on %s", id,
	    number, text);
	return NULL;
}

const struct leaf_tombstone *
store_expired(const struct store *s, const struct store_frame *f)
{
	return history_tombstone(&s->h, f->leaf.stream, f->leaf.number);
}

uint64_t
store_expired_events(const struct store *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->h.tombstones; i++) {
		const struct leaf_tombstone *t = &s->h.tombstone[i].leaf;

		if (t->has_rule && t->class != CLASS_SCREEN)
			n += t->to - t->from;
	}
	return n;
}

uint64_t
store_expired_until(const struct store *s, uint8_t class)
{
	uint64_t until = 0;

	for (size_t i = 0; i < s->h.tombstones; i++) {
		const struct leaf_tombstone *t = &s->h.tombstone[i].leaf;
		const struct history_stream *st =
		    history_find(&s->h, t->stream);
		const struct store_frame *f;
		size_t k;

		if (st == NULL || st->class != class || t->to == 0)
			continue;
		k = history_frame_at(st, t->to - 1);
		f = k < st->n ? &st->frame[k] : NULL;
		if (f != NULL &&
		    f->leaf.arrived_last + (uint64_t)f->wall > until)
			until = f->leaf.arrived_last + (uint64_t)f->wall;
	}
	return until;
}

int
store_locate(struct store *s, const struct store_frame *f, const char **path,
    uint64_t *offset, struct ops_err *err)
{
	const struct history_stream *st = history_find(&s->h, f->leaf.stream);
	const struct layout_segment *seg;
	struct store_extra *x;
	size_t i;
	uint64_t at;

	if (st == NULL)
		return ops_fail(err, OPS_ENOENT, "no such stream");
	seg = find_segment(s, st, f->leaf.number, err);
	if (seg == NULL)
		return -1;
	x = &s->extra[st - s->h.stream];
	i = history_frame_at(st, seg->first_frame);
	at = SEGMENT_HEADER;
	/* Mostly the next one is asked for: go on from there. */
	if (x->last == seg && x->last_index < st->n &&
	    st->frame[x->last_index].leaf.number <= f->leaf.number) {
		i = x->last_index;
		at = x->last_at;
	}
	for (; i < st->n && st->frame[i].leaf.number < f->leaf.number; i++)
		at += st->frame[i].leaf.stored_len;
	x->last = seg;
	x->last_index = i;
	x->last_at = at;
	*path = seg->path;
	*offset = at;
	return 0;
}
