#include "check.h"

#include "base/bytes.h"
#include "record/frame.h"
#include "record/walbatch.h"

static struct ops_signer *signer;
static const uint8_t prev[OPS_HASH_LEN] = "the chain value before";

static int
setup(void **state)
{
	const uint8_t seed[OPS_SEED_LEN] = "a seed";

	(void)state;
	signer = ops_signer_new(seed);
	return signer == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	ops_signer_free(signer);
	return 0;
}

/* A batch of `entries` OUTPUT records of n bytes each. */
static void
make(struct ops_buf *b, uint64_t number, uint32_t entries, size_t n,
    uint8_t *chain)
{
	static uint8_t payload[RECORD_PAYLOAD_MAX], record[RECORD_MAX];

	memset(payload, 'p', sizeof(payload));
	wal_batch_begin(b, number, 42, prev);
	for (uint32_t i = 0; i < entries; i++) {
		struct record r = { .type = REC_OUTPUT,
			.time = i,
			.payload = payload,
			.len = n };
		struct wal_entry e = { .stream = "stream",
			.class = CLASS_SCREEN,
			.number = 100 + i,
			.arrival = 200 + i,
			.record = record,
			.len = record_encode(&r, record) };

		assert_true(wal_batch_fits(b, e.len));
		wal_batch_add(b, &e);
	}
	assert_int_equal(wal_batch_end(b, signer, chain, NULL), 0);
}

static void
check_entries(const struct wal_batch *w, uint32_t entries, size_t n)
{
	struct wal_entry e;
	uint32_t count = 0;
	size_t at = 0;

	for (; wal_entry_next(w, &at, &e); count++) {
		assert_string_equal((const char *)e.stream, "stream");
		assert_int_equal(e.class, CLASS_SCREEN);
		assert_int_equal(e.number, 100 + count);
		assert_int_equal(e.arrival, 200 + count);
		assert_int_equal(e.len, RECORD_HEADER + n);
	}
	assert_int_equal(count, entries);
	assert_int_equal(at, w->body_len);
}

/* Join the blocks of a batch as recovery does.  0 if one is not OK. */
static int
join(const uint8_t *blocks, size_t n, uint64_t number, struct ops_buf *out)
{
	ops_buf_reset(out);
	for (uint32_t i = 0; i < n / WAL_BLOCK; i++) {
		const uint8_t *p = blocks + i * WAL_BLOCK;

		if (wal_block_check(p, number, i) != WAL_BLOCK_OK)
			return 0;
		ops_buf_put(out, p, WAL_PIECE);
	}
	out->len = wal_block_batch_len(blocks);
	return out->len > 0 && WAL_DISK_LEN(out->len) == n;
}

static void
test_round_trip(void **state)
{
	static const struct {
		uint32_t entries;
		size_t n;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 1, 296 }, { 1, 297 }, { 3, 1000 },
		{ 63, RECORD_PAYLOAD_MAX } };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = WAL_BATCH_MAX };
		struct ops_buf disk = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };
		struct ops_buf back = { .max = WAL_BATCH_MAX + WAL_PIECE };
		uint8_t chain[OPS_HASH_LEN], pub[OPS_PUB_LEN];
		struct wal_batch w;

		make(&b, 7, rows[i].entries, rows[i].n, chain);
		assert_int_equal(wal_batch_blocks(&b, &disk, NULL), 0);
		assert_int_equal(disk.len, WAL_DISK_LEN(b.len));
		assert_int_equal(disk.len % WAL_BLOCK, 0);
		assert_true(join(disk.data, disk.len, 7, &back));
		assert_int_equal(back.len, b.len);
		assert_memory_equal(back.data, b.data, b.len);

		assert_int_equal(
		    wal_batch_decode(back.data, back.len, &w, NULL), 0);
		assert_int_equal(w.number, 7);
		assert_int_equal(w.period, 42);
		assert_int_equal(w.entries, rows[i].entries);
		assert_memory_equal(w.prev, prev, sizeof(prev));
		assert_memory_equal(w.chain, chain, sizeof(chain));
		check_entries(&w, rows[i].entries, rows[i].n);

		memcpy(pub, ops_signer_pub(signer), sizeof(pub));
		assert_true(wal_batch_signed(&w, pub));
		w.chain[5] ^= 1;
		assert_false(wal_batch_signed(&w, pub));
		w.chain[5] ^= 1;
		pub[0] ^= 1;
		assert_false(wal_batch_signed(&w, pub));
		ops_buf_free(&b);
		ops_buf_free(&disk);
		ops_buf_free(&back);
	}
}

static void
test_fits(void **state)
{
	struct ops_buf b = { .max = WAL_BATCH_MAX };
	uint8_t record[RECORD_MAX] = { REC_OUTPUT }, chain[OPS_HASH_LEN];
	struct wal_entry e = { .class = CLASS_SCREEN, .record = record };
	struct wal_batch w;
	uint32_t count = 0;

	(void)state;
	wal_batch_begin(&b, 1, 1, prev);
	assert_false(wal_batch_fits(&b, RECORD_MAX + 1));
	ops_putle16(record + 2, RECORD_PAYLOAD_MAX);
	for (e.len = RECORD_MAX; wal_batch_fits(&b, e.len); count++)
		wal_batch_add(&b, &e);
	/* Fill what is left to the last byte. */
	e.len = WAL_BATCH_MAX - WAL_BATCH_TRAILER - WAL_ENTRY_HEADER - b.len;
	assert_true(wal_batch_fits(&b, e.len));
	assert_false(wal_batch_fits(&b, e.len + 1));
	ops_putle16(record + 2, (uint16_t)(e.len - RECORD_HEADER));
	wal_batch_add(&b, &e);
	assert_int_equal(wal_batch_end(&b, signer, chain, NULL), 0);
	assert_int_equal(b.len, WAL_BATCH_MAX);
	assert_int_equal(wal_batch_decode(b.data, b.len, &w, NULL), 0);
	assert_int_equal(w.entries, count + 1);
	ops_buf_free(&b);
}

static void
test_no_room(void **state)
{
	uint8_t record[RECORD_HEADER] = { REC_OUTPUT }, chain[OPS_HASH_LEN];
	struct wal_entry e = { .record = record, .len = sizeof(record) };
	struct ops_err err = { 0 };

	(void)state;
	/* Wherever it becomes full, it is said at the end and only there. */
	for (size_t max = 0; max < 64 + 40 + 96; max++) {
		struct ops_buf b = { .max = max };

		wal_batch_begin(&b, 1, 1, prev);
		wal_batch_add(&b, &e);
		if (max >= 64)
			assert_int_equal(b.len, max < 64 + 40 ? 64 : 104);
		assert_int_equal(wal_batch_end(&b, signer, chain, &err), -1);
		assert_int_equal(err.code, OPS_ENOMEM);
		ops_buf_free(&b);
	}
}

/* Layout, byte by byte. */
static void
test_bytes(void **state)
{
	struct ops_buf b = { .max = WAL_BATCH_MAX };
	struct ops_buf disk = { .max = 4096 };
	uint8_t chain[OPS_HASH_LEN], want[OPS_HASH_LEN];

	(void)state;
	make(&b, 0x0102, 1, 2, chain);
	assert_memory_equal(b.data,
	    "OPSW\xca\0\0\0\x02\x01\0\0\0\0\0\0\x2a\0\0\0\0\0\0\0\x01\0\0\0\0\0"
	    "\0\0",
	    32);
	assert_memory_equal(b.data + 32, prev, 32);
	assert_memory_equal(b.data + 64,
	    "stream\0\0\0\0\x01\0\x64\0\0\0\0\0\0\0\xc8\0\0\0\0\0\0\0"
	    "\x01\0\x02\0\0\0\0\0\0\0\0\0pp",
	    28 + 14);
	assert_int_equal(b.len, 202);
	ops_sha256(b.data, b.len - 96, want);
	assert_memory_equal(b.data + b.len - 96, want, 32);
	assert_memory_equal(chain, want, 32);

	assert_int_equal(wal_batch_blocks(&b, &disk, NULL), 0);
	assert_int_equal(disk.len, 512);
	assert_true(ops_all_zero(disk.data + b.len, 496 - b.len));
	assert_memory_equal(
	    disk.data + 496, "\x02\x01\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(
	    ops_getle32(disk.data + 508), ops_crc32c(0, disk.data, 508));
	ops_buf_free(&b);
	ops_buf_free(&disk);
}

static void
test_block_states(void **state)
{
	struct ops_buf b = { .max = WAL_BATCH_MAX }, disk = { .max = 1u << 20 };
	uint8_t chain[OPS_HASH_LEN], zero[WAL_BLOCK] = { 0 };
	const uint8_t *second;

	(void)state;
	make(&b, 7, 1, 2000, chain);
	assert_int_equal(wal_batch_blocks(&b, &disk, NULL), 0);
	second = disk.data + WAL_BLOCK;
	assert_int_equal(wal_block_check(second, 7, 1), WAL_BLOCK_OK);
	assert_int_equal(wal_block_check(second, 7, 2), WAL_BLOCK_AHEAD);
	assert_int_equal(wal_block_check(second, 8, 1), WAL_BLOCK_STALE);
	assert_int_equal(wal_block_check(second, 6, 1), WAL_BLOCK_AHEAD);
	assert_int_equal(wal_block_check(zero, 7, 0), WAL_BLOCK_ZERO);
	zero[511] = 1;
	assert_int_equal(wal_block_check(zero, 7, 0), WAL_BLOCK_BAD);
	for (size_t bit = 0; bit < WAL_BLOCK * 8; bit++) {
		disk.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
		    wal_block_check(disk.data, 7, 0), WAL_BLOCK_BAD);
		disk.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_int_equal(wal_block_batch_len(disk.data), b.len);
	assert_int_equal(wal_block_batch_len(second), 0);
	ops_putle32(disk.data + 4, WAL_BATCH_MAX + 1);
	assert_int_equal(wal_block_batch_len(disk.data), 0);
	ops_putle32(disk.data + 4, WAL_BATCH_MAX);
	assert_int_equal(wal_block_batch_len(disk.data), WAL_BATCH_MAX);
	ops_putle32(disk.data + 4, 159);
	assert_int_equal(wal_block_batch_len(disk.data), 0);
	ops_putle32(disk.data + 4, 160);
	assert_int_equal(wal_block_batch_len(disk.data), 160);
	ops_buf_free(&b);
	ops_buf_free(&disk);
}

/* Change a field and put the chain value right again: what else is checked. */
static void
test_decode_fields(void **state)
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
		{ "as it was",		0,   B("OPSW"), OPS_OK },
		{ "magic",		3,   B("X"), OPS_EFORMAT },
		{ "length",		4,   B("\x01"), OPS_EFORMAT },
		{ "number 0",		8,   B("\0\0"), OPS_EFORMAT },
		{ "one entry less",	24,  B("\x01"), OPS_EFORMAT },
		{ "one entry more",	24,  B("\x03"), OPS_EFORMAT },
		{ "flags",		28,  B("\x01"), OPS_ENEWER },
		{ "class 0",		74,  B("\0"), OPS_EFORMAT },
		{ "class of events",	74,  B("\x02"), OPS_EFORMAT },
		{ "byte 11",		75,  B("\x01"), OPS_EFORMAT },
		{ "record type",	92,  B("\x0a"), OPS_EFORMAT },
		{ "record too long",	94,  B("\x30"), OPS_EFORMAT },
		{ "record too short",	94,  B("\x01"), OPS_EFORMAT },
#undef B
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf b = { .max = WAL_BATCH_MAX };
		struct wal_batch w = { .number = 77 };
		uint8_t chain[OPS_HASH_LEN];
		struct ops_err err = { 0 };

		make(&b, 7, 2, 5, chain);
		memcpy(b.data + rows[i].at, rows[i].bytes, rows[i].n);
		ops_sha256(b.data, b.len - 96, b.data + b.len - 96);
		wal_batch_decode(b.data, b.len, &w, &err);
		CHECK(err.code == rows[i].code, rows[i].name, err.msg);
		CHECK((w.number == 7) == (rows[i].code == OPS_OK), rows[i].name,
		    "output");
		ops_buf_free(&b);
	}
}

/* Cut: refused.  Flipped: refused, or only the signature has changed. */
static void
test_cut_and_flip(void **state)
{
	struct ops_buf b = { .max = WAL_BATCH_MAX };
	uint8_t chain[OPS_HASH_LEN];
	struct ops_err err = { 0 };
	struct wal_batch w;

	(void)state;
	make(&b, 7, 2, 5, chain);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *in = heap_copy(b.data, n);

		assert_int_equal(wal_batch_decode(in, n, &w, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		free(in);
	}
	for (size_t bit = 0; bit < b.len * 8; bit++) {
		int rc;

		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		rc = wal_batch_decode(b.data, b.len, &w, NULL);
		assert_int_equal(rc, bit / 8 < b.len - OPS_SIG_LEN ? -1 : 0);
		if (rc == 0)
			assert_false(
			    wal_batch_signed(&w, ops_signer_pub(signer)));
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* The chain value alone is wrong: that is said as such. */
	b.data[40] ^= 1;
	assert_int_equal(wal_batch_decode(b.data, b.len, &w, &err), -1);
	assert_int_equal(err.code, OPS_ETAMPER);
	ops_buf_free(&b);
}

/* Any subset of blocks never written, or of an earlier batch. */
static void
test_absent_blocks(void **state)
{
	struct ops_buf now = { .max = WAL_BATCH_MAX }, d1 = { .max = 65536 };
	struct ops_buf old = { .max = WAL_BATCH_MAX }, d0 = { .max = 65536 };
	struct ops_buf back = { .max = 65536 };
	uint8_t chain[OPS_HASH_LEN], mix[5 * WAL_BLOCK];

	(void)state;
	make(&old, 6, 5, 400, chain);
	make(&now, 7, 5, 400, chain);
	assert_int_equal(wal_batch_blocks(&old, &d0, NULL), 0);
	assert_int_equal(wal_batch_blocks(&now, &d1, NULL), 0);
	assert_int_equal(d1.len, sizeof(mix));
	for (unsigned pick = 0; pick < 3 * 3 * 3 * 3 * 3; pick++) {
		unsigned digits = pick;

		for (size_t i = 0; i < 5; i++, digits /= 3) {
			uint8_t *to = mix + i * WAL_BLOCK;

			memset(to, 0, WAL_BLOCK);
			if (digits % 3 > 0)
				memcpy(to,
				    (digits % 3 == 1 ? d1.data : d0.data) +
					i * WAL_BLOCK,
				    WAL_BLOCK);
		}
		assert_int_equal(join(mix, sizeof(mix), 7, &back),
		    memcmp(mix, d1.data, sizeof(mix)) == 0);
	}
	ops_buf_free(&now);
	ops_buf_free(&old);
	ops_buf_free(&d0);
	ops_buf_free(&d1);
	ops_buf_free(&back);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_fits),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_block_states),
		cmocka_unit_test(test_decode_fields),
		cmocka_unit_test(test_cut_and_flip),
		cmocka_unit_test(test_absent_blocks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
