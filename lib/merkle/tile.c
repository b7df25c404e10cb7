#include "tile.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "tree.h"

#define ENTRY_MAX 65535

/* Groups of three digits, the last one first. */
static size_t
put_number(uint64_t n, char *out, size_t size)
{
	unsigned group[7], count = 0; /* 2^64 has 20 digits */
	size_t at = 0;

	do {
		group[count++] = (unsigned)(n % 1000);
		n /= 1000;
	} while (n > 0);
	while (count-- > 0) {
		int len = snprintf(out + at, size - at, "%s%03u%s",
		    count > 0 ? "x" : "", group[count], count > 0 ? "/" : "");

		assert(len > 0 && (size_t)len < size - at);
		at += (size_t)len;
	}
	return at;
}

size_t
tile_path(int level, uint64_t n, unsigned width, char out[static TILE_PATH_MAX])
{
	size_t at;
	int len;

	assert(level >= TILE_ENTRIES && level < TILE_LEVELS);
	assert(width <= TILE_WIDTH);
	if (level == TILE_ENTRIES)
		len = snprintf(out, TILE_PATH_MAX, "tile/entries/");
	else
		len = snprintf(out, TILE_PATH_MAX, "tile/%d/", level);
	at = (size_t)len;
	at += put_number(n, out + at, TILE_PATH_MAX - at);
	if (width % TILE_WIDTH != 0) {
		len = snprintf(out + at, TILE_PATH_MAX - at, ".p/%u", width);
		at += (size_t)len;
	}
	assert(at < TILE_PATH_MAX);
	return at;
}

/* Any digits, with what marks the groups of three skipped. */
static const char *
take_number(const char *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (; *s != '\0' && *s != '.'; s++) {
		if (*s == 'x' || *s == '/')
			continue;
		if (*s < '0' || *s > '9' || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return NULL;
	}
	*ret = v;
	return s;
}

/* What the path seems to say; the caller compares with how it is written. */
static bool
read_path(const char *s, int *level, uint64_t *n, unsigned *width)
{
	uint64_t w = TILE_WIDTH;

	if (strncmp(s, "tile/", 5) != 0)
		return false;
	s += 5;
	if (strncmp(s, "entries/", 8) == 0) {
		*level = TILE_ENTRIES;
		s += 8;
	} else if (s[0] >= '0' && s[0] < '0' + TILE_LEVELS && s[1] == '/') {
		*level = s[0] - '0';
		s += 2;
	} else
		return false;
	s = take_number(s, n);
	if (s == NULL)
		return false;
	if (strncmp(s, ".p/", 3) == 0) {
		s = take_number(s + 3, &w);
		if (s == NULL || w == 0 || w >= TILE_WIDTH)
			return false;
	}
	*width = (unsigned)w;
	return *s == '\0';
}

int
tile_path_parse(const char *path, int *level, uint64_t *n, unsigned *width,
    struct ops_err *err)
{
	char same[TILE_PATH_MAX];
	unsigned w;
	uint64_t number;
	int l;

	if (strnlen(path, TILE_PATH_MAX) == TILE_PATH_MAX ||
	    !read_path(path, &l, &number, &w))
		return ops_fail(
		    err, OPS_EFORMAT, "\"%.60s\" is no tile path", path);
	tile_path(l, number, w, same);
	if (strcmp(path, same) != 0)
		return ops_fail(err, OPS_EFORMAT,
		    "\"%.60s\" is no tile path, \"%s\" is", path, same);
	*level = l;
	*n = number;
	*width = w;
	return 0;
}

/* How many hashes a tree of this size has on a level. */
static uint64_t
hashes_at(int level, uint64_t size)
{
	assert(level >= TILE_ENTRIES && level < TILE_LEVELS);
	return level == TILE_ENTRIES ? size : size >> (8 * level);
}

uint64_t
tile_full(int level, uint64_t size)
{
	return hashes_at(level, size) / TILE_WIDTH;
}

unsigned
tile_partial(int level, uint64_t size)
{
	return (unsigned)(hashes_at(level, size) % TILE_WIDTH);
}

void
tile_parent(const uint8_t *tile, uint8_t out[static OPS_HASH_LEN])
{
	tree_root_of(tile, TILE_WIDTH, out);
}

void
tile_entry_put(struct ops_buf *b, const uint8_t *leaf, size_t n)
{
	uint8_t *to;

	assert(n <= ENTRY_MAX);
	to = ops_buf_reserve(b, 2 + n);
	if (to == NULL)
		return;
	ops_putbe16(to, (uint16_t)n);
	if (n > 0)
		memcpy(to + 2, leaf, n);
	b->len += 2 + n;
}

long
tile_entry_next(const uint8_t *p, size_t n, const uint8_t **leaf, size_t *len,
    struct ops_err *err)
{
	size_t want;

	if (n < 2)
		return ops_fail(
		    err, OPS_ETRUNC, "entry: %zu of 2 length bytes", n);
	want = ops_getbe16(p);
	if (n - 2 < want)
		return ops_fail(
		    err, OPS_ETRUNC, "entry: %zu of %zu bytes", n - 2, want);
	*leaf = p + 2;
	*len = want;
	return (long)(2 + want);
}
