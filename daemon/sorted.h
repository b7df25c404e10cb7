/*
 * sorted - arrays of rows that begin with a uint32_t, in the order of it, each once.
 *
 * The caller owns the array and has made room before a row is put in.  size: of a row.
 */
#ifndef OPS_DAEMON_SORTED_H
#define OPS_DAEMON_SORTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the row of that key is (true), or would be. */
bool sorted_find(
    const void *rows, size_t n, size_t size, uint32_t key, size_t *at);
/* One more row there: the others move up, this one is zero but for its key. */
void *sorted_insert(
    void *rows, size_t *n, size_t size, size_t at, uint32_t key);
/* That one goes, the others move down. */
void sorted_remove(void *rows, size_t *n, size_t size, size_t at);

#endif
