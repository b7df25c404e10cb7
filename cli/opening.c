#include "opening.h"

#include <stdlib.h>
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define NEAR (60 * SECOND) /* a door executes, and has its session, within it */
/* From a process's begin until it executes the door: sshd may run its rc file before.
 * One that took longer was something else. */
#define AT_ONCE (10 * SECOND)

void
opening_span(const struct visits *all, uint64_t *since, uint64_t *until)
{
	*since = *until = 0;
	for (size_t i = 0; i < all->n; i++) {
		uint64_t at = all->v[i].opened_at;

		if (at == 0)
			continue;
		if (*since == 0 || at < *since)
			*since = at;
		if (at > *until)
			*until = at;
	}
	if (*until == 0)
		return;
	*since = *since > NEAR ? *since - NEAR : 1;
	*until += NEAR;
}

/* -- which program a process of that start executed -- */

struct executed {
	uint64_t start; /* of its process, clock ticks */
	const struct program *p;
};

static int
by_start(const void *a, const void *b)
{
	const struct executed *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* A boot that came later has the same numbers. */
static bool
is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= NEAR;
}

static bool
is_by(const struct executed *x, const struct visit *v)
{
	const struct program_exec *e = &x->p->exec;

	return (e->pid == v->door.pid || e->nspid == v->door.pid) &&
	       x->start == v->door.start && is_near(x->p->time, v->opened_at);
}

/* Place of the first that is not older. */
static size_t
first_of(const struct executed *x, size_t n, uint64_t start)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (x[at].start < start)
			from = at + 1;
		else
			to = at;
	}
	return from;
}

/* -- what that says -- */

static bool
text_is(struct event_text t, const char *s)
{
	return t.p != NULL && t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

/* Root's file of that name, not somebody's own. */
static bool
is_file(const struct program *p, const char *name)
{
	return p->exec.exe_uid == 0 &&
	       text_is(program_last_part(p->exec.exe), name);
}

/* By sshd's ForceCommand: that is what the descent tells of. */
static bool
is_forced(const struct program_exec *e)
{
	static const char word[] = "\0--forced";

	return e->args.p != NULL &&
	       memmem(e->args.p, e->args.n, word, sizeof(word)) != NULL;
}

static enum visit_opened
judge(const struct visit *v, const struct program *p)
{
	enum visit_opened opened = (enum visit_opened)v->opened;

	if (is_file(p, OPENING_SHELL))
		return opened != OPENED_HAND &&
			       p->boottime <= p->exec.start + AT_ONCE
			   ? OPENED_DOOR
			   : OPENED_HAND;
	if (is_file(p, OPENING_DOOR) && !is_forced(&p->exec))
		return OPENED_HAND;
	return opened;
}

int
opening_judge(struct visits *all, const struct program_list *programs,
    struct ops_err *err)
{
	struct executed *x = calloc(programs->n + 1, sizeof(*x));
	size_t n = 0;

	if (x == NULL)
		return ops_fail(err, OPS_ENOMEM, "logins: no memory");
	for (size_t i = 0; i < programs->n; i++) {
		const struct program *p = &programs->p[i];

		if (p->kind == PROGRAM_RAN && !program_seeded(p))
			x[n++] =
			    (struct executed){ p->exec.start / EVENT_TICK_NS,
				    p };
	}
	if (n > 1)
		qsort(x, n, sizeof(*x), by_start);
	for (size_t i = 0; i < all->n; i++) {
		struct visit *v = &all->v[i];

		if (v->opened == OPENED_NOT)
			continue;
		for (size_t k = first_of(x, n, v->door.start);
		     k < n && x[k].start == v->door.start; k++)
			if (is_by(&x[k], v))
				v->opened = judge(v, x[k].p);
	}
	free(x);
	return 0;
}
