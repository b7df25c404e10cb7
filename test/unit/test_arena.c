#include "check.h"

#include "base/arena.h"

/* What was copied stays where it is and as it is, however much follows. */
static void
test_copies(void **state)
{
	static uint8_t big[200000];
	struct arena *a = NULL;
	const uint8_t *first, *none, *p[1000];

	(void)state;
	first = arena_copy(&a, "first", 6);
	none = arena_copy(&a, NULL, 0);
	assert_non_null(first);
	assert_non_null(none);
	memset(big, 7, sizeof(big));
	for (size_t i = 0; i < 1000; i++) {
		p[i] = arena_copy(&a, &i, sizeof(i));
		assert_non_null(p[i]);
		if (i % 100 == 0) {
			const uint8_t *q = arena_copy(&a, big, sizeof(big));

			assert_non_null(q);
			assert_memory_equal(q, big, sizeof(big));
		}
	}
	assert_string_equal(first, "first");
	for (size_t i = 0; i < 1000; i++)
		assert_memory_equal(p[i], &i, sizeof(i));
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
