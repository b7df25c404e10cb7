#include "line.h"

#include <assert.h>
#include <string.h>

#include "base/width.h"

/* -- writing the line out -- */

static size_t
used_cells(const struct line *l)
{
	size_t n = l->n;

	while (n > 0 && l->cell[n - 1].len == 0 && !l->cell[n - 1].covered)
		n--;
	return n;
}

/* Without the spaces at its end, which nobody could see. */
static size_t
visible_cells(const struct line *l)
{
	size_t n = used_cells(l);

	while (n > 0 && !l->cell[n - 1].covered &&
	       (l->cell[n - 1].len == 0 ||
		   (l->cell[n - 1].len == 1 && l->cell[n - 1].text[0] == ' ')))
		n--;
	return n;
}

static void
line_put(const struct line *l, size_t n, struct ops_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		const struct cell *c = &l->cell[i];

		if (c->len > 0)
			ops_buf_put(out, c->text, c->len);
		else if (!c->covered)
			ops_buf_put8(out, ' ');
	}
}

void
line_clear(struct line *l, size_t from, size_t to)
{
	if (to > l->n)
		to = l->n;
	for (size_t i = from; i < to; i++) {
		l->cell[i].len = 0;
		l->cell[i].covered = false;
	}
}

static void
line_forget(struct line *l)
{
	line_clear(l, 0, l->n);
	l->n = 0;
	l->base = 0;
}

static void
line_flush(struct line *l, struct ops_buf *out)
{
	line_put(l, visible_cells(l), out);
	ops_buf_put8(out, '\n');
	line_forget(l);
}

void
line_leave(struct line *l, struct ops_buf *out)
{
	if (visible_cells(l) > 0)
		line_flush(l, out);
	else
		line_forget(l);
}

/* -- characters -- */

/* Overwriting half of a wide character leaves a blank for the other half. */
void
line_unpair(struct line *l, size_t at)
{
	if (at > 0 && at < l->n && l->cell[at].covered) {
		l->cell[at - 1].len = 0;
		l->cell[at].covered = false;
	}
}

static void
combine(struct line *l, const uint8_t *p, size_t n)
{
	size_t at = l->base + l->col;
	struct cell *c;

	if (at == 0)
		return;
	c = &l->cell[at - 1];
	if (c->covered && at >= 2)
		c--;
	if (c->len > 0 && c->len + n <= sizeof(c->text)) {
		memcpy(c->text + c->len, p, n);
		c->len = (uint8_t)(c->len + n);
	}
}

static void
next_row(struct line *l, struct ops_buf *out)
{
	l->base += l->cols;
	l->col = 0;
	if (l->base + l->cols <= LINES_CELLS_MAX)
		return;
	line_put(l, used_cells(l), out); /* in pieces: no newline */
	line_forget(l);
}

void
line_char(
    struct line *l, const uint8_t *p, size_t n, unsigned w, struct ops_buf *out)
{
	size_t at;

	if (w == 0) {
		combine(l, p, n);
		return;
	}
	if (l->col + w > l->cols) {
		/* Nothing shows where a wide character didn't fit. */
		if (l->col < l->cols) {
			at = l->base + l->col;
			while (l->n <= at)
				l->cell[l->n++] = (struct cell){ 0 };
			l->cell[at].len = 0;
			l->cell[at].covered = true;
		}
		next_row(l, out);
	}
	at = l->base + l->col;
	while (l->n < at + w)
		l->cell[l->n++] = (struct cell){ 0 };
	line_unpair(l, at);
	line_unpair(l, at + w);
	l->cell[at].covered = false;
	l->cell[at].len = (uint8_t)n;
	memcpy(l->cell[at].text, p, n);
	if (w == 2) {
		l->cell[at + 1].len = 0;
		l->cell[at + 1].covered = true;
	}
	l->col += w;
}

void
line_escaped(struct line *l, uint8_t c, struct ops_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t text[4] = { '\\', 'x', (uint8_t)digits[c >> 4],
		(uint8_t)digits[c & 15] };

	for (size_t i = 0; i < sizeof(text); i++)
		line_char(l, text + i, 1, 1, out);
}

/* -- movement -- */

/* Does the line go on that many rows below, with room for a whole row? */
static bool
has_row(const struct line *l, size_t below)
{
	size_t base = l->base + below * l->cols;

	return base < used_cells(l) && base + l->cols <= LINES_CELLS_MAX;
}

void
line_feed(struct line *l, struct ops_buf *out)
{
	/* Inside a wrapped line it goes to the next row of it. */
	if (has_row(l, 1))
		l->base += l->cols;
	else
		line_flush(l, out);
}

void
line_up(struct line *l, size_t rows, struct ops_buf *out)
{
	if (l->base >= rows * l->cols)
		l->base -= rows * l->cols;
	else
		line_leave(l, out);
}

void
line_down(struct line *l, size_t rows, struct ops_buf *out)
{
	if (has_row(l, rows))
		l->base += rows * l->cols;
	else
		line_leave(l, out);
}

void
line_erase(struct line *l, unsigned how, size_t row_end)
{
	size_t at = l->base + l->col;

	if (how == 0) {
		line_unpair(l, at);
		line_clear(l, at, row_end);
	} else if (how == 1) {
		line_unpair(l, at + 1);
		line_clear(l, l->base, at + 1);
	} else if (how == 2) {
		line_clear(l, l->base, row_end);
	}
}

void
line_shift(struct line *l, size_t k, bool insert)
{
	size_t at = l->base + l->col, end = l->base + l->cols, left;

	if (end > l->n)
		end = l->n;
	if (at >= end)
		return;
	line_unpair(l, at);
	if (insert) {
		end = l->base + l->cols;
		while (l->n < end)
			l->cell[l->n++] = (struct cell){ 0 };
	}
	left = end - at;
	if (k > left)
		k = left;
	if (insert) {
		memmove(l->cell + at + k, l->cell + at,
		    (left - k) * sizeof(*l->cell));
		line_clear(l, at, at + k);
	} else {
		line_unpair(l, at + k);
		memmove(l->cell + at, l->cell + at + k,
		    (left - k) * sizeof(*l->cell));
		line_clear(l, end - k, end);
	}
}

void
line_column(struct line *l, size_t col)
{
	l->col = col < l->cols ? col : l->cols - 1;
}
