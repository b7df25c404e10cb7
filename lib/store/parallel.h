/*
 * parallel - one loop on several cores.
 */
#ifndef OPS_PARALLEL_H
#define OPS_PARALLEL_H

#include <stddef.h>

#define PARALLEL_MAX 64 /* threads */

/* Threads to use where `wanted` were asked for; 0: as many as there are cores. */
unsigned parallel_threads(unsigned wanted);

/*
 * Call fn(arg, i, worker) once for each i < n, ascending, from up to `threads`
 * threads (the caller's is one of them); worker < threads tells them apart, for
 * buffers of their own.  Returns when all is done.
 */
void parallel_for(unsigned threads, size_t n,
    void (*fn)(void *arg, size_t i, unsigned worker), void *arg);

#endif
