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
#include "base/bytes.h"
#include "base/err.h"

/* -- writing: sticky errors are those of ops_buf -- */
void cbor_put_uint(struct ops_buf *b, uint64_t v);
void cbor_put_bytes(struct ops_buf *b, const void *p, size_t n);
void cbor_put_text(
    struct ops_buf *b, const void *p, size_t n);  /* caller: valid UTF-8 */
void cbor_put_array(struct ops_buf *b, size_t n); /* n items follow */
void cbor_put_map(struct ops_buf *b, size_t n);   /* n key-value pairs follow */

/* -- reading -- */
/* Major types, RFC 8949 section 3.1. */
enum cbor_major {
	CBOR_MAJOR_UNSIGNED = 0,
	CBOR_MAJOR_BYTES = 2,
	CBOR_MAJOR_TEXT = 3,
	CBOR_MAJOR_ARRAY = 4,
	CBOR_MAJOR_MAP = 5
};

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

/*
 * A head of this major type in its shortest form.  False: there is none, nothing was
 * taken, and cbor_expect() tells what is wrong.  Heads are most of what reading the
 * leaves and the events of a log takes, so this is in line.
 */
static inline bool
cbor_take_head(struct cbor_reader *r, enum cbor_major major, uint64_t *value)
{
	const uint8_t *p = r->p;
	size_t n = r->n, used = 1;
	unsigned info;

	if (n == 0 || p[0] >> 5 != (uint8_t)major)
		return false;
	info = p[0] & 0x1f;
	if (info < 24) {
		*value = info;
	} else if (info == 24 && n > 1 && p[1] >= 24) {
		*value = p[1];
		used = 2;
	} else if (info == 25 && n > 2 && ops_getbe16(p + 1) > UINT8_MAX) {
		*value = ops_getbe16(p + 1);
		used = 3;
	} else if (info == 26 && n > 4 && ops_getbe32(p + 1) > UINT16_MAX) {
		*value = ops_getbe32(p + 1);
		used = 5;
	} else if (info == 27 && n > 8 && ops_getbe64(p + 1) > UINT32_MAX) {
		*value = ops_getbe64(p + 1);
		used = 9;
	} else {
		return false;
	}
	r->p += used;
	r->n -= used;
	return true;
}

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
