/*
 * cbor - deterministic CBOR (RFC 8949 section 4.2.1), the part opseal uses.
 *
 * Unsigned integers, byte strings, text strings, arrays, and maps whose keys
 * are unsigned integers in ascending order.  Nothing else: no negative
 * numbers, floats, tags, booleans, indefinite lengths.  Since leaves are
 * hashed there is one byte string per meaning; the reader refuses any other.
 *
 * Both ends are pure: bytes in, values out, no allocation by the reader.
 *
 * Fuzzed: cbor
 */
#ifndef OPS_CBOR_H
#define OPS_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* -- writing: sticky errors are those of ops_buf -- */
void cbor_put_uint(struct ops_buf *b, uint64_t v);
void cbor_put_bytes(struct ops_buf *b, const void *p, size_t n);
void cbor_put_text(
    struct ops_buf *b, const void *p, size_t n);  /* caller: valid UTF-8 */
void cbor_put_array(struct ops_buf *b, size_t n); /* n items follow */
void cbor_put_map(struct ops_buf *b, size_t n);   /* n key-value pairs follow */

/* -- reading -- */
enum cbor_kind { CBOR_UINT, CBOR_BYTES, CBOR_TEXT, CBOR_ARRAY, CBOR_MAP };

struct cbor_item {
	enum cbor_kind kind;
	uint64_t value;   /* the integer; or the number of items or pairs */
	const uint8_t *p; /* CBOR_BYTES, CBOR_TEXT: points into the input */
	size_t n;
};

struct cbor_reader {
	const uint8_t *p; /* next byte */
	size_t n;         /* bytes left */
};

/* Next item head (of an array or map: its head only; members follow).
 * OPS_ETRUNC if the input ends early, OPS_EFORMAT if it is not canonical.
 * Text is checked to be valid UTF-8.  A count of members that the bytes left
 * could not hold is OPS_ETRUNC at once, so value <= bytes of the input.  On
 * failure neither the reader nor *ret has changed (also below). */
int cbor_next(
    struct cbor_reader *r, struct cbor_item *ret, struct ops_err *err);

/* As cbor_next, and the item must be of this kind. */
int cbor_expect(struct cbor_reader *r, enum cbor_kind kind,
    struct cbor_item *ret, struct ops_err *err);

/* Skip one whole item with all its members; nesting at most 8 deep. */
int cbor_skip(struct cbor_reader *r, struct ops_err *err);

/*
 * Iterate a map: call after its head was read.  `last` starts as UINT64_MAX
 * ("none yet", and so no key itself); keys must ascend.  *key is the next key;
 * its value follows.
 */
int cbor_map_key(
    struct cbor_reader *r, uint64_t *last, uint64_t *key, struct ops_err *err);

/* Nothing may be left over. */
int cbor_end(const struct cbor_reader *r, struct ops_err *err);

#endif
