#include "check.h"

#include <zstd.h>

#include "base/bytes.h"
#include "merkle/tree.h"
#include "record/frame.h"

static struct frame_maker *maker;
static struct frame_opener *opener;
static uint8_t seeds[FRAME_SEEDS];
static const struct frame_id id = {
	.stream = "stream-id", .class = CLASS_SCREEN, .number = 3, .first = 1000
};

static int
setup(void **state)
{
	(void)state;
	maker = frame_maker_new();
	opener = frame_opener_new();
	for (size_t i = 0; i < sizeof(seeds); i++)
		seeds[i] = (uint8_t)(i ^ i >> 3);
	return maker == NULL || opener == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	frame_maker_free(maker);
	frame_opener_free(opener);
	frame_maker_free(NULL);
	frame_opener_free(NULL);
	return 0;
}

static void
put_record(
    struct ops_buf *b, uint8_t type, uint64_t time, const void *p, size_t n)
{
	struct record r = {
		.type = type, .time = time, .payload = p, .len = n
	};
	uint8_t *to = ops_buf_reserve(b, RECORD_HEADER + n);

	assert_non_null(to);
	b->len += record_encode(&r, to);
}

/* A small frame of three records. */
static void
small_records(struct ops_buf *b)
{
	put_record(b, REC_OUTPUT, 1, "hello", 5);
	put_record(b, REC_RESIZE, 2, "\x50\0\x18\0", 4);
	put_record(b, REC_OUTPUT, 3, "", 0);
}

static void
small_frame(struct ops_buf *out, struct frame_digest *d)
{
	struct ops_buf b = { .max = 1000 };

	small_records(&b);
	assert_int_equal(
	    frame_make(maker, &id, 3, b.data, b.len, seeds, out, d, NULL), 0);
	ops_buf_free(&b);
}

/* Records in each chunk, as a stored frame's table says it; returns how many chunks. */
static uint16_t
counts_of(const uint8_t *stored, uint32_t all, uint32_t count[FRAME_CHUNKS_MAX])
{
	uint16_t chunks = ops_getle16(stored + 60);

	for (uint16_t i = 0; i < chunks; i++)
		count[i] = ops_getle16(stored + 64 + 12 * i + 2);
	if (chunks == 1) {
		assert_int_equal(count[0], 0);
		count[0] = all;
	}
	return chunks;
}

/* The record root, computed as doc/format.md says it, with nothing shared. */
static void
root_by_the_book(const uint8_t *p, size_t n, const uint32_t *counts,
    const uint8_t *seed, uint32_t count, uint8_t root[OPS_HASH_LEN])
{
	uint8_t *hashes = calloc(count, OPS_HASH_LEN);
	uint8_t salt[OPS_HASH_LEN], j[4];
	const uint8_t zero = 0;
	uint32_t before = 0;
	struct record r;
	long used;

	assert_non_null(hashes);
	for (uint32_t i = 0; i < count; i++) {
		if (i == before + *counts) {
			before += *counts++;
			seed += 32;
		}
		used = record_decode(p, n, &r, NULL);
		assert_true(used > 0);
		ops_putbe32(j, i);
		ops_hmac_sha256(seed, 32, j, sizeof(j), salt);
		ops_sha256_parts(
		    (struct ops_part[]){ { &zero, 1 }, { salt, sizeof(salt) },
			{ p, (size_t)used } },
		    3, hashes + i * OPS_HASH_LEN);
		p += used;
		n -= (size_t)used;
	}
	assert_int_equal(n, 0);
	tree_root_of(hashes, count, root);
	free(hashes);
}

/* Each chunk alone, in any order: together they are the frame's records. */
static void
check_chunks(const uint8_t *stored, const struct frame_header *h,
    const uint8_t *records, size_t n)
{
	struct ops_buf raw = { .max = FRAME_RAW_MAX };

	for (unsigned i = h->chunks; i-- > 0;) {
		assert_int_equal(
		    frame_open_chunk(opener, h, i, stored, &raw, NULL), 0);
		assert_int_equal(raw.len, h->chunk[i].raw - FRAME_SEED);
		assert_true(raw.len <= n);
		n -= raw.len;
		assert_memory_equal(raw.data, records + n, raw.len);
	}
	assert_int_equal(n, 0);
	ops_buf_free(&raw);
}

static void
check_round_trip_of(uint8_t class, unsigned chunks, uint32_t count,
    const uint8_t *records, size_t n)
{
	struct ops_buf out = { .max = FRAME_STORED_MAX + 7 };
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	uint8_t root[OPS_HASH_LEN], sha[OPS_HASH_LEN];
	uint32_t counts[FRAME_CHUNKS_MAX];
	struct frame_id mine = id;
	struct frame_header h;
	struct frame_digest d;

	mine.class = class;
	ops_buf_puts(&out, "before ");
	assert_int_equal(
	    frame_make(maker, &mine, count, records, n, seeds, &out, &d, NULL),
	    0);
	assert_int_equal(out.len, 7 + d.stored_len);
	assert_int_equal(d.raw_len, n + chunks * FRAME_SEED);
	ops_sha256(out.data + 7, d.stored_len, sha);
	assert_memory_equal(sha, d.sha256, sizeof(sha));
	assert_int_equal(counts_of(out.data + 7, count, counts), chunks);
	root_by_the_book(records, n, counts, seeds, count, root);
	assert_memory_equal(root, d.root, sizeof(root));

	memset(root, 0, sizeof(root));
	assert_int_equal(frame_open(opener, out.data + 7, d.stored_len, &h,
			     &raw, root, NULL),
	    0);
	assert_memory_equal(root, d.root, sizeof(root));
	assert_int_equal(raw.len, n);
	assert_memory_equal(raw.data, records, n);
	assert_memory_equal(h.id.stream, id.stream, OPS_ID_LEN);
	assert_int_equal(h.id.class, class);
	assert_int_equal(h.id.number, id.number);
	assert_int_equal(h.id.first, id.first);
	assert_int_equal(h.count, count);
	assert_int_equal(h.chunks, chunks);
	assert_int_equal(h.header_len + h.stored, d.stored_len);
	assert_int_equal(h.raw, d.raw_len);
	check_chunks(out.data + 7, &h, records, n);
	/* Again without the root: the same bytes. */
	assert_int_equal(frame_open(opener, out.data + 7, d.stored_len, &h,
			     &raw, NULL, NULL),
	    0);
	assert_int_equal(raw.len, n);
	ops_buf_free(&out);
	ops_buf_free(&raw);
}

static void
check_round_trip(uint32_t count, const uint8_t *records, size_t n)
{
	check_round_trip_of(CLASS_SCREEN, 1, count, records, n);
}

static void
test_round_trip(void **state)
{
	struct ops_buf b = { .max = FRAME_RAW_MAX };
	static uint8_t x[RECORD_PAYLOAD_MAX];
	uint32_t count = 0;

	(void)state;
	put_record(&b, REC_OUTPUT, 1, "a", 1);
	check_round_trip(1, b.data, b.len);
	ops_buf_reset(&b);
	small_records(&b);
	check_round_trip(3, b.data, b.len);
	/* As full as can be, with bytes that do not compress. */
	ops_buf_reset(&b);
	ops_random(x, sizeof(x));
	for (; b.len + RECORD_MAX <= FRAME_RAW_MAX - FRAME_SEEDS; count++)
		put_record(&b, REC_OUTPUT, count, x, sizeof(x));
	put_record(&b, REC_OUTPUT, count++, x,
	    FRAME_RAW_MAX - FRAME_SEEDS - RECORD_HEADER - b.len);
	assert_int_equal(b.len + FRAME_SEEDS, FRAME_RAW_MAX);
	check_round_trip(count, b.data, b.len);
	/* As many records as can be. */
	ops_buf_reset(&b);
	for (count = 0; b.len + RECORD_HEADER <= FRAME_RAW_MAX - FRAME_SEEDS;
	     count++)
		put_record(&b, REC_OUTPUT, 0, NULL, 0);
	check_round_trip(count, b.data, b.len);
	ops_buf_free(&b);
}

#define SMALLEST (RECORD_HEADER + OPS_ID_LEN) /* record of a program */

/* n bytes of programs' records of `size` bytes each, the last two maybe shorter. */
static uint32_t
programs(struct ops_buf *b, size_t n, size_t size)
{
	static uint8_t x[RECORD_PAYLOAD_MAX];
	uint32_t count = 0;

	ops_random(x, sizeof(x));
	ops_buf_reset(b);
	for (; b->len < n; count++) {
		size_t rest = n - b->len, more = rest < size ? rest : size;

		if (rest - more > 0 && rest - more < SMALLEST)
			more -= SMALLEST;
		put_record(b, REC_ENDED, count, x, more - RECORD_HEADER);
	}
	assert_int_equal(b->len, n);
	return count;
}

/* Frames of programs: a chunk ends with the record that fills it. */
static void
test_chunks(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		size_t n, size;
		unsigned chunks;
	} rows[] = {
		{ "one record",		   SMALLEST, SMALLEST, 1 },
		{ "one that is longest",   RECORD_MAX, RECORD_MAX, 1 },
		{ "a chunk",		   FRAME_CHUNK, 64, 1 },
		{ "and a record",	   FRAME_CHUNK + 64, 64, 2 },
		{ "two chunks",		   2 * FRAME_CHUNK, 64, 2 },
		{ "not to the byte",	   3 * 16400 + 100, 100, 4 },
		{ "records of one chunk",  4 * RECORD_MAX, RECORD_MAX, 4 },
		{ "a byte less",	   4 * (RECORD_MAX - 1), RECORD_MAX - 1, 2 },
		{ "as many as can be",	   16 * FRAME_CHUNK, 64, 16 },
		{ "the smallest records",  16 * FRAME_CHUNK / SMALLEST * SMALLEST, SMALLEST, 16 },
		{ "then chunks are longer", 16 * FRAME_CHUNK + 64, 64, 16 },
		{ "all that a frame holds", FRAME_RAW_MAX - FRAME_SEEDS, 100, 16 },
		{ "of the longest",	   FRAME_RAW_MAX - FRAME_SEEDS, RECORD_MAX, 16 },
		{ "many in each",	   (FRAME_RAW_MAX - FRAME_SEEDS) / SMALLEST * SMALLEST, SMALLEST, 16 },
	};
	/* clang-format on */
	struct ops_buf b = { .max = FRAME_RAW_MAX };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint32_t count = programs(&b, rows[i].n, rows[i].size);

		print_message("%s\n", rows[i].name);
		check_round_trip_of(
		    CLASS_PROGRAMS, rows[i].chunks, count, b.data, b.len);
	}
	ops_buf_free(&b);
}

static void
test_make_refuses(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		uint8_t class;
		uint32_t count;
		const char *in;
		size_t n;
		size_t max;
		uint64_t first;
		enum ops_code code;
	} rows[] = {
#define T8 "\0\0\0\0\0\0\0\0"
#define B(s) s, sizeof(s) - 1
		{ "good",	1, 1, B("\x01\0\x01\0" T8 "x"), FRAME_STORED_MAX, 0, OPS_OK },
		{ "no records",	1, 0, B(""), FRAME_STORED_MAX, 0, OPS_EUSAGE },
		{ "no count",	1, 0, B("\x01\0\x01\0" T8 "x"), FRAME_STORED_MAX, 0, OPS_EUSAGE },
		{ "count + 1",	1, 2, B("\x01\0\x01\0" T8 "x"), FRAME_STORED_MAX, 0, OPS_EFORMAT },
		{ "cut",	1, 1, B("\x01\0\x02\0" T8 "x"), FRAME_STORED_MAX, 0, OPS_EFORMAT },
		{ "leftover",	1, 1, B("\x01\0\x01\0" T8 "xy"), FRAME_STORED_MAX, 0, OPS_EFORMAT },
		{ "other class", 2, 1, B("\x01\0\x01\0" T8 "x"), FRAME_STORED_MAX, 0, OPS_EFORMAT },
		{ "class 4",	CLASSES, 1, B("\x01\0\x01\0" T8 "x"), FRAME_STORED_MAX, 0, OPS_EUSAGE },
		{ "past the end", 1, 1, B("\x01\0\x01\0" T8 "x"), FRAME_STORED_MAX, UINT64_MAX, OPS_EUSAGE },
		{ "no room",	1, 1, B("\x01\0\x01\0" T8 "x"), 80, 0, OPS_ENOMEM },
#undef B
#undef T8
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *in = heap_copy(rows[i].in, rows[i].n);
		struct frame_id bad = { .class = rows[i].class,
			.first = rows[i].first };
		struct ops_buf out = { .max = rows[i].max };
		struct frame_digest d = { .raw_len = 7 };
		struct ops_err err = { 0 };
		int rc = frame_make(maker, &bad, rows[i].count, in, rows[i].n,
		    seeds, &out, &d, &err);

		CHECK(err.code == rows[i].code, rows[i].name, err.msg);
		CHECK(
		    (rc == 0) == (rows[i].code == OPS_OK), rows[i].name, "rc");
		CHECK(rc == 0 || (out.len == 0 && d.raw_len == 7), rows[i].name,
		    "output touched");
		ops_buf_free(&out);
		free(in);
	}
}

/* Every cut asks for more, every byte more is too much. */
static void
test_every_cut(void **state)
{
	struct ops_buf out = { .max = FRAME_STORED_MAX };
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	struct frame_header h = { .count = 77 };
	struct frame_digest d;

	(void)state;
	small_frame(&out, &d);
	for (size_t n = 0; n <= out.len + 1; n++) {
		struct ops_err err = { 0 };
		uint8_t *p;

		if (n == out.len)
			continue;
		if (n > out.len)
			ops_buf_put8(&out, 0);
		p = heap_copy(out.data, n);
		assert_int_equal(
		    frame_open(opener, p, n, &h, &raw, NULL, &err), -1);
		assert_int_equal(
		    err.code, n > d.stored_len ? OPS_EFORMAT : OPS_ETRUNC);
		assert_int_equal(raw.len, 0);
		assert_int_equal(h.count, 77);
		free(p);
		if (n > d.stored_len)
			break;
	}
	ops_buf_free(&out);
	ops_buf_free(&raw);
}

/* With any bit flipped the frame is refused, or still whole but with another
 * hash: what frame_open() lets pass is caught by the leaf. */
static void
test_every_flip(void **state)
{
	struct ops_buf out = { .max = FRAME_STORED_MAX };
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	uint8_t sha[OPS_HASH_LEN], root[OPS_HASH_LEN];
	struct frame_header h;
	struct frame_digest d;

	(void)state;
	small_frame(&out, &d);
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ops_sha256(out.data, out.len, sha);
		assert_memory_not_equal(sha, d.sha256, sizeof(sha));
		if (frame_open(
			opener, out.data, out.len, &h, &raw, root, NULL) == 0)
			assert_true(h.count == 3 && raw.len <= h.raw);
		out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ops_buf_free(&out);
	ops_buf_free(&raw);
}

/* One field of the header of the small frame changed. */
static void
test_header_fields(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		size_t at;
		const char *bytes;
		size_t n;
		enum ops_code code;
	} rows[] = {
#define B(s) s, sizeof(s) - 1
		{ "another skippable",	0,  B("\x51"), OPS_EFORMAT },
		{ "a zstd frame",	0,  B("\x28\xb5\x2f\xfd"), OPS_EFORMAT },
		{ "size + 1",		4,  B("\x45"), OPS_EFORMAT },
		{ "size, high byte",	7,  B("\x01"), OPS_EFORMAT },
		{ "another name",	8,  B("OPSSEG"), OPS_EFORMAT },
		{ "version 02",		15, B("2"), OPS_ENEWER },
		{ "compatible flag",	16, B("\x01\x80"), OPS_OK },
		{ "incompatible flag",	18, B("\x01"), OPS_ENEWER },
		{ "incompatible, high",	19, B("\x80"), OPS_ENEWER },
		{ "class 0",		20, B("\0"), OPS_EFORMAT },
		{ "class events",	20, B("\x02"), OPS_OK },
		{ "class 4",		20, B("\x04"), OPS_EFORMAT },
		{ "byte 21",		21, B("\x01"), OPS_EFORMAT },
		{ "first + count over",	40, B("\xfe\xff\xff\xff\xff\xff\xff\xff"), OPS_EFORMAT },
		{ "first just fits",	40, B("\xfc\xff\xff\xff\xff\xff\xff\xff"), OPS_OK },
		{ "no records",		48, B("\0"), OPS_EFORMAT },
		{ "too many records",	48, B("\x56\x55\x01\0"), OPS_EFORMAT },
		{ "stored + 1",		52, B("\xff"), OPS_EFORMAT },
		{ "stored over limit",	52, B("\0\0\x20\0"), OPS_EFORMAT },
		{ "raw - 1",		56, B("\x01"), OPS_EFORMAT },
		{ "raw over limit",	56, B("\x01\0\x10\0"), OPS_EFORMAT },
		{ "no chunks",		60, B("\0"), OPS_EFORMAT },
		{ "17 chunks",		60, B("\x11"), OPS_EFORMAT },
		{ "byte 62",		62, B("\x01"), OPS_EFORMAT },
		{ "codec 0",		64, B("\0"), OPS_EFORMAT },
		{ "codec 2",		64, B("\x02"), OPS_EFORMAT },
		{ "keyed",		65, B("\x01"), OPS_EFORMAT },
		{ "byte 66",		66, B("\x01"), OPS_EFORMAT },
		{ "chunk stored 0",	68, B("\0\0\0\0"), OPS_EFORMAT },
		{ "chunk raw 43",	72, B("\x2b\0\0\0"), OPS_EFORMAT },
#undef B
	};
	/* clang-format on */
	struct ops_buf out = { .max = FRAME_STORED_MAX };
	struct frame_digest d;

	(void)state;
	small_frame(&out, &d);
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *p = heap_copy(out.data, out.len);
		struct frame_header h = { .chunks = 77 };
		struct ops_err err = { 0 };
		long rc;

		memcpy(p + rows[i].at, rows[i].bytes, rows[i].n);
		rc = frame_header_decode(p, out.len, &h, &err);
		CHECK(err.code == rows[i].code, rows[i].name, err.msg);
		CHECK(rc == (rows[i].code == OPS_OK ? 76 : -1), rows[i].name,
		    "rc");
		CHECK(rc > 0 || h.chunks == 77, rows[i].name, "touched");
		free(p);
	}
	ops_buf_free(&out);
}

/* A frame put together by hand: any chunks, any zstd. */
struct chunk {
	const uint8_t *p;
	uint32_t n;
	uint32_t raw;
	uint16_t count; /* in the table */
};

static void
hand_made(struct ops_buf *out, uint32_t count, const struct chunk *c, size_t n)
{
	uint32_t stored = 0, raw = 0;

	for (size_t i = 0; i < n; i++) {
		stored += c[i].n;
		raw += c[i].raw;
	}
	ops_buf_reset(out);
	ops_buf_putle32(out, 0x184D2A50);
	ops_buf_putle32(out, (uint32_t)(56 + 12 * n));
	ops_buf_puts(out, "OPSFRM01");
	ops_buf_putle32(out, 0);
	ops_buf_putle16(out, CLASS_SCREEN);
	ops_buf_put(out, id.stream, OPS_ID_LEN);
	ops_buf_putle64(out, id.number);
	ops_buf_putle64(out, id.first);
	ops_buf_putle32(out, count);
	ops_buf_putle32(out, stored);
	ops_buf_putle32(out, raw);
	ops_buf_putle32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		ops_buf_putle16(out, CODEC_ZSTD);
		ops_buf_putle16(out, c[i].count);
		ops_buf_putle32(out, c[i].n);
		ops_buf_putle32(out, c[i].raw);
	}
	for (size_t i = 0; i < n; i++)
		ops_buf_put(out, c[i].p, c[i].n);
	assert_false(out->failed);
}

static uint32_t
zstd_chunk(uint8_t *out, size_t cap, const void *p, size_t n, bool size_known)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t rc;

	assert_non_null(c);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, size_known);
	rc = ZSTD_compress2(c, out, cap, p, n);
	assert_false(ZSTD_isError(rc));
	ZSTD_freeCCtx(c);
	return (uint32_t)rc;
}

static void
test_two_chunks(void **state)
{
	struct ops_buf out = { .max = 4096 }, a = { .max = 4096 };
	struct ops_buf b = { .max = 4096 }, both = { .max = 4096 };
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	uint8_t za[512], zb[512], root[OPS_HASH_LEN], want[OPS_HASH_LEN];
	const uint32_t counts[] = { 3, 1 };
	static const struct {
		uint16_t a, b, all;
		bool header; /* all is well with that */
	} bad[] = { { 3, 1, 3, false }, { 3, 1, 5, false }, { 2, 1, 3, true },
		{ 4, 1, 5, true }, { 2, 2, 4, true }, { 4, 0, 4, false },
		{ 0, 4, 4, false }, { 0, 0, 4, false } };
	struct frame_header h;
	struct chunk c[2];

	(void)state;
	ops_buf_put(&a, seeds, FRAME_SEED);
	small_records(&a);
	ops_buf_put(&b, seeds + FRAME_SEED, FRAME_SEED);
	put_record(&b, REC_OUTPUT, 9, "second", 6);
	ops_buf_put(&both, a.data + FRAME_SEED, a.len - FRAME_SEED);
	ops_buf_put(&both, b.data + FRAME_SEED, b.len - FRAME_SEED);
	c[0] =
	    (struct chunk){ za, zstd_chunk(za, sizeof(za), a.data, a.len, true),
		    (uint32_t)a.len, 3 };
	c[1] =
	    (struct chunk){ zb, zstd_chunk(zb, sizeof(zb), b.data, b.len, true),
		    (uint32_t)b.len, 1 };
	hand_made(&out, 4, c, 2);
	assert_int_equal(
	    frame_open(opener, out.data, out.len, &h, &raw, root, NULL), 0);
	assert_int_equal(h.chunks, 2);
	assert_int_equal(raw.len, both.len);
	assert_memory_equal(raw.data, both.data, both.len);
	/* j counts through all chunks. */
	root_by_the_book(both.data, both.len, counts, seeds, 4, want);
	assert_memory_equal(root, want, sizeof(root));
	/* One record too few or too many, in the table alone or in both; none; and
	 * the right sum of wrong ones. */
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++) {
		c[0].count = bad[i].a;
		c[1].count = bad[i].b;
		hand_made(&out, bad[i].all, c, 2);
		assert_int_equal(
		    frame_open(opener, out.data, out.len, &h, &raw, root, NULL),
		    -1);
		assert_int_equal(
		    frame_header_whole(out.data, out.len, &h, NULL) == 0,
		    bad[i].header);
		if (bad[i].header)
			assert_int_equal(frame_open_chunk(opener, &h, 0,
					     out.data, &raw, NULL),
			    -1);
	}
	ops_buf_free(&out);
	ops_buf_free(&a);
	ops_buf_free(&b);
	ops_buf_free(&both);
	ops_buf_free(&raw);
}

static bool
opens(struct ops_buf *out, const struct chunk *c, struct ops_buf *raw,
    struct ops_err *err)
{
	struct frame_header h;

	hand_made(out, 3, c, 1);
	return frame_open(opener, out->data, out->len, &h, raw, NULL, err) == 0;
}

/* A chunk must be exactly one zstd frame that states the size in the table. */
static void
test_bad_chunks(void **state)
{
	struct ops_buf out = { .max = 4096 }, a = { .max = 4096 };
	struct ops_buf raw = { .max = FRAME_RAW_MAX };
	uint8_t z[1024];
	struct ops_err err = { 0 };
	struct chunk c;
	uint32_t n;

	(void)state;
	ops_buf_put(&a, seeds, FRAME_SEED);
	small_records(&a);
	n = zstd_chunk(z, sizeof(z), a.data, a.len, true);
	c = (struct chunk){ z, n, (uint32_t)a.len };
	assert_true(opens(&out, &c, &raw, &err));
	/* one byte after it, one missing */
	c.n = n + 1;
	assert_false(opens(&out, &c, &raw, &err));
	c.n = n - 1;
	assert_false(opens(&out, &c, &raw, &err));
	/* two frames, which libzstd would join */
	c.n = n + zstd_chunk(z + n, sizeof(z) - n, "", 0, true);
	assert_false(opens(&out, &c, &raw, &err));
	/* more or less than the table says: a bomb, or a lie */
	c.n = n;
	c.raw = (uint32_t)a.len + 1;
	assert_false(opens(&out, &c, &raw, &err));
	c.raw = (uint32_t)a.len - 1;
	assert_false(opens(&out, &c, &raw, &err));
	/* content size not stated */
	c = (struct chunk){ z, zstd_chunk(z, sizeof(z), a.data, a.len, false),
		(uint32_t)a.len };
	assert_false(opens(&out, &c, &raw, &err));
	/* a skippable frame */
	memcpy(z, "\x50\x2a\x4d\x18\x04\0\0\0abcd", 12);
	c.n = 12;
	assert_false(opens(&out, &c, &raw, &err));
	assert_int_equal(err.code, OPS_EFORMAT);
	/* a record cut by the end of its chunk */
	n = zstd_chunk(z, sizeof(z), a.data, a.len - 1, true);
	c = (struct chunk){ z, n, (uint32_t)a.len - 1 };
	assert_false(opens(&out, &c, &raw, &err));
	assert_int_equal(err.code, OPS_EFORMAT);
	ops_buf_free(&out);
	ops_buf_free(&a);
	ops_buf_free(&raw);
}

static void
test_segment_header(void **state)
{
	const struct segment_header h = { .stream = "stream-id",
		.class = CLASS_EVENTS,
		.first_frame = 1ull << 33,
		.number = 9 };
	struct segment_header got = { 0 };
	uint8_t p[SEGMENT_HEADER];

	(void)state;
	segment_header_encode(&h, p);
	assert_memory_equal(
	    p, "\x51\x2a\x4d\x18\x28\0\0\0OPSSEG01\0\0\0\0\x02\0stream-id", 31);
	assert_int_equal(segment_header_decode(p, sizeof(p), &got, NULL), 0);
	assert_memory_equal(got.stream, h.stream, OPS_ID_LEN);
	assert_int_equal(got.class, h.class);
	assert_int_equal(got.first_frame, h.first_frame);
	assert_int_equal(got.number, h.number);
	for (size_t n = 0; n < sizeof(p); n++) {
		uint8_t *cut = heap_copy(p, n);
		struct ops_err err = { 0 };

		assert_int_equal(segment_header_decode(cut, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_ETRUNC);
		free(cut);
	}
	for (size_t i = 0; i < sizeof(p); i++) {
		bool free_to_vary = (i >= 22 && i < 44) || i == 16 || i == 17;
		bool newer = i == 14 || i == 15 || i == 18 || i == 19;
		struct ops_err err = { 0 };

		p[i] ^= 0x40;
		segment_header_decode(p, sizeof(p), &got, &err);
		assert_int_equal(err.code, free_to_vary ? OPS_OK
					   : newer      ? OPS_ENEWER
							: OPS_EFORMAT);
		p[i] ^= 0x40;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_make_refuses),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_header_fields),
		cmocka_unit_test(test_two_chunks),
		cmocka_unit_test(test_bad_chunks),
		cmocka_unit_test(test_segment_header),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
