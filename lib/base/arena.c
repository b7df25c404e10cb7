#include "arena.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 65536

struct arena {
	struct arena *next;
	size_t used, size;
	uint8_t data[];
};

const uint8_t *
arena_copy(struct arena **arena, const void *p, size_t n)
{
	struct arena *a = *arena;
	uint8_t *to;

	if (a == NULL || a->size - a->used < n) {
		size_t size = n > BLOCK ? n : BLOCK;

		a = malloc(sizeof(*a) + size);
		if (a == NULL)
			return NULL;
		a->next = *arena;
		a->used = 0;
		a->size = size;
		*arena = a;
	}
	to = a->data + a->used;
	if (n > 0)
		memcpy(to, p, n);
	a->used += n;
	return to;
}

void
arena_free(struct arena **arena)
{
	struct arena *a = *arena, *next;

	for (; a != NULL; a = next) {
		next = a->next;
		free(a);
	}
	*arena = NULL;
}
