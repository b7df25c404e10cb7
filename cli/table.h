/*
 * table - aligned columns that fit a width.  Those that say nothing ("-" in all
 * rows) are left out first, then one is shortened, then the least important ones
 * are left out, until they do.  Widths are columns of a terminal (width.h).
 */
#ifndef OPS_CLI_TABLE_H
#define OPS_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define TABLE_COLUMNS_MAX 16

struct table_column {
	const char *title;
	bool right;    /* aligned to the right */
	unsigned drop; /* left out in this order, 1 first; 0: never */
	unsigned max;  /* characters shown at most; 0: all */
	/* Of one column: it is shortened down to this before columns that say
	 * something are left out, and shown beyond max where there is room. */
	unsigned min;
};

struct table;
int table_new(const struct table_column *columns, size_t n, struct table **ret,
    struct ops_err *err);
void table_free(struct table *t); /* NULL is fine */
/* Begin a row; then one cell a column, in order; text is copied. */
void table_row(struct table *t);
void table_cell(struct table *t, const void *text, size_t n);
void table_cell_str(struct table *t, const char *s);
/* SGR parameters for the cell put last ("31"), if colours are on. */
void table_colour(struct table *t, const char *sgr);
/* Append all of it to out.  width 0: whole, nothing is shortened or left out; a
 * long text sticks out of its column. */
int table_put(struct table *t, unsigned width, bool colour, struct ops_buf *out,
    struct ops_err *err);
/*
 * For rows that come later: columns are at least so wide (one a column, kept by the
 * caller), and table_put() prints what was added since it was called last, without
 * titles but the first time, in the columns that were chosen then; one that says
 * nothing as yet is no reason to leave it out.
 */
void table_grows(struct table *t, const unsigned *least);

#endif
