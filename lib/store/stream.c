/* Reading the records of a stream: frames in segments, then the WAL. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "expire.h"
#include "store_work.h"

struct stream_reader {
	struct store *s;
	size_t stream; /* index into h.stream[] */
	uint64_t from;
	size_t frame;                   /* the next one to read */
	const struct store_frame *open; /* the one that is read: stored, h */
	const struct store_frame *failed;
	uint8_t *stored; /* all of it, which matches its leaf */
	struct frame_header h;
	unsigned chunk;     /* its next one to open */
	struct ops_buf raw; /* the records of the one before */
	size_t at;          /* in raw */
	uint32_t left;      /* records from there */
	uint64_t number;    /* of the record there */
	size_t unsealed;    /* next in s->unsealed */
	struct frame_opener *opener;
	struct vfs_file *f;
	char path[SEGMENT_PATH_MAX]; /* of f */
};

/* -- where frames lie -- */

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

static size_t
frame_index(const struct history_stream *st, uint64_t number)
{
	size_t lo = 0, hi = st->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (st->frame[mid].leaf.number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
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
		k = frame_index(st, t->to - 1);
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
	i = frame_index(st, seg->first_frame);
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

/* -- reading -- */

static const struct history_stream *
stream_of(const struct stream_reader *r)
{
	return &r->s->h.stream[r->stream];
}

/* The first that ends behind this record. */
static size_t
first_frame(const struct history_stream *st, uint64_t from)
{
	size_t lo = 0, hi = st->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct leaf_frame *l = &st->frame[mid].leaf;

		if (l->first + l->count <= from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int
stream_open(struct store *s, const uint8_t id[static OPS_ID_LEN], uint64_t from,
    struct stream_reader **ret, struct ops_err *err)
{
	const struct history_stream *st = history_find(&s->h, id);
	struct stream_reader *r;
	char text[OPS_ID_TEXT_LEN + 1];

	if (st == NULL) {
		ops_id_text(id, text);
		return ops_fail(err, OPS_ENOENT, "no stream %s", text);
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ops_fail(err, OPS_ENOMEM, "stream: no memory");
	r->s = s;
	r->stream = (size_t)(st - s->h.stream);
	r->from = from;
	r->raw.max = FRAME_RAW_MAX;
	r->opener = frame_opener_new();
	r->stored = malloc(FRAME_STORED_MAX);
	if (r->opener == NULL || r->stored == NULL) {
		stream_free(r);
		return ops_fail(err, OPS_ENOMEM, "stream: no memory");
	}
	r->frame = first_frame(st, from);
	*ret = r;
	return 0;
}

void
stream_free(struct stream_reader *r)
{
	if (r == NULL)
		return;
	vfs_close(r->f);
	frame_opener_free(r->opener);
	ops_buf_free(&r->raw);
	free(r->stored);
	free(r);
}

/* The chunk with record `from` of the frame that was read is the next one; none is,
 * if the frame ends before it, as one may whose leaf says what its writer would not. */
static void
seek_chunk(struct stream_reader *r, uint64_t from)
{
	uint64_t first = r->open->leaf.first;

	if (r->chunk > 0 && r->number <= from && from - r->number < r->left)
		return; /* it is open */
	for (r->chunk = 0; r->chunk < r->h.chunks &&
			   from - first >= r->h.chunk[r->chunk].count;)
		first += r->h.chunk[r->chunk++].count;
	ops_buf_reset(&r->raw);
	r->at = r->left = 0;
	r->number = first;
}

void
stream_seek(struct stream_reader *r, uint64_t from)
{
	const struct history_stream *st = stream_of(r);

	r->from = from;
	r->unsealed = 0;
	if (r->open != NULL && r->open->leaf.first <= from &&
	    from - r->open->leaf.first < r->open->leaf.count) {
		r->frame = (size_t)(r->open - st->frame) + 1;
		seek_chunk(r, from);
		return;
	}
	r->open = NULL;
	r->frame = first_frame(st, from);
}

static int
read_stored(
    struct stream_reader *r, const struct store_frame *f, struct ops_err *err)
{
	const char *path;
	uint64_t offset;
	ssize_t got;

	if (store_locate(r->s, f, &path, &offset, err) < 0)
		return -1;
	if (r->f == NULL || strcmp(r->path, path) != 0) {
		vfs_close(r->f);
		r->f = NULL;
		if (vfs_open(r->s->v, path, VFS_READ, &r->f, err) < 0)
			return -1;
		snprintf(r->path, sizeof(r->path), "%s", path);
	}
	got = vfs_pread(r->f, r->stored, f->leaf.stored_len, offset, err);
	if (got < 0)
		return -1;
	if ((size_t)got < f->leaf.stored_len)
		return ops_fail(err, OPS_ENOENT,
		    "%s offset %" PRIu64 ": frame %" PRIu64 " is not there",
		    path, offset, f->leaf.number);
	return 0;
}

/* Read it and hold it against its leaf. */
static int
read_frame(
    struct stream_reader *r, const struct store_frame *f, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];
	struct frame_header *h = &r->h;

	if (f->leaf.stored_len > FRAME_STORED_MAX)
		return ops_fail(err, OPS_EFORMAT, "a frame too long");
	if (read_stored(r, f, err) < 0)
		return -1;
	ops_sha256(r->stored, f->leaf.stored_len, hash);
	if (memcmp(hash, f->leaf.sha256, OPS_HASH_LEN) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "%s: frame %" PRIu64 " does not match its leaf", r->path,
		    f->leaf.number);
	if (frame_header_whole(r->stored, f->leaf.stored_len, h, err) < 0)
		return ops_context(
		    err, "%s: frame %" PRIu64, r->path, f->leaf.number);
	if (h->count != f->leaf.count || h->id.first != f->leaf.first ||
	    memcmp(h->id.stream, f->leaf.stream, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "%s: frame %" PRIu64 " is not the one of its leaf", r->path,
		    f->leaf.number);
	return 0;
}

/* The next frame becomes the open one; -1: it can't, and is passed. */
static int
next_frame(
    struct stream_reader *r, const struct store_frame *f, struct ops_err *err)
{
	r->open = NULL;
	r->frame++;
	if (read_frame(r, f, err) < 0) {
		r->failed = f;
		return -1;
	}
	r->open = f;
	r->chunk = 0; /* none is open */
	seek_chunk(r, r->from > f->leaf.first ? r->from : f->leaf.first);
	return 0;
}

/* The next chunk of the open frame; -1: the rest of the frame is passed. */
static int
next_chunk(struct stream_reader *r, struct ops_err *err)
{
	const struct store_frame *f = r->open;

	r->at = 0;
	if (frame_open_chunk(
		r->opener, &r->h, r->chunk, r->stored, &r->raw, err) < 0) {
		r->failed = f;
		r->open = NULL;
		return ops_context(
		    err, "%s: frame %" PRIu64, r->path, f->leaf.number);
	}
	r->left = r->h.chunk[r->chunk++].count;
	return 0;
}

/* 1: the next record of the open chunk.  0: it has no more. */
static int
next_of_chunk(struct stream_reader *r, struct record *ret,
    struct stream_pos *pos, struct ops_err *err)
{
	while (r->left > 0) {
		long used = record_decode(
		    r->raw.data + r->at, r->raw.len - r->at, ret, err);

		if (used < 0)
			return -1;
		r->at += (size_t)used;
		r->left--;
		if (r->number++ < r->from)
			continue;
		*pos = (struct stream_pos){ .number = r->number - 1,
			.sealed = r->open->sealed,
			.wall = ret->time + (uint64_t)r->open->wall,
			.frame = r->open };
		return 1;
	}
	return 0;
}

static int
next_unsealed(struct stream_reader *r, struct record *ret,
    struct stream_pos *pos, struct ops_err *err)
{
	const struct store *s = r->s;

	for (; r->unsealed < s->n_unsealed; r->unsealed++) {
		const struct store_unsealed *u = &s->unsealed[r->unsealed];

		if (u->stream != r->stream || u->number < r->from)
			continue;
		if (record_decode(s->wal_bytes.data + u->at, u->len, ret, err) <
		    0)
			return -1;
		r->unsealed++;
		*pos = (struct stream_pos){ .number = u->number,
			.wall = ret->time + (uint64_t)s->wall };
		return 1;
	}
	return 0;
}

const struct store_frame *
stream_failed(const struct stream_reader *r)
{
	return r->failed;
}

int
stream_next(struct stream_reader *r, struct record *ret, struct stream_pos *pos,
    struct ops_err *err)
{
	const struct history_stream *st = stream_of(r);
	int rc;

	r->failed = NULL;
	for (;;) {
		if (r->open != NULL) {
			rc = next_of_chunk(r, ret, pos, err);
			if (rc != 0)
				return rc;
		}
		if (r->open != NULL && r->chunk < r->h.chunks)
			rc = next_chunk(r, err);
		else if (r->frame < st->n)
			rc = next_frame(r, &st->frame[r->frame], err);
		else
			return next_unsealed(r, ret, pos, err);
		if (rc < 0)
			return -1;
	}
}
