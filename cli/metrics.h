/*
 * metrics - the daemon's status as OpenMetrics text, for a Prometheus.  Pure.
 */
#ifndef OPS_CLI_METRICS_H
#define OPS_CLI_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ipc/proto.h"

/* What the status doesn't say. */
struct metrics {
	uint64_t now;     /* CLOCK_REALTIME */
	bool has_growth;  /* it is known */
	uint64_t per_day; /* bytes */
};

/* Append all of it, "# EOF" and a newline last.  What isn't known is left out. */
void metrics_put(
    struct ops_buf *out, const struct proto_status *s, const struct metrics *m);

#endif
