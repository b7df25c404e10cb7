/*
 * width - columns that a character takes on a terminal.
 *
 * A short table and not wcwidth(3), whose answer depends on the locale of who
 * asks; the sessions shown were made under another.
 */
#ifndef OPS_WIDTH_H
#define OPS_WIDTH_H

#include <stdint.h>

/* East Asian wide characters 2, combining marks 0, all others 1. */
unsigned width_of(uint32_t c);

#endif
