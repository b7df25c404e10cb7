/* subids - any file: the ranges are in order, none meets another or has uid 0 in it, and
 * each uid of one, and no other, is counted to its first. */
#include "../fuzz.h"

#include "subids.h"

static void
check_range(const struct subids *s, size_t i)
{
	const struct subids_range *r = &s->range[i];

	REQUIRE(r->first > 0 && r->first <= r->last && r->last < UINT32_MAX);
	REQUIRE(i == 0 || s->range[i - 1].last < r->first);
	REQUIRE(subids_first(s, r->first) == r->first);
	REQUIRE(subids_first(s, r->last) == r->first);
	if (i == 0 || s->range[i - 1].last < r->first - 1)
		REQUIRE(subids_first(s, r->first - 1) == r->first - 1);
	if (i + 1 == s->n)
		REQUIRE(subids_first(s, r->last + 1) == r->last + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_err err = { 0 };
	struct subids s;
	size_t lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (subids_parse((const char *)data, size, &s, &err) < 0) {
		REQUIRE(lines > SUBIDS_MAX && err.code == OPS_EFORMAT);
		return 0;
	}
	REQUIRE(s.n <= lines && s.n <= SUBIDS_MAX);
	for (size_t i = 0; i < s.n; i++)
		check_range(&s, i);
	REQUIRE(subids_first(&s, 0) == 0);
	subids_free(&s);
	return 0;
}
