#include "cbor.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/text.h"

#define SKIP_DEPTH 8 /* items inside items that cbor_skip() follows */

static const char *const kind_name[] = {
	[CBOR_UINT] = "an integer",
	[CBOR_BYTES] = "a byte string",
	[CBOR_TEXT] = "a text",
	[CBOR_ARRAY] = "an array",
	[CBOR_MAP] = "a map",
};

#define HEAD_MAX 9

/* A head to p; its length. */
static size_t
encode_head(uint8_t p[static HEAD_MAX], enum cbor_major major, uint64_t v)
{
	uint8_t top = (uint8_t)(major << 5);

	if (v < 24) {
		p[0] = (uint8_t)(top | v);
		return 1;
	}
	if (v <= UINT8_MAX) {
		p[0] = top | 24;
		p[1] = (uint8_t)v;
		return 2;
	}
	if (v <= UINT16_MAX) {
		p[0] = top | 25;
		ops_putbe16(p + 1, (uint16_t)v);
		return 3;
	}
	if (v <= UINT32_MAX) {
		p[0] = top | 26;
		ops_putbe32(p + 1, (uint32_t)v);
		return 5;
	}
	p[0] = top | 27;
	ops_putbe64(p + 1, v);
	return HEAD_MAX;
}

/* In place where there is room for any: a program's record has a hundred. */
static void
put_head(struct ops_buf *b, enum cbor_major major, uint64_t v)
{
	uint8_t head[HEAD_MAX];

	if (ops_buf_has_room(b, HEAD_MAX))
		b->len += encode_head(b->data + b->len, major, v);
	else
		ops_buf_put(b, head, encode_head(head, major, v));
}

void
cbor_put_uint(struct ops_buf *b, uint64_t v)
{
	put_head(b, CBOR_MAJOR_UNSIGNED, v);
}

void
cbor_put_bytes(struct ops_buf *b, const void *p, size_t n)
{
	put_head(b, CBOR_MAJOR_BYTES, n);
	ops_buf_put(b, p, n);
}

void
cbor_put_text(struct ops_buf *b, const void *p, size_t n)
{
	put_head(b, CBOR_MAJOR_TEXT, n);
	ops_buf_put(b, p, n);
}

void
cbor_put_array(struct ops_buf *b, size_t n)
{
	put_head(b, CBOR_MAJOR_ARRAY, n);
}

void
cbor_put_map(struct ops_buf *b, size_t n)
{
	put_head(b, CBOR_MAJOR_MAP, n);
}

static int
cut_short(struct ops_err *err)
{
	return ops_fail(err, OPS_ETRUNC, "CBOR item cut short");
}

/* The head at p: its major type and argument.  Returns its length or -1. */
static int
get_head(const uint8_t *p, size_t n, unsigned *major, uint64_t *value,
    struct ops_err *err)
{
	/* The smallest argument that needs 1, 2, 4, 8 bytes. */
	static const uint64_t least[] = { 24, UINT8_MAX + 1, UINT16_MAX + 1,
		(uint64_t)UINT32_MAX + 1 };
	unsigned info;
	size_t size;
	uint64_t v;

	if (n == 0)
		return cut_short(err);
	info = p[0] & 0x1f;
	if (info > 27)
		return ops_fail(err, OPS_EFORMAT,
		    "CBOR head 0x%02x: reserved or of indefinite length", p[0]);
	*major = p[0] >> 5;
	if (info < 24) {
		*value = info;
		return 1;
	}
	size = (size_t)1 << (info - 24);
	if (n - 1 < size)
		return cut_short(err);
	v = 0;
	for (size_t i = 0; i < size; i++)
		v = v << 8 | p[1 + i];
	if (v < least[info - 24])
		return ops_fail(err, OPS_EFORMAT,
		    "CBOR head 0x%02x: %" PRIu64 " has a shorter form", p[0],
		    v);
	*value = v;
	return (int)(1 + size);
}

/* What the major type of a head says about the bytes left after it. */
static int
check_item(
    struct cbor_item *item, unsigned major, size_t left, struct ops_err *err)
{
	switch (major) {
	case CBOR_MAJOR_UNSIGNED:
		item->kind = CBOR_UINT;
		return 0;
	case CBOR_MAJOR_BYTES:
	case CBOR_MAJOR_TEXT:
		item->kind = major == CBOR_MAJOR_BYTES ? CBOR_BYTES : CBOR_TEXT;
		if (item->value > left)
			return cut_short(err);
		item->n = (size_t)item->value;
		if (major == CBOR_MAJOR_TEXT &&
		    !ops_utf8_valid(item->p, item->n))
			return ops_fail(
			    err, OPS_EFORMAT, "CBOR text is not UTF-8");
		return 0;
	case CBOR_MAJOR_ARRAY:
		item->kind = CBOR_ARRAY;
		return item->value > left ? cut_short(err) : 0;
	case CBOR_MAJOR_MAP:
		item->kind = CBOR_MAP;
		return item->value > left / 2 ? cut_short(err) : 0;
	default:
		return ops_fail(err, OPS_EFORMAT,
		    "CBOR major type %u is not used here", major);
	}
}

/* In line: an item that goes through memory costs as much as all the rest of it
 * (a wide load waits for the narrow stores before it). */
static inline __attribute__((always_inline)) int
next(struct cbor_reader *r, struct cbor_item *ret, struct ops_err *err)
{
	struct cbor_item item = { 0 };
	unsigned major = 0;
	int head;

	head = get_head(r->p, r->n, &major, &item.value, err);
	if (head < 0)
		return -1;
	item.p = r->p + head;
	if (check_item(&item, major, r->n - (size_t)head, err) < 0)
		return -1;
	r->p = item.p + item.n;
	r->n -= (size_t)head + item.n;
	if (item.kind != CBOR_BYTES && item.kind != CBOR_TEXT)
		item.p = NULL;
	*ret = item;
	return 0;
}

int
cbor_next(struct cbor_reader *r, struct cbor_item *ret, struct ops_err *err)
{
	return next(r, ret, err);
}

/* Most keys, and many numbers, are one byte: a third of the time that reading the
 * leaves of a log takes went into its being looked at as anything. */
static inline bool
is_small(const struct cbor_reader *r)
{
	return r->n > 0 && r->p[0] < 24;
}

static inline void
pass_small(struct cbor_reader *r)
{
	r->p++;
	r->n--;
}

int
cbor_expect(struct cbor_reader *r, enum cbor_kind kind, struct cbor_item *ret,
    struct ops_err *err)
{
	struct cbor_reader at = *r;
	struct cbor_item item;

	if (kind == CBOR_UINT && is_small(r)) {
		*ret =
		    (struct cbor_item){ .kind = CBOR_UINT, .value = r->p[0] };
		pass_small(r);
		return 0;
	}
	if (next(&at, &item, err) < 0)
		return -1;
	if (item.kind != kind)
		return ops_fail(err, OPS_EFORMAT, "CBOR: %s where %s belongs",
		    kind_name[item.kind], kind_name[kind]);
	*r = at;
	*ret = item;
	return 0;
}

static int
skip_item(struct cbor_reader *r, unsigned depth, struct ops_err *err)
{
	uint64_t last = UINT64_MAX, key;
	struct cbor_item item;

	if (depth == 0)
		return ops_fail(err, OPS_EFORMAT,
		    "CBOR nested more than %d deep", SKIP_DEPTH);
	if (cbor_next(r, &item, err) < 0)
		return -1;
	if (item.kind != CBOR_ARRAY && item.kind != CBOR_MAP)
		return 0;
	for (uint64_t i = 0; i < item.value; i++) {
		if (item.kind == CBOR_MAP &&
		    cbor_map_key(r, &last, &key, err) < 0)
			return -1;
		if (skip_item(r, depth - 1, err) < 0)
			return -1;
	}
	return 0;
}

int
cbor_skip(struct cbor_reader *r, struct ops_err *err)
{
	struct cbor_reader at = *r;

	if (skip_item(&at, SKIP_DEPTH, err) < 0)
		return -1;
	*r = at;
	return 0;
}

int
cbor_map_key(
    struct cbor_reader *r, uint64_t *last, uint64_t *key, struct ops_err *err)
{
	struct cbor_reader at = *r;
	struct cbor_item item;

	if (is_small(r) && (*last == UINT64_MAX || r->p[0] > *last)) {
		*last = *key = r->p[0];
		pass_small(r);
		return 0;
	}
	if (cbor_expect(&at, CBOR_UINT, &item, err) < 0)
		return ops_context(err, "map key");
	/* The largest integer stands for "none yet" and so cannot be a key. */
	if (item.value == UINT64_MAX)
		return ops_fail(err, OPS_EFORMAT, "CBOR map key out of range");
	if (*last != UINT64_MAX && item.value <= *last)
		return ops_fail(err, OPS_EFORMAT,
		    "CBOR map key %" PRIu64 " after %" PRIu64, item.value,
		    *last);
	*r = at;
	*last = item.value;
	*key = item.value;
	return 0;
}

int
cbor_end(const struct cbor_reader *r, struct ops_err *err)
{
	if (r->n > 0)
		return ops_fail(
		    err, OPS_EFORMAT, "%zu bytes left over after CBOR", r->n);
	return 0;
}
