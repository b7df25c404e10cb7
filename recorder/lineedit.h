/*
 * lineedit - one line, typed on a terminal in raw mode: bytes in, what is to be shown
 * out; no I/O.
 *
 *	return, newline		the line is done
 *	backspace, delete	the last character goes; ^W the last word, ^U all
 *	^C			LINEEDIT_BREAK
 *	^D			LINEEDIT_END, where nothing is typed; else nothing
 *
 * A character is taken, and shown, once all its bytes are there and if it can be
 * shown as it is and seen (base/text.h): nothing that steers a terminal comes back
 * from here but the backspaces of our own.  Keys that send an escape sequence do
 * nothing.  What doesn't fit is not taken.
 *
 * Fuzzed: lineedit
 */
#ifndef OPS_LINEEDIT_H
#define OPS_LINEEDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define LINEEDIT_MAX 256 /* bytes of a line */
/* What one byte may have shown: all of the line taken back, two columns each. */
#define LINEEDIT_ECHO_MAX ((size_t)6 * LINEEDIT_MAX)

enum lineedit_said {
	LINEEDIT_MORE,
	LINEEDIT_DONE,
	LINEEDIT_END,
	LINEEDIT_BREAK,
};

/* Zero-initialised it is empty. */
struct lineedit {
	uint8_t text[LINEEDIT_MAX]; /* valid UTF-8 */
	size_t n;
	uint8_t part[4]; /* the begin of a character */
	size_t parts;
	uint8_t escape; /* inside of a sequence */
};

/* Take one byte, and append to echo what it shows. */
enum lineedit_said lineedit_take(
    struct lineedit *l, uint8_t byte, struct ops_buf *echo);

/* The line without blanks around it; how many bytes, 0: it is empty. */
size_t lineedit_text(const struct lineedit *l, const uint8_t **ret);

#endif
