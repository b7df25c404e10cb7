#include "check.h"

#include "quota.h"

#define SEC UINT64_C(1000000000)
#define HOUR (3600 * SEC)

static unsigned n_eased;
static uint32_t last_eased;

static void
eased(void *arg, struct quota_user *u)
{
	(void)arg;
	n_eased++;
	last_eased = u->uid;
}

static void
pass(struct quota *l, uint64_t now)
{
	n_eased = 0;
	quota_pass(l, now, eased, NULL);
}

/* Whoever passes his limit leaves the others where they are. */
static void
test_alone(void **state)
{
	struct quota l = { .n = 0 };
	struct quota_user *u;
	uint64_t now = HOUR;

	(void)state;
	quota_set(&l, 100, 0); /* 6000 in a minute */
	for (uint32_t uid = 2000; uid > 1000; uid--)
		assert_null(quota_count(&l, uid, now, 10));
	assert_null(quota_count(&l, 1500, now, 5989));
	u = quota_count(&l, 1500, now, 1);
	assert_non_null(u);
	assert_int_equal(u->uid, 1500);
	assert_int_equal(u->which, QUOTA_RATE);
	assert_int_equal(u->since, now);
	assert_int_equal(l.n_over, 1);
	/* Only once is it news. */
	assert_null(quota_count(&l, 1500, now, 1000));
	for (uint32_t uid = 900; uid < 2100; uid++)
		assert_int_equal(quota_over(&l, uid), uid == 1500);
	/* What came over the limit must run out, too. */
	pass(&l, now + 17 * SEC);
	assert_int_equal(n_eased, 0);
	assert_true(quota_over(&l, 1500));
	pass(&l, now + 18 * SEC);
	assert_int_equal(n_eased, 1);
	assert_int_equal(last_eased, 1500);
	assert_false(quota_over(&l, 1500));
	assert_int_equal(l.n_over, 0);
	/* Once more, it is news again. */
	assert_non_null(quota_count(&l, 1500, now + 18 * SEC, 6000));
	/* And all are forgotten. */
	pass(&l, now + 600 * SEC);
	assert_int_equal(l.n, 0);
	quota_free(&l);
}

static void
test_both(void **state)
{
	struct quota l = { .n = 0 };
	struct quota_user *u;

	(void)state;
	/* None: nobody is even counted. */
	assert_null(quota_count(&l, 1, HOUR, UINT64_MAX));
	assert_int_equal(l.n, 0);
	quota_set(&l, 100, 8640);
	u = quota_count(&l, 1, HOUR, 8640);
	assert_int_equal(u->which, QUOTA_DAY);
	/* The minute is over, but not the day. */
	pass(&l, HOUR + 119 * SEC);
	assert_int_equal(n_eased, 1); /* 0.1 a second: 6 are a minute's */
	quota_set(&l, 100, 86400);
	u = quota_count(&l, 2, HOUR, 6000);
	assert_int_equal(u->which, QUOTA_RATE);
	/* Rules that are gone or larger ease at the next pass. */
	quota_set(&l, 0, 86400);
	pass(&l, HOUR);
	assert_int_equal(n_eased, 1);
	assert_int_equal(last_eased, 2);
	/* One that is smaller holds from the next byte on. */
	quota_set(&l, 0, 5000);
	assert_false(quota_over(&l, 2));
	assert_non_null(quota_count(&l, 2, HOUR, 1));
	quota_set(&l, UINT64_MAX, UINT64_MAX);
	assert_int_equal(l.size[QUOTA_RATE], UINT64_MAX);
	pass(&l, HOUR);
	assert_int_equal(n_eased, 1);
	quota_free(&l);
}

/* Who was told of is remembered, so that it is told once an hour. */
static void
test_told(void **state)
{
	struct quota l = { .n = 0 };
	struct quota_user *u;

	(void)state;
	quota_set(&l, 1, 0);
	u = quota_count(&l, 7, HOUR, 60);
	assert_non_null(u);
	u->told = HOUR;
	pass(&l, 2 * HOUR - 1);
	assert_int_equal(l.n, 1);
	u = quota_count(&l, 7, 2 * HOUR - 1, 60);
	assert_non_null(u);
	assert_int_equal(u->told, HOUR);
	pass(&l, 3 * HOUR);
	assert_int_equal(n_eased, 1);
	assert_int_equal(l.n, 0);
	quota_free(&l);
}

/* More than there is a place for: who has had nothing for longest gives up his, but
 * nobody who is over. */
static void
test_many(void **state)
{
	struct quota l = { .n = 0 };

	(void)state;
	quota_set(&l, 1, 0);
	for (uint32_t uid = 0; uid < QUOTA_USERS_MAX; uid++)
		assert_null(quota_count(&l, uid * 2, HOUR + uid, 1));
	assert_int_equal(l.n, QUOTA_USERS_MAX);
	assert_non_null(quota_count(&l, 0, HOUR, 100));
	assert_non_null(quota_count(&l, 1, HOUR + SEC / 2, 100));
	assert_int_equal(l.n, QUOTA_USERS_MAX);
	assert_true(quota_over(&l, 0));
	assert_true(quota_over(&l, 1));
	assert_int_equal(l.user[2].uid, 4); /* 2 was the oldest */
	assert_int_equal(l.n_over, 2);
	/* The others have had nothing for a while. */
	assert_non_null(quota_count(&l, 3, HOUR + 30 * SEC, 100));
	assert_int_equal(l.n, 3);
	quota_free(&l);
}

/* All of them are over: the others share, and each has a place again as soon as one is
 * free. */
static void
test_rest(void **state)
{
	struct quota l = { .n = 0 };
	struct quota_user *u;

	(void)state;
	quota_set(&l, 1, 0); /* 60 in a minute */
	for (uint32_t uid = 0; uid < QUOTA_USERS_MAX; uid++)
		assert_non_null(quota_count(&l, uid, HOUR, 600));
	assert_null(quota_count(&l, 70000, HOUR, 30));
	assert_false(quota_over(&l, 70000));
	assert_false(quota_over(&l, 70001));
	u = quota_count(&l, 70001, HOUR, 30);
	assert_ptr_equal(u, &l.rest);
	assert_int_equal(u->uid, QUOTA_REST);
	assert_int_equal(l.n_over, QUOTA_USERS_MAX + 1);
	assert_true(quota_over(&l, 70000));
	assert_true(quota_is(&l, u, 70001));
	assert_false(quota_is(&l, u, 7));
	assert_true(quota_is(&l, &l.user[7], 7));
	/* It runs out for itself. */
	pass(&l, HOUR + 60 * SEC);
	assert_int_equal(n_eased, 1);
	assert_int_equal(last_eased, QUOTA_REST);
	assert_false(quota_over(&l, 70000));
	assert_true(quota_over(&l, 7));
	pass(&l, HOUR + 600 * SEC);
	assert_int_equal(n_eased, QUOTA_USERS_MAX);
	assert_int_equal(l.n_over, 0);
	assert_non_null(quota_count(&l, 70000, HOUR + 600 * SEC, 60));
	assert_int_equal(l.user[0].uid, 70000);
	quota_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
