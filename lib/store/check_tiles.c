/* Tiles are derived from the leaves: each must be what the leaves make it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "check_work.h"
#include "merkle/tile.h"
#include "record/leaf.h"

#define BUNDLE_MAX (TILE_WIDTH * (LEAF_MAX + 2))
#define LEVELS (TILE_LEVELS + 1) /* [0] are the entry bundles */
#define DEPTH_MAX 10             /* folders below tile/ */

/* A file that is there. */
struct tile_file {
	int level;
	uint64_t n;
	unsigned width; /* 1..TILE_WIDTH */
	bool seen;
};

struct tile_level {
	uint64_t n;     /* of the tile being filled */
	unsigned width; /* entries in it */
	struct ops_buf bytes;
	size_t end[TILE_WIDTH]; /* of entry i, in bytes */
	uint64_t missing;
};

struct check_tiles {
	struct check *c;
	uint32_t log;
	uint64_t sealed;        /* full tiles are expected up to here */
	struct tile_file *file; /* sorted */
	size_t files, file_cap;
	struct tile_level level[LEVELS];
	char first_missing[TILE_PATH_MAX];
	uint64_t missing;
};

static int
compare_files(const void *a, const void *b)
{
	const struct tile_file *x = a, *y = b;

	if (x->level != y->level)
		return x->level < y->level ? -1 : 1;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return (x->width > y->width) - (x->width < y->width);
}

/* -- which files there are -- */

/* path is below log/<n>/, "tile/0/x001". */
static void take_name(struct check_tiles *t, const char *path, unsigned depth);

static bool
list_folder(struct check_tiles *t, const char *path, unsigned depth)
{
	char full[TILE_PATH_MAX + 32], sub[TILE_PATH_MAX];
	struct vfs_names names;

	snprintf(full, sizeof(full), "log/%" PRIu32 "/%s", t->log, path);
	if (depth == DEPTH_MAX || vfs_list(t->c->v, full, &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		int len =
		    snprintf(sub, sizeof(sub), "%s/%s", path, names.name[i]);

		if (len > 0 && (size_t)len < sizeof(sub))
			take_name(t, sub, depth + 1);
		else
			check_say(t->c, FIND_UNKNOWN, full, "a name too long");
	}
	vfs_names_free(&names);
	return true;
}

/* "tile/0/x001.tmp": what the writer was about to call "tile/0/x001". */
static bool
is_tile_tmp(const char *path)
{
	char name[TILE_PATH_MAX];
	size_t n = strlen(path);
	struct tile_file f = { 0 };

	if (n < 5 || n >= sizeof(name) || strcmp(path + n - 4, ".tmp") != 0)
		return false;
	memcpy(name, path, n - 4);
	name[n - 4] = '\0';
	return tile_path_parse(name, &f.level, &f.n, &f.width, NULL) == 0;
}

static void
take_name(struct check_tiles *t, const char *path, unsigned depth)
{
	struct tile_file f = { 0 };
	char full[TILE_PATH_MAX + 32];

	if (tile_path_parse(path, &f.level, &f.n, &f.width, NULL) == 0) {
		if (f.width == 0)
			f.width = TILE_WIDTH;
		if (history_grow(
			&t->file, t->files, &t->file_cap, sizeof(*t->file)))
			t->file[t->files++] = f;
		else
			t->c->no_memory = true;
		return;
	}
	if (list_folder(t, path, depth))
		return;
	snprintf(full, sizeof(full), "log/%" PRIu32 "/%s", t->log, path);
	if (is_tile_tmp(path))
		check_tmp(t->c, full);
	else
		check_say(t->c, FIND_UNKNOWN, full, "no tile has this name");
}

int
check_tiles_begin(struct check *c, size_t log)
{
	struct check_tiles *t;

	if (c->tiles == NULL) {
		c->tiles = calloc(1, sizeof(*c->tiles));
		if (c->tiles == NULL)
			return -1;
		for (size_t i = 0; i < LEVELS; i++)
			c->tiles->level[i].bytes.max =
			    i == 0 ? BUNDLE_MAX : TILE_BYTES;
	}
	t = c->tiles;
	t->c = c;
	t->log = c->h.log[log].pub.n;
	t->files = 0;
	t->missing = 0;
	for (size_t i = 0; i < LEVELS; i++) {
		t->level[i].n = 0;
		t->level[i].width = 0;
		ops_buf_reset(&t->level[i].bytes);
	}
	list_folder(t, "tile", 0);
	if (t->files > 1)
		qsort(t->file, t->files, sizeof(*t->file), compare_files);
	return 0;
}

/* -- holding them against the leaves -- */

/* A tile of `have` entries is known: compare all files of it. */
static void
compare_tile(struct check_tiles *t, size_t i)
{
	const struct tile_level *l = &t->level[i];
	int level = (int)i - 1;
	struct ops_buf b = { .max = BUNDLE_MAX + 1 };
	struct tile_file key = { .level = level, .n = l->n, .width = 1 };
	char name[TILE_PATH_MAX], path[TILE_PATH_MAX + 32];
	size_t lo = 0, hi = t->files;
	bool full = false;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (compare_files(&t->file[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < t->files && t->file[lo].level == level &&
	       t->file[lo].n == l->n && t->file[lo].width <= l->width;
	     lo++) {
		struct tile_file *f = &t->file[lo];
		struct ops_err why = { 0 };

		f->seen = true;
		full = full || f->width == TILE_WIDTH;
		tile_path(level, f->n, f->width, name);
		snprintf(
		    path, sizeof(path), "log/%" PRIu32 "/%s", t->log, name);
		if (vfs_read_file(t->c->v, path, BUNDLE_MAX, &b, &why) < 0) {
			check_say(t->c,
			    why.code == OPS_EFORMAT ? FIND_TAMPER
						    : FIND_UNREADABLE,
			    path, "%s", why.msg);
			continue;
		}
		if (b.len != l->end[f->width - 1] ||
		    memcmp(b.data, l->bytes.data, b.len) != 0)
			check_say(t->c, FIND_TAMPER, path,
			    "it is not what the leaves make it");
	}
	if (l->width == TILE_WIDTH && !full) {
		if (t->missing++ == 0)
			tile_path(level, l->n, 0, t->first_missing);
	}
	ops_buf_free(&b);
}

/* One more entry of level i - 1 (0: a leaf for the bundles). */
static void
add_entry(struct check_tiles *t, size_t i, const uint8_t *p, size_t n)
{
	struct tile_level *l = &t->level[i];
	uint8_t up[OPS_HASH_LEN];

	if (i == 0)
		tile_entry_put(&l->bytes, p, n);
	else
		ops_buf_put(&l->bytes, p, n);
	if (l->bytes.failed) {
		t->c->no_memory = true;
		return;
	}
	l->end[l->width++] = l->bytes.len;
	if (l->width < TILE_WIDTH)
		return;
	compare_tile(t, i);
	if (i > 0 && i + 1 < LEVELS) {
		tile_parent(l->bytes.data, up);
		add_entry(t, i + 1, up, sizeof(up));
	}
	ops_buf_reset(&l->bytes);
	l->width = 0;
	l->n++;
}

void
check_tiles_leaf(
    struct check *c, const uint8_t *leaf, size_t n, const uint8_t *hash)
{
	if (c->tiles == NULL || c->no_memory)
		return;
	add_entry(c->tiles, 0, leaf, n);
	add_entry(c->tiles, 1, hash, OPS_HASH_LEN);
}

void
check_tiles_end(struct check *c, size_t log)
{
	struct check_tiles *t = c->tiles;
	char name[TILE_PATH_MAX], path[TILE_PATH_MAX + 32];

	(void)log;
	if (t == NULL || c->no_memory)
		return;
	for (size_t i = 0; i < LEVELS; i++)
		compare_tile(t, i);
	for (size_t i = 0; i < t->files; i++) {
		if (t->file[i].seen)
			continue;
		tile_path(
		    t->file[i].level, t->file[i].n, t->file[i].width, name);
		snprintf(
		    path, sizeof(path), "log/%" PRIu32 "/%s", t->log, name);
		check_say(c, FIND_TAMPER, path,
		    "it tells of leaves that are not there");
	}
	if (t->missing > 0) {
		snprintf(path, sizeof(path), "log/%" PRIu32 "/%s", t->log,
		    t->first_missing);
		check_say(c, FIND_TILE_MISSING, path,
		    "%" PRIu64 " tiles; the writer makes them again at its "
		    "next start",
		    t->missing);
	}
}

void
check_tiles_free(struct check_tiles *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < LEVELS; i++)
		ops_buf_free(&t->level[i].bytes);
	free(t->file);
	free(t);
}
