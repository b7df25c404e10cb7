#include "ahead.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"
#include "parallel.h"

struct slot {
	const struct store_frame *f; /* NULL: taken */
	uint8_t *stored;
	size_t cap; /* of stored */
	struct ops_buf raw;
	int rc;
	struct ops_err err;
};

struct ahead {
	struct slot slot[AHEAD_MAX];
	size_t n;
	unsigned threads;
	struct frame_opener *opener[AHEAD_MAX]; /* one a thread */
};

int
ahead_check(struct frame_opener *o, const struct store_frame *f,
    const uint8_t *stored, struct ops_buf *raw, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];
	struct frame_header h;

	ops_sha256(stored, f->leaf.stored_len, hash);
	if (memcmp(hash, f->leaf.sha256, OPS_HASH_LEN) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "frame %" PRIu64 " does not match its leaf",
		    f->leaf.number);
	if (frame_open(o, stored, f->leaf.stored_len, &h, raw, NULL, err) < 0)
		return ops_context(err, "frame %" PRIu64, f->leaf.number);
	if (h.count != f->leaf.count || h.id.first != f->leaf.first ||
	    memcmp(h.id.stream, f->leaf.stream, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "frame %" PRIu64 " is not the one of its leaf",
		    f->leaf.number);
	return 0;
}

struct ahead *
ahead_new(void)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->threads = parallel_threads(0);
	if (a->threads > AHEAD_MAX)
		a->threads = AHEAD_MAX;
	for (size_t i = 0; i < AHEAD_MAX; i++)
		a->slot[i].raw.max = FRAME_RAW_MAX;
	return a;
}

void
ahead_free(struct ahead *a)
{
	if (a == NULL)
		return;
	for (size_t i = 0; i < AHEAD_MAX; i++) {
		free(a->slot[i].stored);
		ops_buf_free(&a->slot[i].raw);
		frame_opener_free(a->opener[i]);
	}
	free(a);
}

void
ahead_begin(struct ahead *a)
{
	a->n = 0;
}

uint8_t *
ahead_room(struct ahead *a, const struct store_frame *f)
{
	size_t need = f->leaf.stored_len;
	struct slot *s = &a->slot[a->n];
	uint8_t *p;

	if (a->n == AHEAD_MAX)
		return NULL;
	if (s->cap >= need && s->stored != NULL)
		return s->stored;
	p = realloc(s->stored, need);
	if (p == NULL)
		return NULL;
	s->stored = p;
	s->cap = need;
	return p;
}

void
ahead_add(struct ahead *a, const struct store_frame *f)
{
	a->slot[a->n++].f = f;
}

static void
open_slot(void *arg, size_t i, unsigned worker)
{
	struct ahead *a = arg;
	struct slot *s = &a->slot[i];

	s->err = (struct ops_err){ 0 };
	s->rc =
	    ahead_check(a->opener[worker], s->f, s->stored, &s->raw, &s->err);
}

void
ahead_open(struct ahead *a)
{
	unsigned threads = 0;

	while (threads < a->threads && threads < a->n) {
		if (a->opener[threads] == NULL)
			a->opener[threads] = frame_opener_new();
		if (a->opener[threads] == NULL)
			break;
		threads++;
	}
	if (threads == 0)
		a->n = 0;
	else
		parallel_for(threads, a->n, open_slot, a);
}

bool
ahead_take(struct ahead *a, const struct store_frame *f, struct ops_buf *raw,
    int *rc, struct ops_err *err)
{
	for (size_t i = 0; i < a->n; i++) {
		struct slot *s = &a->slot[i];
		struct ops_buf mine = s->raw;

		if (s->f != f)
			continue;
		s->f = NULL;
		*rc = s->rc;
		if (s->rc < 0) {
			if (err != NULL)
				*err = s->err;
		} else {
			s->raw = *raw;
			*raw = mine;
		}
		return true;
	}
	return false;
}
