#include "switches.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/text.h"
#include "events.h"

#define HEAD_LEN 17

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "switches: no memory");
}

static bool
keep_text(struct switches *all, struct event_text *t)
{
	if (t->p == NULL)
		return true;
	t->p = arena_copy(&all->arena, t->p, t->n);
	return t->p != NULL;
}

static int
add(struct switches *all, const struct switched *s, struct ops_err *err)
{
	struct switched mine = *s, *more;

	if (all->n == all->cap) {
		size_t cap = all->cap == 0 ? 8 : 2 * all->cap;

		more = reallocarray(all->s, cap, sizeof(*more));
		if (more == NULL)
			return no_memory(err);
		all->s = more;
		all->cap = cap;
	}
	if (!keep_text(all, &mine.e.text) || !keep_text(all, &mine.e.user) ||
	    !keep_text(all, &mine.e.login))
		return no_memory(err);
	all->s[all->n++] = mine;
	return 0;
}

void
switches_free(struct switches *all)
{
	arena_free(&all->arena);
	free(all->s);
	*all = (struct switches){ 0 };
}

/* -- from the store -- */

struct loading {
	struct switches all;
	/* A daemon began while it was off: off goes on if it says so. */
	bool began;
	struct switched start; /* without texts */
};

static const struct switched *
in_force(const struct switches *all)
{
	const struct switched *last = all->n > 0 ? &all->s[all->n - 1] : NULL;

	return last != NULL && last->e.what == DAEMON_OFF ? last : NULL;
}

/* It did not say so: it was on. */
static int
end_start(struct loading *l, struct ops_err *err)
{
	if (!l->began)
		return 0;
	l->began = false;
	return add(&l->all, &l->start, err);
}

static int
take_off(struct loading *l, const struct switched *s, struct ops_err *err)
{
	const struct switched *off = in_force(&l->all);

	/* The time in it is that of the first. */
	if (off != NULL && off->e.realtime == s->e.realtime) {
		l->began = false;
		return 0;
	}
	return end_start(l, err) < 0 ? -1 : add(&l->all, s, err);
}

static int
take(void *arg, const struct record *r, const struct stream_pos *pos,
    const uint8_t *boot, struct ops_err *err)
{
	struct loading *l = arg;
	struct switched s = {
		.time = r->time, .wall = pos->wall, .sealed = pos->sealed
	};

	(void)boot;
	if (r->type != REC_DAEMON ||
	    event_daemon_get(r->payload, r->len, &s.e, NULL) < 0)
		return 0;
	switch (s.e.what) {
	case DAEMON_OFF:
		return take_off(l, &s, err);
	case DAEMON_ON:
		l->began = false;
		return add(&l->all, &s, err);
	case DAEMON_START:
		if (end_start(l, err) < 0)
			return -1;
		l->began = in_force(&l->all) != NULL;
		l->start = s;
		l->start.e.text = l->start.e.user = l->start.e.login =
		    (struct event_text){ 0 };
		return 0;
	default:
		return 0;
	}
}

int
switches_load(struct store *s, struct switches *ret, struct ops_err *err)
{
	struct loading l = { .began = false };

	if (events_walk(s, take, &l, &l.all.missing, err) < 0 ||
	    end_start(&l, err) < 0) {
		switches_free(&l.all);
		return -1;
	}
	*ret = l.all;
	return 0;
}

const struct switched *
switches_at(const struct switches *all, uint64_t wall)
{
	const struct switched *off = NULL;

	for (size_t i = 0; i < all->n && all->s[i].wall <= wall; i++)
		off = all->s[i].e.what == DAEMON_OFF ? &all->s[i] : NULL;
	return off;
}

void
switched_by(struct ops_buf *out, const struct switched *s)
{
	const struct event_daemon *e = &s->e;

	if (!e->has_who) {
		ops_buf_puts(out, "somebody");
		return;
	}
	if (e->user.p != NULL)
		ops_escape(out, e->user.p, e->user.n);
	else
		ops_buf_printf(out, "uid %" PRIu32, e->uid);
	if (e->auid == EVENT_UNSET || e->auid == e->uid)
		return;
	ops_buf_puts(out, " (");
	if (e->login.p != NULL)
		ops_escape(out, e->login.p, e->login.n);
	else
		ops_buf_printf(out, "uid %" PRIu32, e->auid);
	ops_buf_puts(out, ")");
}

/* -- as bytes -- */

void
switched_put(struct ops_buf *b, const struct switched *s)
{
	ops_buf_put8(b, s->sealed);
	ops_buf_putle64(b, s->time);
	ops_buf_putle64(b, s->wall);
	event_daemon_put(b, &s->e);
}

int
switched_get(
    const uint8_t *p, size_t n, struct switches *all, struct ops_err *err)
{
	struct switched s = { 0 };

	if (n < HEAD_LEN || p[0] > 1)
		return ops_fail(err, OPS_EFORMAT, "a switch of %zu bytes", n);
	s.sealed = p[0] == 1;
	s.time = ops_getle64(p + 1);
	s.wall = ops_getle64(p + 9);
	if (event_daemon_get(p + HEAD_LEN, n - HEAD_LEN, &s.e, err) < 0)
		return -1;
	if (s.e.what != DAEMON_OFF && s.e.what != DAEMON_ON &&
	    s.e.what != DAEMON_START)
		return ops_fail(err, OPS_EFORMAT, "a switch of kind %u",
		    (unsigned)s.e.what);
	return add(all, &s, err);
}
