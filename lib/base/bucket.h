/*
 * bucket - how much of something one has had lately, held against what he may
 * have in a time.
 *
 * What is put in runs out again, evenly: as much as the rule allows in its time.
 * So there is no hour at which all begins anew; who has had too much gets the
 * rest of his time's share as it comes.  In any such time, at most twice what
 * the rule says is had (a full bucket, and what ran out meanwhile).
 *
 * Pure: the caller says what time it is (ns of a clock that never goes
 * backwards).  A bucket that is all zero is empty.
 */
#ifndef OPS_BUCKET_H
#define OPS_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket_rule {
	uint64_t size;    /* 0: any amount */
	uint32_t seconds; /* in so many; not 0, at most BUCKET_SECONDS_MAX */
};
#define BUCKET_SECONDS_MAX 86400

struct bucket {
	uint64_t used;
	uint64_t at;   /* up to when it has run out */
	uint64_t rest; /* of that, less than one: in size x ms */
};

/* What has run out until now.  The rule may be another one than last time. */
void bucket_leak(
    struct bucket *b, const struct bucket_rule *rule, uint64_t now);
/* The same, then n more.  More than fits is taken, too: it has been had. */
void bucket_add(
    struct bucket *b, const struct bucket_rule *rule, uint64_t now, uint64_t n);

/* It holds what the rule allows, or more. */
bool bucket_full(const struct bucket *b, const struct bucket_rule *rule);
/* It has room again for a while: what a minute gives, or an eighth of it all if
 * that is less.  Between this and full is what a limit doesn't flutter in. */
bool bucket_eased(const struct bucket *b, const struct bucket_rule *rule);

#endif
