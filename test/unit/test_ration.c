#include "check.h"

#include "ration.h"

#define SEC UINT64_C(1000000000)
#define NOW (3600 * SEC)

/* So many at once that he may. */
static unsigned
takes(struct rations *r, uint32_t uid, uint64_t now)
{
	unsigned n = 0;

	while (n < 1000 && ration_take(r, uid, now))
		n++;
	return n;
}

static void
test_each(void **state)
{
	struct rations r = { .rule = { 64, 16 } }; /* four a second */

	(void)state;
	assert_int_equal(takes(&r, 1000, NOW), 64);
	/* Whatever a hash of the two might be. */
	for (uint32_t uid = 0; uid < 3000; uid++)
		assert_int_equal(takes(&r, uid, NOW), uid == 1000 ? 0 : 64);
	assert_int_equal(takes(&r, 1000, NOW + SEC), 4);
	assert_int_equal(takes(&r, 1000, NOW + 60 * SEC), 64);
	/* Who has had nothing since has a place no longer. */
	assert_int_equal(takes(&r, 5000, NOW + 120 * SEC), 64);
	rations_free(&r);
	assert_int_equal(r.n, 0);
}

/* Those beyond the last place share, and take nothing from who has one. */
static void
test_many(void **state)
{
	struct rations r = { .rule = { 2, 2 } };

	(void)state;
	for (uint32_t uid = 0; uid < RATION_USERS_MAX; uid++)
		assert_true(ration_take(&r, uid, NOW));
	assert_int_equal(r.n, RATION_USERS_MAX);
	assert_true(ration_take(&r, 70000, NOW));
	assert_true(ration_take(&r, 70001, NOW));
	assert_false(ration_take(&r, 70002, NOW));
	assert_true(ration_take(&r, 7, NOW));
	assert_false(ration_take(&r, 7, NOW));
	assert_true(ration_take(&r, 70002, NOW + 3 * SEC));
	assert_int_equal(r.n, 1);
	rations_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("ration", tests, NULL, NULL);
}
