/*
 * ration - how often each user may do something: each has a bucket (base/bucket.h)
 * of his own, and none takes from another's.
 *
 * There is a place for RATION_USERS_MAX users who have done it lately; those beyond
 * that share one bucket.
 *
 * Pure: the caller says what time it is (ns of CLOCK_BOOTTIME).  A struct rations
 * that is all zero but for its rule has no users.
 */
#ifndef OPS_DAEMON_RATION_H
#define OPS_DAEMON_RATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bucket.h"

#define RATION_USERS_MAX 65536

struct ration {
	uint32_t uid; /* first: sorted.h */
	struct bucket bucket;
};

struct rations {
	struct bucket_rule rule;
	struct ration *user; /* by uid */
	size_t n, cap;
	struct bucket rest; /* who has no place */
};

/* May he, once more?  If so, it counts. */
bool ration_take(struct rations *r, uint32_t uid, uint64_t now);
void rations_free(struct rations *r);

/* The same of one bucket. */
bool ration_bucket(
    struct bucket *b, const struct bucket_rule *rule, uint64_t now);

#endif
