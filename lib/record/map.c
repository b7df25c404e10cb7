#include "map.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "event.h"

static bool
is_present(const struct map_field *f, const uint8_t *from)
{
	struct event_text view;
	bool flag;

	if (f->has != 0) {
		memcpy(&flag, from + f->has - 1, sizeof(flag));
		return flag;
	}
	switch ((enum map_kind)f->kind) {
	case MAP_FLAG:
		memcpy(&flag, from + f->off, sizeof(flag));
		return flag;
	case MAP_SOME:
		return !ops_all_zero(from + f->off, f->size);
	case MAP_VIEW:
		memcpy(&view, from + f->off, sizeof(view));
		return view.p != NULL;
	case MAP_UINT:
	case MAP_BYTES:
	case MAP_TEXT:
	case MAP_ARRAY:
		break;
	}
	return true;
}

static bool
is_optional(const struct map_field *f)
{
	return f->has != 0 || f->kind == MAP_FLAG || f->kind == MAP_SOME ||
	       f->kind == MAP_VIEW;
}

/* The member of 1, 2, 4 or 8 bytes at p. */
static uint64_t
load(const uint8_t *p, size_t size)
{
	uint32_t v32;
	uint16_t v16;
	uint64_t v;

	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&v16, p, sizeof(v16));
		return v16;
	case 4:
		memcpy(&v32, p, sizeof(v32));
		return v32;
	default:
		assert(size == sizeof(v));
		memcpy(&v, p, sizeof(v));
		return v;
	}
}

static void
store(uint8_t *p, size_t size, uint64_t v)
{
	uint32_t v32 = (uint32_t)v;
	uint16_t v16 = (uint16_t)v;

	switch (size) {
	case 1:
		*p = (uint8_t)v;
		break;
	case 2:
		memcpy(p, &v16, sizeof(v16));
		break;
	case 4:
		memcpy(p, &v32, sizeof(v32));
		break;
	default:
		assert(size == sizeof(v));
		memcpy(p, &v, sizeof(v));
	}
}

static void
put_value(struct ops_buf *b, const struct map_field *f, const uint8_t *from)
{
	const uint8_t *p = from + f->off;
	struct event_text view;

	switch ((enum map_kind)f->kind) {
	case MAP_UINT:
		cbor_put_uint(b, load(p, f->size));
		break;
	case MAP_FLAG:
		cbor_put_uint(b, 1);
		break;
	case MAP_BYTES:
	case MAP_SOME:
		cbor_put_bytes(b, p, f->size);
		break;
	case MAP_TEXT:
		cbor_put_text(b, p, strnlen((const char *)p, f->size - 1u));
		break;
	case MAP_VIEW:
		memcpy(&view, p, sizeof(view));
		cbor_put_bytes(b, view.p, view.n < f->size ? view.n : f->size);
		break;
	case MAP_ARRAY:
		cbor_put_array(b, f->n_sub);
		for (size_t i = 0; i < f->n_sub; i++)
			put_value(b, &f->sub[i], from);
		break;
	}
}

void
map_put(
    struct ops_buf *b, const struct map_field *f, size_t n, const void *from)
{
	uint64_t present = 0; /* by index */

	assert(n <= 64);
	for (size_t i = 0; i < n; i++)
		present |= (uint64_t)is_present(&f[i], from) << i;
	cbor_put_map(b, (size_t)__builtin_popcountll(present));
	for (; present != 0; present &= present - 1) {
		const struct map_field *at = &f[__builtin_ctzll(present)];

		cbor_put_uint(b, at->key);
		put_value(b, at, from);
	}
}

static int
get_uint(struct cbor_reader *r, const struct map_field *f, uint8_t *to,
    struct ops_err *err)
{
	uint64_t max =
	    f->kind == MAP_FLAG ? 1 : UINT64_MAX >> (64 - 8 * f->size);
	struct cbor_item item;

	if (cbor_expect(r, CBOR_UINT, &item, err) < 0)
		return -1;
	if (item.value > max || (f->kind == MAP_FLAG && item.value == 0))
		return ops_fail(err, OPS_EFORMAT, "%" PRIu64 " is out of range",
		    item.value);
	if (f->kind == MAP_FLAG)
		memcpy(to + f->off, &(bool){ true }, sizeof(bool));
	else
		store(to + f->off, f->size, item.value);
	return 0;
}

static int
get_bytes(struct cbor_reader *r, const struct map_field *f, uint8_t *to,
    struct ops_err *err)
{
	struct cbor_item item;
	struct event_text view;

	if (cbor_expect(r, CBOR_BYTES, &item, err) < 0)
		return -1;
	if (item.n > f->size || (f->kind != MAP_VIEW && item.n != f->size))
		return ops_fail(err, OPS_EFORMAT, "%zu bytes, not %s%u", item.n,
		    f->kind == MAP_VIEW ? "at most " : "", f->size);
	if (f->kind == MAP_VIEW) {
		view = (struct event_text){ item.p, item.n };
		memcpy(to + f->off, &view, sizeof(view));
	} else {
		memcpy(to + f->off, item.p, item.n);
	}
	return 0;
}

static int
get_text(struct cbor_reader *r, const struct map_field *f, uint8_t *to,
    struct ops_err *err)
{
	struct cbor_item item;

	if (cbor_expect(r, CBOR_TEXT, &item, err) < 0)
		return -1;
	if (item.n >= f->size || memchr(item.p, '\0', item.n) != NULL)
		return ops_fail(err, OPS_EFORMAT,
		    "text of %zu bytes, at most %u and no NUL", item.n,
		    f->size - 1u);
	memcpy(to + f->off, item.p, item.n);
	to[f->off + item.n] = '\0';
	return 0;
}

static int
get_value(struct cbor_reader *r, const struct map_field *f, uint8_t *to,
    struct ops_err *err)
{
	struct cbor_item item;

	switch ((enum map_kind)f->kind) {
	case MAP_UINT:
	case MAP_FLAG:
		return get_uint(r, f, to, err);
	case MAP_BYTES:
	case MAP_SOME:
	case MAP_VIEW:
		return get_bytes(r, f, to, err);
	case MAP_TEXT:
		return get_text(r, f, to, err);
	case MAP_ARRAY:
		break;
	}
	if (cbor_expect(r, CBOR_ARRAY, &item, err) < 0)
		return -1;
	if (item.value != f->n_sub)
		return ops_fail(err, OPS_EFORMAT,
		    "array of %" PRIu64 ", not %u", item.value, f->n_sub);
	for (size_t i = 0; i < f->n_sub; i++)
		if (get_value(r, &f->sub[i], to, err) < 0)
			return -1;
	return 0;
}

static int
get_pair(struct cbor_reader *r, const struct map_field *f, uint8_t *to,
    struct ops_err *err)
{
	if (get_value(r, f, to, err) < 0)
		return ops_context(err, "key %u", f->key);
	if (f->has != 0)
		memcpy(to + f->has - 1, &(bool){ true }, sizeof(bool));
	return 0;
}

/* Pass the rows before this key: none may be a field that must be there. */
static int
pass_absent(const struct map_field *f, size_t n, size_t *i, uint64_t key,
    struct ops_err *err)
{
	for (; *i < n && f[*i].key < key; (*i)++)
		if (!is_optional(&f[*i]))
			return ops_fail(
			    err, OPS_EFORMAT, "key %u is missing", f[*i].key);
	return 0;
}

/* The value of a number or of bytes, where it is as it must be.  False: nothing was
 * taken, and get_value() tells why. */
static inline bool
take_value(struct cbor_reader *r, const struct map_field *f, uint8_t *to)
{
	struct event_text view;
	uint64_t v;

	switch ((enum map_kind)f->kind) {
	case MAP_UINT:
		if (!cbor_take_head(r, CBOR_MAJOR_UNSIGNED, &v) ||
		    v > UINT64_MAX >> (64 - 8 * f->size))
			return false;
		store(to + f->off, f->size, v);
		return true;
	case MAP_BYTES:
	case MAP_SOME:
		if (!cbor_take_head(r, CBOR_MAJOR_BYTES, &v) || v != f->size ||
		    v > r->n)
			return false;
		memcpy(to + f->off, r->p, f->size);
		break;
	case MAP_VIEW:
		if (!cbor_take_head(r, CBOR_MAJOR_BYTES, &v) || v > f->size ||
		    v > r->n)
			return false;
		view = (struct event_text){ r->p, (size_t)v };
		memcpy(to + f->off, &view, sizeof(view));
		break;
	case MAP_FLAG:
	case MAP_TEXT:
	case MAP_ARRAY:
		return false;
	}
	r->p += v;
	r->n -= (size_t)v;
	return true;
}

/* The next pair, where its key is one byte and its field one of the next that may be
 * there: nearly all of them.  False: nothing was taken. */
static inline bool
take_pair(struct cbor_reader *r, const struct map_field *f, size_t n, size_t *i,
    uint8_t *to)
{
	struct cbor_reader at = *r;
	size_t k = *i;

	if (r->n == 0 || r->p[0] >= 24)
		return false;
	at.p++;
	at.n--;
	while (k < n && f[k].key < r->p[0] && is_optional(&f[k]))
		k++;
	if (k == n || f[k].key != r->p[0] || !take_value(&at, &f[k], to))
		return false;
	if (f[k].has != 0)
		memcpy(to + f[k].has - 1, &(bool){ true }, sizeof(bool));
	*r = at;
	*i = k + 1;
	return true;
}

int
map_get(struct cbor_reader *r, const struct map_field *f, size_t n,
    enum map_unknown unknown, void *to, struct ops_err *err)
{
	uint64_t last = UINT64_MAX, key;
	struct cbor_item map;
	size_t i = 0;

	if (cbor_expect(r, CBOR_MAP, &map, err) < 0)
		return -1;
	for (uint64_t pair = 0; pair < map.value; pair++) {
		/* Fields ascend, and the keys so far were below the next one. */
		if (take_pair(r, f, n, &i, to)) {
			last = f[i - 1].key;
			continue;
		}
		if (cbor_map_key(r, &last, &key, err) < 0 ||
		    pass_absent(f, n, &i, key, err) < 0)
			return -1;
		if (i < n && f[i].key == key) {
			if (get_pair(r, &f[i++], to, err) < 0)
				return -1;
		} else if (unknown == MAP_REFUSE_UNKNOWN) {
			return ops_fail(
			    err, OPS_EFORMAT, "unknown key %" PRIu64, key);
		} else if (cbor_skip(r, err) < 0) {
			return ops_context(err, "key %" PRIu64, key);
		}
	}
	return pass_absent(f, n, &i, UINT64_MAX, err);
}
