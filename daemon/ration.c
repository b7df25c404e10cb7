#include "ration.h"

#include <stdlib.h>

#include "sorted.h"

bool
ration_bucket(struct bucket *b, const struct bucket_rule *rule, uint64_t now)
{
	bucket_leak(b, rule, now);
	if (bucket_full(b, rule))
		return false;
	bucket_add(b, rule, now, 1);
	return true;
}

/* An empty bucket is as good as none. */
static void
forget_idle(struct rations *r, uint64_t now)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		bucket_leak(&r->user[i].bucket, &r->rule, now);
		if (r->user[i].bucket.used > 0)
			r->user[n++] = r->user[i];
	}
	r->n = n;
}

static bool
make_room(struct rations *r, uint64_t now)
{
	size_t cap = r->cap == 0 ? 16 : 2 * r->cap;
	struct ration *more;

	if (r->n == r->cap)
		forget_idle(r, now);
	if (r->n < r->cap)
		return true;
	if (cap > RATION_USERS_MAX)
		return false;
	more = reallocarray(r->user, cap, sizeof(*more));
	if (more == NULL)
		return false;
	r->user = more;
	r->cap = cap;
	return true;
}

static struct bucket *
get(struct rations *r, uint32_t uid, uint64_t now)
{
	struct ration *new;
	size_t at;

	if (sorted_find(r->user, r->n, sizeof(*new), uid, &at))
		return &r->user[at].bucket;
	if (!make_room(r, now))
		return &r->rest;
	(void)sorted_find(r->user, r->n, sizeof(*new), uid, &at);
	new = sorted_insert(r->user, &r->n, sizeof(*new), at, uid);
	return &new->bucket;
}

bool
ration_take(struct rations *r, uint32_t uid, uint64_t now)
{
	return ration_bucket(get(r, uid, now), &r->rule, now);
}

void
rations_free(struct rations *r)
{
	free(r->user);
	r->user = NULL;
	r->n = r->cap = 0;
}
