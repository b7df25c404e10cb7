/*
 * line - the line of the screen that is being written, for lines.c.
 *
 * It knows columns, wide characters and wrapped rows, and nothing of control
 * sequences.  What is done goes to out as text.
 */
#ifndef OPS_CLI_LINE_H
#define OPS_CLI_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "lines.h"

/* What stands in one column: a character with its combining marks, a blank
 * (len 0), or nothing, because a wide one began in the column before. */
struct cell {
	uint8_t len;
	bool covered;
	uint8_t text[14];
};

/*
 * The line as it is on the screen, its wrapped rows laid end to end:
 *
 *	cell[0 .. cols) first row, cell[cols .. 2 cols) second, ...
 *
 * The cursor is in column col of the row that begins at base.  col == cols
 * means: at the margin, the next character wraps.
 */
struct line {
	struct cell *cell; /* LINES_CELLS_MAX + LINES_COLS_MAX of them */
	size_t n;          /* cells in use */
	size_t base, col, saved;
	size_t cols;
};

/* The cursor goes elsewhere on the screen: what stands on the line is done. */
void line_leave(struct line *l, struct ops_buf *out);
/* Line feed: the next row of a wrapped line, or a new line. */
void line_feed(struct line *l, struct ops_buf *out);
void line_up(struct line *l, size_t rows, struct ops_buf *out);
void line_down(struct line *l, size_t rows, struct ops_buf *out);
void line_column(struct line *l, size_t col);

/* A character of w columns at the cursor; of 0 it joins the one before. */
void line_char(struct line *l, const uint8_t *p, size_t n, unsigned w,
    struct ops_buf *out);
/* A byte that can't be shown, as \xHH. */
void line_escaped(struct line *l, uint8_t c, struct ops_buf *out);

/* Erase from the cursor (0), up to it (1), or all of its row (2). */
void line_erase(struct line *l, unsigned how, size_t row_end);
/* Delete or insert k columns at the cursor; the rest of the row moves. */
void line_shift(struct line *l, size_t k, bool insert);
/* Blank the cells [from, to); halves of wide characters first. */
void line_clear(struct line *l, size_t from, size_t to);
void line_unpair(struct line *l, size_t at);

#endif
