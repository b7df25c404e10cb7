#include "leaf.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "event.h"
#include "frame.h"
#include "map.h"
#include "merkle/note.h"

/* The must-understand flags that this code understands. */
#define LEAF_INCOMPAT_KNOWN UINT64_C(0)

#define AT(m) MAP_AT(leaf, m)
#define HAS(m) .has = MAP_HAS(leaf, m)
#define SUB(a) .sub = (a), .n_sub = OPS_ARRAY_LEN(a)

/* clang-format off */
static const struct map_field frame_fields[] = {
	{ 0,  MAP_UINT,  AT(type) },
	{ 1,  MAP_BYTES, AT(u.frame.stream) },
	{ 2,  MAP_UINT,  AT(u.frame.class) },
	{ 3,  MAP_UINT,  AT(u.frame.number) },
	{ 4,  MAP_BYTES, AT(u.frame.prev), HAS(u.frame.has_prev) },
	{ 5,  MAP_UINT,  AT(u.frame.first) },
	{ 6,  MAP_UINT,  AT(u.frame.count) },
	{ 7,  MAP_UINT,  AT(u.frame.arrived_first) },
	{ 8,  MAP_UINT,  AT(u.frame.arrived_last) },
	{ 9,  MAP_UINT,  AT(u.frame.codec) },
	{ 10, MAP_UINT,  AT(u.frame.stored_len) },
	{ 11, MAP_UINT,  AT(u.frame.raw_len) },
	{ 12, MAP_BYTES, AT(u.frame.sha256) },
	{ 13, MAP_BYTES, AT(u.frame.root) },
};

static const struct map_field found_fields[] = {
	{ 0, MAP_UINT, AT(u.boot.found.wal_records) },
	{ 1, MAP_UINT, AT(u.boot.found.wal_torn_bytes) },
	{ 2, MAP_UINT, AT(u.boot.found.leaf_torn_bytes) },
	{ 3, MAP_UINT, AT(u.boot.found.frames_cut) },
};

static const struct map_field pred_fields[] = {
	{ 0, MAP_TEXT,  AT(u.boot.pred_origin) },
	{ 1, MAP_UINT,  AT(u.boot.pred_size) },
	{ 2, MAP_BYTES, AT(u.boot.pred_root) },
};

static const struct map_field boot_fields[] = {
	{ 0,  MAP_UINT,  AT(type) },
	{ 1,  MAP_UINT,  AT(u.boot.format) },
	{ 2,  MAP_UINT,  AT(u.boot.compat) },
	{ 3,  MAP_UINT,  AT(u.boot.incompat) },
	{ 4,  MAP_TEXT,  AT(u.boot.origin) },
	{ 5,  MAP_BYTES, AT(u.boot.log_pub) },
	{ 6,  MAP_UINT,  AT(u.boot.period) },
	{ 7,  MAP_BYTES, AT(u.boot.seal_pub) },
	{ 8,  MAP_BYTES, AT(u.boot.resume_pub) },
	{ 9,  MAP_BYTES, AT(u.boot.clock.boot_id) },
	{ 10, MAP_UINT,  AT(u.boot.clock.at.boottime) },
	{ 11, MAP_UINT,  AT(u.boot.clock.at.monotonic) },
	{ 12, MAP_UINT,  AT(u.boot.clock.at.realtime) },
	{ 13, MAP_UINT,  AT(u.boot.clock.at.state) },
	{ 14, MAP_BYTES, AT(u.boot.machine) },
	{ 15, MAP_BYTES, AT(u.boot.events) },
	{ 16, MAP_UINT,  AT(u.boot.why) },
	{ 17, MAP_ARRAY, AT(u.boot.found), SUB(found_fields) },
	{ 18, MAP_UINT,  AT(u.boot.wal.batch) },
	{ 19, MAP_BYTES, AT(u.boot.wal.chain) },
	{ 20, MAP_ARRAY, 0, 0, HAS(u.boot.has_pred), SUB(pred_fields) },
	{ 21, MAP_BYTES, AT(u.boot.sig) },
};

static const struct map_field seal_fields[] = {
	{ 0,  MAP_UINT,  AT(type) },
	{ 1,  MAP_UINT,  AT(u.seal.period) },
	{ 2,  MAP_BYTES, AT(u.seal.next_pub) },
	{ 3,  MAP_BYTES, AT(u.seal.resume_pub), HAS(u.seal.has_resume) },
	{ 4,  MAP_BYTES, AT(u.seal.clock.boot_id) },
	{ 5,  MAP_UINT,  AT(u.seal.clock.at.boottime) },
	{ 6,  MAP_UINT,  AT(u.seal.clock.at.monotonic) },
	{ 7,  MAP_UINT,  AT(u.seal.clock.at.realtime) },
	{ 8,  MAP_UINT,  AT(u.seal.clock.at.state) },
	{ 9,  MAP_UINT,  AT(u.seal.from) },
	{ 10, MAP_UINT,  AT(u.seal.until) },
	{ 11, MAP_FLAG,  AT(u.seal.final) },
	{ 12, MAP_UINT,  AT(u.seal.open) },
	{ 13, MAP_UINT,  AT(u.seal.wal.batch) },
	{ 14, MAP_BYTES, AT(u.seal.wal.chain) },
	{ 15, MAP_BYTES, AT(u.seal.sig) },
};

static const struct map_field close_fields[] = {
	{ 0, MAP_UINT,  AT(type) },
	{ 1, MAP_BYTES, AT(u.close.stream) },
	{ 2, MAP_UINT,  AT(u.close.state) },
	{ 3, MAP_UINT,  AT(u.close.frames) },
	{ 4, MAP_SOME,  AT(u.close.last) },
	{ 5, MAP_UINT,  AT(u.close.events) },
	{ 6, MAP_BYTES, AT(u.close.chain) },
};

static const struct map_field tombstone_fields[] = {
	{ 0, MAP_UINT,  AT(type) },
	{ 1, MAP_BYTES, AT(u.tombstone.stream) },
	{ 2, MAP_UINT,  AT(u.tombstone.from) },
	{ 3, MAP_UINT,  AT(u.tombstone.to) },
	{ 4, MAP_UINT,  AT(u.tombstone.realtime) },
	{ 5, MAP_UINT,  AT(u.tombstone.class), HAS(u.tombstone.has_rule) },
	{ 6, MAP_UINT,  AT(u.tombstone.why), HAS(u.tombstone.has_rule) },
	{ 7, MAP_UINT,  AT(u.tombstone.limit), HAS(u.tombstone.has_rule) },
	{ 8, MAP_UINT,  AT(u.tombstone.age), HAS(u.tombstone.has_rule) },
};
/* clang-format on */

static int
check_frame(const struct leaf_frame *f, struct ops_err *err)
{
	if (f->class == 0 || f->class >= CLASSES)
		return ops_fail(err, OPS_EFORMAT, "class %u", f->class);
	if (f->codec != CODEC_ZSTD)
		return ops_fail(err, OPS_EFORMAT, "codec %u", f->codec);
	if (f->has_prev && f->number == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "something before the first frame");
	if (f->count == 0 || f->count > FRAME_RECORDS_MAX ||
	    f->first > UINT64_MAX - f->count)
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu32 " records from %" PRIu64, f->count, f->first);
	if (f->stored_len <= FRAME_HEADER + FRAME_CHUNK_ENTRY ||
	    f->stored_len > FRAME_STORED_MAX ||
	    f->raw_len < FRAME_SEED + RECORD_HEADER ||
	    f->raw_len > FRAME_RAW_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu32 " stored and %" PRIu32 " raw bytes",
		    f->stored_len, f->raw_len);
	if (f->arrived_first > f->arrived_last)
		return ops_fail(err, OPS_EFORMAT, "arrived out of order");
	return 0;
}

static int
check_origin(const char *s, size_t size, struct ops_err *err)
{
	size_t n = strnlen(s, size);

	if (n == size || !note_name_valid(s, n))
		return ops_fail(err, OPS_EFORMAT, "origin is not a key name");
	return 0;
}

static int
check_boot(const struct leaf_boot *b, struct ops_err *err)
{
	if (b->format == 0 || b->format > LEAF_FORMAT ||
	    (b->incompat & ~LEAF_INCOMPAT_KNOWN) != 0)
		return ops_fail(err, OPS_EFORMAT,
		    "format %" PRIu64 ", features %" PRIx64, b->format,
		    b->incompat);
	if (b->why < BOOT_FIRST || b->why > BOOT_DAMAGED)
		return ops_fail(
		    err, OPS_EFORMAT, "unknown reason %" PRIu32, b->why);
	if (b->has_pred != (b->why >= BOOT_NO_RESUME))
		return ops_fail(err, OPS_EFORMAT, "%s predecessor",
		    b->has_pred ? "unexpected" : "no");
	if (check_origin(b->origin, sizeof(b->origin), err) < 0)
		return -1;
	if (b->has_pred &&
	    check_origin(b->pred_origin, sizeof(b->pred_origin), err) < 0)
		return ops_context(err, "predecessor");
	return 0;
}

static int
check_seal(const struct leaf_seal *s, struct ops_err *err)
{
	if (s->from > s->until)
		return ops_fail(
		    err, OPS_EFORMAT, "period ends before it began");
	return 0;
}

static int
check_close(const struct leaf_close *c, struct ops_err *err)
{
	if (c->state != CLOSE_CLOSED && c->state != CLOSE_LOST)
		return ops_fail(
		    err, OPS_EFORMAT, "unknown state %" PRIu32, c->state);
	if ((c->frames == 0) != ops_all_zero(c->last, sizeof(c->last)))
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu64 " frames, %s last one", c->frames,
		    c->frames == 0 ? "but a" : "but no");
	return 0;
}

static int
check_tombstone(const struct leaf_tombstone *t, struct ops_err *err)
{
	if (t->from >= t->to)
		return ops_fail(err, OPS_EFORMAT, "no frames deleted");
	if (!t->has_rule)
		return 0;
	if (t->class == 0 || t->class >= CLASSES)
		return ops_fail(err, OPS_EFORMAT, "class %u", t->class);
	if (t->why == 0 || t->why >= TOMBSTONE_WHYS || t->limit == 0 ||
	    t->age == 0)
		return ops_fail(err, OPS_EFORMAT,
		    "rule %" PRIu32 " of %" PRIu64 ", age %" PRIu64, t->why,
		    t->limit, t->age);
	return 0;
}

static const struct {
	const char *name;
	const struct map_field *fields;
	size_t n;
	bool is_signed; /* the last field is the signature */
} types[] = {
#define TYPE(type, fields, sig)                                                \
	[type] = { #type, fields, OPS_ARRAY_LEN(fields), sig }
	TYPE(LEAF_FRAME, frame_fields, false),
	TYPE(LEAF_BOOT, boot_fields, true),
	TYPE(LEAF_SEAL, seal_fields, true),
	TYPE(LEAF_CLOSE, close_fields, false),
	TYPE(LEAF_TOMBSTONE, tombstone_fields, false),
#undef TYPE
};

static bool
type_known(uint64_t type)
{
	return type < OPS_ARRAY_LEN(types) && types[type].fields != NULL;
}

/* What the keys alone don't say; the same when writing and reading. */
static int
check(const struct leaf *l, struct ops_err *err)
{
	switch (l->type) {
	case LEAF_FRAME:
		return check_frame(&l->u.frame, err);
	case LEAF_BOOT:
		return check_boot(&l->u.boot, err);
	case LEAF_SEAL:
		return check_seal(&l->u.seal, err);
	case LEAF_CLOSE:
		return check_close(&l->u.close, err);
	case LEAF_TOMBSTONE:
		return check_tombstone(&l->u.tombstone, err);
	}
	return ops_fail(err, OPS_EFORMAT, "unknown type %u", l->type);
}

/* The leaf, or all of it but its signature. */
static long
encode(const struct leaf *l, bool with_sig, uint8_t *out, struct ops_err *err)
{
	/* A buffer over fixed space: it is full before it would grow. */
	struct ops_buf b = { .data = out, .cap = LEAF_MAX, .max = LEAF_MAX };

	if (check(l, err) < 0)
		return -1;
	map_put(&b, types[l->type].fields, types[l->type].n - !with_sig, l);
	if (ops_buf_check(&b, types[l->type].name, err) < 0)
		return -1;
	return (long)b.len;
}

long
leaf_encode(
    const struct leaf *l, uint8_t out[static LEAF_MAX], struct ops_err *err)
{
	long n = encode(l, true, out, err);

	if (n < 0) {
		if (err != NULL && err->code == OPS_EFORMAT)
			err->code = OPS_EUSAGE;
		return ops_context(err, "leaf");
	}
	return n;
}

/* The type, and whether this code may go on: a BOOT that says it is from a
 * newer opseal may have anything in the rest. */
static int
read_type(const uint8_t *p, size_t n, struct leaf *l, struct ops_err *err)
{
	struct cbor_reader r = { p, n };
	uint64_t last = UINT64_MAX, key;
	struct cbor_item map, v;

	if (cbor_expect(&r, CBOR_MAP, &map, err) < 0)
		return -1;
	for (uint64_t i = 0; i < map.value && i < 4; i++) {
		if (cbor_map_key(&r, &last, &key, err) < 0 ||
		    cbor_expect(&r, CBOR_UINT, &v, err) < 0)
			return -1;
		if (key != i)
			return ops_fail(
			    err, OPS_EFORMAT, "key %" PRIu64 " is missing", i);
		switch (key) {
		case 0:
			if (!type_known(v.value))
				return ops_fail(err, OPS_EFORMAT,
				    "unknown type %" PRIu64, v.value);
			l->type = (enum leaf_type)v.value;
			if (l->type != LEAF_BOOT)
				return 0;
			break;
		case 1:
			l->u.boot.format = v.value;
			break;
		case 2:
			l->u.boot.compat = v.value;
			break;
		default:
			l->u.boot.incompat = v.value;
		}
		if (l->u.boot.format > LEAF_FORMAT ||
		    (l->u.boot.incompat & ~LEAF_INCOMPAT_KNOWN) != 0)
			return ops_fail(err, OPS_ENEWER,
			    "written by a newer opseal (format %" PRIu64
			    ", features %" PRIx64 ")",
			    l->u.boot.format, l->u.boot.incompat);
	}
	return 0;
}

static int
decode(const uint8_t *p, size_t n, struct leaf *l, struct ops_err *err)
{
	struct cbor_reader r = { p, n };
	uint8_t again[LEAF_MAX];
	long again_len;

	if (n > LEAF_MAX)
		return ops_fail(err, OPS_EFORMAT, "%zu bytes", n);
	if (read_type(p, n, l, err) < 0)
		return -1;
	if (l->type == 0)
		return ops_fail(err, OPS_EFORMAT, "no type");
	if (map_get(&r, types[l->type].fields, types[l->type].n,
		MAP_REFUSE_UNKNOWN, l, err) < 0 ||
	    cbor_end(&r, err) < 0)
		return ops_context(err, "%s", types[l->type].name);
	/* One byte string per meaning: what we would write, or nothing. */
	again_len = encode(l, true, again, err);
	if (again_len < 0)
		return -1;
	if ((size_t)again_len != n || memcmp(p, again, n) != 0)
		return ops_fail(err, OPS_EFORMAT, "%s is not canonical",
		    types[l->type].name);
	return 0;
}

int
leaf_decode(const uint8_t *p, size_t n, struct leaf *ret, struct ops_err *err)
{
	struct ops_err own = { 0 };
	struct leaf l = { 0 };

	if (err == NULL)
		err = &own;
	if (decode(p, n, &l, err) < 0) {
		if (err->code == OPS_ENEWER)
			*ret = l;
		else if (err->code != OPS_ENOMEM)
			err->code = OPS_EFORMAT;
		return ops_context(err, "leaf");
	}
	*ret = l;
	return 0;
}

void
leaf_hash(const uint8_t *p, size_t n, uint8_t out[static OPS_HASH_LEN])
{
	const uint8_t zero = 0x00;

	ops_sha256_parts((struct ops_part[]){ { &zero, 1 }, { p, n } }, 2, out);
}

int
leaf_signed_message(const struct leaf *l, const char *origin, uint64_t size,
    const uint8_t root[static OPS_HASH_LEN], struct ops_buf *out,
    struct ops_err *err)
{
	uint8_t bare[LEAF_MAX], be[8];
	size_t before = out->len;
	long n;

	if (!type_known(l->type) || !types[l->type].is_signed)
		return ops_fail(
		    err, OPS_EUSAGE, "leaf of type %u is not signed", l->type);
	n = encode(l, false, bare, err);
	if (n < 0)
		return ops_context(err, "leaf to sign");
	ops_putbe64(be, size);
	ops_buf_puts(out, "opseal leaf v1\n");
	ops_buf_puts(out, origin);
	ops_buf_puts(out, "\n");
	ops_buf_put(out, be, sizeof(be));
	ops_buf_put(out, root, OPS_HASH_LEN);
	ops_buf_put(out, bare, (size_t)n);
	if (ops_buf_check(out, "message to sign", err) < 0) {
		out->len = before;
		return -1;
	}
	return 0;
}

void
leaf_file_put(struct ops_buf *b, const uint8_t *leaf, size_t n)
{
	uint8_t head[LEAF_FILE_HEADER];

	assert(n > 0 && n <= LEAF_MAX);
	ops_putle32(head, (uint32_t)n);
	ops_putle32(head + 4, ops_crc32c(0, leaf, n));
	ops_buf_put(b, head, sizeof(head));
	ops_buf_put(b, leaf, n);
}

long
leaf_file_next(const uint8_t *p, size_t n, const uint8_t **leaf, size_t *len,
    struct ops_err *err)
{
	uint32_t size;

	if (n < 4)
		return ops_fail(
		    err, OPS_ETRUNC, "leaves: entry cut at %zu bytes", n);
	size = ops_getle32(p);
	if (size == 0 || size > LEAF_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "leaves: entry of %" PRIu32 " bytes", size);
	if (n < LEAF_FILE_HEADER + size)
		return ops_fail(
		    err, OPS_ETRUNC, "leaves: entry cut at %zu bytes", n);
	if (ops_crc32c(0, p + LEAF_FILE_HEADER, size) != ops_getle32(p + 4))
		return ops_fail(err, OPS_EFORMAT, "leaves: wrong checksum");
	*leaf = p + LEAF_FILE_HEADER;
	*len = size;
	return (long)(LEAF_FILE_HEADER + size);
}
