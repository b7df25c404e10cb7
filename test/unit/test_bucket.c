#include "check.h"

#include "base/bucket.h"
#include "base/bytes.h"

#define SEC UINT64_C(1000000000)
#define DAY (86400 * SEC)

/* What is used after n went in and so many ns went by. */
static void
test_leak(void **state)
{
	static const struct {
		const char *name;
		uint64_t size;
		uint32_t seconds;
		uint64_t n, ns, used;
	} rows[] = {
		{ "at once", 1000, 60, 500, 0, 500 },
		{ "half of its time", 1000, 60, 900, 30 * SEC, 400 },
		{ "empty in its time", 1000, 60, 1000, 60 * SEC, 0 },
		{ "empty is empty", 1000, 60, 10, 60 * SEC, 0 },
		{ "too much takes longer", 1000, 60, 2500, 60 * SEC, 1500 },
		{ "and is gone in the end", 1000, 60, 2500, 150 * SEC, 0 },
		{ "a year later", 1000, 60, 2500, 365 * DAY, 0 },
		{ "a day's, in an hour", UINT64_C(24) << 40, 86400,
		    UINT64_C(24) << 40, DAY / 24, UINT64_C(23) << 40 },
		{ "the largest", UINT64_MAX, 86400, UINT64_MAX, DAY / 2,
		    UINT64_MAX / 2 + 1 },
		{ "no rule", 0, 60, 500, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		const struct bucket_rule rule = { rows[i].size,
			rows[i].seconds };
		struct bucket b = { 0 };

		bucket_add(&b, &rule, 7 * SEC, rows[i].n);
		bucket_leak(&b, &rule, 7 * SEC + rows[i].ns);
		if (b.used != rows[i].used)
			fail_msg("%s: %llu", rows[i].name,
			    (unsigned long long)b.used);
	}
}

/* Looking often doesn't change what runs out, however little it is each time. */
static void
test_fractions(void **state)
{
	const struct bucket_rule rule = { 1000, 86400 };
	struct bucket b = { 0 };
	uint64_t now = 5;

	(void)state;
	bucket_add(&b, &rule, now, 1000);
	for (unsigned i = 0; i < 86400; i++) {
		now += SEC / 2 + 1; /* not a whole number of ms */
		bucket_leak(&b, &rule, now);
	}
	assert_in_range(b.used, 499, 500);
}

static void
test_over(void **state)
{
	const struct bucket_rule minute = { 8000, 60 }, day = { 864000, 86400 };
	struct bucket b = { 0 };

	(void)state;
	bucket_add(&b, &minute, SEC, 7999);
	assert_false(bucket_full(&b, &minute));
	bucket_add(&b, &minute, SEC, 1);
	assert_true(bucket_full(&b, &minute));
	/* An eighth. */
	bucket_leak(&b, &minute, 8 * SEC);
	assert_false(bucket_full(&b, &minute));
	assert_false(bucket_eased(&b, &minute));
	bucket_leak(&b, &minute, 9 * SEC);
	assert_true(bucket_eased(&b, &minute));
	/* Ten a second: what a minute gives. */
	b = (struct bucket){ 0 };
	bucket_add(&b, &day, SEC, 864000);
	bucket_leak(&b, &day, 60 * SEC);
	assert_false(bucket_eased(&b, &day));
	bucket_leak(&b, &day, 62 * SEC);
	assert_true(bucket_eased(&b, &day));
}

/* A smaller or a larger rule holds at once, and none forgets. */
static void
test_changed(void **state)
{
	const struct bucket_rule small = { 100, 60 }, large = { 10000, 60 },
				 none = { 0, 60 };
	struct bucket b = { 0 };

	(void)state;
	bucket_add(&b, &large, SEC, 5000);
	assert_false(bucket_full(&b, &large));
	assert_true(bucket_full(&b, &small));
	assert_false(bucket_eased(&b, &small));
	assert_false(bucket_full(&b, &none));
	assert_true(bucket_eased(&b, &none));
	bucket_leak(&b, &none, 2 * SEC);
	assert_int_equal(b.used, 0);
	/* A clock that stands, or is older. */
	bucket_add(&b, &small, 3 * SEC, 50);
	bucket_leak(&b, &small, SEC);
	assert_int_equal(b.used, 50);
	/* One of a single byte fills, and empties. */
	b = (struct bucket){ 0 };
	bucket_add(&b, &(struct bucket_rule){ 1, 86400 }, SEC, 1);
	assert_true(bucket_full(&b, &(struct bucket_rule){ 1, 86400 }));
	bucket_add(&b, &(struct bucket_rule){ 1, 86400 }, SEC, UINT64_MAX);
	assert_int_equal(b.used, UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests_name("bucket", tests, NULL, NULL);
}
