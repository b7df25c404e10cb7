/*
 * frame - consecutive records of one stream, compressed together.
 *
 * The unit of storage, seeking and expiry.  A stored frame is a header in a
 * zstd skippable frame (RFC 8878 section 3.1.2) followed by 1..n chunks, each
 * an ordinary zstd frame, so `zstd -d` reads a whole segment:
 *
 *	offset size  (little-endian)
 *	0      4     0x184D2A50
 *	4      4     size of what follows: 56 + chunk table
 *	8      8     "OPSFRM01"
 *	16     2     compatible flags (ignored if unknown)
 *	18     2     incompatible flags (refused if unknown)
 *	20     1     class (enum stream_class)
 *	21     1     0
 *	22     10    stream id
 *	32     8     number of the frame in its stream, from 0
 *	40     8     number of its first record
 *	48     4     records in it, >= 1
 *	52     4     stored bytes of all chunks
 *	56     4     raw bytes of all chunks, seeds included, <= FRAME_RAW_MAX
 *	60     2     chunks, 1..FRAME_CHUNKS_MAX
 *	62     2     0
 *	64     12 n  chunk table: u8 codec, u8 keyed (0), u16 records (0 if there
 *		     is one chunk, which has all), u32 stored, u32 raw
 *
 * A raw chunk is a 32-byte seed, then whole records.  Programs are looked up
 * one at a time, so their frames have many chunks; all others have one.  The
 * commitment to record j of the frame (j counts through all chunks, from 0) is
 *
 *	h_j = SHA-256(0x00 || salt_j || record_j)
 *	salt_j = HMAC-SHA-256(seed of its chunk, u32 big-endian j)
 *
 * and the frame's root is the RFC 6962 tree head over h_0 .. h_{n-1}, where
 * h_j are the leaf hashes.  The FRAME leaf (leaf.h) carries that root and
 * SHA-256 of the whole stored frame.
 *
 * Fuzzed: frame
 */
#ifndef OPS_FRAME_H
#define OPS_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"
#include "record.h"

#define FRAME_HEADER 64
#define FRAME_CHUNK_ENTRY 12
#define FRAME_CHUNKS_MAX 16
#define FRAME_CHUNK (16u << 10) /* bytes of records a chunk of many has */
#define FRAME_SEED 32
#define FRAME_SEEDS (FRAME_CHUNKS_MAX * FRAME_SEED)
#define FRAME_RAW_MAX (1u << 20) /* bytes, seeds included */
#define FRAME_BULK (FRAME_RAW_MAX / 2)
#define FRAME_STORED_MAX (2u << 20) /* bytes of one whole stored frame */
#define FRAME_RECORDS_MAX (FRAME_RAW_MAX / RECORD_HEADER)

enum frame_codec { CODEC_ZSTD = 1 };

struct frame_id {
	uint8_t stream[OPS_ID_LEN];
	uint8_t class;
	uint64_t number;
	uint64_t first; /* number of the first record */
};

struct frame_header {
	struct frame_id id;
	uint32_t count;  /* records */
	uint32_t stored; /* bytes of all chunks */
	uint32_t raw;
	uint16_t chunks;
	uint32_t header_len; /* bytes from 0 to the first chunk */
	struct {
		uint8_t codec;
		uint32_t count; /* records */
		uint32_t stored;
		uint32_t raw;
	} chunk[FRAME_CHUNKS_MAX];
};

/*
 * Decode the header at p.  Returns header_len, or -1: OPS_ETRUNC if more bytes
 * could make it valid (of a header cut short only magic, version and flags are
 * looked at), OPS_EFORMAT if none could, OPS_ENEWER for an unknown
 * incompatible flag or version.  Sums in the header must agree.
 */
long frame_header_decode(
    const uint8_t *p, size_t n, struct frame_header *ret, struct ops_err *err);

/* As that, of exactly one whole stored frame: one that ends too early is
 * OPS_ETRUNC, bytes left over are OPS_EFORMAT. */
int frame_header_whole(
    const uint8_t *p, size_t n, struct frame_header *ret, struct ops_err *err);

/*
 * Build one stored frame: of programs in chunks of FRAME_CHUNK bytes (a sixteenth
 * of n, if that is more) and the rest of the record that passes that; of any
 * other class in one.  records: `count` encoded records back to back, n bytes,
 * n + FRAME_SEEDS <= FRAME_RAW_MAX.  The seeds of all chunks
 * come from outside (tests give their own); those of chunks that it hasn't are left.
 * Appends to out (max >= FRAME_STORED_MAX
 * of room); gives SHA-256 of the stored bytes and the record root.  Records
 * are checked: each canonical, of the frame's class, `count` of them, else
 * OPS_EFORMAT.  On failure out->len and *ret are as before.
 * A frame_maker keeps the compressor's memory; one thread at a time.  It uses
 * zstd level 1 for a frame of FRAME_BULK raw bytes or more and for programs, level 3
 * else: full frames come from a program that prints as fast as it can, where the CPU
 * is missed; doc/design/speed.md has what either costs.
 */
struct frame_maker;
struct frame_maker *frame_maker_new(void); /* NULL: no memory */
void frame_maker_free(struct frame_maker *m);
struct frame_digest {
	uint8_t sha256[OPS_HASH_LEN];
	uint8_t root[OPS_HASH_LEN];
	uint32_t stored_len; /* whole stored frame */
	uint32_t raw_len;
};
int frame_make(struct frame_maker *m, const struct frame_id *id, uint32_t count,
    const uint8_t *records, size_t n, const uint8_t seeds[static FRAME_SEEDS],
    struct ops_buf *out, struct frame_digest *ret, struct ops_err *err);

/*
 * Open a stored frame: p[0..n) is exactly one stored frame (header_len +
 * stored bytes).  Decompresses into raw (reset first; max >= FRAME_RAW_MAX)
 * all records back to back, without the seeds, having checked the count, the
 * sizes and every record (also that its type belongs to the frame's class).  If
 * root is not NULL the record root is computed.  Bytes that end too early are
 * OPS_ETRUNC, any that are wrong or left over OPS_EFORMAT.  On failure raw is
 * empty, *hdr and root are untouched.
 * A frame_opener keeps the decompressor's memory; one thread at a time.
 */
struct frame_opener;
struct frame_opener *frame_opener_new(void);
void frame_opener_free(struct frame_opener *o);
int frame_open(struct frame_opener *o, const uint8_t *p, size_t n,
    struct frame_header *hdr, struct ops_buf *raw, uint8_t *root,
    struct ops_err *err);

/*
 * The records of chunk i alone, checked likewise.  p: the whole stored frame, h:
 * what frame_header_whole() said of it.
 */
int frame_open_chunk(struct frame_opener *o, const struct frame_header *h,
    unsigned i, const uint8_t *p, struct ops_buf *raw, struct ops_err *err);

/* -- segment header: one skippable zstd frame at offset 0 of a segment --
 *	0      4     0x184D2A51
 *	4      4     40
 *	8      8     "OPSSEG01"
 *	16     2     compatible flags	18 2 incompatible flags
 *	20     1     class		21 1 0
 *	22     10    stream id
 *	32     8     number of the first frame in this segment
 *	40     4     number of the segment in its stream, from 0
 *	44     4     0
 */
#define SEGMENT_HEADER 48
struct segment_header {
	uint8_t stream[OPS_ID_LEN];
	uint8_t class;
	uint64_t first_frame;
	uint32_t number;
};
void segment_header_encode(
    const struct segment_header *h, uint8_t out[static SEGMENT_HEADER]);
/* From the first SEGMENT_HEADER bytes; errors as frame_header_decode(). */
int segment_header_decode(const uint8_t *p, size_t n,
    struct segment_header *ret, struct ops_err *err);

#endif
