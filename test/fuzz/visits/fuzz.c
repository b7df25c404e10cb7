/*
 * visits - the input as one login of query's answer: what is taken can be put again,
 * and then comes back the same.
 */
#include <string.h>

#include "../fuzz.h"
#include "store/visits.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf one = { .max = 1u << 20 }, two = { .max = 1u << 20 };
	struct visits all = { 0 };

	if (visit_get(data, size, &all, NULL) == 0) {
		REQUIRE(all.n == 1);
		visit_put(&one, &all.v[0]);
		REQUIRE(!one.failed);
		REQUIRE(visit_get(one.data, one.len, &all, NULL) == 0);
		REQUIRE(all.n == 2);
		visit_put(&two, &all.v[1]);
		REQUIRE(one.len == two.len);
		REQUIRE(memcmp(one.data, two.data, one.len) == 0);
	} else {
		REQUIRE(all.n == 0);
	}
	visits_free(&all);
	ops_buf_free(&one);
	ops_buf_free(&two);
	return 0;
}
