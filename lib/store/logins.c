#include "logins.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "logins: no memory");
}

int
logins_add(struct logins *all, const uint8_t boot[static LOGINS_BOOT],
    uint64_t time, const struct login *l, struct ops_err *err)
{
	struct login_seen *to;

	if (all->n == all->cap) {
		size_t cap = all->cap == 0 ? 64 : 2 * all->cap;

		to = reallocarray(all->l, cap, sizeof(*to));
		if (to == NULL)
			return no_memory(err);
		all->l = to;
		all->cap = cap;
	}
	to = &all->l[all->n++];
	*to = (struct login_seen){ 0 };
	memcpy(to->boot, boot, LOGINS_BOOT);
	to->time = time;
	to->l = *l;
	return 0;
}

int
logins_add_out(
    struct logins *all, const struct logout_seen *o, struct ops_err *err)
{
	if (all->n_out == all->cap_out) {
		size_t cap = all->cap_out == 0 ? 64 : 2 * all->cap_out;
		struct logout_seen *to =
		    reallocarray(all->out, cap, sizeof(*to));

		if (to == NULL)
			return no_memory(err);
		all->out = to;
		all->cap_out = cap;
	}
	all->out[all->n_out++] = *o;
	return 0;
}

void
logins_free(struct logins *all)
{
	free(all->l);
	free(all->out);
	free(all->process);
	*all = (struct logins){ 0 };
}

/* -- order -- */

static int
compare(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

static int
by_ses(const void *a, const void *b)
{
	const struct login_seen *x = a, *y = b;
	int rc = memcmp(x->boot, y->boot, LOGINS_BOOT);

	if (rc == 0)
		rc = compare(x->l.ses, y->l.ses);
	if (rc == 0)
		rc = compare(x->time, y->time);
	return rc != 0 ? rc : compare(x->l.pid, y->l.pid);
}

static int
compare_process(const struct login_seen *x, const uint8_t *boot, uint32_t pid,
    uint64_t start)
{
	int rc = memcmp(x->boot, boot, LOGINS_BOOT);

	if (rc == 0)
		rc = compare(x->l.pid, pid);
	return rc != 0 ? rc : compare(x->l.start, start);
}

static int
by_process(const void *a, const void *b, void *arg)
{
	const struct login_seen *l = arg;
	const struct login_seen *x = &l[*(const size_t *)a];
	const struct login_seen *y = &l[*(const size_t *)b];
	int rc = compare_process(x, y->boot, y->l.pid, y->l.start);

	return rc != 0 ? rc : (x > y) - (x < y); /* l is in order already */
}

/* The first behind all that are of this process and not later. */
static size_t
behind(const struct logins *all, const uint8_t *boot, uint32_t pid,
    uint64_t start, uint64_t time)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct login_seen *l = &all->l[all->process[mid]];
		int rc = compare_process(l, boot, pid, start);

		if (rc < 0 || (rc == 0 && l->time <= time))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void
join_out(struct logins *all, const struct logout_seen *o)
{
	size_t at = behind(all, o->boot, o->o.pid, o->o.start, o->time);
	struct login_seen *l = at > 0 ? &all->l[all->process[at - 1]] : NULL;

	if (l == NULL || l->has_out ||
	    compare_process(l, o->boot, o->o.pid, o->o.start) != 0)
		return;
	l->has_out = true;
	l->out = o->o;
	l->out_wall = o->wall;
	l->sealed = l->sealed && o->sealed;
}

int
logins_sort(struct logins *all, struct ops_err *err)
{
	if (all->n == 0)
		return 0;
	all->process = calloc(all->n, sizeof(*all->process));
	if (all->process == NULL)
		return no_memory(err);
	qsort(all->l, all->n, sizeof(*all->l), by_ses);
	for (size_t i = 0; i < all->n; i++)
		all->process[i] = i;
	qsort_r(
	    all->process, all->n, sizeof(*all->process), by_process, all->l);
	for (size_t i = 0; i < all->n_out; i++)
		join_out(all, &all->out[i]);
	return 0;
}

/* -- looking -- */

bool
login_has_person(const struct login *l)
{
	return l != NULL && l->how != LOGIN_NOBODY;
}

bool
login_is_person(const struct login *l, const char *name)
{
	if (strcmp(name, "-") == 0)
		return !login_has_person(l);
	return login_has_person(l) && l->person.n == strlen(name) &&
	       memcmp(l->person.p, name, l->person.n) == 0;
}

/* Did somebody show who he is?  A su or a sudo that PAM tells of has a LOGIN too,
 * but says nothing of who is behind it. */
static bool
tells(const struct login *l)
{
	return login_has_person(l) || l->method.p != NULL;
}

/* The first of this boot and audit session; a prefix of the boot is enough. */
static const struct login_seen *
first_of_ses(
    const struct logins *all, const uint8_t *boot, size_t n, uint32_t ses)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int rc = memcmp(all->l[mid].boot, boot, n);

		if (rc == 0)
			rc = compare(all->l[mid].l.ses, ses);
		if (rc < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == all->n || memcmp(all->l[low].boot, boot, n) != 0 ||
	    all->l[low].l.ses != ses)
		return NULL;
	return &all->l[low];
}

/* Of those that follow it with the same audit session, the first that tells a
 * person; else itself. */
static const struct login *
best_of_ses(const struct logins *all, const struct login_seen *first)
{
	const struct login_seen *end = all->l + all->n;

	for (const struct login_seen *l = first;
	     l < end && l->l.ses == first->l.ses &&
	     memcmp(l->boot, first->boot, LOGINS_BOOT) == 0;
	     l++)
		if (login_has_person(&l->l))
			return &l->l;
	return &first->l;
}

const struct login *
logins_of_ses(
    const struct logins *all, const uint8_t boot[static 4], uint32_t ses)
{
	const struct login_seen *first =
	    ses == EVENT_UNSET ? NULL : first_of_ses(all, boot, 4, ses);

	return first == NULL ? NULL : best_of_ses(all, first);
}

/* The last one until then by this process, of that audit session. */
static const struct login *
of_process(const struct logins *all, const struct login_way *w,
    const struct event_process *p)
{
	size_t low = 0, high = all->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_process(&all->l[all->process[mid]], w->boot, p->pid,
			p->start) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	while (low > 0) {
		const struct login_seen *l = &all->l[all->process[--low]];

		if (compare_process(l, w->boot, p->pid, p->start) != 0)
			return NULL;
		if (l->l.ses == w->ses && l->time <= w->when)
			return &l->l;
	}
	return NULL;
}

/* By descent; *any: the nearest at all. */
static const struct login *
nearest(const struct logins *all, const struct login_way *w,
    const struct login **any)
{
	struct event_process p = w->self;
	size_t i = 0;

	*any = NULL;
	do {
		const struct login *l = of_process(all, w, &p);

		if (l != NULL && *any == NULL)
			*any = l;
		if (l != NULL && tells(l))
			return l;
	} while (event_process_get(w->ancestors, i++, &p));
	return NULL;
}

const struct login *
logins_of(const struct logins *all, const struct login_way *w)
{
	const struct login_seen *first;
	const struct login *any, *l;

	if (all->n == 0)
		return NULL;
	l = nearest(all, w, &any);
	if (l != NULL || w->ses == EVENT_UNSET)
		return l != NULL ? l : any;
	first = first_of_ses(all, w->boot, LOGINS_BOOT, w->ses);
	return first == NULL ? NULL : best_of_ses(all, first);
}

struct login_seen *
logins_seen(struct logins *all, const struct login *l)
{
	size_t off = (size_t)((const char *)l - (const char *)&all->l[0].l);

	return &all->l[off / sizeof(*all->l)];
}

/* -- who may read -- */

static bool
same(struct event_text a, struct event_text b)
{
	return a.p != NULL && b.p != NULL && a.n == b.n &&
	       memcmp(a.p, b.p, a.n) == 0;
}

bool
login_may_read(const struct login *reader, const struct login *l)
{
	if (!login_has_person(l))
		return true;
	if (!login_has_person(reader))
		return false;
	if (reader->how == LOGIN_MAP && l->how == LOGIN_MAP)
		return same(reader->person, l->person);
	return same(reader->key, l->key);
}

/* -- which -- */

static bool
fits(const struct login_seen *l, const struct login_filter *f,
    const struct login *me)
{
	return (!f->has_uid || l->l.uid == f->uid || l->l.auid == f->uid) &&
	       (f->user == NULL ||
		   (l->l.user.n == strlen(f->user) &&
		       (l->l.user.n == 0 ||
			   memcmp(l->l.user.p, f->user, l->l.user.n) == 0))) &&
	       (f->person == NULL || login_is_person(&l->l, f->person)) &&
	       (f->since == 0 || !l->has_out || l->out_wall >= f->since) &&
	       (f->until == 0 || l->wall <= f->until) &&
	       (f->reader == NULL || login_may_read(me, &l->l));
}

static int
by_wall(const void *a, const void *b)
{
	const struct login_seen *x = a, *y = b;
	int rc = compare(x->wall, y->wall);

	return rc != 0 ? rc : compare(x->l.pid, y->l.pid);
}

void
logins_keep(struct logins *all, const struct login_filter *f)
{
	const struct login *found =
	    f->reader != NULL ? logins_of(all, f->reader) : NULL;
	const struct login me = found != NULL ? *found : (struct login){ 0 };
	size_t kept = 0;

	for (size_t i = 0; i < all->n; i++)
		if (fits(&all->l[i], f, found != NULL ? &me : NULL))
			all->l[kept++] = all->l[i];
	all->n = kept;
	free(all->process);
	all->process = NULL;
	if (kept > 0)
		qsort(all->l, kept, sizeof(*all->l), by_wall);
}
