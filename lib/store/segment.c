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

static const char *
class_name(uint8_t class)
{
	return class == CLASS_EVENTS ? "events" : "screen";
}

void
segment_dir(
    uint8_t class, const char day[static 11], char out[static SEGMENT_PATH_MAX])
{
	snprintf(
	    out, SEGMENT_PATH_MAX, "data/%s/%.10s", class_name(class), day);
}

void
segment_path(uint8_t class, const char day[static 11],
    const uint8_t id[static OPS_ID_LEN], uint32_t number,
    char out[static SEGMENT_PATH_MAX])
{
	char text[OPS_ID_TEXT_LEN + 1];

	ops_id_text(id, text);
	snprintf(out, SEGMENT_PATH_MAX, "data/%s/%.10s/%s-%04" PRIu32 ".seg",
	    class_name(class), day, text, number);
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
			return ops_fail(err, OPS_ENOMEM, "segments");
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

/* Length of the part of a segment that has leaves; -1: leave it alone, what
 * is wrong with it is no crash and check's to name. */
static int
committed_length(struct vfs_file *f, uint64_t size, uint64_t next_frame,
    int64_t *ret, struct ops_err *err)
{
	uint8_t head[FRAME_HEADER + FRAME_CHUNKS_MAX * FRAME_CHUNK_ENTRY];
	uint8_t sh[SEGMENT_HEADER] = { 0 };
	struct segment_header h;
	uint64_t off = SEGMENT_HEADER, frame;
	ssize_t n;

	*ret = -1;
	n = vfs_pread(f, sh, sizeof(sh), 0, err);
	if (n < 0)
		return -1;
	if (ops_all_zero(sh, sizeof(sh))) {
		*ret = 0;
		return 0;
	}
	if (segment_header_decode(sh, (size_t)n, &h, NULL) < 0) {
		/* Cut inside its header: nothing in it was committed. */
		if (n < SEGMENT_HEADER)
			*ret = 0;
		return 0;
	}
	for (frame = h.first_frame; frame < next_frame; frame++) {
		struct frame_header fh;
		long len;

		if (off == size)
			break;
		n = vfs_pread(f, head, sizeof(head), off, err);
		if (n < 0)
			return -1;
		len = frame_header_decode(head, (size_t)n, &fh, NULL);
		if (len < 0 || fh.id.number != frame ||
		    off + (uint64_t)len + fh.stored > size)
			return 0;
		off += (uint64_t)len + fh.stored;
	}
	*ret = off == SEGMENT_HEADER ? 0 : (int64_t)off;
	return 0;
}

enum cut_what { CUT_NOTHING, CUT_TAIL, CUT_ALL };

static int
cut_segment(struct vfs *v, const char *path, uint64_t next_frame,
    enum cut_what *what, struct ops_err *err)
{
	struct vfs_file *f;
	uint64_t size;
	int64_t keep;
	int rc;

	if (vfs_open(v, path, VFS_WRITE, &f, err) < 0)
		return -1;
	rc = vfs_size(f, &size, err);
	if (rc == 0)
		rc = committed_length(f, size, next_frame, &keep, err);
	if (rc == 0 && keep > 0 && (uint64_t)keep < size) {
		*what = CUT_TAIL;
		rc = vfs_truncate(f, (uint64_t)keep, err);
		if (rc == 0)
			rc = vfs_sync(f, err);
	}
	vfs_close(f);
	if (rc == 0 && keep == 0) {
		*what = CUT_ALL;
		rc = vfs_unlink(v, path, err);
	}
	return rc;
}

struct scan {
	struct vfs *v;
	struct streamtab *tab;
	uint8_t class;
	uint64_t cut;
};

static int
scan_segment(struct scan *sc, const char *dir, const char *name, bool cut,
    struct ops_err *err)
{
	char path[SEGMENT_PATH_MAX];
	uint8_t id[OPS_ID_LEN];
	struct stream *s;
	uint32_t number;
	enum cut_what cut_what = CUT_NOTHING;

	if (segment_name_parse(name, id, &number) < 0)
		return 0;
	s = streamtab_find(sc->tab, id);
	if (cut) {
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >=
		    sizeof(path))
			return 0;
		if (cut_segment(sc->v, path, s == NULL ? 0 : s->pub.next_frame,
			&cut_what, err) < 0)
			return -1;
		sc->cut += cut_what != CUT_NOTHING;
	}
	if (s != NULL && cut_what != CUT_ALL && number >= s->seg.next)
		s->seg.next = number + 1;
	return 0;
}

static int
scan_day(struct scan *sc, const char *class_dir, const char *name,
    const char day[static 11], struct ops_err *err)
{
	struct vfs_names files = { 0 };
	char dir[SEGMENT_PATH_MAX];
	bool cut = day[0] != '\0' && strcmp(name, day) == 0;
	uint64_t before = sc->cut;
	int rc = 0;

	if ((size_t)snprintf(dir, sizeof(dir), "%s/%s", class_dir, name) >=
	    sizeof(dir))
		return 0;
	if (vfs_list(sc->v, dir, &files, err) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < files.n; i++)
		rc = scan_segment(sc, dir, files.name[i], cut, err);
	vfs_names_free(&files);
	if (rc == 0 && sc->cut != before)
		rc = vfs_sync_dir(sc->v, dir, err);
	return rc;
}

int
segment_recover(struct vfs *v, struct streamtab *tab, const char day[static 11],
    uint64_t *cut, struct ops_err *err)
{
	struct scan sc = { .v = v, .tab = tab };
	int rc = 0;

	for (uint8_t class = CLASS_SCREEN; rc == 0 && class <= CLASS_EVENTS;
	     class ++) {
		struct vfs_names days = { 0 };
		char dir[SEGMENT_PATH_MAX];

		sc.class = class;
		snprintf(dir, sizeof(dir), "data/%s", class_name(class));
		if (!vfs_exists(v, dir))
			continue;
		rc = vfs_list(v, dir, &days, err);
		for (size_t i = 0; rc == 0 && i < days.n; i++)
			rc = scan_day(&sc, dir, days.name[i], day, err);
		vfs_names_free(&days);
	}
	if (rc == 0)
		*cut = sc.cut;
	return rc;
}
