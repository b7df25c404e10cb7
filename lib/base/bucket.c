#include "bucket.h"

#include <assert.h>

#define MS UINT64_C(1000000)
#define EASE_SECONDS 60

void
bucket_leak(struct bucket *b, const struct bucket_rule *rule, uint64_t now)
{
	uint64_t period = rule->seconds * UINT64_C(1000), ms, whole, part;

	assert(rule->seconds > 0 && rule->seconds <= BUCKET_SECONDS_MAX);
	if (rule->size == 0 || b->used == 0) {
		*b = (struct bucket){ .at = now };
		return;
	}
	if (now <= b->at)
		return;
	ms = (now - b->at) / MS;
	b->at += ms * MS;
	whole = ms / period;
	ms %= period;
	/* size x ms / period in two parts: with less than 2^27 ms to a day, no
	 * product is over 2^64. */
	part = rule->size % period * ms + b->rest;
	b->rest = part % period;
	part = rule->size / period * ms + part / period;
	if (whole > b->used / rule->size ||
	    part >= b->used - whole * rule->size)
		*b = (struct bucket){ .at = b->at };
	else
		b->used -= whole * rule->size + part;
}

void
bucket_add(
    struct bucket *b, const struct bucket_rule *rule, uint64_t now, uint64_t n)
{
	bucket_leak(b, rule, now);
	if (rule->size == 0)
		return;
	b->used = n < UINT64_MAX - b->used ? b->used + n : UINT64_MAX;
}

bool
bucket_full(const struct bucket *b, const struct bucket_rule *rule)
{
	return rule->size != 0 && b->used >= rule->size;
}

bool
bucket_eased(const struct bucket *b, const struct bucket_rule *rule)
{
	uint64_t room = rule->size / 8;
	uint64_t minute =
	    rule->size / rule->seconds * EASE_SECONDS +
	    rule->size % rule->seconds * EASE_SECONDS / rule->seconds;

	if (minute > 0 && minute < room)
		room = minute;
	return rule->size == 0 || b->used < rule->size - room;
}
