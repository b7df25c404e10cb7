#include "check.h"

#include "losses.h"

#define SECOND UINT64_C(1000000000)
/* Two boots, a day apart. */
#define FIRST (UINT64_C(1000000) * SECOND)
#define SECOND_BOOT (FIRST + UINT64_C(86400) * SECOND)

/* A session of that boot, in seconds after it; to 0: its end isn't known. */
static struct session
went_on(uint64_t boot, uint64_t from, uint64_t to)
{
	struct session s = { .start = boot + from * SECOND,
		.start_boottime = from * SECOND };

	if (to > 0) {
		s.end = boot + to * SECOND;
		s.end_boottime = to * SECOND;
	}
	return s;
}

/* Capture didn't run then; from, in seconds, below 0 before the boot. */
static struct program
lost(uint64_t boot, int64_t from, uint64_t until)
{
	return (struct program){ .kind = PROGRAM_LOST,
		.time = boot + until * SECOND,
		.boottime = until * SECOND,
		.loss = { .from = (uint64_t)(from * (int64_t)SECOND),
		    .until = until * SECOND } };
}

/* Which of them are kept, as bits. */
static unsigned
kept(const struct program *all, size_t n, struct session s)
{
	struct program p[8];
	struct program_list l = { .p = p, .n = n };
	unsigned ret = 0;

	memcpy(p, all, n * sizeof(*p));
	losses_keep(&l, &s);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < l.n; j++)
			if (l.p[j].time == all[i].time)
				ret |= 1u << i;
	return ret;
}

static void
test_boots(void **state)
{
	const struct program all[] = {
		lost(FIRST, 100, 200),
		{ .kind = PROGRAM_RAN, .time = FIRST + 250 * SECOND },
		lost(FIRST, 300, 400),
		/* Stopped an hour before the machine was, for 2 s of the next. */
		lost(SECOND_BOOT, -3600, 2),
		lost(SECOND_BOOT, 100, 200),
		lost(SECOND_BOOT + 3 * (SECOND_BOOT - FIRST), -10, 2),
	};
	const size_t n = OPS_ARRAY_LEN(all);

	(void)state;
	/* One boot: what overlaps. */
	assert_int_equal(kept(all, n, went_on(FIRST, 10, 50)), 0x02);
	assert_int_equal(kept(all, n, went_on(FIRST, 10, 150)), 0x03);
	assert_int_equal(kept(all, n, went_on(FIRST, 150, 350)), 0x07);
	assert_int_equal(kept(all, n, went_on(FIRST, 250, 280)), 0x02);
	/* It went on until the restart, as far as is known. */
	assert_int_equal(kept(all, n, went_on(FIRST, 250, 0)), 0x0e);
	assert_int_equal(kept(all, n, went_on(FIRST, 500, 86000)), 0x0a);
	assert_int_equal(kept(all, n, went_on(FIRST, 500, 80000)), 0x02);
	/* It began before capture did, or behind. */
	assert_int_equal(kept(all, n, went_on(SECOND_BOOT, 1, 50)), 0x0a);
	assert_int_equal(kept(all, n, went_on(SECOND_BOOT, 1, 0)), 0x3a);
	assert_int_equal(kept(all, n, went_on(SECOND_BOOT, 3, 150)), 0x12);
	assert_int_equal(kept(all, n, went_on(SECOND_BOOT, 300, 0)), 0x22);
}

/* Recording was switched then. */
static struct program
switched(uint64_t boot, uint64_t at)
{
	return (struct program){ .kind = PROGRAM_SWITCHED,
		.time = boot + at * SECOND,
		.boottime = at * SECOND };
}

static void
test_switched(void **state)
{
	const struct program all[] = {
		switched(FIRST, 100),
		switched(FIRST, 200),
		lost(SECOND_BOOT, -3600, 2),
		switched(SECOND_BOOT, 100),
	};
	const size_t n = OPS_ARRAY_LEN(all);

	(void)state;
	assert_int_equal(kept(all, n, went_on(FIRST, 10, 50)), 0x00);
	assert_int_equal(kept(all, n, went_on(FIRST, 10, 150)), 0x01);
	assert_int_equal(kept(all, n, went_on(FIRST, 150, 250)), 0x02);
	assert_int_equal(kept(all, n, went_on(FIRST, 250, 300)), 0x00);
	assert_int_equal(kept(all, n, went_on(FIRST, 50, 0)), 0x07);
	assert_int_equal(kept(all, n, went_on(SECOND_BOOT, 50, 0)), 0x08);
	assert_int_equal(losses_offset(&all[1],
			     &(struct session){ .start = FIRST + 50 * SECOND,
				 .start_boottime = 50 * SECOND }),
	    150 * SECOND);
}

static void
test_imported(void **state)
{
	const struct program all[] = { lost(FIRST, 100, 200),
		switched(FIRST, 300) };
	struct session s = went_on(FIRST, 10, 500);

	(void)state;
	assert_int_equal(kept(all, 2, s), 3);
	s.open.import.p = (const uint8_t *)"";
	assert_true(session_imported(&s));
	assert_int_equal(kept(all, 2, s), 0);
}

static void
test_offset(void **state)
{
	const struct session s = went_on(FIRST, 1000, 0);
	const struct program within = lost(FIRST, 1100, 1200),
			     before = lost(FIRST, 100, 900),
			     restart = lost(SECOND_BOOT, -3600, 2),
			     long_away = lost(SECOND_BOOT, -86000, 2);

	(void)state;
	assert_int_equal(losses_offset(&within, &s), 200 * SECOND);
	assert_int_equal(losses_offset(&before, &s), 0);
	assert_int_equal(losses_offset(&restart, &s), (86400 - 4600) * SECOND);
	assert_int_equal(losses_offset(&long_away, &s), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_boots),
		cmocka_unit_test(test_switched),
		cmocka_unit_test(test_imported),
		cmocka_unit_test(test_offset) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
