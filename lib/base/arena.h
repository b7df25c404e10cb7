/*
 * arena - copies of bytes that never move and are freed all at once.
 *
 * A list of things keeps its texts in one.  NULL is an empty arena.
 */
#ifndef OPS_ARENA_H
#define OPS_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* A copy of n bytes; of none, a pointer that is not NULL.  NULL: no memory. */
const uint8_t *arena_copy(struct arena **a, const void *p, size_t n);
void arena_free(struct arena **a);

#endif
