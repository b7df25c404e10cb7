#include "check.h"

#include "sorted.h"

struct row {
	uint32_t key;
	char name[5]; /* so that rows aren't a power of two */
};
#define SIZE sizeof(struct row)

static void
test_sorted(void **state)
{
	struct row rows[200] = { 0 }, *row;
	size_t n = 0, at = 77;

	(void)state;
	assert_false(sorted_find(rows, 0, SIZE, 5, &at));
	assert_int_equal(at, 0);
	/* 0, 7, 14, ... in an order of their own; then each is where it belongs. */
	for (uint32_t i = 0; i < 200; i++) {
		uint32_t key = i * 37 % 200 * 7;

		assert_false(sorted_find(rows, n, SIZE, key, &at));
		row = sorted_insert(rows, &n, SIZE, at, key);
		assert_int_equal(row->key, key);
		assert_int_equal(row->name[0], 0);
		row->name[4] = (char)key;
	}
	for (uint32_t key = 0; key < 1400; key++) {
		assert_int_equal(
		    sorted_find(rows, n, SIZE, key, &at), key % 7 == 0);
		assert_int_equal(at, (key + 6) / 7);
		if (key % 7 == 0)
			assert_int_equal(rows[at].name[4], (char)key);
	}
	assert_true(sorted_find(rows, n, SIZE, 0, &at));
	sorted_remove(rows, &n, SIZE, at);
	assert_true(sorted_find(rows, n, SIZE, 1393, &at));
	sorted_remove(rows, &n, SIZE, at);
	assert_int_equal(n, 198);
	assert_int_equal(rows[0].key, 7);
	assert_int_equal(rows[197].key, 1386);
	assert_false(sorted_find(rows, n, SIZE, UINT32_MAX, &at));
	assert_int_equal(at, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sorted),
	};

	return cmocka_run_group_tests_name("sorted", tests, NULL, NULL);
}
