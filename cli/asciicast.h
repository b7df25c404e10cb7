/*
 * asciicast - recordings as asciinema writes them, versions 2 and 3
 * (docs.asciinema.org/manual/asciicast/).  Bytes in, lines out, no I/O.
 *
 * The format holds valid UTF-8 only.  A character that a read cut in two is
 * carried over to the next event; a byte that is no UTF-8 becomes U+FFFD and
 * is counted.  Who wants the exact bytes takes the raw format.
 *
 * Fuzzed: asciicast
 */
#ifndef OPS_CLI_ASCIICAST_H
#define OPS_CLI_ASCIICAST_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Bytes of a UTF-8 stream that are not valid, whatever pieces it comes in. */
struct utf8_carry {
	uint8_t p[4]; /* the beginning of a character */
	size_t n;
};
/* Append the next n bytes as valid UTF-8; returns how many were replaced. */
uint64_t utf8_feed(
    struct utf8_carry *c, const uint8_t *p, size_t n, struct ops_buf *out);
/* The end: what was begun is invalid. */
uint64_t utf8_end(struct utf8_carry *c, struct ops_buf *out);

struct asciicast_header {
	int version; /* 2 or 3 */
	unsigned cols, rows;
	uint64_t timestamp;     /* s since the epoch */
	uint64_t duration;      /* ns; 0: unknown; version 2 has it */
	const uint8_t *command; /* NULL: none; any bytes */
	size_t command_len;
	const uint8_t *term; /* NULL: unknown */
	size_t term_len;
	const char *session; /* id */
	/* Bytes that this file can't hold, known from a first pass.  Put as
	 * "opseal_lossy_bytes", which other readers ignore; 0: not put. */
	uint64_t lossy;
};
void asciicast_put_header(
    const struct asciicast_header *h, struct ops_buf *out);

/* Zero-initialise, with the version; buffers freed by asciicast_free(). */
struct asciicast {
	int version;
	struct utf8_carry output, input;
	struct ops_buf text;
	uint64_t last; /* offset of the last event, rounded as it was written */
	uint64_t replaced; /* bytes that became U+FFFD */
};
/* One event; offset: ns since the start.  code: o output, i input, r resize
 * ("80x24"), m marker, x exit (version 3 only; ignored in 2). */
void asciicast_put(struct asciicast *a, uint64_t offset, char code,
    const void *p, size_t n, struct ops_buf *out);
/* The end: characters that were begun. */
void asciicast_end(struct asciicast *a, uint64_t offset, struct ops_buf *out);
void asciicast_free(struct asciicast *a);

#endif
