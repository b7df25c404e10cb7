#include "tiles.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "merkle/tile.h"
#include "record/leaf.h"

#define BUNDLE_MAX (TILE_WIDTH * (LEAF_MAX + 2))
#define PATH_MAX_TILE (TILE_PATH_MAX + 32)

struct level {
	uint64_t n; /* hashes this level has had */
	uint8_t hash[TILE_BYTES];
};

struct tiles {
	struct vfs *v;
	uint32_t log;
	struct level level[TILE_LEVELS];
	struct ops_buf bundle;
};

struct tiles *
tiles_new(struct vfs *v, uint32_t log)
{
	struct tiles *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->v = v;
	t->log = log;
	t->bundle.max = BUNDLE_MAX;
	return t;
}

void
tiles_free(struct tiles *t)
{
	if (t == NULL)
		return;
	ops_buf_free(&t->bundle);
	free(t);
}

static int
write_tile(struct tiles *t, int level, uint64_t n, unsigned width,
    const uint8_t *p, size_t len, struct ops_err *err)
{
	char path[PATH_MAX_TILE], dir[PATH_MAX_TILE], name[TILE_PATH_MAX];

	tile_path(level, n, width, name);
	snprintf(path, sizeof(path), "log/%" PRIu32 "/%s", t->log, name);
	if (vfs_exists(t->v, path))
		return 0;
	snprintf(dir, sizeof(dir), "%s", path);
	*strrchr(dir, '/') = '\0';
	if (vfs_make_path(t->v, dir, err) < 0)
		return -1;
	return vfs_replace_file(t->v, path, p, len, err);
}

/* Put one hash into a level; a full tile is written and feeds its parent. */
static void
add_hash(struct tiles *t, int level, const uint8_t hash[static OPS_HASH_LEN])
{
	struct level *l = &t->level[level];
	size_t at = l->n % TILE_WIDTH;
	uint8_t parent[OPS_HASH_LEN];

	memcpy(l->hash + at * OPS_HASH_LEN, hash, OPS_HASH_LEN);
	l->n++;
	if (at != TILE_WIDTH - 1)
		return;
	write_tile(t, level, (l->n - 1) / TILE_WIDTH, TILE_WIDTH, l->hash,
	    TILE_BYTES, NULL);
	if (level + 1 < TILE_LEVELS) {
		tile_parent(l->hash, parent);
		add_hash(t, level + 1, parent);
	}
}

void
tiles_add(struct tiles *t, const uint8_t *leaf, size_t n,
    const uint8_t hash[static OPS_HASH_LEN])
{
	uint64_t index = t->level[0].n;

	tile_entry_put(&t->bundle, leaf, n);
	add_hash(t, 0, hash);
	if (index % TILE_WIDTH != TILE_WIDTH - 1)
		return;
	/* Without memory for it the bundle is incomplete: better none. */
	if (!t->bundle.failed)
		write_tile(t, TILE_ENTRIES, index / TILE_WIDTH, TILE_WIDTH,
		    t->bundle.data, t->bundle.len, NULL);
	ops_buf_reset(&t->bundle);
}

int
tiles_write_partial(struct tiles *t, struct ops_err *err)
{
	uint64_t n = t->level[0].n;
	unsigned width = (unsigned)(n % TILE_WIDTH);

	if (width != 0 && !t->bundle.failed &&
	    write_tile(t, TILE_ENTRIES, n / TILE_WIDTH, width, t->bundle.data,
		t->bundle.len, err) < 0)
		return -1;
	for (int i = 0; i < TILE_LEVELS; i++) {
		struct level *l = &t->level[i];

		width = (unsigned)(l->n % TILE_WIDTH);
		if (width != 0 &&
		    write_tile(t, i, l->n / TILE_WIDTH, width, l->hash,
			(size_t)width * OPS_HASH_LEN, err) < 0)
			return -1;
	}
	return 0;
}
