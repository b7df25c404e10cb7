/*
 * filter - what a recording may do to the terminal of the person who plays it:
 * draw, and nothing else (promise P8).
 *
 * A state machine over the recorded bytes, split anywhere.  It is an allow
 * list.  Through go: printable text in valid UTF-8; CR LF BS TAB SO SI; cursor
 * movement, erasing, inserting and deleting, scrolling and its region, tab
 * stops, SGR; the modes insert, origin, autowrap, reverse, cursor visible and
 * alternate screen; charsets ASCII, UK and line drawing; ESC 7 8 D E H M and
 * the soft reset.  ESC c becomes a soft reset and an empty screen.
 *
 * All else is dropped: OSC (clipboard, titles, links, colours), DCS, APC, PM,
 * SOS, every query (DA, DSR, DECRQM, DECRQSS, ENQ), window operations, mouse,
 * focus, paste and key modes, media copy, erasing the scrollback, the bell,
 * 8-bit C1 also as UTF-8, characters that reorder text, and numbers over
 * FILTER_PARAM_MAX.  A byte that is no UTF-8 becomes U+FFFD.
 *
 * The output is a fixed point: filtering it again changes nothing.
 *
 * Fuzzed: filter
 */
#ifndef OPS_CLI_FILTER_H
#define OPS_CLI_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define FILTER_SEQ_MAX 128    /* bytes of one control sequence */
#define FILTER_PARAM_MAX 9999 /* any number in it */
#define FILTER_TABS 128       /* stops that filter_leave() sets again */

enum filter_state {
	FILTER_GROUND,
	FILTER_ESC,         /* after ESC */
	FILTER_ESC_INTER,   /* after ESC and an intermediate byte */
	FILTER_CSI,         /* after ESC [ */
	FILTER_CSI_DROP,    /* in one that is too long or malformed */
	FILTER_OSC_START,   /* after ESC ] */
	FILTER_OSC_PALETTE, /* the Linux console's ESC ] P, of fixed length */
	FILTER_OSC,
	FILTER_STRING, /* DCS, APC, PM, SOS */
	FILTER_TITLE,  /* screen's ESC k */
};

/* Zero-initialised it is at the beginning of a recording. */
struct filter {
	enum filter_state state;
	uint8_t
	    seq[FILTER_SEQ_MAX]; /* of the sequence, or of a UTF-8 character */
	size_t len;
	bool alternate;   /* the terminal is on the alternate screen */
	bool origin;      /* DECOM is set */
	bool tabs;        /* tab stops were set or cleared */
	bool charsets;    /* G1, G2 or G3 were designated */
	uint64_t dropped; /* sequences and controls not let through */
};

/* Append to out what may be drawn of the next n bytes. */
void filter_feed(
    struct filter *f, const uint8_t *p, size_t n, struct ops_buf *out);

/* Append what puts a terminal back in order after a recording was played on
 * it: main screen, soft reset, cursor visible, whole scroll region; tab stops
 * every eight columns and ASCII everywhere, if the recording changed them. */
void filter_leave(const struct filter *f, struct ops_buf *out);

#endif
