#include "frame.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/bytes.h"
#include "merkle/tree.h"

#define FRAME_MAGIC 0x184D2A50u /* skippable frame, RFC 8878 section 3.1.2 */
#define SEGMENT_MAGIC 0x184D2A51u
#define CHUNK_MIN (FRAME_SEED + RECORD_HEADER) /* raw bytes of a chunk */
#define AFTER_SIZE 8 /* the skippable frame's size counts from here */

static_assert(FRAME_HEADER - AFTER_SIZE == 56, "doc/format.md");
static_assert(FRAME_CHUNK_ENTRY * FRAME_CHUNKS_MAX + FRAME_HEADER < 512,
    "a header is read in one go");

/* -- headers -- */

/* Magic number, name and version of a frame or segment, as far as n goes. */
static int
check_magic(const uint8_t *p, size_t n, uint32_t magic, const char *name,
    struct ops_err *err)
{
	uint8_t le[4];

	ops_putle32(le, magic);
	if (memcmp(p, le, n < 4 ? n : 4) != 0)
		return ops_fail(err, OPS_EFORMAT, "wrong magic number");
	if (n > 8 && memcmp(p + 8, name, n < 14 ? n - 8 : 6) != 0)
		return ops_fail(err, OPS_EFORMAT, "not named %s", name);
	if (n >= 16 && memcmp(p + 14, "01", 2) != 0)
		return ops_fail(err, OPS_ENEWER, "unknown version of %s", name);
	if (n >= 20 && ops_getle16(p + 18) != 0)
		return ops_fail(err, OPS_ENEWER, "unknown features 0x%04x",
		    ops_getle16(p + 18));
	return 0;
}

static int
check_class(const uint8_t *p, struct ops_err *err)
{
	if (p[0] == 0 || p[0] >= CLASSES || p[1] != 0)
		return ops_fail(
		    err, OPS_EFORMAT, "class %u, then %u", p[0], p[1]);
	return 0;
}

/* Each number of the header within its limit. */
static int
check_fixed(const uint8_t *p, const struct frame_header *h, struct ops_err *err)
{
	if (check_class(p + 20, err) < 0)
		return -1;
	if (h->chunks < 1 || h->chunks > FRAME_CHUNKS_MAX ||
	    ops_getle16(p + 62) != 0)
		return ops_fail(err, OPS_EFORMAT, "%u chunks, then %u",
		    h->chunks, ops_getle16(p + 62));
	if (ops_getle32(p + 4) != h->header_len - AFTER_SIZE)
		return ops_fail(err, OPS_EFORMAT,
		    "header of %" PRIu32 " bytes with %u chunks",
		    ops_getle32(p + 4), h->chunks);
	if (h->raw > FRAME_RAW_MAX ||
	    h->stored > FRAME_STORED_MAX - h->header_len)
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu32 " raw and %" PRIu32 " stored bytes", h->raw,
		    h->stored);
	if (h->count < h->chunks || h->count > FRAME_RECORDS_MAX ||
	    h->id.first > UINT64_MAX - h->count)
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu32 " records from %" PRIu64, h->count, h->id.first);
	return 0;
}

/* Chunk i of h, at p: what its row says.  One alone has no count of its own. */
static int
read_chunk_row(
    const uint8_t *p, struct frame_header *h, unsigned i, struct ops_err *err)
{
	uint16_t count = ops_getle16(p + 2);

	h->chunk[i].codec = p[0];
	h->chunk[i].count = h->chunks == 1 ? h->count : count;
	h->chunk[i].stored = ops_getle32(p + 4);
	h->chunk[i].raw = ops_getle32(p + 8);
	if (p[0] != CODEC_ZSTD || p[1] != 0)
		return ops_fail(err, OPS_EFORMAT, "chunk %u: codec %u, key %u",
		    i, p[0], p[1]);
	if ((h->chunks == 1) != (count == 0))
		return ops_fail(err, OPS_EFORMAT,
		    "chunk %u of %u says %u records", i, h->chunks, count);
	if (h->chunk[i].stored == 0 || h->chunk[i].raw < CHUNK_MIN)
		return ops_fail(err, OPS_EFORMAT, "chunk %u is empty", i);
	return 0;
}

static int
read_chunk_table(const uint8_t *p, struct frame_header *h, struct ops_err *err)
{
	uint64_t stored = 0, raw = 0, count = 0;

	for (unsigned i = 0; i < h->chunks; i++, p += FRAME_CHUNK_ENTRY) {
		if (read_chunk_row(p, h, i, err) < 0)
			return -1;
		stored += h->chunk[i].stored;
		raw += h->chunk[i].raw;
		count += h->chunk[i].count;
	}
	if (stored != h->stored || raw != h->raw || count != h->count)
		return ops_fail(
		    err, OPS_EFORMAT, "chunks and their sums disagree");
	return 0;
}

static int
read_header(
    const uint8_t *p, size_t n, struct frame_header *h, struct ops_err *err)
{
	if (check_magic(p, n, FRAME_MAGIC, "OPSFRM", err) < 0)
		return -1;
	if (n < FRAME_HEADER)
		return ops_fail(err, OPS_ETRUNC, "cut at %zu bytes", n);
	memcpy(h->id.stream, p + 22, OPS_ID_LEN);
	h->id.class = p[20];
	h->id.number = ops_getle64(p + 32);
	h->id.first = ops_getle64(p + 40);
	h->count = ops_getle32(p + 48);
	h->stored = ops_getle32(p + 52);
	h->raw = ops_getle32(p + 56);
	h->chunks = ops_getle16(p + 60);
	h->header_len = FRAME_HEADER + FRAME_CHUNK_ENTRY * (uint32_t)h->chunks;
	if (check_fixed(p, h, err) < 0)
		return -1;
	if (n < h->header_len)
		return ops_fail(err, OPS_ETRUNC, "cut at %zu bytes", n);
	return read_chunk_table(p + FRAME_HEADER, h, err);
}

long
frame_header_decode(
    const uint8_t *p, size_t n, struct frame_header *ret, struct ops_err *err)
{
	struct frame_header h = { 0 };

	if (read_header(p, n, &h, err) < 0)
		return ops_context(err, "frame header");
	*ret = h;
	return h.header_len;
}

int
frame_header_whole(
    const uint8_t *p, size_t n, struct frame_header *ret, struct ops_err *err)
{
	struct frame_header h;
	long len = frame_header_decode(p, n, &h, err);

	if (len < 0)
		return -1;
	n -= (size_t)len;
	if (n < h.stored)
		return ops_fail(err, OPS_ETRUNC,
		    "frame: %zu of %" PRIu32 " stored bytes", n, h.stored);
	if (n > h.stored)
		return ops_fail(err, OPS_EFORMAT, "frame: %zu bytes left over",
		    n - h.stored);
	*ret = h;
	return 0;
}

void
segment_header_encode(
    const struct segment_header *h, uint8_t out[static SEGMENT_HEADER])
{
	memset(out, 0, SEGMENT_HEADER);
	ops_putle32(out, SEGMENT_MAGIC);
	ops_putle32(out + 4, SEGMENT_HEADER - AFTER_SIZE);
	memcpy(out + 8, "OPSSEG01", 8);
	out[20] = h->class;
	memcpy(out + 22, h->stream, OPS_ID_LEN);
	ops_putle64(out + 32, h->first_frame);
	ops_putle32(out + 40, h->number);
}

int
segment_header_decode(
    const uint8_t *p, size_t n, struct segment_header *ret, struct ops_err *err)
{
	if (check_magic(p, n, SEGMENT_MAGIC, "OPSSEG", err) < 0)
		return ops_context(err, "segment header");
	if (n < SEGMENT_HEADER)
		return ops_fail(
		    err, OPS_ETRUNC, "segment header: cut at %zu bytes", n);
	if (check_class(p + 20, err) < 0)
		return ops_context(err, "segment header");
	if (ops_getle32(p + 4) != SEGMENT_HEADER - AFTER_SIZE ||
	    ops_getle32(p + 44) != 0)
		return ops_fail(err, OPS_EFORMAT,
		    "segment header: size %" PRIu32 ", end %" PRIu32,
		    ops_getle32(p + 4), ops_getle32(p + 44));
	memcpy(ret->stream, p + 22, OPS_ID_LEN);
	ret->class = p[20];
	ret->first_frame = ops_getle64(p + 32);
	ret->number = ops_getle32(p + 40);
	return 0;
}

/* -- records: what is checked and hashed alike when making and opening -- */

struct walk {
	uint8_t class;
	uint32_t count;         /* records so far, through all chunks */
	struct ops_sha256 *sha; /* NULL: no root wanted */
	struct tree tree;
};

/* h_j = SHA-256(0x00 || salt_j || record_j) into the tree. */
static void
hash_record(
    struct walk *w, struct ops_hmac_key *salts, const uint8_t *p, size_t n)
{
	uint8_t prefix[1 + OPS_HASH_LEN] = { 0x00 };
	uint8_t h[OPS_HASH_LEN];
	uint8_t j[4];

	ops_putbe32(j, w->count);
	ops_hmac_key_mac(salts, j, sizeof(j), prefix + 1);
	ops_sha256_init(w->sha);
	ops_sha256_update(w->sha, prefix, sizeof(prefix));
	ops_sha256_update(w->sha, p, n);
	ops_sha256_final(w->sha, h);
	tree_append(&w->tree, h);
}

/* The records of one chunk: all of p, or as many as it takes to have `enough`
 * bytes.  Returns the bytes of them, or -1. */
static long
walk_records(struct walk *w, const uint8_t *seed, const uint8_t *p, size_t n,
    size_t enough, struct ops_err *err)
{
	struct ops_hmac_key *salts = NULL;
	struct record r;
	size_t at = 0;
	long rc = -1, used;

	if (w->sha != NULL)
		salts = ops_hmac_key_new(seed, FRAME_SEED);
	for (; at < n && at < enough; at += (size_t)used, w->count++) {
		used = record_decode(p + at, n - at, &r, err);
		if (used < 0) {
			/* The chunk is whole: no more bytes will come. */
			if (err != NULL)
				err->code = OPS_EFORMAT;
			ops_context(err, "record %" PRIu32, w->count);
			goto out;
		}
		if (record_type_class(r.type) != w->class) {
			ops_fail(err, OPS_EFORMAT,
			    "record %" PRIu32 " of type %u in class %u",
			    w->count, r.type, w->class);
			goto out;
		}
		if (w->sha != NULL)
			hash_record(w, salts, p + at, (size_t)used);
	}
	rc = (long)at;
out:
	ops_hmac_key_free(salts);
	return rc;
}

static int
check_count(const struct walk *w, uint32_t count, struct ops_err *err)
{
	if (w->count != count)
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu32 " records, not %" PRIu32, w->count, count);
	return 0;
}

/* -- making -- */

#define LEVEL 3
#define LEVEL_BULK 1

struct frame_maker {
	ZSTD_CCtx *zstd;
	struct ops_sha256 *sha;
	uint8_t raw[FRAME_RAW_MAX]; /* seed and records, as zstd wants them */
};

struct frame_maker *
frame_maker_new(void)
{
	struct frame_maker *m = malloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	m->sha = ops_sha256_new();
	m->zstd = ZSTD_createCCtx();
	if (m->sha == NULL || m->zstd == NULL) {
		frame_maker_free(m);
		return NULL;
	}
	return m;
}

void
frame_maker_free(struct frame_maker *m)
{
	if (m == NULL)
		return;
	ZSTD_freeCCtx(m->zstd);
	ops_sha256_free(m->sha);
	ops_wipe(m->raw, sizeof(m->raw));
	free(m);
}

/* Which records go into which chunk (raw and count of h's), and their root. */
static int
divide(struct frame_maker *m, struct frame_header *h, const uint8_t *records,
    size_t n, const uint8_t *seeds, uint8_t *root, struct ops_err *err)
{
	struct walk w = { .class = h->id.class, .sha = m->sha };
	size_t most = n;

	if (h->id.class == CLASS_PROGRAMS) {
		most = (n + FRAME_CHUNKS_MAX - 1) / FRAME_CHUNKS_MAX;
		most = most < FRAME_CHUNK ? FRAME_CHUNK : most;
	}
	tree_init(&w.tree);
	for (size_t at = 0; at < n; h->chunks++) {
		uint32_t before = w.count;
		long used;

		/* All but the last have `most`, so they are that many. */
		assert(h->chunks < FRAME_CHUNKS_MAX);
		used = walk_records(&w, seeds + h->chunks * FRAME_SEED,
		    records + at, n - at, most, err);
		if (used < 0)
			return -1;
		at += (size_t)used;
		h->chunk[h->chunks].raw = FRAME_SEED + (uint32_t)used;
		h->chunk[h->chunks].count = w.count - before;
		h->raw += FRAME_SEED + (uint32_t)used;
	}
	tree_root(&w.tree, root);
	return check_count(&w, h->count, err);
}

/* Each chunk of h, with its seed, compressed: to p, one behind the other. */
static int
compress(struct frame_maker *m, struct frame_header *h, const uint8_t *records,
    const uint8_t *seeds, uint8_t *p, struct ops_err *err)
{
	int level = h->raw >= FRAME_BULK || h->id.class == CLASS_PROGRAMS
			? LEVEL_BULK
			: LEVEL;

	for (unsigned i = 0; i < h->chunks; i++) {
		size_t raw = h->chunk[i].raw, n = raw - FRAME_SEED;
		size_t stored;

		memcpy(m->raw, seeds + i * FRAME_SEED, FRAME_SEED);
		memcpy(m->raw + FRAME_SEED, records, n);
		stored = ZSTD_compressCCtx(
		    m->zstd, p, ZSTD_compressBound(raw), m->raw, raw, level);
		if (ZSTD_isError(stored))
			return ops_fail(
			    err, OPS_ENOMEM, "%s", ZSTD_getErrorName(stored));
		h->chunk[i].codec = CODEC_ZSTD;
		h->chunk[i].stored = (uint32_t)stored;
		h->stored += (uint32_t)stored;
		records += n;
		p += stored;
	}
	return 0;
}

/* Header and chunk table of h, to p. */
static void
put_header(uint8_t *p, const struct frame_header *h)
{
	memset(p, 0, h->header_len);
	ops_putle32(p, FRAME_MAGIC);
	ops_putle32(p + 4, h->header_len - AFTER_SIZE);
	memcpy(p + 8, "OPSFRM01", 8);
	p[20] = h->id.class;
	memcpy(p + 22, h->id.stream, OPS_ID_LEN);
	ops_putle64(p + 32, h->id.number);
	ops_putle64(p + 40, h->id.first);
	ops_putle32(p + 48, h->count);
	ops_putle32(p + 52, h->stored);
	ops_putle32(p + 56, h->raw);
	ops_putle16(p + 60, h->chunks);
	p += FRAME_HEADER;
	for (unsigned i = 0; i < h->chunks; i++, p += FRAME_CHUNK_ENTRY) {
		p[0] = h->chunk[i].codec;
		if (h->chunks > 1)
			ops_putle16(p + 2, (uint16_t)h->chunk[i].count);
		ops_putle32(p + 4, h->chunk[i].stored);
		ops_putle32(p + 8, h->chunk[i].raw);
	}
}

/* What its chunks may take, at most. */
static size_t
most_stored(const struct frame_header *h)
{
	size_t n = 0;

	for (unsigned i = 0; i < h->chunks; i++)
		n += ZSTD_compressBound(h->chunk[i].raw);
	return n;
}

static int
check_request(
    const struct frame_id *id, uint32_t count, size_t n, struct ops_err *err)
{
	if (count == 0 || n < RECORD_HEADER || n > FRAME_RAW_MAX - FRAME_SEEDS)
		return ops_fail(err, OPS_EUSAGE,
		    "frame of %" PRIu32 " records, %zu bytes", count, n);
	if (id->class == 0 || id->class >= CLASSES)
		return ops_fail(
		    err, OPS_EUSAGE, "frame of class %u", id->class);
	if (id->first > UINT64_MAX - count)
		return ops_fail(
		    err, OPS_EUSAGE, "frame from record %" PRIu64, id->first);
	return 0;
}

int
frame_make(struct frame_maker *m, const struct frame_id *id, uint32_t count,
    const uint8_t *records, size_t n, const uint8_t seeds[static FRAME_SEEDS],
    struct ops_buf *out, struct frame_digest *ret, struct ops_err *err)
{
	struct frame_header h = { .id = *id, .count = count };
	struct frame_digest d;
	uint8_t *p;

	if (check_request(id, count, n, err) < 0)
		return -1;
	if (divide(m, &h, records, n, seeds, d.root, err) < 0)
		return ops_context(err, "frame");
	h.header_len = FRAME_HEADER + FRAME_CHUNK_ENTRY * (uint32_t)h.chunks;
	p = ops_buf_reserve(out, h.header_len + most_stored(&h));
	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "frame: no room");
	if (compress(m, &h, records, seeds, p + h.header_len, err) < 0)
		return ops_context(err, "frame");
	put_header(p, &h);
	d.stored_len = h.header_len + h.stored;
	d.raw_len = h.raw;
	ops_sha256(p, d.stored_len, d.sha256);
	out->len += d.stored_len;
	*ret = d;
	return 0;
}

/* -- opening -- */

struct frame_opener {
	ZSTD_DCtx *zstd;
	struct ops_sha256 *sha;
};

struct frame_opener *
frame_opener_new(void)
{
	struct frame_opener *o = malloc(sizeof(*o));

	if (o == NULL)
		return NULL;
	o->sha = ops_sha256_new();
	o->zstd = ZSTD_createDCtx();
	if (o->sha == NULL || o->zstd == NULL) {
		frame_opener_free(o);
		return NULL;
	}
	return o;
}

void
frame_opener_free(struct frame_opener *o)
{
	if (o == NULL)
		return;
	ZSTD_freeDCtx(o->zstd);
	ops_sha256_free(o->sha);
	free(o);
}

/*
 * Decompress one chunk to the `raw` bytes at out.  The window a zstd frame
 * asks for costs nothing here: libzstd decodes straight into out, which is
 * bounded by the checked header.
 */
static int
decompress(struct frame_opener *o, const uint8_t *p, size_t stored,
    uint8_t *out, size_t raw, struct ops_err *err)
{
	size_t rc;

	/* Neither skippable nor of an old version that libzstd also reads. */
	if (stored < 4 || ops_getle32(p) != ZSTD_MAGICNUMBER ||
	    ZSTD_findFrameCompressedSize(p, stored) != stored)
		return ops_fail(err, OPS_EFORMAT, "not one whole zstd frame");
	if (ZSTD_getFrameContentSize(p, stored) != raw)
		return ops_fail(err, OPS_EFORMAT, "wrong zstd content size");
	rc = ZSTD_decompressDCtx(o->zstd, out, raw, p, stored);
	if (ZSTD_isError(rc))
		return ops_fail(
		    err, OPS_EFORMAT, "zstd: %s", ZSTD_getErrorName(rc));
	if (rc != raw)
		return ops_fail(
		    err, OPS_EFORMAT, "zstd gave %zu of %zu bytes", rc, raw);
	return 0;
}

/* Chunk i, at p: its records to the end of raw, and into the walk. */
static int
open_chunk(struct frame_opener *o, const struct frame_header *h, unsigned i,
    const uint8_t *p, struct ops_buf *raw, struct walk *w, struct ops_err *err)
{
	size_t n = h->chunk[i].raw - FRAME_SEED;
	uint32_t before = w->count;
	uint8_t seed[FRAME_SEED];
	uint8_t *to;

	to = ops_buf_reserve(raw, h->chunk[i].raw);
	if (to == NULL)
		return ops_fail(err, OPS_ENOMEM, "chunk %u: no room", i);
	if (decompress(o, p, h->chunk[i].stored, to, h->chunk[i].raw, err) < 0)
		return ops_context(err, "chunk %u", i);
	memcpy(seed, to, FRAME_SEED);
	memmove(to, to + FRAME_SEED, n);
	raw->len += n;
	if (walk_records(w, seed, to, n, n, err) < 0)
		return -1;
	if (w->count - before != h->chunk[i].count)
		return ops_fail(err, OPS_EFORMAT,
		    "chunk %u has %" PRIu32 " records, not %" PRIu32, i,
		    w->count - before, h->chunk[i].count);
	return 0;
}

int
frame_open_chunk(struct frame_opener *o, const struct frame_header *h,
    unsigned i, const uint8_t *p, struct ops_buf *raw, struct ops_err *err)
{
	struct walk w = { .class = h->id.class };

	ops_buf_reset(raw);
	p += h->header_len;
	for (unsigned k = 0; k < i; k++) {
		w.count += h->chunk[k].count;
		p += h->chunk[k].stored;
	}
	if (open_chunk(o, h, i, p, raw, &w, err) < 0) {
		ops_buf_reset(raw);
		return ops_context(err, "frame");
	}
	return 0;
}

int
frame_open(struct frame_opener *o, const uint8_t *p, size_t n,
    struct frame_header *hdr, struct ops_buf *raw, uint8_t *root,
    struct ops_err *err)
{
	struct frame_header h;
	struct walk w = { .sha = root == NULL ? NULL : o->sha };

	ops_buf_reset(raw);
	if (frame_header_whole(p, n, &h, err) < 0)
		return -1;
	w.class = h.id.class;
	tree_init(&w.tree);
	p += h.header_len;
	for (unsigned i = 0; i < h.chunks; i++) {
		if (open_chunk(o, &h, i, p, raw, &w, err) < 0) {
			ops_buf_reset(raw);
			return ops_context(err, "frame");
		}
		p += h.chunk[i].stored;
	}
	if (root != NULL)
		tree_root(&w.tree, root);
	*hdr = h;
	return 0;
}
