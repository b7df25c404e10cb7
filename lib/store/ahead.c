#include "ahead.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "parallel.h"

struct slot {
	struct ahead_want want;
	struct ahead_frame read; /* stored NULL: it isn't there */
};

struct ahead {
	unsigned threads;
	struct vfs_file *f; /* while ahead_read() goes on */
	struct slot slot[AHEAD_FRAMES];
	size_t n;
	struct frame_opener *opener[AHEAD_THREADS]; /* of each worker */
};

struct ahead *
ahead_new(void)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->threads = parallel_threads(0);
	if (a->threads > AHEAD_THREADS)
		a->threads = AHEAD_THREADS;
	return a;
}

static void
forget(struct ahead *a)
{
	for (size_t i = 0; i < a->n; i++) {
		struct ahead_frame *r = &a->slot[i].read;

		free(r->stored);
		ops_buf_free(&r->raw);
		*r = (struct ahead_frame){ .stored = NULL };
	}
	a->n = 0;
}

void
ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	forget(a);
	for (size_t i = 0; i < AHEAD_THREADS; i++)
		frame_opener_free(a->opener[i]);
	free(a);
}

unsigned
ahead_chunk(const struct frame_header *h, uint64_t record, uint64_t *first)
{
	unsigned i = 0;

	for (*first = h->id.first;
	     i < h->chunks && record - *first >= h->chunk[i].count; i++)
		*first += h->chunk[i].count;
	return i;
}

int
ahead_check(const struct store_frame *f, const uint8_t *stored,
    struct frame_header *h, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];

	ops_sha256(stored, f->leaf.stored_len, hash);
	if (memcmp(hash, f->leaf.sha256, OPS_HASH_LEN) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "frame %" PRIu64 " does not match its leaf",
		    f->leaf.number);
	if (frame_header_whole(stored, f->leaf.stored_len, h, err) < 0)
		return ops_context(err, "frame %" PRIu64, f->leaf.number);
	if (h->count != f->leaf.count || h->id.first != f->leaf.first ||
	    memcmp(h->id.stream, f->leaf.stream, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "frame %" PRIu64 " is not the one of its leaf",
		    f->leaf.number);
	return 0;
}

static void
unpack(struct ahead *a, unsigned worker, uint64_t record, struct ahead_frame *r)
{
	uint64_t first;

	if (a->opener[worker] == NULL)
		a->opener[worker] = frame_opener_new();
	r->raw.max = FRAME_RAW_MAX;
	r->chunk = ahead_chunk(&r->h, record, &first);
	if (a->opener[worker] != NULL && r->chunk < r->h.chunks)
		(void)frame_open_chunk(a->opener[worker], &r->h, r->chunk,
		    r->stored, &r->raw, NULL);
}

static void
read_one(void *arg, size_t i, unsigned worker)
{
	struct ahead *a = arg;
	struct slot *s = &a->slot[i];
	const struct store_frame *f = s->want.frame;
	struct ahead_frame *r = &s->read;
	size_t n = f->leaf.stored_len;

	r->stored = malloc(n);
	if (r->stored == NULL)
		return;
	if (vfs_pread(a->f, r->stored, n, s->want.offset, NULL) == (ssize_t)n &&
	    ahead_check(f, r->stored, &r->h, NULL) == 0) {
		unpack(a, worker, s->want.record, r);
	} else {
		free(r->stored);
		r->stored = NULL;
	}
}

void
ahead_read(struct ahead *a, struct vfs_file *f, const struct ahead_want *want,
    size_t n)
{
	unsigned threads;

	forget(a);
	a->f = f;
	a->n = n < AHEAD_FRAMES ? n : AHEAD_FRAMES;
	for (size_t i = 0; i < a->n; i++)
		a->slot[i].want = want[i];
	/* Few aren't worth a thread each. */
	threads = a->n / 4 < a->threads ? (unsigned)(a->n / 4) : a->threads;
	parallel_for(threads > 0 ? threads : 1, a->n, read_one, a);
	a->f = NULL;
}

bool
ahead_take(
    struct ahead *a, const struct store_frame *f, struct ahead_frame *ret)
{
	for (size_t i = 0; i < a->n; i++) {
		struct slot *s = &a->slot[i];

		if (s->want.frame != f || s->read.stored == NULL)
			continue;
		*ret = s->read;
		s->read = (struct ahead_frame){ .stored = NULL };
		return true;
	}
	return false;
}
