#include "segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/frame.h"
#include "streamtab.h"

_Static_assert(SEGMENT_HEADER == sizeof(((struct segment_place *)0)->header),
    "a place holds a whole segment header");

void
segment_dir(
    uint8_t class, const char day[static 11], char out[static SEGMENT_PATH_MAX])
{
	snprintf(out, SEGMENT_PATH_MAX, "data/%s/%.10s",
	    stream_class_name(class), day);
}

void
segment_path(uint8_t class, const char day[static 11],
    const uint8_t id[static OPS_ID_LEN], uint32_t number,
    char out[static SEGMENT_PATH_MAX])
{
	char text[OPS_ID_TEXT_LEN + 1];

	ops_id_text(id, text);
	snprintf(out, SEGMENT_PATH_MAX, "data/%s/%.10s/%s-%04" PRIu32 ".seg",
	    stream_class_name(class), day, text, number);
}

int
segment_name_parse(
    const char *name, uint8_t id[static OPS_ID_LEN], uint32_t *number)
{
	char text[OPS_ID_TEXT_LEN + 1], again[SEGMENT_PATH_MAX];
	uint8_t parsed[OPS_ID_LEN];
	uint32_t n;

	if (strlen(name) < OPS_ID_TEXT_LEN + strlen("-0000.seg"))
		return -1;
	memcpy(text, name, OPS_ID_TEXT_LEN);
	text[OPS_ID_TEXT_LEN] = '\0';
	if (ops_id_parse(text, parsed) < 0 ||
	    sscanf(name + OPS_ID_TEXT_LEN, "-%9" SCNu32 ".seg", &n) != 1)
		return -1;
	/* One spelling only. */
	snprintf(again, sizeof(again), "%s-%04" PRIu32 ".seg", text, n);
	if (strcmp(again, name) != 0)
		return -1;
	memcpy(id, parsed, OPS_ID_LEN);
	*number = n;
	return 0;
}

void
segment_place(struct segment_tail *tail, const uint8_t id[static OPS_ID_LEN],
    uint8_t class, const char day[static 11], uint64_t number,
    size_t stored_len, struct segment_place *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!tail->open || memcmp(tail->day, day, 10) != 0 ||
	    tail->len + stored_len > SEGMENT_MAX) {
		struct segment_header h = { .class = class,
			.first_frame = number,
			.number = tail->next };

		memcpy(h.stream, id, OPS_ID_LEN);
		segment_header_encode(&h, ret->header);
		ret->starts = true;
		segment_path(class, day, id, tail->next, tail->path);
		memcpy(tail->day, day, 10);
		tail->open = true;
		tail->next++;
		tail->len = SEGMENT_HEADER;
	}
	memcpy(ret->path, tail->path, sizeof(ret->path));
	ret->offset = tail->len;
	tail->len += stored_len;
}

/* -- writing -- */

static int
remember(struct segment_sync *s, const char *path, struct ops_err *err)
{
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 16 : s->cap * 2;
		void *p = reallocarray(s->touched, cap, sizeof(*s->touched));

		if (p == NULL)
			return ops_fail(err, OPS_ENOMEM, "segments: no memory");
		s->touched = p;
		s->cap = cap;
	}
	memcpy(s->touched[s->n++], path, SEGMENT_PATH_MAX);
	return 0;
}

static void
parent_of(const char *path, char out[static SEGMENT_PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	snprintf(out, SEGMENT_PATH_MAX, "%.*s", (int)(slash - path), path);
}

int
segment_write(struct segment_sync *s, const struct segment_place *place,
    const uint8_t *stored, size_t n, struct ops_err *err)
{
	if (s->f == NULL || strcmp(s->path, place->path) != 0) {
		unsigned flags = VFS_WRITE;

		vfs_close(s->f);
		s->f = NULL;
		if (place->starts) {
			char dir[SEGMENT_PATH_MAX];

			parent_of(place->path, dir);
			if (vfs_make_path(s->v, dir, err) < 0)
				return -1;
			flags |= VFS_CREATE;
			s->created = true;
		}
		if (vfs_open(s->v, place->path, flags, &s->f, err) < 0 ||
		    remember(s, place->path, err) < 0)
			return -1;
		memcpy(s->path, place->path, sizeof(s->path));
	}
	if ((place->starts &&
		vfs_pwrite(s->f, place->header, SEGMENT_HEADER, 0, err) < 0) ||
	    vfs_pwrite(s->f, stored, n, place->offset, err) < 0)
		return ops_context(err, "%s", place->path);
	return 0;
}

static int
by_path(const void *a, const void *b)
{
	return strcmp(a, b);
}

int
segment_sync_all(struct segment_sync *s, struct ops_err *err)
{
	char synced[SEGMENT_PATH_MAX] = "";

	vfs_close(s->f);
	s->f = NULL;
	if (s->n == 0)
		return 0;
	/* Sorted, a folder and a file twice stand together. */
	qsort(s->touched, s->n, sizeof(*s->touched), by_path);
	for (size_t i = 0; i < s->n; i++) {
		char dir[SEGMENT_PATH_MAX];
		struct vfs_file *f;
		int rc;

		if (i > 0 && strcmp(s->touched[i], s->touched[i - 1]) == 0)
			continue;
		if (vfs_open(s->v, s->touched[i], VFS_WRITE, &f, err) < 0)
			return -1;
		rc = vfs_sync(f, err);
		vfs_close(f);
		if (rc < 0)
			return ops_context(err, "%s", s->touched[i]);
		parent_of(s->touched[i], dir);
		if (s->created && strcmp(dir, synced) != 0) {
			if (vfs_sync_dir(s->v, dir, err) < 0)
				return -1;
			memcpy(synced, dir, sizeof(synced));
		}
	}
	return 0;
}

void
segment_sync_free(struct segment_sync *s)
{
	vfs_close(s->f);
	free(s->touched);
	memset(s, 0, sizeof(*s));
}

/* -- recovery -- */

/* What a segment holds, as far as a stream's leaves and the WAL tell. */
struct held {
	uint64_t
	    sealed;  /* bytes up to the end of the frames that have leaves */
	bool walked; /* frames are whole up to there */
	bool in_wal; /* of what follows all is a crash's */
};

/* 1: a whole header lies at off.  0: none.  -1: see err. */
static int
next_header(struct vfs_file *f, uint64_t off, struct frame_header *ret,
    struct ops_err *err)
{
	uint8_t head[FRAME_HEADER + FRAME_CHUNKS_MAX * FRAME_CHUNK_ENTRY];
	ssize_t n = vfs_pread(f, head, sizeof(head), off, err);

	if (n < 0)
		return -1;
	return frame_header_decode(head, (size_t)n, ret, NULL) >= 0;
}

/* Go through the frames from *off on, as long as they are consecutive ones of
 * s with a number below `end`. */
static int
walk(struct vfs_file *f, const struct stream *s, uint64_t end, uint64_t *off,
    uint64_t *frame, struct ops_err *err)
{
	struct frame_header fh;
	int rc;

	while ((rc = next_header(f, *off, &fh, err)) == 1) {
		if (memcmp(fh.id.stream, s->pub.id, OPS_ID_LEN) != 0 ||
		    fh.id.number != *frame || *frame >= end)
			return 0;
		*off += fh.header_len + fh.stored;
		++*frame;
	}
	return rc;
}

/*
 * A crash can have left only what the WAL has: of each frame that can be made
 * out, all records must be there.  What can't be made out was cut short.
 */
static int
look_behind(struct vfs_file *f, uint64_t off, const struct stream *s, bool *ret,
    struct ops_err *err)
{
	struct frame_header fh;
	int rc;

	*ret = false;
	while ((rc = next_header(f, off, &fh, err)) == 1) {
		if (memcmp(fh.id.stream, s->pub.id, OPS_ID_LEN) != 0 ||
		    fh.id.first < s->sealed.record ||
		    fh.id.first + fh.count > s->pub.next_record)
			return 0;
		off += fh.header_len + fh.stored;
	}
	*ret = rc == 0 && s->sealed.record < s->pub.next_record;
	return rc;
}

static int
look(struct vfs_file *f, const struct stream *s, struct held *h,
    struct ops_err *err)
{
	uint8_t sh[SEGMENT_HEADER] = { 0 };
	struct segment_header head = { 0 };
	uint64_t frame;
	ssize_t n = vfs_pread(f, sh, sizeof(sh), 0, err);

	memset(h, 0, sizeof(*h));
	if (n < 0)
		return -1;
	/* Cut inside its header, or before it was written. */
	if (n < SEGMENT_HEADER || ops_all_zero(sh, sizeof(sh))) {
		h->walked = true;
		return look_behind(f, SEGMENT_HEADER, s, &h->in_wal, err);
	}
	if (segment_header_decode(sh, (size_t)n, &head, NULL) < 0 ||
	    memcmp(head.stream, s->pub.id, OPS_ID_LEN) != 0)
		return 0;
	h->sealed = SEGMENT_HEADER;
	frame = head.first_frame;
	if (walk(f, s, s->sealed.frame, &h->sealed, &frame, err) < 0)
		return -1;
	h->walked = frame >= s->sealed.frame;
	return look_behind(f, h->sealed, s, &h->in_wal, err);
}

/* The last segment that the leaves speak of: a crash's frames may follow. */
static int
cut_tail(struct vfs *v, const char *path, const struct stream *s, uint64_t *cut,
    struct ops_err *err)
{
	struct vfs_file *f;
	struct held h = { 0 };
	uint64_t size;
	int rc;

	if (vfs_open(v, path, VFS_WRITE, &f, err) < 0)
		return -1;
	rc = vfs_size(f, &size, err);
	if (rc == 0)
		rc = look(f, s, &h, err);
	if (rc == 0 && h.walked && h.in_wal && h.sealed > SEGMENT_HEADER &&
	    h.sealed < size) {
		rc = vfs_truncate(f, h.sealed, err);
		if (rc == 0)
			rc = vfs_sync(f, err);
		++*cut;
	}
	vfs_close(f);
	return rc;
}

/* One that the leaves don't speak of.  The stream's next segment may get this
 * very name, so what no crash explains makes way. */
static int
remove_leftover(struct vfs *v, const char *path, const struct stream *s,
    uint64_t *cut, struct ops_err *err)
{
	char bad[SEGMENT_PATH_MAX];
	struct vfs_file *f;
	struct held h = { 0 };
	int rc;

	if (vfs_open(v, path, VFS_READ, &f, err) < 0)
		return -1;
	rc = look(f, s, &h, err);
	vfs_close(f);
	if (rc < 0)
		return -1;
	++*cut;
	if (h.walked && h.in_wal && h.sealed <= SEGMENT_HEADER)
		return vfs_unlink(v, path, err);
	snprintf(bad, sizeof(bad), "%.*s.bad",
	    (int)(strlen(path) - strlen(".seg")), path);
	return vfs_rename(v, path, bad, err);
}

struct scan {
	struct vfs *v;
	struct streamtab *tab;
	uint8_t class;
	uint64_t cut;
};

static int
scan_segment(
    struct scan *sc, const char *dir, const char *name, struct ops_err *err)
{
	char path[SEGMENT_PATH_MAX];
	uint8_t id[OPS_ID_LEN];
	const struct stream *s;
	uint32_t number;

	if (segment_name_parse(name, id, &number) < 0 ||
	    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >=
		sizeof(path))
		return 0;
	s = streamtab_find(sc->tab, id);
	if (s == NULL || s->closed || s->pub.class != sc->class)
		return 0;
	if (number >= s->sealed.segments)
		return remove_leftover(sc->v, path, s, &sc->cut, err);
	if (strcmp(path, s->sealed.path) == 0)
		return cut_tail(sc->v, path, s, &sc->cut, err);
	return 0;
}

static int
scan_day(struct scan *sc, const char *class_dir, const char *name,
    struct ops_err *err)
{
	struct vfs_names files = { 0 };
	char dir[SEGMENT_PATH_MAX];
	uint64_t before = sc->cut;
	struct ops_err why = { 0 };
	int rc = 0;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/%s", class_dir, name) >=
	    sizeof(dir))
		return 0;
	if (vfs_list(sc->v, dir, &files, &why) < 0) {
		if (why.code == OPS_ENOENT)
			return 0; /* no folder, and none of ours */
		return ops_fail(err, why.code, "%s", why.msg);
	}
	for (size_t i = 0; rc == 0 && i < files.n; i++)
		rc = scan_segment(sc, dir, files.name[i], err);
	vfs_names_free(&files);
	if (rc == 0 && sc->cut != before)
		rc = vfs_sync_dir(sc->v, dir, err);
	return rc;
}

int
segment_recover(
    struct vfs *v, struct streamtab *tab, uint64_t *cut, struct ops_err *err)
{
	struct scan sc = { .v = v, .tab = tab };
	int rc = 0;

	for (uint8_t class = CLASS_SCREEN; rc == 0 && class < CLASSES;
	     class ++) {
		struct vfs_names days = { 0 };
		char dir[SEGMENT_PATH_MAX];

		sc.class = class;
		snprintf(dir, sizeof(dir), "data/%s", stream_class_name(class));
		if (!vfs_exists(v, dir))
			continue;
		rc = vfs_list(v, dir, &days, err);
		for (size_t i = 0; rc == 0 && i < days.n; i++)
			rc = scan_day(&sc, dir, days.name[i], err);
		vfs_names_free(&days);
	}
	if (rc == 0)
		*cut = sc.cut;
	return rc;
}
