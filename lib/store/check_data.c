/* Folders and files: each is called for by the leaves, or named. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "check_work.h"
#include "expire.h"
#include "offswitch.h"
#include "record/frame.h"

/* A file beside the one that it is to replace. */
void
check_tmp(struct check *c, const char *path)
{
	struct ops_err why = { 0 };
	struct vfs_names names;
	struct vfs_file *f;

	if (vfs_open(c->v, path, VFS_READ, &f, &why) == 0) {
		vfs_close(f);
		check_say(c, check_moved_on(c) ? FIND_UNSEALED : FIND_CRASH,
		    path, "an unfinished file");
	} else if (vfs_list(c->v, path, &names, NULL) == 0) {
		vfs_names_free(&names);
		check_say(c, FIND_UNKNOWN, path, "it is no file");
	} else if (why.code != OPS_ENOENT) {
		check_say(c, FIND_UNREADABLE, path, "%s", why.msg);
	} /* else it was the writer's, and is gone by now */
}

/* A segment file that is there. */
struct file {
	uint8_t id[OPS_ID_LEN];
	uint8_t class;
	uint32_t number;
	char day[11];
	bool used;
};

/* Bytes that no leaf speaks of, and no record in the WAL either. */
struct surplus {
	char where[CHECK_WHERE];
	uint64_t bytes;
};

struct files {
	struct check *c;
	struct file *f; /* sorted by all of id, class, number, day */
	size_t n, cap;
	struct surplus *surplus;
	size_t n_surplus, surplus_cap;
};

/* A name that nothing calls for. */
static void
stray(struct check *c, const char *dir, const char *name)
{
	char where[CHECK_WHERE + 256];

	snprintf(where, sizeof(where), "%s%s%.255s", dir,
	    *dir == '\0' ? "" : "/", name);
	check_say(c, FIND_UNKNOWN, where, "nothing in the log speaks of it");
}

/* What the writer replaces whole, it writes beside first. */
static void
log_stray(struct check *c, const char *dir, const char *name)
{
	char where[CHECK_WHERE + 256];

	if (strcmp(name, "checkpoint.tmp") != 0 &&
	    strcmp(name, "leaves.tmp") != 0) {
		stray(c, dir, name);
		return;
	}
	snprintf(where, sizeof(where), "%.255s/%s", dir, name);
	check_tmp(c, where);
}

/* Say of each name in a folder whether it is one of these. */
static void
check_names(struct check *c, const char *dir, const char *const *ok, size_t n,
    void (*other)(struct check *c, const char *dir, const char *name))
{
	struct ops_err why = { 0 };
	struct vfs_names names;

	if (vfs_list(c->v, dir, &names, &why) < 0) {
		if (why.code != OPS_ENOENT)
			check_say(c, FIND_UNREADABLE, dir, "%s", why.msg);
		return;
	}
	for (size_t i = 0; i < names.n; i++) {
		size_t j = 0;

		while (j < n && strcmp(names.name[i], ok[j]) != 0)
			j++;
		if (j == n)
			other(c, dir, names.name[i]);
	}
	vfs_names_free(&names);
}

static bool
known_log(const struct check *c, const char *name)
{
	char text[16];

	for (size_t i = 0; i < c->h.logs; i++) {
		snprintf(text, sizeof(text), "%" PRIu32, c->h.log[i].pub.n);
		if (strcmp(text, name) == 0)
			return true;
	}
	/* One that was about to begin: history has named it. */
	snprintf(text, sizeof(text), "%" PRIu32,
	    c->h.logs == 0 ? 0 : c->h.log[c->h.logs - 1].pub.n + 1);
	return strcmp(text, name) == 0;
}

static bool
is_wal_name(const char *s)
{
	return strlen(s) == 12 && strspn(s, "0123456789") == 8 &&
	       strcmp(s + 8, ".wal") == 0;
}

static void
check_folders(struct check *c)
{
	static const char *const top[] = { "log", "data", "wal", "index",
		"keys", OFFSWITCH_FILE, (OFFSWITCH_FILE ".tmp") };
	static const char *const log[] = { "leaves", "checkpoint", "tile" };
	const char *data[CLASSES - 1];
	struct vfs_names names;
	char dir[300];

	check_names(c, "", top, OPS_ARRAY_LEN(top), stray);
	for (size_t i = 0; i < OPS_ARRAY_LEN(data); i++)
		data[i] = stream_class_name((uint8_t)(CLASS_SCREEN + i));
	check_names(c, "data", data, OPS_ARRAY_LEN(data), stray);
	if (vfs_list(c->v, "log", &names, NULL) == 0) {
		for (size_t i = 0; i < names.n; i++) {
			snprintf(dir, sizeof(dir), "log/%.255s", names.name[i]);
			if (known_log(c, names.name[i]))
				check_names(
				    c, dir, log, OPS_ARRAY_LEN(log), log_stray);
			else
				stray(c, "log", names.name[i]);
		}
		vfs_names_free(&names);
	}
	if (vfs_list(c->v, "wal", &names, NULL) == 0) {
		for (size_t i = 0; i < names.n; i++)
			if (!is_wal_name(names.name[i]))
				stray(c, "wal", names.name[i]);
		vfs_names_free(&names);
	}
}

/* -- segments that are there -- */

static int
compare_files(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int d = memcmp(x->id, y->id, OPS_ID_LEN);

	if (d == 0)
		d = (int)x->class - (int)y->class;
	if (d != 0)
		return d;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->day, y->day);
}

/* "2026-11-23"; whether there is such a day its segments will show. */
static bool
is_day(const char *s)
{
	for (size_t i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? s[i] != '-' : s[i] < '0' || s[i] > '9')
			return false;
	return s[10] == '\0';
}

static int
list_day(struct files *fs, uint8_t class, const char day[static 11],
    struct ops_err *err)
{
	struct check *c = fs->c;
	struct ops_err why = { 0 };
	struct vfs_names names;
	char dir[SEGMENT_PATH_MAX];
	int rc = 0;

	segment_dir(class, day, dir);
	if (vfs_list(c->v, dir, &names, &why) < 0) {
		if (why.code == OPS_ENOENT)
			check_say(c, FIND_UNKNOWN, dir, "it is no folder");
		else
			check_say(c, FIND_UNREADABLE, dir, "%s", why.msg);
		return 0;
	}
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		struct file f = { .class = class };

		memcpy(f.day, day, sizeof(f.day));
		if (segment_name_parse(names.name[i], f.id, &f.number) < 0)
			stray(c, dir, names.name[i]);
		else if (history_grow(&fs->f, fs->n, &fs->cap, sizeof(f)))
			fs->f[fs->n++] = f;
		else
			rc = check_no_memory(err);
	}
	vfs_names_free(&names);
	return rc;
}

static int
list_class(struct files *fs, uint8_t class, struct ops_err *err)
{
	char dir[SEGMENT_PATH_MAX];
	struct ops_err why = { 0 };
	struct vfs_names days;
	int rc = 0;

	snprintf(dir, sizeof(dir), "data/%s", stream_class_name(class));
	if (vfs_list(fs->c->v, dir, &days, &why) < 0) {
		if (why.code != OPS_ENOENT)
			check_say(fs->c, FIND_UNREADABLE, dir, "%s", why.msg);
		return 0;
	}
	for (size_t i = 0; rc == 0 && i < days.n; i++) {
		if (is_day(days.name[i]))
			rc = list_day(fs, class, days.name[i], err);
		else
			stray(fs->c, dir, days.name[i]);
	}
	vfs_names_free(&days);
	return rc;
}

/* The file of a segment: the one in its day's folder, else one elsewhere. */
static struct file *
find_file(struct files *fs, const struct history_stream *s,
    const struct layout_segment *l)
{
	struct file key = { .class = s->class, .number = l->number };
	struct file *other = NULL;
	size_t lo = 0, hi = fs->n;

	memcpy(key.id, s->id, OPS_ID_LEN);
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare_files(&fs->f[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < fs->n; lo++) {
		struct file *f = &fs->f[lo];

		if (f->class != key.class || f->number != key.number ||
		    memcmp(f->id, key.id, OPS_ID_LEN) != 0)
			break;
		if (strcmp(f->day, l->day) == 0)
			return f;
		if (other == NULL)
			other = f;
	}
	return other;
}

/* -- segments that must be there -- */

/* Frames [from, to) of a segment are not there: gone, or expired. */
static const char *
what(uint8_t class)
{
	return class == CLASS_SCREEN ? "session" : stream_class_name(class);
}

/* The rule that all frames of a segment went by; NULL: they didn't. */
static const struct leaf_tombstone *
expired_by(const struct check *c, const struct check_segment *seg)
{
	const struct history_stream *s = &c->h.stream[seg->stream];
	const struct leaf_tombstone *t = NULL;

	for (size_t i = seg->l.first; i < seg->l.first + seg->l.n; i++) {
		t = history_tombstone(&c->h, s->id, s->frame[i].leaf.number);
		if (t == NULL)
			return NULL;
	}
	return t;
}

static bool
same_rule(const struct leaf_tombstone *a, const struct leaf_tombstone *b)
{
	return a->has_rule == b->has_rule && a->why == b->why &&
	       a->limit == b->limit;
}

/* Thousands of segments may have gone by a rule: they are told together. */
static int
count_expired(struct check *c, const struct check_segment *seg,
    const struct leaf_tombstone *t, bool there, struct ops_err *err)
{
	uint8_t class = c->h.stream[seg->stream].class;
	struct check_expired *e = NULL;

	for (size_t i = 0; e == NULL && i < c->n_expired; i++)
		if (c->expired[i].class == class &&
		    same_rule(&c->expired[i].rule, t))
			e = &c->expired[i];
	if (e == NULL) {
		if (!history_grow(&c->expired, c->n_expired, &c->expired_cap,
			sizeof(*c->expired)))
			return check_no_memory(err);
		e = &c->expired[c->n_expired++];
		*e = (struct check_expired){ .class = class, .rule = *t };
	}
	if (t->realtime > e->rule.realtime)
		e->rule = *t;
	e->frames += seg->l.n;
	e->segments++;
	e->there += there;
	c->r->expired += there ? 0 : seg->l.n;
	return 0;
}

static void
say_expired(struct check *c)
{
	for (size_t i = 0; i < c->n_expired; i++) {
		const struct check_expired *e = &c->expired[i];
		char where[CHECK_WHERE], text[EXPIRE_TEXT];

		snprintf(where, sizeof(where), "data/%s",
		    stream_class_name(e->class));
		expire_text(&e->rule, text);
		check_say(c, FIND_EXPIRED, where,
		    "%" PRIu64 " frames in %" PRIu64 " files %s%s", e->frames,
		    e->segments,
		    e->segments > 1 ? "expired, the last of them on "
				    : "expired on ",
		    text);
		if (e->there > 0)
			check_say(c, FIND_CRASH, where,
			    "%" PRIu64 " files that have expired are not "
			    "removed yet",
			    e->there);
	}
}

static int
say_missing(
    struct check *c, const struct check_segment *seg, struct ops_err *err)
{
	const struct history_stream *s = &c->h.stream[seg->stream];
	const struct leaf_tombstone *t = expired_by(c, seg);
	const struct layout_segment *l = &seg->l;
	char id[OPS_ID_TEXT_LEN + 1];

	if (t != NULL)
		return count_expired(c, seg, t, false, err);
	ops_id_text(s->id, id);
	check_say(c, FIND_MISSING, l->path,
	    "%s %s: frames %" PRIu64 " to %" PRIu64, what(s->class), id,
	    l->first_frame, s->frame[l->first + l->n - 1].leaf.number);
	return 0;
}

/*
 * The most that frames of a stream take for which there is no leaf yet: their
 * records are in the WAL.  A frame is cut when it is full or when a period
 * ends; a seal that fails is repeated, and what it cut stays cut.
 */
static uint64_t
unsealed_max(const struct history_stream *s)
{
	bool many =
	    s->class == CLASS_PROGRAMS; /* chunks, and a smaller frame */
	uint64_t chunks = many ? FRAME_CHUNKS_MAX : 1;
	uint64_t full = many ? FRAME_CHUNK * FRAME_CHUNKS_MAX : FRAME_RAW_MAX;
	uint64_t frames = 2 + s->wal_bytes / (full / 2);

	return s->wal_bytes + s->wal_bytes / 128 +
	       frames * (FRAME_HEADER + 512 +
			    chunks * (FRAME_CHUNK_ENTRY + FRAME_SEED));
}

/* Bytes behind the frames that have a leaf: only what a crash, or the writer
 * at work, leaves at the end of a stream. */
static int
judge_tail(struct files *fs, const struct history_stream *s, const char *where,
    bool may, uint64_t bytes, struct ops_err *err)
{
	struct check *c = fs->c;
	struct surplus *n;

	if (may && s != NULL && !c->h.clean && s->wal_records > 0 &&
	    bytes <= unsealed_max(s)) {
		check_say(c, FIND_UNSEALED, where,
		    "%" PRIu64 " bytes that have no leaf yet; their records "
		    "are in the WAL",
		    bytes);
		return 0;
	}
	if (may && s != NULL && c->copy && !s->closed) {
		check_say(c, FIND_UNSEALED, where,
		    "%" PRIu64 " bytes that have no leaf, and the WAL that "
		    "could tell of them is not in this copy",
		    bytes);
		return 0;
	}
	if (!history_grow(&fs->surplus, fs->n_surplus, &fs->surplus_cap,
		sizeof(*fs->surplus)))
		return check_no_memory(err);
	n = &fs->surplus[fs->n_surplus++];
	snprintf(n->where, sizeof(n->where), "%s", where);
	n->bytes = bytes;
	return 0;
}

/* A writer at work is ahead of what was read of the WAL. */
static void
say_surplus(struct files *fs)
{
	bool moved =
	    fs->n_surplus > 0 && (fs->c->wal_moved || check_moved_on(fs->c));

	for (size_t i = 0; i < fs->n_surplus; i++)
		check_say(fs->c, moved ? FIND_UNSEALED : FIND_UNKNOWN,
		    fs->surplus[i].where,
		    moved ? "%" PRIu64 " bytes that have no leaf yet: the "
			    "writer went on meanwhile"
			  : "%" PRIu64 " bytes that no leaf and no record in "
			    "the WAL speaks of",
		    fs->surplus[i].bytes);
}

/* The day that frames are written under: that of the newest BOOT or SEAL. */
static void
newest_day(const struct check *c, char day[static 11])
{
	day[0] = '\0';
	if (c->h.marks > 0)
		ops_time_day(c->h.mark[c->h.marks - 1].realtime, day);
}

static void
check_header(struct check *c, const struct check_segment *seg, const uint8_t *p,
    size_t n)
{
	const struct history_stream *s = &c->h.stream[seg->stream];
	struct segment_header h = { .class = s->class,
		.first_frame = seg->l.first_frame,
		.number = seg->l.number };
	struct ops_err why = { 0 };
	uint8_t want[SEGMENT_HEADER];

	memcpy(h.stream, s->id, OPS_ID_LEN);
	segment_header_encode(&h, want);
	if (n < SEGMENT_HEADER)
		check_say(c, FIND_MISSING, seg->l.path, "it has no header");
	else if (segment_header_decode(p, n, &h, &why) < 0)
		check_say(c, FIND_TAMPER, seg->l.path, "header: %s", why.msg);
	else if (memcmp(p, want, SEGMENT_HEADER) != 0)
		check_say(c, FIND_TAMPER, seg->l.path,
		    "its header is that of another segment");
}

static int
check_segment(struct check *c, struct files *fs, struct check_segment *seg,
    bool last, struct ops_err *err)
{
	const struct history_stream *s = &c->h.stream[seg->stream];
	const struct leaf_tombstone *gone;
	struct file *f = find_file(fs, s, &seg->l);
	struct ops_err why = { 0 };
	uint8_t head[SEGMENT_HEADER];
	struct vfs_file *vf;
	char where[CHECK_WHERE], day[11];
	uint64_t size = 0;
	ssize_t n;
	int rc = 0;

	if (f == NULL)
		return say_missing(c, seg, err);
	f->used = true;
	gone = expired_by(c, seg);
	if (gone != NULL && count_expired(c, seg, gone, true, err) < 0)
		return -1;
	if (strcmp(f->day, seg->l.day) != 0) {
		check_say(c, FIND_TAMPER, seg->l.path,
		    "it lies in the folder of another day, %s", f->day);
		segment_path(
		    s->class, f->day, s->id, seg->l.number, seg->l.path);
	}
	if (vfs_open(c->v, seg->l.path, VFS_READ, &vf, &why) < 0) {
		check_say_err(c, seg->l.path, &why);
		return 0;
	}
	n = vfs_pread(vf, head, sizeof(head), 0, &why);
	if (n < 0 || vfs_size(vf, &size, &why) < 0) {
		check_say(c, FIND_UNREADABLE, seg->l.path, "%s", why.msg);
	} else {
		check_header(c, seg, head, (size_t)n);
		seg->there = true;
		snprintf(where, sizeof(where), "%s offset %" PRIu64,
		    seg->l.path, seg->l.len);
		newest_day(c, day);
		if (size > seg->l.len)
			rc = judge_tail(fs, s, where,
			    last && strcmp(seg->l.day, day) == 0,
			    size - seg->l.len, err);
	}
	vfs_close(vf);
	return rc;
}

static int
check_stream(
    struct check *c, struct files *fs, size_t stream, struct ops_err *err)
{
	struct layout_segment *l;
	size_t n;

	if (layout_segments(&c->h, &c->h.stream[stream], &l, &n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct check_segment *seg;

		if (!history_grow(&c->segment, c->segments, &c->segment_cap,
			sizeof(*c->segment))) {
			free(l);
			return check_no_memory(err);
		}
		seg = &c->segment[c->segments++];
		*seg = (struct check_segment){ .l = l[i], .stream = stream };
		if (check_segment(c, fs, seg, i + 1 == n, err) < 0) {
			free(l);
			return -1;
		}
	}
	c->h.stream[stream].segments = (uint32_t)n;
	free(l);
	return 0;
}

/* A segment without any frame that has a leaf.  A start writes under the day
 * of the BOOT that it is about to append. */
static int
judge_extra(struct files *fs, const struct file *f, struct ops_err *err)
{
	const struct check *c = fs->c;
	const struct history_stream *s = history_find(&c->h, f->id);
	char path[SEGMENT_PATH_MAX], day[11];
	struct vfs_file *vf;
	uint64_t size = 0;

	newest_day(c, day);
	segment_path(f->class, f->day, f->id, f->number, path);
	if (vfs_open(c->v, path, VFS_READ, &vf, NULL) == 0) {
		vfs_size(vf, &size, NULL);
		vfs_close(vf);
	}
	return judge_tail(fs, s, path,
	    s != NULL && s->class == f->class && f->number == s->segments &&
		strcmp(f->day, day) >= 0,
	    size < SEGMENT_HEADER ? 0 : size - SEGMENT_HEADER, err);
}

int
check_data(struct check *c, struct ops_err *err)
{
	struct files fs = { .c = c };
	int rc = 0;

	if (!c->one)
		check_folders(c);
	for (uint8_t class = CLASS_SCREEN; rc == 0 && class < CLASSES; class ++)
		rc = list_class(&fs, class, err);
	if (fs.n > 1)
		qsort(fs.f, fs.n, sizeof(*fs.f), compare_files);
	for (size_t i = 0; rc == 0 && i < c->h.streams; i++) {
		const struct history_stream *s = &c->h.stream[i];

		if (check_wants(c, s->id) || s->class == CLASS_EVENTS)
			rc = check_stream(c, &fs, i, err);
	}
	for (size_t i = 0; rc == 0 && !c->one && i < fs.n; i++)
		if (!fs.f[i].used)
			rc = judge_extra(&fs, &fs.f[i], err);
	say_expired(c);
	say_surplus(&fs);
	free(fs.surplus);
	free(fs.f);
	return rc;
}
