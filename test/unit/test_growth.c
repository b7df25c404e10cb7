#include "check.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "growth.h"

#define DAY UINT64_C(86400000000000)
#define NOW (UINT64_C(20000) * DAY + DAY / 2) /* noon of some day */

static void
test_since(void **state)
{
	uint64_t got = 7;

	(void)state;
	assert_false(growth_since(NOW - DAY + 1, 5, NOW, &got));
	assert_false(growth_since(NOW + 1, 5, NOW, &got));
	assert_int_equal(got, 7);
	assert_true(growth_since(NOW - DAY, 5000, NOW, &got));
	assert_int_equal(got, 5000);
	assert_true(growth_since(NOW - 4 * DAY, 6000, NOW, &got));
	assert_int_equal(got, 1500);
}

/* Folders of the test's own, made on the way; what was made last goes first. */
static char made[32][160];
static size_t n_made;

static void
make(const char *path, long size)
{
	FILE *f;

	(void)snprintf(made[n_made], sizeof(made[0]), "%s", path);
	if (size < 0) {
		assert_int_equal(mkdir(path, 0700), 0);
	} else {
		f = fopen(path, "we");
		assert_non_null(f);
		assert_int_equal(ftruncate(fileno(f), size), 0);
		assert_int_equal(fclose(f), 0);
	}
	n_made++;
}

static void
make_day(const char *root, const char *class, unsigned ago, long size)
{
	char path[128], file[160], day[11];

	ops_time_day(NOW - ago * DAY, day);
	(void)snprintf(path, sizeof(path), "%s/data/%s/%s", root, class, day);
	make(path, -1);
	(void)snprintf(file, sizeof(file), "%s/x.seg", path);
	make(file, size);
}

static void
test_store(void **state)
{
	char root[] = "/tmp/opseal-growth.XXXXXX", path[128];
	uint64_t got = 7;

	(void)state;
	assert_non_null(mkdtemp(root));
	(void)snprintf(made[n_made++], sizeof(made[0]), "%s", root);
	assert_false(growth_of_store("/nonexistent", NOW, &got));
	assert_false(growth_of_store(root, NOW, &got));
	for (size_t i = 0; i < 3; i++) {
		const char *const names[] = { "", "/screen", "/events" };

		(void)snprintf(path, sizeof(path), "%s/data%s", root, names[i]);
		make(path, -1);
	}
	/* Today isn't over, and a week ago counts as the oldest day. */
	make_day(root, "screen", 0, 1000000);
	assert_false(growth_of_store(root, NOW, &got));
	assert_int_equal(got, 7);
	make_day(root, "screen", 1, 1000);
	assert_true(growth_of_store(root, NOW, &got));
	assert_int_equal(got, 1000);
	make_day(root, "events", 1, 200);
	make_day(root, "events", 4, 400);
	assert_true(growth_of_store(root, NOW, &got));
	assert_int_equal(got, 400);
	make_day(root, "screen", GROWTH_DAYS + 1, 1000000);
	assert_true(growth_of_store(root, NOW, &got));
	assert_int_equal(got, 400);
	while (n_made > 0)
		assert_int_equal(remove(made[--n_made]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
