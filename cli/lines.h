/*
 * lines - what was on the screen, as lines of plain text.
 *
 * A line at a time, not a whole screen: carriage return, backspace, tab,
 * moving within the line, erasing, inserting and deleting are followed, and a
 * line that the terminal wrapped stays one line.  What a full-screen program
 * drew on the alternate screen is left out and noted as
 *
 *	[full-screen program, 12 s]
 *
 * The output holds printable characters and newlines only.  A byte or
 * character that ops_escape() escapes stands there as \xHH; a backslash of
 * the screen stays one; spaces at the end of a line are left out.  Feeding in pieces gives the same as feeding at once.
 * Memory is bounded: a line over LINES_CELLS_MAX is written out in pieces.
 *
 * Fuzzed: lines
 */
#ifndef OPS_CLI_LINES_H
#define OPS_CLI_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define LINES_CELLS_MAX 16384
#define LINES_COLS_MAX 4096

struct lines;

/* cols: width of the terminal; 0 if unknown. */
int lines_new(unsigned cols, struct lines **ret, struct ops_err *err);
void lines_free(struct lines *l); /* NULL is fine */

void lines_resize(struct lines *l, unsigned cols);
/* The next n bytes, shown at time (ns, any origin); whole lines go to out. */
void lines_feed(struct lines *l, uint64_t time, const uint8_t *p, size_t n,
    struct ops_buf *out);
/* End the line, and write "[text]" on one of its own. */
void lines_note(struct lines *l, const char *text, struct ops_buf *out);
/* The end: what is left of the last line. */
void lines_end(struct lines *l, struct ops_buf *out);

#endif
