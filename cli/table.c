#include "table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "width.h"

#define TEXT_MAX (1u << 30)
#define GAP 2

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
	bool failed;
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
	const struct table_column *col = &t->column[t->cells % t->columns];
	unsigned max = col->max > 0 ? col->max : 4096;
	struct cell c = { .at = t->text.len };
	size_t used;

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
	used = fit(text, n, max, &c.width);
	if (used < n) {
		used = fit(text, n, max - 1, &c.width);
		ops_buf_put(&t->text, text, used);
		ops_buf_put8(&t->text, '>');
		c.width++;
	} else {
		ops_buf_put(&t->text, text, n);
	}
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

/* Leave out columns in the order they ask for, until the rest fits. */
static void
choose_columns(struct table *t, unsigned width)
{
	memset(t->width, 0, sizeof(t->width));
	for (size_t i = 0; i < t->columns; i++)
		t->shown[i] = true;
	for (size_t i = 0; i < t->cells; i++)
		if (t->cell[i].width > t->width[i % t->columns])
			t->width[i % t->columns] = t->cell[i].width;
	for (unsigned drop = 1; drop <= TABLE_COLUMNS_MAX; drop++) {
		if (total_width(t) <= width)
			return;
		for (size_t i = 0; i < t->columns; i++)
			if (t->column[i].drop == drop)
				t->shown[i] = false;
	}
}

static void
put_spaces(struct ops_buf *out, unsigned n)
{
	while (n-- > 0)
		ops_buf_put8(out, ' ');
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
		const char *sgr = title ? "1" : row[i].sgr;
		unsigned pad = t->width[i] - row[i].width;

		if (!t->shown[i])
			continue;
		if (any)
			put_spaces(out, GAP);
		any = true;
		if (t->column[i].right)
			put_spaces(out, pad);
		if (colour && sgr != NULL)
			ops_buf_printf(out, "\033[%sm", sgr);
		ops_buf_put(out, t->text.data + row[i].at, row[i].len);
		if (colour && sgr != NULL)
			ops_buf_puts(out, "\033[0m");
		if (!t->column[i].right && i < last)
			put_spaces(out, pad);
	}
	ops_buf_put8(out, '\n');
}

int
table_put(struct table *t, unsigned width, bool colour, struct ops_buf *out,
    struct ops_err *err)
{
	if (t->failed || ops_buf_check(&t->text, "table", err) < 0)
		return ops_fail(err, OPS_ENOMEM, "table: no memory");
	assert(t->cells % t->columns == 0);
	choose_columns(t, width);
	for (size_t i = 0; i < t->cells; i += t->columns)
		put_row(t, t->cell + i, colour, i == 0, out);
	return ops_buf_check(out, "table", err);
}
