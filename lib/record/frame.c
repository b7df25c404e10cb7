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

static int
read_chunk_table(const uint8_t *p, struct frame_header *h, struct ops_err *err)
{
	uint64_t stored = 0, raw = 0;

	for (unsigned i = 0; i < h->chunks; i++, p += FRAME_CHUNK_ENTRY) {
		h->chunk[i].codec = p[0];
		h->chunk[i].stored = ops_getle32(p + 4);
		h->chunk[i].raw = ops_getle32(p + 8);
		if (p[0] != CODEC_ZSTD || !ops_all_zero(p + 1, 3))
			return ops_fail(err, OPS_EFORMAT,
			    "chunk %u: codec %u, key %u", i, p[0], p[1]);
		if (h->chunk[i].stored == 0 || h->chunk[i].raw < CHUNK_MIN)
			return ops_fail(
			    err, OPS_EFORMAT, "chunk %u is empty", i);
		stored += h->chunk[i].stored;
		raw += h->chunk[i].raw;
	}
	if (stored != h->stored || raw != h->raw)
		return ops_fail(
		    err, OPS_EFORMAT, "chunk sizes and their sums disagree");
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

/* All records of one chunk. */
static int
walk_records(struct walk *w, const uint8_t *seed, const uint8_t *p, size_t n,
    struct ops_err *err)
{
	struct ops_hmac_key *salts = NULL;
	struct record r;
	int rc = -1;
	long used;

	if (w->sha != NULL)
		salts = ops_hmac_key_new(seed, FRAME_SEED);
	for (; n > 0; p += used, n -= (size_t)used, w->count++) {
		used = record_decode(p, n, &r, err);
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
			hash_record(w, salts, p, (size_t)used);
	}
	rc = 0;
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

static int
record_root(struct frame_maker *m, const struct frame_id *id, uint32_t count,
    const uint8_t *records, size_t n, const uint8_t *seed, uint8_t *root,
    struct ops_err *err)
{
	struct walk w = { .class = id->class, .sha = m->sha };

	tree_init(&w.tree);
	if (walk_records(&w, seed, records, n, err) < 0 ||
	    check_count(&w, count, err) < 0)
		return -1;
	tree_root(&w.tree, root);
	return 0;
}

/* Header and chunk table of a frame with one chunk, to p. */
static void
put_header(uint8_t *p, const struct frame_id *id, uint32_t count,
    uint32_t stored, uint32_t raw)
{
	memset(p, 0, FRAME_HEADER + FRAME_CHUNK_ENTRY);
	ops_putle32(p, FRAME_MAGIC);
	ops_putle32(p + 4, FRAME_HEADER + FRAME_CHUNK_ENTRY - AFTER_SIZE);
	memcpy(p + 8, "OPSFRM01", 8);
	p[20] = id->class;
	memcpy(p + 22, id->stream, OPS_ID_LEN);
	ops_putle64(p + 32, id->number);
	ops_putle64(p + 40, id->first);
	ops_putle32(p + 48, count);
	ops_putle32(p + 52, stored);
	ops_putle32(p + 56, raw);
	ops_putle16(p + 60, 1);
	p += FRAME_HEADER;
	p[0] = CODEC_ZSTD;
	ops_putle32(p + 4, stored);
	ops_putle32(p + 8, raw);
}

static int
check_request(
    const struct frame_id *id, uint32_t count, size_t n, struct ops_err *err)
{
	if (count == 0 || n < RECORD_HEADER || n > FRAME_RAW_MAX - FRAME_SEED)
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
    const uint8_t *records, size_t n, const uint8_t seed[static FRAME_SEED],
    struct ops_buf *out, struct frame_digest *ret, struct ops_err *err)
{
	const size_t header = FRAME_HEADER + FRAME_CHUNK_ENTRY;
	size_t raw = FRAME_SEED + n;
	struct frame_digest d;
	size_t stored;
	uint8_t *p;

	if (check_request(id, count, n, err) < 0)
		return -1;
	if (record_root(m, id, count, records, n, seed, d.root, err) < 0)
		return ops_context(err, "frame");
	p = ops_buf_reserve(out, header + ZSTD_compressBound(raw));
	if (p == NULL)
		return ops_fail(err, OPS_ENOMEM, "frame: no room");
	memcpy(m->raw, seed, FRAME_SEED);
	memcpy(m->raw + FRAME_SEED, records, n);
	stored = ZSTD_compressCCtx(m->zstd, p + header, ZSTD_compressBound(raw),
	    m->raw, raw, raw >= FRAME_BULK ? LEVEL_BULK : LEVEL);
	if (ZSTD_isError(stored))
		return ops_fail(
		    err, OPS_ENOMEM, "frame: %s", ZSTD_getErrorName(stored));
	put_header(p, id, count, (uint32_t)stored, (uint32_t)raw);
	d.stored_len = (uint32_t)(header + stored);
	d.raw_len = (uint32_t)raw;
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
	return walk_records(w, seed, to, n, err);
}

static int
open_chunks(struct frame_opener *o, const struct frame_header *h,
    const uint8_t *p, struct ops_buf *raw, struct walk *w, struct ops_err *err)
{
	p += h->header_len;
	for (unsigned i = 0; i < h->chunks; i++) {
		if (open_chunk(o, h, i, p, raw, w, err) < 0)
			return -1;
		p += h->chunk[i].stored;
	}
	return check_count(w, h->count, err);
}

int
frame_open(struct frame_opener *o, const uint8_t *p, size_t n,
    struct frame_header *hdr, struct ops_buf *raw, uint8_t *root,
    struct ops_err *err)
{
	struct frame_header h;
	struct walk w;
	long len;

	ops_buf_reset(raw);
	len = frame_header_decode(p, n, &h, err);
	if (len < 0)
		return -1;
	if (n - (size_t)len < h.stored)
		return ops_fail(err, OPS_ETRUNC,
		    "frame: %zu of %" PRIu32 " stored bytes", n - (size_t)len,
		    h.stored);
	if (n - (size_t)len > h.stored)
		return ops_fail(err, OPS_EFORMAT, "frame: %zu bytes left over",
		    n - (size_t)len - h.stored);
	w.class = h.id.class;
	w.count = 0;
	w.sha = root == NULL ? NULL : o->sha;
	tree_init(&w.tree);
	if (open_chunks(o, &h, p, raw, &w, err) < 0) {
		ops_buf_reset(raw);
		return ops_context(err, "frame");
	}
	if (root != NULL)
		tree_root(&w.tree, root);
	*hdr = h;
	return 0;
}
