#include <errno.h>
#include <inttypes.h>

#include "check.h"
#include "memfs.h"
#include "merkle/tile.h"
#include "record/leaf.h"
#include "store/tiles.h"

#define N 700 /* two full tiles and a part */

static size_t
leaf(uint64_t i, uint8_t out[static 64])
{
	memset(out, 0, 64);
	return (size_t)snprintf((char *)out, 64, "leaf number %" PRIu64, i);
}

static void
add(struct tiles *t, uint64_t from, uint64_t until)
{
	for (uint64_t i = from; i < until; i++) {
		uint8_t bytes[64], hash[OPS_HASH_LEN];
		size_t n = leaf(i, bytes);

		leaf_hash(bytes, n, hash);
		tiles_add(t, bytes, n, hash);
	}
}

/* A tile as computed here, from the leaves alone. */
static void
expect(struct memfs *m, int level, uint64_t n, unsigned width)
{
	struct ops_buf want = { .max = 1u << 20 }, have = { .max = 1u << 20 };
	char name[TILE_PATH_MAX], path[TILE_PATH_MAX + 16];

	for (uint64_t i = n * TILE_WIDTH; i < n * TILE_WIDTH + width; i++) {
		uint8_t bytes[64], hash[OPS_HASH_LEN];
		uint8_t below[TILE_BYTES];
		size_t len = leaf(i, bytes);

		leaf_hash(bytes, len, hash);
		for (uint64_t k = 0; level == 1 && k < TILE_WIDTH; k++) {
			len = leaf(i * TILE_WIDTH + k, bytes);
			leaf_hash(bytes, len, below + k * OPS_HASH_LEN);
		}
		if (level == 1)
			tile_parent(below, hash);
		if (level == TILE_ENTRIES)
			tile_entry_put(&want, bytes, len);
		else
			ops_buf_put(&want, hash, sizeof(hash));
	}
	tile_path(level, n, width, name);
	snprintf(path, sizeof(path), "log/0/%s", name);
	CHECK(vfs_read_file(&m->vfs, path, 1u << 19, &have, NULL) == 0, path,
	    "not there");
	CHECK(
	    have.len == want.len && memcmp(have.data, want.data, want.len) == 0,
	    path, "differs");
	ops_buf_free(&want);
	ops_buf_free(&have);
}

static size_t
files(struct memfs *m)
{
	struct vfs_names n = { 0 };
	size_t count;

	memfs_files(m, &n);
	count = n.n;
	vfs_names_free(&n);
	return count;
}

static void
test_full_and_partial(void **state)
{
	struct memfs *m = memfs_new();
	struct tiles *t = tiles_new(&m->vfs, 0);

	(void)state;
	add(t, 0, 255);
	assert_int_equal(files(m), 0);
	add(t, 255, 256);
	assert_int_equal(files(m), 2);
	add(t, 256, N);
	assert_int_equal(files(m), 4);
	assert_int_equal(tiles_write_partial(t, NULL), 0);
	for (uint64_t n = 0; n < 2; n++) {
		expect(m, 0, n, TILE_WIDTH);
		expect(m, TILE_ENTRIES, n, TILE_WIDTH);
	}
	expect(m, 0, 2, N - 512);
	expect(m, TILE_ENTRIES, 2, N - 512);
	expect(m, 1, 0, 2);
	assert_int_equal(files(m), 7);
	tiles_free(t);
	vfs_free(&m->vfs);
}

/* A missing tile, and one that could not be written, is made by the next
 * start; those that are there are not written again. */
static void
test_made_again(void **state)
{
	struct memfs *m = memfs_new();
	struct tiles *t = tiles_new(&m->vfs, 0);
	uint64_t ops;

	(void)state;
	m->fail_mask = 1u << MEMFS_RENAME;
	m->fail_errno = ENOSPC;
	m->fail_times = 1;
	m->fail_after = 1;
	add(t, 0, N);
	assert_int_equal(m->failed, 1);
	tiles_free(t);
	for (int start = 0; start < 2; start++) {
		t = tiles_new(&m->vfs, 0);
		ops = m->ops;
		add(t, 0, N);
		assert_true(start == 0 ? m->ops > ops : m->ops == ops);
		for (uint64_t n = 0; n < 2; n++) {
			expect(m, 0, n, TILE_WIDTH);
			expect(m, TILE_ENTRIES, n, TILE_WIDTH);
		}
		tiles_free(t);
	}
	vfs_free(&m->vfs);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_and_partial),
		cmocka_unit_test(test_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
