#include "check.h"

#include "base/bytes.h"
#include "merkle/tile.h"
#include "merkle/tree.h"

/* clang-format off */
static const struct {
	int level;
	uint64_t n;
	unsigned width;
	const char *path;
} paths[] = {
	{ 0, 0, 0,			"tile/0/000" },
	{ 0, 0, 256,			"tile/0/000" },
	{ 0, 0, 1,			"tile/0/000.p/1" },
	{ 0, 999, 255,			"tile/0/999.p/255" },
	{ 1, 1000, 0,			"tile/1/x001/000" },
	{ 0, 1234, 17,			"tile/0/x001/234.p/17" },
	{ 0, 1234067, 0,		"tile/0/x001/x234/067" },
	{ 7, 5, 0,			"tile/7/005" },
	{ TILE_ENTRIES, 1234067, 0,	"tile/entries/x001/x234/067" },
	{ TILE_ENTRIES, 0, 8,		"tile/entries/000.p/8" },
	{ TILE_ENTRIES, UINT64_MAX, 255,
		"tile/entries/x018/x446/x744/x073/x709/x551/615.p/255" },
};

/* Over TILE_PATH_MAX. */
#define TEN_GROUPS "x000/x000/x000/x000/x000/x000/x000/x000/x000/x000/"
static const char long_path[] = "tile/0/" TEN_GROUPS TEN_GROUPS "000";

static const char *const bad_paths[] = {
	"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00",
	"tile/0/0000", "tile/0/x000/000", "tile/0/x000", "tile/0/001/234",
	"tile/0/x001/x234", "tile/0/x01/234", "tile/0/x001x234",
	"tile/0/x001//234", "tile/0/1234", "tile/0/000/", "/tile/0/000",
	"tile/8/000", "tile/64/000", "tile/00/000", "tile/01/000",
	"tile/-1/000", "tile/x/000", "tile/entries/", "tile/entries/0",
	"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256",
	"tile/0/000.p/01", "tile/0/000.p/x1", "tile/0/000.p/1/",
	"tile/0/000.p/1x", "tile/0/000.p/1.p/1", "tile/0/000.q/1",
	"tile/0/ 00", "tile/0/-01", "tile/0/000 ", "Tile/0/000",
	"tile/0/x018/x446/x744/x073/x709/x551/616", "tile/data/000",
	long_path,
};
/* clang-format on */

static void
test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(paths); i++) {
		const char *want = paths[i].path;
		struct ops_err err = { 0 };
		char out[TILE_PATH_MAX];
		unsigned width;
		uint64_t n;
		int level;

		CHECK(tile_path(paths[i].level, paths[i].n, paths[i].width,
			  out) == strlen(want),
		    want, "length");
		CHECK(strcmp(out, want) == 0, want, out);
		CHECK(tile_path_parse(want, &level, &n, &width, &err) == 0,
		    want, err.msg);
		CHECK(
		    level == paths[i].level && n == paths[i].n, want, "parsed");
		CHECK(width % TILE_WIDTH == paths[i].width % TILE_WIDTH &&
			  width > 0,
		    want, "width");
	}
}

static void
test_bad_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad_paths); i++) {
		unsigned width = 42;
		uint64_t n = 42;
		int level = 42;

		CHECK(tile_path_parse(bad_paths[i], &level, &n, &width, NULL) ==
			  -1,
		    bad_paths[i], "accepted");
		CHECK(width == 42 && n == 42 && level == 42, bad_paths[i],
		    "touched");
	}
}

static void
test_sizes(void **state)
{
	/* clang-format off */
	static const struct {
		int level; uint64_t size, full; unsigned partial;
	} rows[] = {
		{ 0, 0, 0, 0 },
		{ 0, 1, 0, 1 },
		{ 0, 255, 0, 255 },
		{ 0, 256, 1, 0 },		{ 1, 256, 0, 1 },
		{ 0, 257, 1, 1 },		{ 1, 257, 0, 1 },
		{ 0, 70000, 273, 112 },		{ 1, 70000, 1, 17 },
		{ 2, 70000, 0, 1 },		{ 3, 70000, 0, 0 },
		{ TILE_ENTRIES, 70000, 273, 112 },
		{ 1, 255, 0, 0 },
		{ 7, UINT64_MAX, 0, 255 },
		{ 6, UINT64_MAX, 255, 255 },
		{ 0, UINT64_MAX, UINT64_MAX >> 8, 255 },
	};
	/* clang-format on */
	char row[48];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		snprintf(row, sizeof(row), "level %d of %ju", rows[i].level,
		    (uintmax_t)rows[i].size);
		CHECK(tile_full(rows[i].level, rows[i].size) == rows[i].full,
		    row, "full");
		CHECK(tile_partial(rows[i].level, rows[i].size) ==
			  rows[i].partial,
		    row, "partial");
	}
}

/* A tree's root from its tiles alone: two levels and a rest. */
static void
test_parent(void **state)
{
	static uint8_t leaves[3 * TILE_WIDTH + 5][OPS_HASH_LEN];
	const size_t n = OPS_ARRAY_LEN(leaves);
	uint8_t parents[3][OPS_HASH_LEN], want[OPS_HASH_LEN];
	uint8_t left[OPS_HASH_LEN], right[OPS_HASH_LEN], h[OPS_HASH_LEN];

	(void)state;
	for (size_t i = 0; i < n; i++)
		ops_sha256(&i, sizeof(i), leaves[i]);
	for (size_t i = 0; i < 3; i++)
		tile_parent(leaves[i * TILE_WIDTH], parents[i]);
	assert_int_equal(tile_full(0, n), 3);
	assert_int_equal(tile_partial(1, n), 3);
	tree_root_of(leaves[0], n, want);
	tree_node(parents[0], parents[1], left);
	tree_root_of(leaves[3 * TILE_WIDTH], 5, h);
	tree_node(parents[2], h, right);
	tree_node(left, right, h);
	assert_memory_equal(h, want, sizeof(h));
}

static void
test_entries(void **state)
{
	static const size_t lens[] = { 0, 1, 300, 65535 };
	struct ops_buf b = { .max = 1 << 20 };
	uint8_t leaf[65535];
	const uint8_t *p;
	size_t left;

	(void)state;
	memset(leaf, 0xab, sizeof(leaf));
	for (size_t i = 0; i < OPS_ARRAY_LEN(lens); i++)
		tile_entry_put(&b, leaf, lens[i]);
	assert_false(b.failed);
	assert_memory_equal(b.data, "\0\0\0\1\xab\x01\x2c\xab", 8);
	p = b.data;
	left = b.len;
	for (size_t i = 0; i < OPS_ARRAY_LEN(lens); i++) {
		const uint8_t *got;
		size_t len;
		long used = tile_entry_next(p, left, &got, &len, NULL);

		assert_int_equal(used, lens[i] + 2);
		assert_int_equal(len, lens[i]);
		assert_ptr_equal(got, p + 2);
		p += used;
		left -= (size_t)used;
	}
	assert_int_equal(left, 0);

	ops_buf_reset(&b);
	b.max = 4;
	tile_entry_put(&b, leaf, 3);
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
	ops_buf_free(&b);
}

static void
test_entry_cuts(void **state)
{
	static const uint8_t whole[] = { 0, 3, 'a', 'b', 'c' };

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		uint8_t *p = heap_copy(whole, n);
		const uint8_t *leaf = NULL;
		struct ops_err err = { 0 };
		size_t len = 42;

		assert_int_equal(tile_entry_next(p, n, &leaf, &len, &err), -1);
		assert_int_equal(err.code, OPS_ETRUNC);
		assert_null(leaf);
		assert_int_equal(len, 42);
		free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_entry_cuts),
	};

	return cmocka_run_group_tests_name("tile", tests, NULL, NULL);
}
