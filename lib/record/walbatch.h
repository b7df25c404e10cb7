/*
 * walbatch - the bytes of one batch of the write-ahead log.
 *
 * A batch is a byte string cut into self-describing blocks of 512 bytes, the
 * unit that a power cut leaves whole or absent:
 *
 *	block:	0   496  piece of the batch, zero-padded in the last block
 *		496 8    batch number
 *		504 4    index of the block in the batch, from 0
 *		508 4    CRC32C of bytes 0..507
 *
 *	batch:	0   4    "OPSW"
 *		4   4    length of the batch (with header and trailer), <= WAL_BATCH_MAX
 *		8   8    batch number, from 1
 *		16  8    period whose key signs it
 *		24  4    entries
 *		28  4    flags (0)
 *		32  32   chain value of the batch before
 *		64  n    entries
 *		    32   chain value = SHA-256(all bytes before this)
 *		    64   Ed25519 signature of "opseal wal v1\n" || chain value
 *
 *	entry:	0   10   stream id
 *		10  1    class
 *		11  1    0
 *		12  8    number of the record in its stream
 *		20  8    arrival, BOOTTIME ns
 *		28  m    the record (record.h)
 *
 * A block whose batch number is lower than expected is left over from an
 * earlier use of the file; one that is all zero was never written.
 *
 * Fuzzed: walbatch
 */
#ifndef OPS_WALBATCH_H
#define OPS_WALBATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/text.h"
#include "record.h"

#define WAL_BLOCK 512
#define WAL_PIECE 496
#define WAL_BATCH_MAX (1u << 20)
#define WAL_BATCH_HEADER 64
#define WAL_BATCH_TRAILER 96
#define WAL_ENTRY_HEADER 28
/* Bytes on disk of a batch of n bytes. */
#define WAL_DISK_LEN(n) (((n) + WAL_PIECE - 1) / WAL_PIECE * WAL_BLOCK)

struct wal_entry {
	uint8_t stream[OPS_ID_LEN];
	uint8_t class;
	uint64_t number;
	uint64_t arrival;
	const uint8_t *record; /* encoded; borrowed */
	size_t len;
};

struct wal_batch {
	uint64_t number;
	uint64_t period;
	uint32_t entries;
	uint8_t prev[OPS_HASH_LEN];
	uint8_t chain[OPS_HASH_LEN];
	uint8_t sig[OPS_SIG_LEN];
	const uint8_t *body; /* the entries, back to back */
	size_t body_len;
};

/* Start a batch in b (reset; max at least WAL_BATCH_MAX).  The three values
 * may be placeholders, put right in place before wal_batch_end(). */
void wal_batch_begin(struct ops_buf *b, uint64_t number, uint64_t period,
    const uint8_t prev[static OPS_HASH_LEN]);
/* Room for a record of n bytes (encoded)? */
int wal_batch_fits(const struct ops_buf *b, size_t n);
/* Append an entry for which wal_batch_fits(); all of it, or nothing and
 * b->failed (which the caller may clear and go on). */
void wal_batch_add(struct ops_buf *b, const struct wal_entry *e);
/* Fill in length and entry count, append chain value (also to *chain) and
 * signature.  0 or -1 (a put failed). */
int wal_batch_end(struct ops_buf *b, const struct ops_signer *key,
    uint8_t chain[static OPS_HASH_LEN], struct ops_err *err);
/* Cut the finished batch into blocks; out is reset (max WAL_DISK_LEN(max)). */
int wal_batch_blocks(
    const struct ops_buf *b, struct ops_buf *out, struct ops_err *err);

enum wal_block_state {
	WAL_BLOCK_OK,    /* belongs to this batch at this index */
	WAL_BLOCK_ZERO,  /* all zero */
	WAL_BLOCK_STALE, /* whole, of a lower batch number */
	WAL_BLOCK_AHEAD, /* whole, of a higher batch number (or another index) */
	WAL_BLOCK_TORN, /* its first bytes are new, its last as they were before */
	WAL_BLOCK_BAD, /* none of these: its CRC is wrong */
};
/*
 * Disks write a block whole or not at all; TORN is for a writer that was
 * stopped inside a write, on a file system that copies by the byte.  It is told
 * from a changed byte by what the end of the block holds: zeros, or the number
 * of an earlier batch with which, were only that number changed, the CRC would
 * not fit.  Only the last block of an unfinished batch may be TORN.
 */
enum wal_block_state wal_block_check(
    const uint8_t block[static WAL_BLOCK], uint64_t number, uint32_t index);

/* The batch length stated in block 0 (state OK), 0 if out of range. */
uint32_t wal_block_batch_len(const uint8_t block[static WAL_BLOCK]);

/* Decode a whole batch (pieces joined, padding cut): structure, entry count,
 * each record and that it fits its class, and the chain value (OPS_ETAMPER if
 * only that is wrong; OPS_ENEWER: unknown flags; else OPS_EFORMAT).  The
 * signature is the caller's to check with wal_batch_signed(), who knows the
 * period's key, as are number and prev.  ret->body points into p. */
int wal_batch_decode(
    const uint8_t *p, size_t n, struct wal_batch *ret, struct ops_err *err);
int wal_batch_signed(
    const struct wal_batch *b, const uint8_t pub[static OPS_PUB_LEN]);
/* Next entry of body[*at..len).  1: *ret.  0: end.  (The batch was decoded
 * before, so this cannot fail.) */
int wal_entry_next(
    const struct wal_batch *b, size_t *at, struct wal_entry *ret);

#endif
