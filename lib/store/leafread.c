#include "leafread.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 64 /* leaves that are handed over together */
#define BLOCKS 4
#define AHEAD_MIN (64u << 10) /* bytes of a file that are worth a thread */

struct block {
	struct leafread_leaf leaf[BLOCK];
	uint8_t bytes[BLOCK][LEAF_MAX];
	size_t n;
	int rc; /* of leaves_next() behind the last one: 1, or there are no more */
	struct ops_err why;
};

struct leafread {
	struct leaves *leaves;
	struct block *block; /* a ring of BLOCKS */
	struct block *now;   /* the one that is read; NULL: none yet */
	size_t at;           /* its next leaf */
	bool ahead;
	pthread_t thread;
	/* between the two */
	pthread_mutex_t lock;
	pthread_cond_t change;
	size_t made, read; /* blocks so far */
	bool stop;
};

static void
make_leaf(struct block *b, const struct leaves_entry *e)
{
	struct leafread_leaf *l = &b->leaf[b->n];
	uint8_t *bytes = b->bytes[b->n++];

	/* leaves_next() gives none that is longer. */
	memcpy(bytes, e->p, e->n);
	l->e = *e;
	l->e.p = bytes;
	leaf_hash(bytes, e->n, l->hash);
	l->why = (struct ops_err){ 0 };
	l->good = !e->bad && leaf_decode(bytes, e->n, &l->leaf, &l->why) == 0;
}

static void
make_block(struct leafread *r, struct block *b)
{
	struct leaves_entry e;

	b->n = 0;
	do {
		b->rc = leaves_next(r->leaves, &e, &b->why);
		if (b->rc == 1)
			make_leaf(b, &e);
	} while (b->rc == 1 && b->n < BLOCK);
}

static void *
make_all(void *arg)
{
	struct leafread *r = arg;
	struct block *b;

	do {
		(void)pthread_mutex_lock(&r->lock);
		while (!r->stop && r->made == r->read + BLOCKS)
			(void)pthread_cond_wait(&r->change, &r->lock);
		b = r->stop ? NULL : &r->block[r->made % BLOCKS];
		(void)pthread_mutex_unlock(&r->lock);
		if (b == NULL)
			break;
		make_block(r, b);
		(void)pthread_mutex_lock(&r->lock);
		r->made++;
		(void)pthread_cond_signal(&r->change);
		(void)pthread_mutex_unlock(&r->lock);
	} while (b->rc == 1);
	return NULL;
}

int
leafread_open(struct vfs *v, uint32_t log, uint64_t sealed, bool ahead,
    struct leafread **ret, struct ops_err *err)
{
	struct leafread *r = calloc(1, sizeof(*r));
	uint64_t offset, bytes;

	if (r == NULL)
		return ops_fail(err, OPS_ENOMEM, "leaves: no memory");
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->change, NULL);
	if (leaves_open(v, log, sealed, &r->leaves, err) < 0)
		goto fail;
	(void)leaves_end(r->leaves, &offset, &bytes);
	ahead = ahead && bytes >= AHEAD_MIN;
	r->block = calloc(ahead ? BLOCKS : 1, sizeof(*r->block));
	if (r->block == NULL) {
		ops_fail(err, OPS_ENOMEM, "leaves: no memory");
		goto fail;
	}
	r->ahead = ahead && pthread_create(&r->thread, NULL, make_all, r) == 0;
	*ret = r;
	return 0;
fail:
	leafread_free(r);
	return -1;
}

static void
join(struct leafread *r)
{
	if (!r->ahead)
		return;
	(void)pthread_mutex_lock(&r->lock);
	r->stop = true;
	(void)pthread_cond_signal(&r->change);
	(void)pthread_mutex_unlock(&r->lock);
	(void)pthread_join(r->thread, NULL);
	r->ahead = false;
}

void
leafread_free(struct leafread *r)
{
	if (r == NULL)
		return;
	join(r);
	leaves_free(r->leaves);
	(void)pthread_cond_destroy(&r->change);
	(void)pthread_mutex_destroy(&r->lock);
	free(r->block);
	free(r);
}

/* The one that is read was read to its end. */
static void
next_block(struct leafread *r)
{
	r->at = 0;
	if (!r->ahead) {
		r->now = &r->block[0];
		make_block(r, r->now);
		return;
	}
	(void)pthread_mutex_lock(&r->lock);
	if (r->now != NULL) {
		r->read++;
		(void)pthread_cond_signal(&r->change);
	}
	while (r->made == r->read)
		(void)pthread_cond_wait(&r->change, &r->lock);
	r->now = &r->block[r->read % BLOCKS];
	(void)pthread_mutex_unlock(&r->lock);
}

int
leafread_next(
    struct leafread *r, const struct leafread_leaf **ret, struct ops_err *err)
{
	if (r->now == NULL || (r->at == r->now->n && r->now->rc == 1))
		next_block(r);
	if (r->at < r->now->n) {
		*ret = &r->now->leaf[r->at++];
		return 1;
	}
	if (r->now->rc < 0 && err != NULL)
		*err = r->now->why;
	return r->now->rc;
}

enum leaves_end
leafread_end(const struct leafread *r, uint64_t *offset, uint64_t *bytes)
{
	return leaves_end(r->leaves, offset, bytes);
}
