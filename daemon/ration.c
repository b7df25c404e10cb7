#include "ration.h"

#include <stdlib.h>
#include <string.h>

bool
ration_bucket(struct bucket *b, const struct bucket_rule *rule, uint64_t now)
{
	bucket_leak(b, rule, now);
	if (bucket_full(b, rule))
		return false;
	bucket_add(b, rule, now, 1);
	return true;
}

/* Where that user is, or would be. */
static size_t
place(const struct rations *r, uint32_t uid)
{
	size_t from = 0, to = r->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (r->user[mid].uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool
is_at(const struct rations *r, size_t at, uint32_t uid)
{
	return at < r->n && r->user[at].uid == uid;
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
	size_t at = place(r, uid);

	if (is_at(r, at, uid))
		return &r->user[at].bucket;
	if (!make_room(r, now))
		return &r->rest;
	at = place(r, uid);
	memmove(
	    r->user + at + 1, r->user + at, (r->n - at) * sizeof(r->user[0]));
	r->n++;
	r->user[at] = (struct ration){ .uid = uid };
	return &r->user[at].bucket;
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
