/* tile - a path that parses is written the same way again; entries that parse
 * are written the same way again; every tile of a tree has a path. */
#include "../fuzz.h"

#include "merkle/tile.h"

static void
check_path(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size), out[TILE_PATH_MAX];
	unsigned width;
	uint64_t n;
	int level;

	if (tile_path_parse(s, &level, &n, &width, NULL) == 0) {
		REQUIRE(level >= TILE_ENTRIES && level < TILE_LEVELS);
		REQUIRE(width >= 1 && width <= TILE_WIDTH);
		REQUIRE(tile_path(level, n, width, out) == strlen(s));
		REQUIRE(strcmp(out, s) == 0);
	}
	free(s);
}

static void
check_made(struct fuzz_in in)
{
	int level = fuzz_byte(&in) % (TILE_LEVELS + 1) - 1, l;
	unsigned width = fuzz_byte(&in), w;
	char out[TILE_PATH_MAX];
	uint64_t n, size, m;

	fuzz_take(&in, &n, sizeof(n));
	n >>= fuzz_byte(&in) % 64;
	tile_path(level, n, width, out);
	REQUIRE(tile_path_parse(out, &l, &m, &w, NULL) == 0);
	REQUIRE(l == level && m == n && w % TILE_WIDTH == width);

	/* Each level's hashes are the full tiles of the one below. */
	fuzz_take(&in, &size, sizeof(size));
	for (l = 0; l + 1 < TILE_LEVELS; l++)
		REQUIRE(
		    tile_full(l, size) == tile_full(l + 1, size) * TILE_WIDTH +
					      tile_partial(l + 1, size));
	REQUIRE(
	    tile_full(0, size) * TILE_WIDTH + tile_partial(0, size) == size);
}

static void
check_entries(const uint8_t *p, size_t size)
{
	struct ops_buf b = { .max = size };
	size_t at = 0;

	while (at < size) {
		const uint8_t *leaf;
		struct ops_err err = { 0 };
		size_t len;
		long used =
		    tile_entry_next(p + at, size - at, &leaf, &len, &err);

		if (used < 0) {
			REQUIRE(err.code == OPS_ETRUNC);
			break;
		}
		REQUIRE((size_t)used == len + 2 && leaf == p + at + 2);
		REQUIRE((size_t)used <= size - at);
		tile_entry_put(&b, leaf, len);
		at += (size_t)used;
	}
	REQUIRE(!b.failed && b.len == at);
	REQUIRE(at == 0 || memcmp(b.data, p, at) == 0);
	ops_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_path(data, size);
	check_made((struct fuzz_in){ data, size });
	check_entries(data, size);
	return 0;
}
