#include "latency.h"

#include <stdlib.h>
#include <string.h>

void
latency_add(struct latency *l, uint64_t ns)
{
	uint64_t us = ns / 1000;

	l->us[l->n++ % LATENCY_KEPT] =
	    us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static int
by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

void
latency_percentiles(const struct latency *l, uint64_t *p50, uint64_t *p99)
{
	uint32_t sorted[LATENCY_KEPT];
	size_t n = l->n < LATENCY_KEPT ? (size_t)l->n : LATENCY_KEPT;

	*p50 = *p99 = 0;
	if (n == 0)
		return;
	memcpy(sorted, l->us, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), by_size);
	*p50 = sorted[n / 2] * 1000ull;
	*p99 = sorted[n - 1 - n / 100] * 1000ull;
}
