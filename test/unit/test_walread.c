#include "check.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "record/walbatch.h"
#include "store/walread.h"
#include "store_build.h"

/* -- WAL files by hand: each letter is a block -- */

#define KEY 0x17

struct made {
	struct memstore mem;
	uint8_t chain[100][OPS_HASH_LEN]; /* before batch i */
	struct ops_signer *key;
};

static void
init(struct made *m)
{
	const uint8_t seed[OPS_SEED_LEN] = { KEY };

	memset(m, 0, sizeof(*m));
	mem_init(&m->mem);
	m->key = ops_signer_new(seed);
}

static void
done(struct made *m)
{
	ops_signer_free(m->key);
	mem_free(&m->mem);
}

static void
put_file(struct made *m, uint64_t name, uint64_t number, uint64_t first,
    const uint8_t *blocks, size_t n)
{
	uint8_t head[WAL_BLOCK] = "OPSWAL01";
	struct memfile *f;
	char path[64];

	ops_putle64(head + 8, number);
	ops_putle64(head + 16, first);
	ops_putle32(head + 508, ops_crc32c(0, head, 508));
	snprintf(path, sizeof(path), "wal/%08" PRIu64 ".wal", name);
	mem_put(&m->mem, path, head, sizeof(head));
	f = mem_find(&m->mem, path);
	mem_splice(f, f->len, 0, blocks, n);
}

/* The blocks of batch `number`, with one record of n bytes of payload. */
static void
put_batch(struct made *m, struct ops_buf *out, uint64_t number, size_t n)
{
	static uint8_t payload[RECORD_PAYLOAD_MAX];
	uint8_t bytes[RECORD_MAX];
	struct record r = { .type = REC_OUTPUT, .payload = payload, .len = n };
	struct wal_entry e = { .class = 1, .record = bytes, .number = number };
	struct ops_buf b = { .max = WAL_BATCH_MAX };
	struct ops_buf blocks = { .max = WAL_DISK_LEN(WAL_BATCH_MAX) };

	e.len = record_encode(&r, bytes);
	wal_batch_begin(&b, number, 1, m->chain[number]);
	wal_batch_add(&b, &e);
	assert_int_equal(
	    wal_batch_end(&b, m->key, m->chain[number + 1], NULL), 0);
	assert_int_equal(wal_batch_blocks(&b, &blocks, NULL), 0);
	ops_buf_put(out, blocks.data, blocks.len);
	ops_buf_free(&b);
	ops_buf_free(&blocks);
}

/* Read all from `from`: how many batches, and how it ended. */
static unsigned
read_all(struct made *m, uint64_t from, enum wal_end *end, char detail[256])
{
	const char *where, *text;
	struct ops_err err = { 0 };
	struct wal_reader *r;
	struct wal_batch b;
	uint64_t torn, batch;
	uint8_t chain[OPS_HASH_LEN];
	unsigned n = 0;
	int rc;

	assert_int_equal(wal_open_read(&m->mem.vfs, from, &r, &err), 0);
	while ((rc = wal_next(r, &b, &err)) == 1) {
		assert_int_equal(b.number, from + n);
		assert_memory_equal(
		    b.chain, m->chain[from + n + 1], OPS_HASH_LEN);
		assert_true(wal_batch_signed(&b, ops_signer_pub(m->key)));
		assert_non_null(strstr(wal_where(r), "wal/0000"));
		n++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(wal_next(r, &b, &err), 0);
	wal_position(r, &batch, chain);
	assert_int_equal(batch, from + n);
	if (n > 0)
		assert_memory_equal(chain, m->chain[from + n], OPS_HASH_LEN);
	*end = wal_reader_end(r, &where, &text, &torn);
	/* for an open log, as these are, that is damage as well */
	if (wal_stops_short(r))
		*end = WAL_END_DAMAGED;
	snprintf(detail, 256, "%s: %s", where, text);
	wal_reader_free(r);
	return n;
}

static void
expect(struct made *m, uint64_t from, unsigned n, enum wal_end end,
    const char *row)
{
	char detail[256];
	enum wal_end got;
	unsigned count = read_all(m, from, &got, detail);

	CHECK(got == end, row, detail);
	CHECK(count == n, row, detail);
}

static void
test_empty(void **state)
{
	struct wal_reader *r;
	struct made m;

	(void)state;
	init(&m);
	expect(&m, 1, 0, WAL_END_CLEAN, "no folder");
	mem_put(&m.mem, "wal/other", "x", 1);
	expect(&m, 1, 0, WAL_END_CLEAN, "no file");
	put_file(&m, 1, 1, 1, NULL, 0);
	expect(&m, 1, 0, WAL_END_CLEAN, "a header only");
	expect(&m, 2, 0, WAL_END_DAMAGED, "sealed batch 1 is not there");
	assert_int_equal(wal_open_read(&m.mem.vfs, 1, &r, NULL), 0);
	assert_int_equal(wal_files(r), 1);
	assert_true(wal_has_start(r));
	wal_reader_free(r);
	put_file(&m, 1, 1, 5, NULL, 0);
	expect(&m, 1, 0, WAL_END_DAMAGED, "begins after what is wanted");
	assert_int_equal(wal_open_read(&m.mem.vfs, 1, &r, NULL), 0);
	assert_false(wal_has_start(r));
	wal_reader_free(r);
	mem_put(&m.mem, "wal/00000001.wal", "", 0);
	expect(&m, 1, 0, WAL_END_CLEAN, "an empty file, not begun");
	done(&m);
}

/* Batches of 1, 3 and 2 blocks in one file. */
static void
three(struct made *m, struct ops_buf *b)
{
	static const uint8_t zero[3 * WAL_BLOCK];

	b->max = 1u << 20;
	put_batch(m, b, 1, 10);
	put_batch(m, b, 2, 1000);
	put_batch(m, b, 3, 600);
	ops_buf_put(b, zero, sizeof(zero));
	put_file(m, 1, 1, 1, b->data, b->len);
}

static void
test_torn(void **state)
{
	struct ops_buf b = { 0 };
	struct memfile *f;
	struct made m;

	(void)state;
	init(&m);
	three(&m, &b);
	f = mem_find(&m.mem, "wal/00000001.wal");
	expect(&m, 1, 3, WAL_END_CLEAN, "whole");
	expect(&m, 2, 2, WAL_END_CLEAN, "from 2");
	expect(&m, 4, 0, WAL_END_CLEAN, "all sealed");
	/* any set of blocks of the last one absent */
	for (unsigned mask = 1; mask < 4; mask++) {
		uint8_t *keep = heap_copy(f->data, f->len);

		for (unsigned i = 0; i < 2; i++)
			if (mask & (1u << i))
				memset(f->data + (5 + i) * WAL_BLOCK, 0,
				    WAL_BLOCK);
		expect(&m, 1, 2, mask == 3 ? WAL_END_CLEAN : WAL_END_TORN,
		    "last torn");
		memcpy(f->data, keep, f->len);
		free(keep);
	}
	/* of one before: what comes after it shows it */
	for (unsigned i = 1; i < 5; i++) {
		uint8_t *keep = heap_copy(f->data, f->len);

		memset(f->data + i * WAL_BLOCK, 0, WAL_BLOCK);
		expect(&m, 1, i == 1 ? 0 : 1, WAL_END_DAMAGED, "hole");
		memcpy(f->data, keep, f->len);
		free(keep);
	}
	/* the file cut at any place */
	for (size_t n = 0; n < 7 * WAL_BLOCK; n += 64) {
		size_t len = f->len;
		char detail[256];
		enum wal_end end;
		unsigned count;

		f->len = n;
		count = read_all(&m, 1, &end, detail);
		CHECK(count <= 3, "cut", detail);
		CHECK(n % WAL_BLOCK != 0 || end != WAL_END_DAMAGED, "cut",
		    detail);
		f->len = len;
	}
	ops_buf_free(&b);
	done(&m);
}

static void
test_every_byte(void **state)
{
	struct ops_buf b = { 0 };
	struct memfile *f;
	struct made m;

	(void)state;
	init(&m);
	three(&m, &b);
	f = mem_find(&m.mem, "wal/00000001.wal");
	for (size_t i = 0; i < f->len; i++) {
		char row[32];

		snprintf(row, sizeof(row), "byte %zu", i);
		f->data[i] ^= 0x10;
		for (uint64_t from = 1; from <= 4; from++) {
			char detail[256];
			enum wal_end end;
			unsigned n = read_all(&m, from, &end, detail);

			CHECK(end == WAL_END_DAMAGED, row, detail);
			/* what is sealed must not hide what is not */
			if (i >= WAL_BLOCK && from == 3 && i < 5 * WAL_BLOCK)
				CHECK(n == 1, row, detail);
		}
		f->data[i] ^= 0x10;
	}
	ops_buf_free(&b);
	done(&m);
}

static void
test_files(void **state)
{
	struct ops_buf a = { .max = 1u << 20 }, b = { .max = 1u << 20 },
		       c = { .max = 1u << 20 };
	struct made m;

	(void)state;
	init(&m);
	put_batch(&m, &a, 1, 100);
	put_batch(&m, &a, 2, 100);
	put_batch(&m, &b, 3, 2000);
	put_batch(&m, &c, 4, 10);
	put_file(&m, 7, 7, 1, a.data, a.len);
	put_file(&m, 8, 8, 3, b.data, b.len);
	put_file(&m, 9, 9, 4, c.data, c.len);
	for (uint64_t from = 1; from <= 5; from++)
		expect(&m, from, (unsigned)(5 - from), WAL_END_CLEAN,
		    "three files");
	/* the one in the middle gone */
	mem_remove(&m.mem, "wal/00000008.wal");
	expect(&m, 1, 2, WAL_END_DAMAGED, "middle gone");
	expect(&m, 4, 1, WAL_END_CLEAN, "middle gone, but sealed");
	/* a file recycled but not begun: named 10, still says 7 */
	put_file(&m, 8, 8, 3, b.data, b.len);
	mem_rename(&m.mem, "wal/00000007.wal", "wal/00000010.wal");
	expect(&m, 3, 2, WAL_END_CLEAN, "recycled");
	/* the last one renamed must not vanish */
	mem_rename(&m.mem, "wal/00000009.wal", "wal/00000011.wal");
	expect(&m, 3, 1, WAL_END_DAMAGED, "renamed");
	expect(&m, 4, 0, WAL_END_DAMAGED, "renamed");
	mem_rename(&m.mem, "wal/00000011.wal", "wal/00000009.wal");
	/* recycled and begun: what is stale behind it is nothing */
	ops_buf_put(&c, a.data, a.len);
	put_file(&m, 9, 9, 4, c.data, c.len);
	expect(&m, 1, 0, WAL_END_DAMAGED, "first is gone");
	expect(&m, 3, 2, WAL_END_CLEAN, "stale blocks");
	/* written again in a new file after a failed sync */
	put_file(&m, 12, 12, 4, c.data, WAL_BLOCK);
	expect(&m, 3, 2, WAL_END_CLEAN, "again");
	expect(&m, 4, 1, WAL_END_CLEAN, "again");
	ops_buf_reset(&b);
	put_batch(&m, &b, 3, 2000);
	memset(b.data + WAL_BLOCK, 0, WAL_BLOCK);
	put_file(&m, 8, 8, 3, b.data, b.len);
	mem_remove(&m.mem, "wal/00000012.wal");
	ops_buf_reset(&c);
	put_batch(&m, &c, 3, 2000);
	put_batch(&m, &c, 4, 10);
	put_file(&m, 9, 9, 3, c.data, c.len);
	expect(&m, 3, 2, WAL_END_CLEAN, "torn, then again");
	ops_buf_free(&a);
	ops_buf_free(&b);
	ops_buf_free(&c);
	done(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
