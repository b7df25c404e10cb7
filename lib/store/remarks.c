#include "remarks.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "events.h"
#include "record/body.h"

#define HEAD_LEN 17

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "notes: no memory");
}

static int
add(struct remark_list *l, const struct remark_seen *r, struct ops_err *err)
{
	struct remark_seen mine = *r;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 8 : 2 * l->cap;
		struct remark_seen *more =
		    reallocarray(l->r, cap, sizeof(*more));

		if (more == NULL)
			return no_memory(err);
		l->r = more;
		l->cap = cap;
	}
	if (mine.r.text.p != NULL) {
		mine.r.text.p =
		    arena_copy(&l->arena, mine.r.text.p, mine.r.text.n);
		if (mine.r.text.p == NULL)
			return no_memory(err);
	}
	l->r[l->n++] = mine;
	return 0;
}

void
remark_list_free(struct remark_list *l)
{
	arena_free(&l->arena);
	free(l->r);
	*l = (struct remark_list){ 0 };
}

/* -- from the store -- */

struct loading {
	struct remark_list l;
	const uint8_t *id;
};

static int
take(void *arg, const struct record *rec, const struct stream_pos *pos,
    const uint8_t *boot, struct ops_err *err)
{
	struct loading *in = arg;
	struct remark_seen r = {
		.time = rec->time, .wall = pos->wall, .sealed = pos->sealed
	};
	uint8_t of[OPS_ID_LEN];

	(void)boot;
	if (rec->type != REC_NOTE ||
	    body_session(rec->payload, rec->len, of, NULL) < 0 ||
	    memcmp(of, in->id, OPS_ID_LEN) != 0 ||
	    remark_get(rec->payload, rec->len, &r.r, NULL) < 0)
		return 0;
	return add(&in->l, &r, err);
}

int
remark_list_load(struct store *s, const uint8_t id[static OPS_ID_LEN],
    struct remark_list *ret, struct ops_err *err)
{
	struct loading in = { .id = id };

	if (events_walk(s, take, &in, &in.l.missing, err) < 0) {
		remark_list_free(&in.l);
		return -1;
	}
	*ret = in.l;
	return 0;
}

/* -- as bytes -- */

void
remark_seen_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct remark_seen *r)
{
	ops_buf_put8(b, r->sealed);
	ops_buf_putle64(b, r->time);
	ops_buf_putle64(b, r->wall);
	remark_put(b, id, &r->r);
}

int
remark_seen_get(
    const uint8_t *p, size_t n, struct remark_list *l, struct ops_err *err)
{
	struct remark_seen r = { 0 };

	if (n < HEAD_LEN || p[0] > 1)
		return ops_fail(err, OPS_EFORMAT, "a note of %zu bytes", n);
	r.sealed = p[0] == 1;
	r.time = ops_getle64(p + 1);
	r.wall = ops_getle64(p + 9);
	if (remark_get(p + HEAD_LEN, n - HEAD_LEN, &r.r, err) < 0)
		return -1;
	return add(l, &r, err);
}
