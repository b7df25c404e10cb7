/*
 * walbatch - the input as a batch: what is taken is what the writer makes of
 * its entries again.  Cut into blocks, with any of them absent or left over
 * from an earlier batch, it is never taken for another batch.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/walbatch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ops_signer *signer;
static struct ops_buf batch = { .max = WAL_BATCH_MAX };
static struct ops_buf disk = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };
static struct ops_buf back = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };

static void
must(bool ok)
{
	if (!ok)
		abort();
}

/* As recovery reads: 1 if all blocks are this batch's; back holds them. */
static bool
join(const uint8_t *blocks, size_t n, uint64_t number)
{
	ops_buf_reset(&back);
	for (uint32_t i = 0; i < n / WAL_BLOCK; i++) {
		const uint8_t *p = blocks + i * WAL_BLOCK;

		if (wal_block_check(p, number, i) != WAL_BLOCK_OK)
			return false;
		ops_buf_put(&back, p, WAL_PIECE);
	}
	back.len = wal_block_batch_len(blocks);
	return back.len > 0;
}

/* Damage blocks as the bits of `how` say: two bits a block, in turn. */
static void
check_blocks(uint64_t number, const uint8_t *how, size_t how_len)
{
	bool changed = false;
	struct wal_batch w;

	must(wal_batch_blocks(&batch, &disk, NULL) == 0);
	must(join(disk.data, disk.len, number) && back.len == batch.len);
	must(memcmp(back.data, batch.data, batch.len) == 0);
	for (size_t i = 0; i < disk.len / WAL_BLOCK; i++) {
		unsigned do_what = how[i / 4 % how_len] >> i % 4 * 2 & 3;
		uint8_t *p = disk.data + i * WAL_BLOCK;

		if (do_what == 0)
			continue;
		changed = true;
		if (do_what == 1) {
			memset(p, 0, WAL_BLOCK);
		} else if (do_what == 2) { /* whole, of the batch before */
			ops_putle64(p + 496, number - 1);
			ops_putle32(p + 508, ops_crc32c(0, p, 508));
		} else {
			p[how[0] * 2] ^= 0x10;
		}
	}
	if (join(disk.data, disk.len, number) &&
	    wal_batch_decode(back.data, back.len, &w, NULL) == 0)
		must(!changed);
	else
		must(changed);
}

/* The same entries through the writer. */
static void
check_again(const struct wal_batch *w, const uint8_t *data, size_t size)
{
	uint8_t chain[OPS_HASH_LEN];
	struct wal_entry e;
	uint32_t count = 0;
	size_t at = 0;

	wal_batch_begin(&batch, w->number, w->period, w->prev);
	for (; wal_entry_next(w, &at, &e); count++) {
		must(wal_batch_fits(&batch, e.len));
		wal_batch_add(&batch, &e);
	}
	must(count == w->entries && at == w->body_len);
	must(wal_batch_end(&batch, signer, chain, NULL) == 0);
	must(batch.len == size);
	must(memcmp(batch.data, data, size - OPS_SIG_LEN) == 0);
	must(memcmp(chain, w->chain, sizeof(chain)) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t seed[OPS_SEED_LEN] = { 1 };
	struct wal_batch w;

	if (signer == NULL)
		signer = ops_signer_new(seed);
	if (wal_batch_decode(data, size, &w, NULL) < 0) {
		/* The fuzzer can't guess the chain value: set it right. */
		if (size < WAL_BATCH_HEADER + WAL_BATCH_TRAILER ||
		    size > WAL_BATCH_MAX)
			return 0;
		ops_buf_reset(&back);
		ops_buf_put(&back, data, size);
		ops_putle32(back.data + 4, (uint32_t)size);
		ops_sha256(back.data, size - WAL_BATCH_TRAILER,
		    back.data + size - WAL_BATCH_TRAILER);
		if (wal_batch_decode(back.data, size, &w, NULL) < 0)
			return 0;
		check_again(&w, back.data, size);
	} else {
		check_again(&w, data, size);
	}
	check_blocks(w.number, data + size - OPS_SIG_LEN, OPS_SIG_LEN);
	return 0;
}
