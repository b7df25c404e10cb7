#include "walbatch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/bytes.h"
#include "frame.h"

#define SIGNED_PREFIX "opseal wal v1\n"
#define SIGNED_LEN (sizeof(SIGNED_PREFIX) - 1 + OPS_HASH_LEN)
#define BATCH_MIN (WAL_BATCH_HEADER + WAL_BATCH_TRAILER)

static_assert(WAL_PIECE + 8 + 4 + 4 == WAL_BLOCK, "block trailer");
static_assert(BATCH_MIN + WAL_ENTRY_HEADER + RECORD_MAX <= WAL_BATCH_MAX,
    "any record fits into an empty batch");

void
wal_batch_begin(struct ops_buf *b, uint64_t number, uint64_t period,
    const uint8_t prev[static OPS_HASH_LEN])
{
	ops_buf_reset(b);
	ops_buf_put(b, "OPSW", 4);
	ops_buf_putle32(b, 0); /* length and count: wal_batch_end() */
	ops_buf_putle64(b, number);
	ops_buf_putle64(b, period);
	ops_buf_putle32(b, 0);
	ops_buf_putle32(b, 0);
	ops_buf_put(b, prev, OPS_HASH_LEN);
}

int
wal_batch_fits(const struct ops_buf *b, size_t n)
{
	return n <= RECORD_MAX &&
	       b->len + WAL_ENTRY_HEADER + n + WAL_BATCH_TRAILER <=
		   WAL_BATCH_MAX;
}

void
wal_batch_add(struct ops_buf *b, const struct wal_entry *e)
{
	uint8_t *p;

	assert(wal_batch_fits(b, e->len));
	p = ops_buf_reserve(b, WAL_ENTRY_HEADER + e->len);
	if (p == NULL)
		return;
	memcpy(p, e->stream, OPS_ID_LEN);
	p[10] = e->class;
	p[11] = 0;
	ops_putle64(p + 12, e->number);
	ops_putle64(p + 20, e->arrival);
	memcpy(p + WAL_ENTRY_HEADER, e->record, e->len);
	b->len += WAL_ENTRY_HEADER + e->len;
	ops_putle32(b->data + 24, ops_getle32(b->data + 24) + 1);
}

static void
signed_message(const uint8_t *chain, uint8_t out[static SIGNED_LEN])
{
	memcpy(out, SIGNED_PREFIX, sizeof(SIGNED_PREFIX) - 1);
	memcpy(out + sizeof(SIGNED_PREFIX) - 1, chain, OPS_HASH_LEN);
}

int
wal_batch_end(struct ops_buf *b, const struct ops_signer *key,
    uint8_t chain[static OPS_HASH_LEN], struct ops_err *err)
{
	uint8_t value[OPS_HASH_LEN], sig[OPS_SIG_LEN], msg[SIGNED_LEN];

	if (ops_buf_check(b, "WAL batch", err) < 0)
		return -1;
	assert(ops_getle64(b->data + 8) > 0); /* 0 was a placeholder */
	ops_putle32(b->data + 4, (uint32_t)(b->len + WAL_BATCH_TRAILER));
	ops_sha256(b->data, b->len, value);
	signed_message(value, msg);
	ops_signer_sign(key, msg, sizeof(msg), sig);
	ops_buf_put(b, value, sizeof(value));
	ops_buf_put(b, sig, sizeof(sig));
	if (ops_buf_check(b, "WAL batch", err) < 0)
		return -1;
	memcpy(chain, value, OPS_HASH_LEN);
	return 0;
}

int
wal_batch_blocks(
    const struct ops_buf *b, struct ops_buf *out, struct ops_err *err)
{
	size_t disk = WAL_DISK_LEN(b->len);
	size_t left = b->len, n;
	uint8_t *to;

	assert(left >= BATCH_MIN && left <= WAL_BATCH_MAX);
	ops_buf_reset(out);
	to = ops_buf_reserve(out, disk);
	if (to == NULL)
		return ops_fail(
		    err, OPS_ENOMEM, "WAL blocks: no room for %zu bytes", disk);
	for (uint32_t i = 0; left > 0; i++, left -= n, to += WAL_BLOCK) {
		n = left < WAL_PIECE ? left : WAL_PIECE;
		memcpy(to, b->data + b->len - left, n);
		memset(to + n, 0, WAL_PIECE - n);
		memcpy(to + 496, b->data + 8, 8);
		ops_putle32(to + 504, i);
		ops_putle32(to + 508, ops_crc32c(0, to, 508));
	}
	out->len = disk;
	return 0;
}

/* Are the first bytes those of this batch, as far as a torn write went? */
static bool
begins_batch(const uint8_t block[static WAL_BLOCK], uint64_t number)
{
	uint8_t head[16];
	size_t n = WAL_BLOCK;

	while (n > 0 && block[n - 1] == 0)
		n--;
	memcpy(head, block, sizeof(head));
	memcpy(head, "OPSW", 4);
	ops_putle64(head + 8, number);
	return memcmp(block, head, n < sizeof(head) ? n : sizeof(head)) == 0;
}

/* See enum wal_block_state.  The CRC of the block is wrong. */
static bool
is_torn(const uint8_t block[static WAL_BLOCK], uint64_t number, uint32_t index)
{
	uint8_t again[WAL_BLOCK], crc[4];
	uint64_t found = ops_getle64(block + 496);

	if (index == 0 && !begins_batch(block, number))
		return false;
	/* The write stopped before or inside the CRC, where zeros were. */
	ops_putle32(crc, ops_crc32c(0, block, 508));
	for (size_t i = 0; i < sizeof(crc); i++) {
		if (memcmp(block + 508, crc, i) == 0 &&
		    ops_all_zero(block + 508 + i, sizeof(crc) - i))
			return true;
	}
	if (found == 0 || found >= number)
		return false;
	memcpy(again, block, sizeof(again));
	ops_putle64(again + 496, number);
	ops_putle32(again + 504, index);
	return ops_crc32c(0, again, 508) != ops_getle32(block + 508);
}

enum wal_block_state
wal_block_check(
    const uint8_t block[static WAL_BLOCK], uint64_t number, uint32_t index)
{
	uint64_t found = ops_getle64(block + 496);

	/* Most blocks of a file were never written. */
	if (ops_all_zero(block, WAL_BLOCK))
		return WAL_BLOCK_ZERO;
	if (ops_crc32c(0, block, 508) != ops_getle32(block + 508))
		return is_torn(block, number, index) ? WAL_BLOCK_TORN
						     : WAL_BLOCK_BAD;
	if (found < number)
		return WAL_BLOCK_STALE;
	if (found > number || ops_getle32(block + 504) != index)
		return WAL_BLOCK_AHEAD;
	return WAL_BLOCK_OK;
}

uint32_t
wal_block_batch_len(const uint8_t block[static WAL_BLOCK])
{
	uint32_t len = ops_getle32(block + 4);

	if (memcmp(block, "OPSW", 4) != 0 || len < BATCH_MIN ||
	    len > WAL_BATCH_MAX)
		return 0;
	return len;
}

/* Entry at p, checked.  Returns the bytes it takes, or -1. */
static long
get_entry(const uint8_t *p, size_t n, struct wal_entry *e, struct ops_err *err)
{
	struct record r;
	long used;

	if (n < WAL_ENTRY_HEADER)
		return ops_fail(err, OPS_EFORMAT, "cut at %zu bytes", n);
	used =
	    record_decode(p + WAL_ENTRY_HEADER, n - WAL_ENTRY_HEADER, &r, err);
	if (used < 0)
		return -1;
	if (p[11] != 0 || record_type_class(r.type) != p[10])
		return ops_fail(err, OPS_EFORMAT,
		    "record of type %u in class %u, then %u", r.type, p[10],
		    p[11]);
	memcpy(e->stream, p, OPS_ID_LEN);
	e->class = p[10];
	e->number = ops_getle64(p + 12);
	e->arrival = ops_getle64(p + 20);
	e->record = p + WAL_ENTRY_HEADER;
	e->len = (size_t)used;
	return WAL_ENTRY_HEADER + used;
}

static int
check_entries(const struct wal_batch *b, struct ops_err *err)
{
	struct wal_entry e;
	uint32_t count = 0;
	size_t at = 0;
	long used;

	for (; at < b->body_len; at += (size_t)used, count++) {
		used = get_entry(b->body + at, b->body_len - at, &e, err);
		if (used < 0)
			return ops_context(err, "entry %" PRIu32, count);
	}
	if (count != b->entries)
		return ops_fail(err, OPS_EFORMAT,
		    "%" PRIu32 " entries, not %" PRIu32, count, b->entries);
	return 0;
}

static int
decode(const uint8_t *p, size_t n, struct wal_batch *b, struct ops_err *err)
{
	uint8_t chain[OPS_HASH_LEN];

	if (n < BATCH_MIN || n > WAL_BATCH_MAX || memcmp(p, "OPSW", 4) != 0 ||
	    ops_getle32(p + 4) != n)
		return ops_fail(err, OPS_EFORMAT, "not one of %zu bytes", n);
	if (ops_getle32(p + 28) != 0)
		return ops_fail(err, OPS_ENEWER, "unknown flags %" PRIx32,
		    ops_getle32(p + 28));
	b->number = ops_getle64(p + 8);
	b->period = ops_getle64(p + 16);
	b->entries = ops_getle32(p + 24);
	memcpy(b->prev, p + 32, OPS_HASH_LEN);
	b->body = p + WAL_BATCH_HEADER;
	b->body_len = n - BATCH_MIN;
	memcpy(b->chain, b->body + b->body_len, OPS_HASH_LEN);
	memcpy(b->sig, b->body + b->body_len + OPS_HASH_LEN, OPS_SIG_LEN);
	if (b->number == 0)
		return ops_fail(err, OPS_EFORMAT, "number 0");
	if (check_entries(b, err) < 0)
		return -1;
	ops_sha256(p, n - WAL_BATCH_TRAILER, chain);
	if (memcmp(chain, b->chain, OPS_HASH_LEN) != 0)
		return ops_fail(
		    err, OPS_ETAMPER, "its chain value does not match it");
	return 0;
}

int
wal_batch_decode(
    const uint8_t *p, size_t n, struct wal_batch *ret, struct ops_err *err)
{
	struct ops_err own = { 0 };
	struct wal_batch b;

	if (err == NULL)
		err = &own;
	if (decode(p, n, &b, err) < 0) {
		/* The batch is whole: no more bytes will come. */
		if (err->code == OPS_ETRUNC)
			err->code = OPS_EFORMAT;
		return ops_context(err, "WAL batch");
	}
	*ret = b;
	return 0;
}

int
wal_batch_signed(
    const struct wal_batch *b, const uint8_t pub[static OPS_PUB_LEN])
{
	uint8_t msg[SIGNED_LEN];

	signed_message(b->chain, msg);
	return ops_verify(pub, msg, sizeof(msg), b->sig);
}

int
wal_entry_next(const struct wal_batch *b, size_t *at, struct wal_entry *ret)
{
	long used;

	if (*at >= b->body_len)
		return 0;
	used = get_entry(b->body + *at, b->body_len - *at, ret, NULL);
	assert(used > 0);
	*at += (size_t)used;
	return 1;
}
