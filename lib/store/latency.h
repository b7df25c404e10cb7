/*
 * latency - the last few thousand durations, and their percentiles.
 */
#ifndef OPS_LATENCY_H
#define OPS_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_KEPT 4096

struct latency {
	uint32_t us[LATENCY_KEPT]; /* microseconds */
	uint64_t n;                /* ever added; the newest are kept */
};

void latency_add(struct latency *l, uint64_t ns);
/* p50 and p99 in ns; 0 if none was added. */
void latency_percentiles(const struct latency *l, uint64_t *p50, uint64_t *p99);

#endif
