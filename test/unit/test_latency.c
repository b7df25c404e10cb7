#include "check.h"
#include "store/latency.h"

static void
test_none(void **state)
{
	static struct latency l;
	uint64_t p50 = 1, p99 = 1;

	(void)state;
	latency_percentiles(&l, &p50, &p99);
	CHECK(p50 == 0 && p99 == 0, "none", "zero");
}

static void
test_hundred(void **state)
{
	static struct latency l;
	uint64_t p50, p99;

	(void)state;
	for (uint64_t i = 100; i > 0; i--)
		latency_add(&l, i * 1000);
	latency_percentiles(&l, &p50, &p99);
	CHECK(p50 == 51000, "1..100 us", "p50");
	CHECK(p99 == 99000, "1..100 us", "p99");
}

/* Old ones make room; a time beyond 71 minutes is held, not wrapped. */
static void
test_newest(void **state)
{
	static struct latency l;
	uint64_t p50, p99;

	(void)state;
	for (int i = 0; i < LATENCY_KEPT; i++)
		latency_add(&l, UINT64_MAX);
	latency_percentiles(&l, &p50, &p99);
	CHECK(p50 == UINT32_MAX * 1000ull, "huge", "held");
	for (int i = 0; i < LATENCY_KEPT; i++)
		latency_add(&l, 5000);
	latency_percentiles(&l, &p50, &p99);
	CHECK(p50 == 5000 && p99 == 5000, "newest", "only they count");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_hundred),
		cmocka_unit_test(test_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
