/*
 * textline - a text file of the host, a line at a time: looked at, added to, taken
 * from, and otherwise left byte for byte.
 *
 * Pure.  What it finds points into the caller's bytes.
 *
 * Fuzzed: diff, passwd, pamfile
 */
#ifndef OPS_CLI_TEXTLINE_H
#define OPS_CLI_TEXTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct textline {
	const char *p; /* without the line end; no NUL behind */
	size_t n;
	size_t start, end; /* of it in the bytes, end behind its line end */
	bool ended;        /* there is a line end; only the last may lack it */
};

/* The next line; *at is 0 at first, and the caller's to keep.  False: no more. */
bool textline_next(const char *p, size_t n, size_t *at, struct textline *ret);

bool textline_is(const struct textline *l, const char *text);
/* Its first byte that is no blank; 0: it has none. */
char textline_first(const struct textline *l);

/* Is that exact line there?  ret may be NULL. */
bool textline_find(
    const char *p, size_t n, const char *text, struct textline *ret);

/* Add the line to the end of b, which holds a whole file.  True: its last line
 * had no line end and was given one. */
bool textline_append(struct ops_buf *b, const char *text);

/* Append p[0..n) to out without the first line that is text; was_open: if it is the
 * last, the line end before it goes too (what textline_append() added).  False:
 * there is no such line, and all of it was appended. */
bool textline_drop(const char *p, size_t n, const char *text, bool was_open,
    struct ops_buf *out);

#endif
