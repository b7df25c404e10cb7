#include "logswitch.h"

#include <stdlib.h>
#include <string.h>

#include "source.h"

#define STATUS_MAX (1u << 20)

static bool
has_hole(const struct program_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].kind == PROGRAM_LOST &&
		    !program_lost_counted(&l->p[i]))
			return true;
	return false;
}

/* Since when they are listed: with a number of rows, none that is older than all. */
static uint64_t
since(const struct program_filter *f, const struct program_list *l)
{
	return f->newest != 0 && l->n > 0 && l->p[0].time > f->since
		   ? l->p[0].time
		   : f->since;
}

bool
logswitch_may_be(struct cli *cli, const struct program_filter *f,
    const struct program_list *l, struct logswitch *last)
{
	struct ops_buf answer = { .max = STATUS_MAX };
	struct proto_status s;
	bool may = l->switched != 0 && l->switched >= since(f, l);

	if (source_status(cli->source, &answer, &s, NULL) == 0) {
		may = has_hole(l) || s.off_since != last->off_since ||
		      (!last->looked && s.capture != CAPTURE_ON);
		last->off_since = s.off_since;
		last->looked = true;
	}
	ops_buf_free(&answer);
	return may;
}

static struct program
program_of(const struct switched *s)
{
	return (struct program){ .kind = PROGRAM_SWITCHED,
		.sealed = s->sealed,
		.login = EVENT_UNSET,
		.time = s->wall,
		.boottime = s->time,
		.switched = s };
}

/* Behind all that is not later. */
static int
insert(struct program_list *l, const struct switched *s, struct ops_err *err)
{
	struct program *more;
	size_t at = l->n;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 16 : 2 * l->cap;

		more = reallocarray(l->p, cap, sizeof(*more));
		if (more == NULL)
			return ops_fail(err, OPS_ENOMEM, "programs: no memory");
		l->p = more;
		l->cap = cap;
	}
	while (at > 0 && l->p[at - 1].time > s->wall)
		at--;
	memmove(l->p + at + 1, l->p + at, (l->n - at) * sizeof(*l->p));
	l->p[at] = program_of(s);
	l->n++;
	return 0;
}

int
logswitch_put(const struct switches *all, const struct program_filter *f,
    struct program_list *l, struct ops_err *err)
{
	const uint64_t from = since(f, l);

	for (size_t i = 0; i < all->n; i++) {
		uint64_t wall = all->s[i].wall;

		if (wall >= from && (f->until == 0 || wall <= f->until) &&
		    insert(l, &all->s[i], err) < 0)
			return -1;
	}
	return 0;
}
