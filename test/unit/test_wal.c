#include <inttypes.h>

#include "check.h"
#include "memfs.h"
#include "store/wal.h"

struct batches {
	struct ops_signer *key;
	struct ops_buf b, blocks;
	uint8_t chain[OPS_HASH_LEN];
	uint64_t next;
};

static void
begin(struct batches *s)
{
	static const uint8_t seed[OPS_SEED_LEN] = { 1 };

	memset(s, 0, sizeof(*s));
	s->key = ops_signer_new(seed);
	s->b.max = WAL_BATCH_MAX;
	s->blocks.max = WAL_DISK_LEN(WAL_BATCH_MAX);
	s->next = 1;
}

static void
end(struct batches *s)
{
	ops_signer_free(s->key);
	ops_buf_free(&s->b);
	ops_buf_free(&s->blocks);
}

/* The next batch, of some `size` bytes, as blocks. */
static void
make(struct batches *s, size_t size)
{
	static uint8_t payload[RECORD_PAYLOAD_MAX];
	uint8_t bytes[RECORD_MAX];
	struct record r = {
		.type = REC_OUTPUT, .payload = payload, .len = sizeof(payload)
	};
	struct wal_entry e = { .class = 1, .record = bytes };

	wal_batch_begin(&s->b, s->next++, 0, s->chain);
	e.len = record_encode(&r, bytes);
	do {
		wal_batch_add(&s->b, &e);
		e.number++;
	} while (s->b.len < size && wal_batch_fits(&s->b, e.len));
	assert_int_equal(wal_batch_end(&s->b, s->key, s->chain, NULL), 0);
	assert_int_equal(wal_batch_blocks(&s->b, &s->blocks, NULL), 0);
}

static size_t
files(struct memfs *m)
{
	struct vfs_names n = { 0 };
	size_t count;

	assert_int_equal(vfs_list(&m->vfs, "wal", &n, NULL), 0);
	count = n.n;
	vfs_names_free(&n);
	return count;
}

/* Batches from `from` to the end are read back; returns how many. */
static uint64_t
read_back(struct memfs *m, uint64_t from, uint64_t next)
{
	struct wal_reader *r;
	struct wal_batch b;
	const char *where, *detail;
	uint64_t torn, n = 0;

	assert_int_equal(wal_open_read(&m->vfs, from, &r, NULL), 0);
	assert_true(wal_has_start(r));
	while (wal_next(r, &b, NULL) == 1)
		assert_int_equal(b.number, from + n++);
	assert_int_equal(
	    wal_reader_end(r, &where, &detail, &torn), WAL_END_CLEAN);
	assert_int_equal(from + n, next);
	wal_reader_free(r);
	return n;
}

/* More than 40 MiB through it: files are recycled, and what is not released is
 * read back after a power cut at any time. */
static void
test_recycling(void **state)
{
	struct memfs *m = memfs_new();
	struct batches s;
	struct wal *w;
	uint64_t created = 0, released = 1;

	(void)state;
	begin(&s);
	assert_int_equal(wal_create(&m->vfs, 1, false, &w, NULL), 0);
	for (int i = 0; i < 100; i++) {
		make(&s, 500000);
		assert_int_equal(wal_write(w, s.next - 1, &s.blocks, NULL), 0);
		if (i % 20 == 19) {
			struct memfs *c = memfs_durable(m);

			read_back(c, released, s.next);
			vfs_free(&c->vfs);
			released = s.next - 3;
			assert_int_equal(wal_release(w, released, NULL), 0);
			assert_true(wal_held(w) <= 2u * WAL_FILE_SIZE);
		}
		created = files(m) > created ? files(m) : created;
	}
	/* 50 MiB were written, 10 MiB at most held: six files and not nine. */
	assert_true(created <= 6);
	read_back(m, released, s.next);
	assert_int_equal(wal_clear(w, NULL), 0);
	assert_int_equal(files(m), 0);
	wal_free(w);
	end(&s);
	vfs_free(&m->vfs);
}

/* The same batch goes to a new file; useless files don't pile up. */
static void
test_failing_sync(void **state)
{
	struct memfs *m = memfs_new();
	struct batches s;
	struct ops_err err = { 0 };
	struct memfs *c;
	struct wal *w;

	(void)state;
	m->forgets = true;
	begin(&s);
	assert_int_equal(wal_create(&m->vfs, 1, false, &w, NULL), 0);
	make(&s, 1000);
	assert_int_equal(wal_write(w, 1, &s.blocks, NULL), 0);
	make(&s, 1000);
	m->fail_mask = 1u << MEMFS_SYNC;
	for (int i = 0; i < 3 * WAL_FILES_MAX; i++) {
		m->fail_after = 0;
		m->fail_times = 1;
		/* Every second sync fails: the header's passes. */
		if (i > 0)
			m->fail_after = 1;
		assert_int_equal(wal_write(w, 2, &s.blocks, &err), -1);
		assert_int_equal(err.code, OPS_EIO);
	}
	m->fail_after = -1;
	assert_int_equal(wal_write(w, 2, &s.blocks, NULL), 0);
	assert_true(files(m) <= 3);
	c = memfs_durable(m);
	assert_int_equal(read_back(c, 1, 3), 2);
	vfs_free(&c->vfs);
	wal_free(w);
	end(&s);
	vfs_free(&m->vfs);
}

/* Nothing is released for long: refused, with all that was written there. */
static void
test_limit(void **state)
{
	struct memfs *m = memfs_new();
	struct batches s;
	struct ops_err err = { 0 };
	struct wal *w;
	uint64_t n = 0;

	(void)state;
	begin(&s);
	assert_int_equal(wal_create(&m->vfs, 1, false, &w, NULL), 0);
	make(&s, 1000000);
	/* The same bytes again and again: only the files are looked at. */
	while (n < 3000 && wal_write(w, n + 1, &s.blocks, &err) == 0)
		n++;
	assert_int_equal(err.code, OPS_EBUSY);
	assert_int_equal(files(m), WAL_FILES_MAX);
	assert_int_equal(wal_release(w, n, NULL), 0);
	assert_int_equal(wal_write(w, n + 1, &s.blocks, &err), 0);
	wal_free(w);
	end(&s);
	vfs_free(&m->vfs);
}

/* Files of an earlier start are removed when sealed, or kept as *.bad. */
static void
test_old_files(void **state)
{
	for (int keep = 0; keep < 2; keep++) {
		struct memfs *m = memfs_new();
		struct batches s;
		struct wal *w;

		(void)state;
		begin(&s);
		assert_int_equal(wal_create(&m->vfs, 1, false, &w, NULL), 0);
		make(&s, 1000);
		assert_int_equal(wal_write(w, 1, &s.blocks, NULL), 0);
		wal_free(w);
		assert_int_equal(
		    wal_create(&m->vfs, 2, keep != 0, &w, NULL), 0);
		assert_int_equal(files(m), 2);
		assert_int_equal(wal_release(w, 2, NULL), 0);
		assert_int_equal(files(m), keep ? 2 : 1);
		assert_int_equal(vfs_exists(&m->vfs, "wal/00000001.bad"), keep);
		assert_int_equal(wal_clear(w, NULL), 0);
		assert_int_equal(files(m), keep ? 1 : 0);
		wal_free(w);
		end(&s);
		vfs_free(&m->vfs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recycling),
		cmocka_unit_test(test_failing_sync),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_old_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
