#include "subids.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* NAME:FIRST:COUNT */
static bool
read_line(const char *p, size_t n, struct subids_range *ret)
{
	const char *end = p + n, *a, *b;
	uint32_t first, count;

	a = memchr(p, ':', n);
	if (a == NULL || a == p || *p == '#')
		return false;
	a++;
	b = memchr(a, ':', (size_t)(end - a));
	if (b == NULL || !ops_uid_parse(a, (size_t)(b - a), &first) ||
	    !ops_uid_parse(b + 1, (size_t)(end - b - 1), &count) ||
	    first == 0 || count == 0 || count > UINT32_MAX - first)
		return false;
	*ret = (struct subids_range){ first, first + count - 1 };
	return true;
}

static int
by_first(const void *a, const void *b)
{
	const struct subids_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void
join(struct subids *s)
{
	size_t n = 0;

	if (s->n > 1)
		qsort(s->range, s->n, sizeof(s->range[0]), by_first);
	for (size_t i = 0; i < s->n; i++) {
		const struct subids_range r = s->range[i];

		if (n == 0 || r.first > s->range[n - 1].last)
			s->range[n++] = r;
		else if (r.last > s->range[n - 1].last)
			s->range[n - 1].last = r.last;
	}
	s->n = n;
}

static int
add(struct subids *s, size_t *cap, struct subids_range r, struct ops_err *err)
{
	size_t room = *cap == 0 ? 16 : 2 * *cap;
	struct subids_range *more;

	if (s->n == SUBIDS_MAX)
		return ops_fail(
		    err, OPS_EFORMAT, "more than %d ranges", SUBIDS_MAX);
	if (s->n == *cap) {
		more = reallocarray(s->range, room, sizeof(*more));
		if (more == NULL)
			return ops_fail(err, OPS_ENOMEM, "no memory");
		s->range = more;
		*cap = room;
	}
	s->range[s->n++] = r;
	return 0;
}

int
subids_parse(const char *p, size_t n, struct subids *ret, struct ops_err *err)
{
	struct subids s = { .n = 0 };
	struct subids_range r;
	size_t cap = 0, len;

	for (size_t at = 0; at < n; at += len + 1) {
		const char *end = memchr(p + at, '\n', n - at);

		len = end != NULL ? (size_t)(end - (p + at)) : n - at;
		if (read_line(p + at, len, &r) && add(&s, &cap, r, err) < 0) {
			subids_free(&s);
			return -1;
		}
	}
	join(&s);
	*ret = s;
	return 0;
}

uint32_t
subids_first(const struct subids *s, uint32_t uid)
{
	size_t from = 0, to = s->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (s->range[mid].last < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return from < s->n && s->range[from].first <= uid ? s->range[from].first
							  : uid;
}

void
subids_free(struct subids *s)
{
	free(s->range);
	*s = (struct subids){ .n = 0 };
}
