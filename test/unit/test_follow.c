#include "check.h"

#include "follow.h"

static struct program
ran(uint64_t time, uint32_t pid)
{
	return (struct program){ .kind = PROGRAM_RAN,
		.boottime = time,
		.exec = { .pid = pid, .start = time } };
}

static void
sift(struct follow *f, struct program_list *l, size_t n, uint32_t first)
{
	assert_int_equal(follow_sift(f, l, NULL), 0);
	assert_int_equal(l->n, n);
	if (n > 0)
		assert_int_equal(l->p[0].exec.pid, first);
}

static void
test_new(void **state)
{
	struct follow *f = follow_new();
	struct program a[] = { ran(1, 10), ran(2, 11), ran(2, 12) };
	struct program b[] = { ran(2, 12), ran(2, 11), ran(3, 13), ran(1, 9) };
	struct program c[] = { ran(3, 13), ran(3, 13) };
	struct program_list l = { .p = a, .n = 3 };

	(void)state;
	assert_non_null(f);
	sift(f, &l, 3, 10);
	/* Two of before, one later, and one that is told late. */
	b[0].has_end = true;
	l = (struct program_list){ .p = b, .n = 4 };
	sift(f, &l, 2, 13);
	/* Another kind of entry, and another exec, of the same process. */
	c[0].kind = PROGRAM_FAILED;
	c[0].failed.pid = 13;
	c[0].failed.start = 3;
	c[1].boottime = 4;
	l = (struct program_list){ .p = c, .n = 2 };
	sift(f, &l, 2, 13);
	l = (struct program_list){ 0 };
	sift(f, &l, 0, 0);
	l = (struct program_list){ .p = c, .n = 2 };
	sift(f, &l, 2, 13);
	follow_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_new) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
