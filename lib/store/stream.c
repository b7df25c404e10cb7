/* Reading the records of a stream: frames in segments, then the WAL. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "base/bytes.h"
#include "store_work.h"

struct stream_reader {
	struct store *s;
	size_t stream; /* index into h.stream[] */
	uint64_t from;
	size_t frame;                   /* the next one to read */
	const struct store_frame *open; /* the one that is read: stored, h */
	const struct store_frame *failed;
	const uint8_t *stored; /* all of it: own, or taken's */
	uint8_t *own;
	struct ahead *ahead; /* NULL: nothing was read ahead */
	struct ahead_frame taken;
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

/* What was read ahead of the frame before. */
static void
give_back(struct stream_reader *r)
{
	free(r->taken.stored);
	ops_buf_free(&r->taken.raw);
	r->taken = (struct ahead_frame){ .stored = NULL };
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
	r->own = malloc(FRAME_STORED_MAX);
	if (r->opener == NULL || r->own == NULL) {
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
	give_back(r);
	ahead_free(r->ahead);
	free(r->own);
	free(r);
}

/* The chunk with record `from` of the frame that was read is the next one; none is,
 * if the frame ends before it, as one may whose leaf says what its writer would not. */
static void
seek_chunk(struct stream_reader *r, uint64_t from)
{
	if (r->chunk > 0 && r->number <= from && from - r->number < r->left)
		return; /* it is open */
	r->chunk = ahead_chunk(&r->h, from, &r->number);
	ops_buf_reset(&r->raw);
	r->at = r->left = 0;
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

/* Have the segment of this path open. */
static int
open_segment(struct stream_reader *r, const char *path, struct ops_err *err)
{
	if (r->f != NULL && strcmp(r->path, path) == 0)
		return 0;
	vfs_close(r->f);
	r->f = NULL;
	if (vfs_open(r->s->v, path, VFS_READ, &r->f, err) < 0)
		return -1;
	snprintf(r->path, sizeof(r->path), "%s", path);
	return 0;
}

static int
read_stored(
    struct stream_reader *r, const struct store_frame *f, struct ops_err *err)
{
	const char *path;
	uint64_t offset;
	ssize_t got;

	if (store_locate(r->s, f, &path, &offset, err) < 0 ||
	    open_segment(r, path, err) < 0)
		return -1;
	got = vfs_pread(r->f, r->own, f->leaf.stored_len, offset, err);
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
	give_back(r);
	if (r->ahead != NULL && ahead_take(r->ahead, f, &r->taken)) {
		r->stored = r->taken.stored;
		r->h = r->taken.h;
		return 0;
	}
	r->stored = r->own;
	if (f->leaf.stored_len > FRAME_STORED_MAX)
		return ops_fail(err, OPS_EFORMAT, "a frame too long");
	if (read_stored(r, f, err) < 0)
		return -1;
	if (ahead_check(f, r->stored, &r->h, err) < 0)
		return ops_context(err, "%s", r->path);
	return 0;
}

size_t
stream_ahead(struct stream_reader *r, const uint64_t *record, size_t n)
{
	const struct history_stream *st = stream_of(r);
	const struct store_frame *last = r->open;
	struct ahead_want want[AHEAD_FRAMES];
	size_t wants = 0, bytes = 0, i;

	if (r->ahead == NULL)
		r->ahead = ahead_new();
	if (r->ahead == NULL)
		return n;
	for (i = 0; i < n; i++) {
		size_t k = first_frame(st, record[i]);
		const struct store_frame *f = &st->frame[k];
		const char *path;

		if (k == st->n || f == last)
			continue;
		bytes += (size_t)f->leaf.stored_len + f->leaf.raw_len;
		if (wants == AHEAD_FRAMES ||
		    (wants > 0 && bytes > AHEAD_BYTES) ||
		    f->leaf.stored_len > FRAME_STORED_MAX ||
		    store_locate(r->s, f, &path, &want[wants].offset, NULL) <
			0 ||
		    (wants > 0 && strcmp(path, r->path) != 0) ||
		    open_segment(r, path, NULL) < 0)
			break;
		want[wants].record = record[i];
		want[wants++].frame = last = f;
	}
	if (wants > 0)
		ahead_read(r->ahead, r->f, want, wants);
	return i > 0 ? i : 1;
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
	if (r->taken.raw.len > 0 && r->taken.chunk == r->chunk) {
		ops_buf_free(&r->raw);
		r->raw = r->taken.raw;
		r->taken.raw = (struct ops_buf){ .max = 0 };
	} else if (frame_open_chunk(r->opener, &r->h, r->chunk, r->stored,
		       &r->raw, err) < 0) {
		const char *path = "";
		uint64_t at;

		r->failed = f;
		r->open = NULL;
		/* r->path may be where other frames were read ahead. */
		(void)store_locate(r->s, f, &path, &at, NULL);
		return ops_context(
		    err, "%s: frame %" PRIu64, path, f->leaf.number);
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
