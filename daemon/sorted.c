#include "sorted.h"

#include <assert.h>
#include <string.h>

static uint32_t
key_of(const void *rows, size_t size, size_t i)
{
	uint32_t key;

	memcpy(&key, (const char *)rows + i * size, sizeof(key));
	return key;
}

bool
sorted_find(const void *rows, size_t n, size_t size, uint32_t key, size_t *at)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (key_of(rows, size, mid) < key)
			from = mid + 1;
		else
			to = mid;
	}
	*at = from;
	return from < n && key_of(rows, size, from) == key;
}

void *
sorted_insert(void *rows, size_t *n, size_t size, size_t at, uint32_t key)
{
	char *row = (char *)rows + at * size;

	assert(at <= *n && size >= sizeof(key));
	memmove(row + size, row, (*n - at) * size);
	memset(row, 0, size);
	memcpy(row, &key, sizeof(key));
	(*n)++;
	return row;
}

void
sorted_remove(void *rows, size_t *n, size_t size, size_t at)
{
	char *row = (char *)rows + at * size;

	assert(at < *n);
	(*n)--;
	memmove(row, row + size, (*n - at) * size);
}
