#include "diff.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "textline.h"

#define LOOK 200 /* lines that are looked ahead for where it goes on */

struct lines {
	struct textline *v;
	size_t n;
};

/* A run of lines: a[a0..a1) is replaced by b[b0..b1). */
struct hunk {
	size_t a0, a1, b0, b1;
};

static bool
split(const struct diff_side *s, struct lines *ret)
{
	struct textline l;
	size_t at = 0, n = 0;

	while (textline_next(s->p, s->n, &at, &l))
		n++;
	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (ret->v == NULL)
		return false;
	at = 0;
	while (textline_next(s->p, s->n, &at, &ret->v[ret->n]))
		ret->n++;
	return true;
}

/* A last line with no line end is another one than the same with. */
static bool
equal(const struct textline *a, const struct textline *b)
{
	return a->n == b->n && a->ended == b->ended &&
	       memcmp(a->p, b->p, a->n) == 0;
}

/* From a[*i] and b[*j], which differ, on to where both go on alike: the nearest such
 * place.  None within reach: all the rest is replaced. */
static void
resync(const struct lines *a, const struct lines *b, size_t *i, size_t *j)
{
	for (size_t d = 1; d <= LOOK; d++) {
		for (size_t k = 0; k <= d; k++) {
			size_t x = *i + k, y = *j + d - k;

			if (x < a->n && y < b->n && equal(&a->v[x], &b->v[y])) {
				*i = x;
				*j = y;
				return;
			}
		}
	}
	*i = a->n;
	*j = b->n;
}

static bool
next_hunk(const struct lines *a, const struct lines *b, size_t i, size_t j,
    struct hunk *ret)
{
	while (i < a->n && j < b->n && equal(&a->v[i], &b->v[j])) {
		i++;
		j++;
	}
	ret->a0 = i;
	ret->b0 = j;
	if (i == a->n && j == b->n)
		return false;
	resync(a, b, &i, &j);
	ret->a1 = i;
	ret->b1 = j;
	return true;
}

static void
put_line(struct ops_buf *out, char mark, const struct textline *l)
{
	ops_buf_put8(out, (uint8_t)mark);
	/* Tabs and backslashes are usual in such files, and harmless. */
	for (size_t i = 0; i < l->n;) {
		const uint8_t *p = (const uint8_t *)l->p + i;
		size_t k = *p == '\t' ? 1 : ops_text_safe_len(p, l->n - i);

		if (k > 0)
			ops_buf_put(out, p, k);
		else
			ops_escape(out, p, 1);
		i += k > 0 ? k : 1;
	}
	ops_buf_put8(out, '\n');
	if (!l->ended)
		ops_buf_puts(out, "\\ No newline at end of file\n");
}

static void
put_lines(struct ops_buf *out, char mark, const struct lines *l, size_t from,
    size_t to)
{
	for (size_t i = from; i < to; i++)
		put_line(out, mark, &l->v[i]);
}

/* The runs from first to last, whose contexts meet. */
static void
put_group(struct ops_buf *out, const struct lines *a, const struct lines *b,
    const struct hunk *first, const struct hunk *last)
{
	size_t before = first->a0 < DIFF_CONTEXT ? first->a0 : DIFF_CONTEXT;
	size_t left = a->n - last->a1;
	size_t after = left < DIFF_CONTEXT ? left : DIFF_CONTEXT;
	size_t na = before + last->a1 - first->a0 + after;
	size_t nb = before + last->b1 - first->b0 + after;
	struct hunk h = *first;

	ops_buf_printf(out, "@@ -%zu,%zu +%zu,%zu @@\n",
	    first->a0 - before + (na > 0), na, first->b0 - before + (nb > 0),
	    nb);
	put_lines(out, ' ', a, first->a0 - before, first->a0);
	for (;;) {
		struct hunk next;

		put_lines(out, '-', a, h.a0, h.a1);
		put_lines(out, '+', b, h.b0, h.b1);
		if (h.a1 == last->a1 && h.b1 == last->b1)
			break;
		(void)next_hunk(a, b, h.a1, h.b1, &next);
		put_lines(out, ' ', a, h.a1, next.a0);
		h = next;
	}
	put_lines(out, ' ', a, last->a1, last->a1 + after);
}

static void
put_all(struct ops_buf *out, const struct lines *a, const struct lines *b)
{
	struct hunk first, last, next;
	bool more = next_hunk(a, b, 0, 0, &first);

	while (more) {
		last = first;
		while ((more = next_hunk(a, b, last.a1, last.b1, &next)) &&
		       next.a0 - last.a1 <= 2 * DIFF_CONTEXT)
			last = next;
		put_group(out, a, b, &first, &last);
		first = next;
	}
}

void
diff_put(struct ops_buf *out, const struct diff_side *from,
    const struct diff_side *to)
{
	struct lines a = { 0 }, b = { 0 };

	if (from->n == to->n &&
	    (from->n == 0 || memcmp(from->p, to->p, from->n) == 0))
		return;
	if (split(from, &a) && split(to, &b)) {
		ops_buf_puts(out, "--- ");
		ops_escape(out, from->name, strlen(from->name));
		ops_buf_puts(out, "\n+++ ");
		ops_escape(out, to->name, strlen(to->name));
		ops_buf_puts(out, "\n");
		put_all(out, &a, &b);
	} else {
		out->failed = true;
	}
	free(a.v);
	free(b.v);
}
