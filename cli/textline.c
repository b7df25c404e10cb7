#include "textline.h"

#include <string.h>

bool
textline_next(const char *p, size_t n, size_t *at, struct textline *ret)
{
	const char *end;

	if (*at >= n)
		return false;
	end = memchr(p + *at, '\n', n - *at);
	ret->p = p + *at;
	ret->start = *at;
	ret->ended = end != NULL;
	ret->n = (end != NULL ? (size_t)(end - p) : n) - *at;
	ret->end = *at + ret->n + ret->ended;
	*at = ret->end;
	return true;
}

bool
textline_is(const struct textline *l, const char *text)
{
	return strlen(text) == l->n && memcmp(l->p, text, l->n) == 0;
}

char
textline_first(const struct textline *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i] != ' ' && l->p[i] != '\t')
			return l->p[i];
	return 0;
}

bool
textline_find(const char *p, size_t n, const char *text, struct textline *ret)
{
	struct textline l;
	size_t at = 0;

	while (textline_next(p, n, &at, &l)) {
		if (!textline_is(&l, text))
			continue;
		if (ret != NULL)
			*ret = l;
		return true;
	}
	return false;
}

bool
textline_append(struct ops_buf *b, const char *text)
{
	bool open = b->len > 0 && b->data[b->len - 1] != '\n';

	if (open)
		ops_buf_put8(b, '\n');
	ops_buf_puts(b, text);
	ops_buf_put8(b, '\n');
	return open;
}

bool
textline_drop(const char *p, size_t n, const char *text, bool was_open,
    struct ops_buf *out)
{
	struct textline l;
	size_t keep;

	if (!textline_find(p, n, text, &l)) {
		ops_buf_put(out, p, n);
		return false;
	}
	keep = l.start;
	if (was_open && l.end == n && keep > 0)
		keep--;
	ops_buf_put(out, p, keep);
	ops_buf_put(out, p + l.end, n - l.end);
	return true;
}
