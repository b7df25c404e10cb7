#include "quota.h"

#include <stdlib.h>

#include "sorted.h"

static const uint32_t seconds[QUOTA_KINDS] = {
	[QUOTA_RATE] = 60,
	[QUOTA_DAY] = 86400,
};

static struct bucket_rule
rule_of(const struct quota *l, unsigned kind)
{
	return (struct bucket_rule){ l->size[kind], seconds[kind] };
}

void
quota_set(struct quota *l, uint64_t rate, uint64_t day)
{
	l->size[QUOTA_RATE] = rate < UINT64_MAX / seconds[QUOTA_RATE]
				  ? rate * seconds[QUOTA_RATE]
				  : UINT64_MAX;
	l->size[QUOTA_DAY] = day;
}

/* Nothing would change if it were not there. */
static bool
forgettable(const struct quota_user *u, uint64_t now)
{
	for (unsigned i = 0; i < QUOTA_KINDS; i++)
		if (u->bucket[i].used > 0)
			return false;
	return !u->over && (u->told == 0 || now - u->told >= QUOTA_TOLD);
}

static void
leak(const struct quota *l, struct quota_user *u, uint64_t now)
{
	for (unsigned i = 0; i < QUOTA_KINDS; i++) {
		struct bucket_rule rule = rule_of(l, i);

		bucket_leak(&u->bucket[i], &rule, now);
	}
}

static void
forget_some(struct quota *l, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		leak(l, &l->user[i], now);
		if (!forgettable(&l->user[i], now))
			l->user[n++] = l->user[i];
	}
	l->n = n;
}

/* What is lost with it is what he had a while ago, and less than a limit. */
static bool
forget_oldest(struct quota *l)
{
	struct quota_user *oldest = NULL;

	for (size_t i = 0; i < l->n; i++) {
		struct quota_user *u = &l->user[i];

		if (!u->over && (oldest == NULL || u->last < oldest->last))
			oldest = u;
	}
	if (oldest == NULL)
		return false;
	sorted_remove(
	    l->user, &l->n, sizeof(*oldest), (size_t)(oldest - l->user));
	return true;
}

static bool
grow(struct quota *l)
{
	size_t cap = l->cap == 0 ? 16 : 2 * l->cap;
	struct quota_user *p;

	if (cap > QUOTA_USERS_MAX)
		return false;
	p = reallocarray(l->user, cap, sizeof(*p));
	if (p == NULL)
		return false;
	l->user = p;
	l->cap = cap;
	return true;
}

/* Room for one more. */
static bool
make_room(struct quota *l, uint64_t now)
{
	if (l->n == l->cap)
		forget_some(l, now);
	return l->n < l->cap || grow(l) || forget_oldest(l);
}

static struct quota_user *
get(struct quota *l, uint32_t uid, uint64_t now)
{
	const size_t size = sizeof(l->user[0]);
	size_t at;

	if (sorted_find(l->user, l->n, size, uid, &at))
		return &l->user[at];
	if (!make_room(l, now)) {
		l->rest.uid = QUOTA_REST;
		return l->n == QUOTA_USERS_MAX ? &l->rest : NULL;
	}
	(void)sorted_find(l->user, l->n, size, uid, &at);
	return sorted_insert(l->user, &l->n, size, at, uid);
}

struct quota_user *
quota_count(struct quota *l, uint32_t uid, uint64_t now, uint64_t n)
{
	struct quota_user *u;
	bool was;

	if (l->size[QUOTA_RATE] == 0 && l->size[QUOTA_DAY] == 0)
		return NULL;
	u = get(l, uid, now);
	if (u == NULL)
		return NULL;
	was = u->over;
	u->last = now;
	for (unsigned i = 0; i < QUOTA_KINDS; i++) {
		struct bucket_rule rule = rule_of(l, i);

		bucket_add(&u->bucket[i], &rule, now, n);
		/* Of both, the one that lasts longer. */
		if (bucket_full(&u->bucket[i], &rule)) {
			u->over = true;
			u->which = i;
		}
	}
	if (!u->over || was)
		return NULL;
	u->since = now;
	l->n_over++;
	return u;
}

static const struct quota_user *
find(const struct quota *l, uint32_t uid)
{
	size_t at;

	return sorted_find(l->user, l->n, sizeof(l->user[0]), uid, &at)
		   ? &l->user[at]
		   : &l->rest;
}

bool
quota_over(const struct quota *l, uint32_t uid)
{
	return l->n_over > 0 && find(l, uid)->over;
}

bool
quota_is(const struct quota *l, const struct quota_user *u, uint32_t uid)
{
	return find(l, uid) == u;
}

static bool
all_eased(const struct quota *l, const struct quota_user *u)
{
	for (unsigned i = 0; i < QUOTA_KINDS; i++) {
		struct bucket_rule rule = rule_of(l, i);

		if (!bucket_eased(&u->bucket[i], &rule))
			return false;
	}
	return true;
}

/* True: he was over, and no longer is. */
static bool
ease(struct quota *l, struct quota_user *u, uint64_t now)
{
	leak(l, u, now);
	if (!u->over || !all_eased(l, u))
		return false;
	u->over = false;
	l->n_over--;
	return true;
}

void
quota_pass(struct quota *l, uint64_t now,
    void (*eased)(void *arg, struct quota_user *u), void *arg)
{
	for (size_t i = 0; i < l->n; i++)
		if (ease(l, &l->user[i], now))
			eased(arg, &l->user[i]);
	if (ease(l, &l->rest, now))
		eased(arg, &l->rest);
	forget_some(l, now);
}

void
quota_free(struct quota *l)
{
	free(l->user);
	*l = (struct quota){ .n = 0 };
}
