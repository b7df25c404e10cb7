#include "follow.h"

#include <stdlib.h>

#include "base/bytes.h"

/* An entry of a list: what happened, to whom, when. */
struct seen {
	uint64_t boottime, start;
	uint32_t pid;
	uint8_t kind;
};

struct follow {
	struct seen *seen; /* sorted */
	size_t n;
};

struct follow *
follow_new(void)
{
	return calloc(1, sizeof(struct follow));
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	free(f->seen);
	free(f);
}

static int
by_all(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->boottime != y->boottime)
		return x->boottime < y->boottime ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static struct seen
seen_of(const struct program *p)
{
	bool failed = p->kind == PROGRAM_FAILED;

	return (struct seen){ p->boottime,
		failed ? p->failed.start : p->exec.start,
		failed ? p->failed.pid : p->exec.pid, p->kind };
}

int
follow_sift(struct follow *f, struct program_list *l, struct ops_err *err)
{
	struct seen *now = calloc(l->n + 1, sizeof(*now));
	size_t kept = 0, n = l->n;

	if (now == NULL)
		return ops_fail(err, OPS_ENOMEM, "programs: no memory");
	for (size_t i = 0; i < n; i++) {
		now[i] = seen_of(&l->p[i]);
		if (f->n == 0 || bsearch(&now[i], f->seen, f->n,
				     sizeof(*f->seen), by_all) == NULL)
			l->p[kept++] = l->p[i];
	}
	l->n = kept;
	qsort(now, n, sizeof(*now), by_all);
	free(f->seen);
	f->seen = now;
	f->n = n;
	return 0;
}
