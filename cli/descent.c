#include "descent.h"

#include <stdlib.h>

#define TICK_NS 10000000u                /* of a seeded start; USER_HZ is 100 */
#define BOOT_SLACK UINT64_C(30000000000) /* of the wall clock in one boot */

struct branch {
	size_t parent, child, next; /* indices + 1; 0: none */
	size_t last;                /* child */
	bool forked, hidden;
	bool ended; /* seeded, and its end is one of the list */
	uint32_t cut;
};

/* What a process was from then on. */
struct key {
	size_t boot;
	uint32_t pid;
	uint64_t start;
	uint64_t time;
	size_t at;
};

struct descent {
	const struct program_list *l;
	struct branch *b;
	struct key *k;
	size_t keys;
	size_t *boot; /* of each of the list */
	size_t root, at;
	unsigned depth;
};

static int
by_process(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->boot != y->boot)
		return x->boot < y->boot ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->time < y->time ? -1 : x->time > y->time;
}

/* Boots follow one another, and each begins at 0. */
static void
tell_boots(struct descent *d)
{
	uint64_t last = 0, offset = 0;
	size_t boot = 0;

	for (size_t i = 0; i < d->l->n; i++) {
		const struct program *p = &d->l->p[i];
		uint64_t now = p->time - p->boottime;
		uint64_t far = now > offset ? now - offset : offset - now;

		if (!program_imported(p)) {
			boot += i > 0 && far > BOOT_SLACK && p->boottime < last;
			last = p->boottime;
			offset = now;
		}
		d->boot[i] = boot;
	}
}

static const struct key *
last_before(const struct descent *d, const struct key *want)
{
	size_t from = 0, to = d->keys;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (by_process(&d->k[mid], want) <= 0)
			from = mid + 1;
		else
			to = mid;
	}
	if (from == 0 || d->k[from - 1].boot != want->boot ||
	    d->k[from - 1].pid != want->pid ||
	    d->k[from - 1].start != want->start)
		return NULL;
	return &d->k[from - 1];
}

/* What this process was at that time; NULL: it isn't here. */
static const struct key *
find(const struct descent *d, size_t boot, uint32_t pid, uint64_t start,
    uint64_t time)
{
	struct key want = { boot, pid, start, time, 0 };
	const struct key *k = last_before(d, &want);

	if (k != NULL || pid == 0)
		return k;
	want.start -= start % TICK_NS;
	k = last_before(d, &want);
	return k != NULL && program_seeded(&d->l->p[k->at]) ? k : NULL;
}

/* Of one that ran before capture did the end is told by itself: its row has it. */
static bool
is_end_of_seeded(struct descent *d, size_t i)
{
	const struct program_exec *e = &d->l->p[i].exec;
	const struct key *k =
	    d->l->p[i].kind == PROGRAM_ENDED
		? find(d, d->boot[i], e->pid, e->start - e->start % TICK_NS,
		      UINT64_MAX)
		: NULL;

	if (k == NULL || !program_seeded(&d->l->p[k->at]) ||
	    !d->l->p[k->at].has_end)
		return false;
	d->b[k->at].ended = true;
	return true;
}

static void
add_key(struct descent *d, size_t i, uint64_t time)
{
	const struct program_exec *e = &d->l->p[i].exec;

	d->k[d->keys++] = (struct key){ d->boot[i], e->pid, e->start, time, i };
}

/* First what was executed; then of those whose end alone is known what none of that
 * tells of. */
static void
make_keys(struct descent *d)
{
	size_t n = d->l->n;

	for (size_t i = 0; i < n; i++) {
		const struct program *p = &d->l->p[i];

		if (p->kind == PROGRAM_RAN)
			add_key(d, i,
			    program_seeded(p) ? p->exec.start : p->boottime);
	}
	qsort(d->k, d->keys, sizeof(*d->k), by_process);
	for (size_t i = 0; i < n; i++)
		d->b[i].hidden = is_end_of_seeded(d, i);
	for (size_t i = 0; i < n; i++)
		if (d->l->p[i].kind == PROGRAM_ENDED && !d->b[i].hidden)
			add_key(d, i, d->l->p[i].exec.start);
	qsort(d->k, d->keys, sizeof(*d->k), by_process);
}

static void
hang(struct descent *d, size_t parent, size_t child)
{
	struct branch *b = d->b;

	b[child].parent = parent + 1;
	if (b[parent].last != 0)
		b[b[parent].last - 1].next = child + 1;
	else
		b[parent].child = child + 1;
	b[parent].last = child + 1;
}

/* A process, by whom it was started and by whose fork. */
struct origin {
	uint64_t start;
	uint32_t ppid;
	uint64_t pstart;
	bool has_ancestor;
	uint32_t ancestor;
	uint64_t ancestor_back;
};

static struct origin
origin_of(const struct program *p)
{
	const struct program_exec *e = &p->exec;
	const struct program_failed *f = &p->failed;

	if (p->kind == PROGRAM_FAILED)
		return (struct origin){ f->start, f->ppid, f->pstart,
			f->has_ancestor, f->ancestor, f->ancestor_back };
	return (struct origin){ e->start, e->ppid, e->pstart, e->has_ancestor,
		e->ancestor, e->ancestor_back };
}

/* Whoever started it is older: so nothing hangs below itself. */
static bool
hang_below(struct descent *d, const struct key *k, size_t i, uint64_t start,
    bool forked)
{
	if (k == NULL || k->start >= start)
		return false;
	hang(d, k->at, i);
	d->b[i].forked = forked;
	return true;
}

static void
place(struct descent *d, size_t i)
{
	const struct program *p = &d->l->p[i];
	struct origin o = origin_of(p);
	size_t boot = d->boot[i];
	const struct key *k;

	if (p->kind == PROGRAM_FAILED &&
	    (k = find(d, boot, p->failed.pid, o.start, p->boottime)) != NULL) {
		hang(d, k->at, i);
		return;
	}
	if (o.ppid == 0)
		return;
	if (hang_below(d, find(d, boot, o.ppid, o.pstart, o.start), i, o.start,
		false) ||
	    (o.has_ancestor && hang_below(d,
				   find(d, boot, o.ancestor,
				       o.pstart - o.ancestor_back, o.pstart),
				   i, o.start, true)))
		return;
	d->b[i].cut = o.ppid;
}

static void
grow(struct descent *d)
{
	for (size_t i = 0; i < d->l->n; i++) {
		const struct program *p = &d->l->p[i];

		if (!d->b[i].hidden && !program_seeded(p) &&
		    (p->kind == PROGRAM_RAN || p->kind == PROGRAM_ENDED ||
			p->kind == PROGRAM_FAILED))
			place(d, i);
	}
	for (size_t i = 0; i < d->l->n; i++)
		if (program_seeded(&d->l->p[i]) && d->b[i].child == 0 &&
		    !d->b[i].ended)
			d->b[i].hidden = true;
}

int
descent_new(
    const struct program_list *l, struct descent **ret, struct ops_err *err)
{
	struct descent *d = calloc(1, sizeof(*d));

	if (d != NULL) {
		d->l = l;
		d->b = calloc(l->n + 1, sizeof(*d->b));
		d->k = calloc(l->n + 1, sizeof(*d->k));
		d->boot = calloc(l->n + 1, sizeof(*d->boot));
	}
	if (d == NULL || d->b == NULL || d->k == NULL || d->boot == NULL) {
		descent_free(d);
		return ops_fail(err, OPS_ENOMEM, "log: no memory");
	}
	tell_boots(d);
	make_keys(d);
	grow(d);
	*ret = d;
	return 0;
}

void
descent_free(struct descent *d)
{
	if (d == NULL)
		return;
	free(d->b);
	free(d->k);
	free(d->boot);
	free(d);
}

/* From one to the next below it, beside it, or beside what it is below. */
static void
step(struct descent *d)
{
	const struct branch *b = d->b;

	if (b[d->at - 1].child != 0) {
		d->at = b[d->at - 1].child;
		d->depth++;
		return;
	}
	while (d->at != 0 && b[d->at - 1].next == 0) {
		d->at = b[d->at - 1].parent;
		d->depth -= d->at != 0;
	}
	if (d->at != 0)
		d->at = b[d->at - 1].next;
}

bool
descent_next(struct descent *d, struct descent_step *ret)
{
	if (d->at != 0)
		step(d);
	while (d->at == 0 && d->root < d->l->n) {
		const struct branch *b = &d->b[d->root++];

		d->depth = 0;
		if (b->parent == 0 && !b->hidden)
			d->at = d->root;
	}
	if (d->at == 0)
		return false;
	*ret = (struct descent_step){ d->at - 1, d->depth,
		d->b[d->at - 1].forked, d->b[d->at - 1].cut };
	return true;
}
