#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/width.h"

#define TEXT_MAX (1u << 30)
#define GAP 2
#define PAD_MAX 60 /* columns, of a table that is whole */

struct cell {
	size_t at, len; /* in text */
	unsigned width;
	const char *sgr;
};

struct table {
	const struct table_column *column;
	size_t columns;
	struct ops_buf text;
	struct cell *cell; /* columns of them a row */
	size_t cells, cap;
	const unsigned *least; /* of each column; NULL: rows come at once */
	bool begun;            /* it was put before */
	bool failed;
	bool whole; /* nothing is shortened */
	unsigned width[TABLE_COLUMNS_MAX];
	bool shown[TABLE_COLUMNS_MAX];
};

int
table_new(const struct table_column *columns, size_t n, struct table **ret,
    struct ops_err *err)
{
	struct table *t = calloc(1, sizeof(*t));

	assert(n <= TABLE_COLUMNS_MAX);
	if (t == NULL)
		return ops_fail(err, OPS_ENOMEM, "table: no memory");
	t->column = columns;
	t->columns = n;
	t->text.max = TEXT_MAX;
	table_row(t);
	for (size_t i = 0; i < n; i++)
		table_cell_str(t, columns[i].title);
	*ret = t;
	return 0;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	ops_buf_free(&t->text);
	free(t->cell);
	free(t);
}

void
table_row(struct table *t)
{
	assert(t->cells % t->columns == 0);
}

/* Columns of the character at p; its bytes in *len. */
static unsigned
char_width(const uint8_t *p, size_t n, size_t *len)
{
	int bytes = ops_utf8_len(p, n);

	*len = bytes > 0 ? (size_t)bytes : 1;
	if (bytes <= 1)
		return 1;
	return width_of(ops_utf8_value(p, *len));
}

/* How many bytes of p fit into max columns; *width is what they take. */
static size_t
fit(const uint8_t *p, size_t n, unsigned max, unsigned *width)
{
	size_t at = 0, len;

	*width = 0;
	while (at < n) {
		unsigned w = char_width(p + at, n - at, &len);

		if (*width + w > max)
			break;
		*width += w;
		at += len;
	}
	return at;
}

void
table_cell(struct table *t, const void *text, size_t n)
{
	struct cell c = { .at = t->text.len };

	if (t->cells == t->cap) {
		size_t cap = t->cap > 0 ? 2 * t->cap : 256;
		struct cell *grown = realloc(t->cell, cap * sizeof(*grown));

		if (grown == NULL) {
			t->failed = true;
			return;
		}
		t->cell = grown;
		t->cap = cap;
	}
	fit(text, n, UINT32_MAX, &c.width);
	ops_buf_put(&t->text, text, n);
	c.len = t->text.len - c.at;
	t->cell[t->cells++] = c;
}

void
table_cell_str(struct table *t, const char *s)
{
	table_cell(t, s, strlen(s));
}

void
table_colour(struct table *t, const char *sgr)
{
	if (t->cells > 0 && !t->failed)
		t->cell[t->cells - 1].sgr = sgr;
}

static unsigned
total_width(const struct table *t)
{
	unsigned sum = 0;

	for (size_t i = 0; i < t->columns; i++)
		if (t->shown[i])
			sum += t->width[i] + (sum > 0 ? GAP : 0);
	return sum;
}

/* Does it hold "-" in all rows below its title? */
static bool
says_nothing(const struct table *t, size_t column)
{
	for (size_t i = t->columns + column; i < t->cells; i += t->columns) {
		const struct cell *c = &t->cell[i];

		if (c->len != 1 || t->text.data[c->at] != '-')
			return false;
	}
	return t->cells > t->columns;
}

/* Leave out columns in the order they ask for, until the rest fits. */
static void
drop_columns(struct table *t, unsigned width, bool empty_only)
{
	for (unsigned drop = 1; drop <= TABLE_COLUMNS_MAX; drop++) {
		for (size_t i = 0; i < t->columns; i++) {
			if (total_width(t) <= width)
				return;
			if (t->column[i].drop == drop &&
			    (!empty_only || says_nothing(t, i)))
				t->shown[i] = false;
		}
	}
}

/* Give column i what is left of the width, or take what is too much. */
static void
resize(struct table *t, size_t i, unsigned width, unsigned min, unsigned max)
{
	unsigned others = total_width(t) - t->width[i];
	unsigned room = width > others ? width - others : 0;

	t->width[i] = room < min ? min : room > max ? max : room;
}

/* The widths that all is shown with; gives the column that may be shortened. */
static size_t
whole_widths(struct table *t)
{
	size_t elastic = t->columns;

	for (size_t i = 0; i < t->columns; i++) {
		t->width[i] = t->least != NULL ? t->least[i] : 0;
		t->shown[i] = true;
		if (t->column[i].min > 0)
			elastic = i;
	}
	for (size_t i = 0; i < t->cells; i++)
		if (t->cell[i].width > t->width[i % t->columns])
			t->width[i % t->columns] = t->cell[i].width;
	return elastic;
}

static void
choose_columns(struct table *t, unsigned width)
{
	size_t e = whole_widths(t);
	unsigned whole = t->width[e < t->columns ? e : 0], min;

	t->whole = width == 0;
	for (size_t i = 0; i < t->columns; i++) {
		/* One long command must not make every other row as long. */
		unsigned max = t->whole ? PAD_MAX : t->column[i].max;

		if (max > 0 && t->width[i] > max)
			t->width[i] = max;
	}
	if (t->whole)
		return;
	/* Of rows that come later nobody knows what they say. */
	if (t->least == NULL)
		drop_columns(t, width, true);
	if (e == t->columns) {
		drop_columns(t, width, false);
		return;
	}
	min = whole < t->column[e].min ? whole : t->column[e].min;
	resize(t, e, width, min, whole);
	drop_columns(t, width, false);
	/* What was left out last may have left room; or all that could be left
	 * out was not enough. */
	resize(t, e, width, t->cell[e].width, whole);
}

static void
put_spaces(struct ops_buf *out, unsigned n)
{
	while (n-- > 0)
		ops_buf_put8(out, ' ');
}

/* One cell, cut where it is wider than its column and not to be whole. */
static void
put_cell(const struct table *t, size_t column, const struct cell *c,
    const char *sgr, bool last, struct ops_buf *out)
{
	const uint8_t *text = t->text.data + c->at;
	unsigned width = t->width[column], shown = c->width;
	bool cut = shown > width && !t->whole, right = t->column[column].right;
	unsigned gap;
	size_t n = c->len;

	if (cut) {
		n = fit(text, n, width - 1, &shown);
		shown++;
	}
	gap = width > shown ? width - shown : 0;
	if (right)
		put_spaces(out, gap);
	if (sgr != NULL)
		ops_buf_printf(out, "\033[%sm", sgr);
	ops_buf_put(out, text, n);
	if (cut)
		ops_buf_put8(out, '>');
	if (sgr != NULL)
		ops_buf_puts(out, "\033[0m");
	if (!right && !last)
		put_spaces(out, gap);
}

static void
put_row(const struct table *t, const struct cell *row, bool colour, bool title,
    struct ops_buf *out)
{
	size_t last = 0;
	bool any = false;

	for (size_t i = 0; i < t->columns; i++)
		if (t->shown[i])
			last = i;
	for (size_t i = 0; i <= last; i++) {
		if (!t->shown[i])
			continue;
		if (any)
			put_spaces(out, GAP);
		any = true;
		put_cell(t, i, &row[i],
		    colour ? title ? "1" : row[i].sgr : NULL, i == last, out);
	}
	ops_buf_put8(out, '\n');
}

void
table_grows(struct table *t, const unsigned *least)
{
	t->least = least;
}

/* All but the titles. */
static void
forget_rows(struct table *t)
{
	const struct cell *last = &t->cell[t->columns - 1];

	t->begun = true;
	t->cells = t->columns;
	t->text.len = last->at + last->len;
}

int
table_put(struct table *t, unsigned width, bool colour, struct ops_buf *out,
    struct ops_err *err)
{
	if (t->failed || ops_buf_check(&t->text, "table", err) < 0)
		return ops_fail(err, OPS_ENOMEM, "table: no memory");
	assert(t->cells % t->columns == 0);
	if (!t->begun)
		choose_columns(t, width);
	for (size_t i = t->begun ? t->columns : 0; i < t->cells;
	     i += t->columns)
		put_row(t, t->cell + i, colour, i == 0, out);
	if (t->least != NULL)
		forget_rows(t);
	return ops_buf_check(out, "table", err);
}
