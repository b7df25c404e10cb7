/* What lies in the segments, frame by frame, on all cores. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "check_work.h"
#include "parallel.h"
#include "record/frame.h"

#define UNIT_FRAMES 16
#define PIECE (128u << 10) /* read and hashed while it is in the cache */

struct check_reader {
	struct frame_opener *opener;
	struct ops_sha256 *sha;
	struct ops_buf raw;
	uint8_t stored[FRAME_STORED_MAX];
	const struct check_segment *seg; /* the one that f is */
	struct vfs_file *f;
};

/* Some frames of one segment. */
struct unit {
	size_t segment;
	size_t first, n; /* in the stream's frame[] */
	uint64_t offset;
};

struct units {
	struct check *c;
	struct unit *u;
	size_t n, cap;
	struct check_reader *reader[PARALLEL_MAX];
};

struct check_reader *
check_reader_new(void)
{
	struct check_reader *r = malloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	memset(r, 0, offsetof(struct check_reader, stored));
	r->seg = NULL;
	r->f = NULL;
	r->raw.max = FRAME_RAW_MAX;
	r->opener = frame_opener_new();
	r->sha = ops_sha256_new();
	if (r->opener == NULL || r->sha == NULL) {
		check_reader_free(r);
		return NULL;
	}
	return r;
}

void
check_reader_free(struct check_reader *r)
{
	if (r == NULL)
		return;
	vfs_close(r->f);
	frame_opener_free(r->opener);
	ops_sha256_free(r->sha);
	ops_buf_free(&r->raw);
	free(r);
}

static void
frame_where(const struct check_segment *s, uint64_t offset, uint64_t number,
    char out[static CHECK_WHERE])
{
	snprintf(out, CHECK_WHERE, "%s offset %" PRIu64 " (frame %" PRIu64 ")",
	    s->l.path, offset, number);
}

/* Another frame's header in this place tells what was done. */
static void
say_changed(struct check *c, const struct check_reader *r,
    const struct leaf_frame *l, const char *where)
{
	struct frame_header h;
	char id[OPS_ID_TEXT_LEN + 1];

	if (frame_header_decode(r->stored, l->stored_len, &h, NULL) < 0) {
		check_say(c, FIND_TAMPER, where, "it does not match its leaf");
		return;
	}
	ops_id_text(h.id.stream, id);
	if (memcmp(h.id.stream, l->stream, OPS_ID_LEN) != 0)
		check_say(c, FIND_TAMPER, where,
		    "a frame of another stream, %s, lies in its place", id);
	else if (h.id.number != l->number)
		check_say(c, FIND_TAMPER, where,
		    "frame %" PRIu64 " lies in its place", h.id.number);
	else
		check_say(c, FIND_TAMPER, where, "it does not match its leaf");
}

static bool
same_header(const struct frame_header *h, const struct leaf_frame *l)
{
	return memcmp(h->id.stream, l->stream, OPS_ID_LEN) == 0 &&
	       h->id.class == l->class && h->id.number == l->number &&
	       h->id.first == l->first && h->count == l->count &&
	       h->raw == l->raw_len &&
	       (uint64_t)h->header_len + h->stored == l->stored_len;
}

/* Reads the frame and gives its hash; bytes read or -1.  All of it is kept in
 * r->stored only if it is wanted: pieces that lie in the same place stay in
 * the cache between being read and hashed, which is a third faster. */
static ssize_t
read_frame(struct check_reader *r, uint64_t offset, size_t n, bool keep,
    uint8_t hash[static OPS_HASH_LEN], struct ops_err *err)
{
	size_t done = 0;

	ops_sha256_init(r->sha);
	while (done < n) {
		size_t want = n - done < PIECE ? n - done : PIECE;
		uint8_t *to = r->stored + (keep || done == 0 ? done : PIECE);
		ssize_t got = vfs_pread(r->f, to, want, offset + done, err);

		if (got < 0)
			return -1;
		ops_sha256_update(r->sha, to, (size_t)got);
		done += (size_t)got;
		if ((size_t)got < want)
			break;
	}
	ops_sha256_final(r->sha, hash);
	return (ssize_t)done;
}

static bool
open_segment(
    struct check *c, struct check_reader *r, const struct check_segment *s)
{
	struct ops_err why = { 0 };

	if (r->seg == s)
		return true;
	vfs_close(r->f);
	r->f = NULL;
	r->seg = NULL;
	if (vfs_open(c->v, s->l.path, VFS_READ, &r->f, &why) < 0) {
		check_say_err(c, s->l.path, &why);
		return false;
	}
	r->seg = s;
	return true;
}

static void
count_frame(struct check *c, const struct leaf_frame *l)
{
	pthread_mutex_lock(&c->lock);
	c->r->frames++;
	c->r->records += l->count;
	c->r->stored_bytes += l->stored_len;
	c->r->raw_bytes += l->raw_len;
	pthread_mutex_unlock(&c->lock);
}

static bool
open_frame(struct check *c, struct check_reader *r, const struct leaf_frame *l,
    const char *where, struct ops_buf *raw)
{
	struct ops_err why = { 0 };
	struct frame_header h;
	uint8_t root[OPS_HASH_LEN];

	if (frame_open(
		r->opener, r->stored, l->stored_len, &h, raw, root, &why) < 0)
		check_say(c, FIND_TAMPER, where, "%s", why.msg);
	else if (memcmp(root, l->root, OPS_HASH_LEN) != 0)
		check_say(c, FIND_TAMPER, where,
		    "its records don't have the root of its leaf");
	else
		return true;
	return false;
}

bool
check_one_frame(struct check *c, struct check_reader *r,
    const struct check_segment *s, size_t i, uint64_t offset,
    struct ops_buf *raw)
{
	const struct leaf_frame *l = &c->h.stream[s->stream].frame[i].leaf;
	struct ops_err why = { 0 };
	uint8_t hash[OPS_HASH_LEN];
	struct frame_header h;
	char where[CHECK_WHERE];
	ssize_t got;

	if (l->stored_len > FRAME_STORED_MAX || !open_segment(c, r, s))
		return false;
	frame_where(s, offset, l->number, where);
	got = read_frame(r, offset, l->stored_len, raw != NULL, hash, &why);
	if (got < 0) {
		check_say(c, FIND_UNREADABLE, where, "%s", why.msg);
	} else if ((size_t)got < l->stored_len) {
		check_say(c, FIND_MISSING, where,
		    "%zu of its %" PRIu32 " bytes are there", (size_t)got,
		    l->stored_len);
	} else if (memcmp(hash, l->sha256, OPS_HASH_LEN) != 0) {
		say_changed(c, r, l, where);
	} else if (frame_header_decode(r->stored, l->stored_len, &h, &why) <
		       0 ||
		   !same_header(&h, l)) {
		check_say(
		    c, FIND_TAMPER, where, "its header and its leaf disagree");
	} else if (raw == NULL || open_frame(c, r, l, where, raw)) {
		count_frame(c, l);
		return true;
	}
	return false;
}

static void
run_unit(void *arg, size_t i, unsigned worker)
{
	struct units *us = arg;
	struct check *c = us->c;
	const struct unit *u = &us->u[i];
	const struct check_segment *s = &c->segment[u->segment];
	const struct store_frame *frame = c->h.stream[s->stream].frame;
	struct check_reader *r = us->reader[worker];
	uint64_t offset = u->offset;

	for (size_t j = u->first; j < u->first + u->n; j++) {
		check_one_frame(
		    c, r, s, j, offset, c->o->quick ? NULL : &r->raw);
		offset += frame[j].leaf.stored_len;
	}
}

static int
add_units(struct units *us, size_t segment, struct ops_err *err)
{
	const struct check_segment *s = &us->c->segment[segment];
	const struct store_frame *frame = us->c->h.stream[s->stream].frame;
	struct unit u = { .segment = segment, .offset = SEGMENT_HEADER };

	for (u.first = s->l.first; u.first < s->l.first + s->l.n;
	     u.first += u.n) {
		u.n = s->l.first + s->l.n - u.first;
		if (u.n > UNIT_FRAMES)
			u.n = UNIT_FRAMES;
		if (!history_grow(&us->u, us->n, &us->cap, sizeof(u)))
			return check_no_memory(err);
		us->u[us->n++] = u;
		for (size_t i = 0; i < u.n; i++)
			u.offset += frame[u.first + i].leaf.stored_len;
	}
	return 0;
}

/* Events need their order where they are opened: check_sessions.c does it. */
static bool
is_for_units(const struct check *c, uint8_t class)
{
	if (c->one)
		return class == CLASS_SCREEN;
	return c->o->quick || class != CLASS_EVENTS;
}

int
check_frames(struct check *c, struct ops_err *err)
{
	struct units us = { .c = c };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->segments; i++) {
		uint8_t class = c->h.stream[c->segment[i].stream].class;

		if (c->segment[i].there && is_for_units(c, class))
			rc = add_units(&us, i, err);
	}
	for (unsigned i = 0; rc == 0 && i < c->threads; i++) {
		us.reader[i] = check_reader_new();
		if (us.reader[i] == NULL)
			rc = check_no_memory(err);
	}
	if (rc == 0)
		parallel_for(c->threads, us.n, run_unit, &us);
	for (unsigned i = 0; i < c->threads; i++)
		check_reader_free(us.reader[i]);
	free(us.u);
	return rc;
}
