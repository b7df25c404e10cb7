#include "account.h"
#include "base/bytes.h"
#include "check.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define BOOTED (1000 * S) /* CLOCK_REALTIME when CLOCK_BOOTTIME was 0 */
#define FOREVER UINT64_MAX

static struct ops_clock
at(uint64_t boottime, uint64_t slept)
{
	return (struct ops_clock){ .boottime = boottime,
		.monotonic = boottime - slept,
		.realtime = boottime + BOOTED };
}

/* As the kernel writes it of a process from `start` to `end`, BOOTTIME. */
static struct acct_record
record(uint32_t pid, uint64_t start, uint64_t end, uint64_t slept)
{
	uint64_t ran = (end - start - slept) / ACCT_TICK_NS * ACCT_TICK_NS;

	return (struct acct_record){ .pid = pid,
		.began = (uint32_t)((end + BOOTED) / S - ran / S),
		.etime = ran };
}

/* One process by capture, one by accounting: are they a pair?  All happens
 * after the run began, at 10 s. */
static void
test_pairs(void **state)
{
	/* clang-format off */
	static const struct {
		const char *row;
		uint32_t pid;         /* of the record; capture's is 7 */
		uint64_t start, end;  /* of the record */
		uint64_t real, slept; /* capture's start; slept meanwhile */
		enum account_word word;
	} rows[] = {
		{ "the same",           7, 20 * S, 21 * S, 20 * S, 0, ACCOUNT_BOTH },
		{ "another pid",        8, 20 * S, 21 * S, 20 * S, 0, ACCOUNT_MISSED },
		{ "fractions",          7, 20 * S + 999 * MS, 22 * S + 1 * MS, 20 * S + 999 * MS, 0, ACCOUNT_BOTH },
		{ "other fractions",    7, 20 * S + 1 * MS, 22 * S + 999 * MS, 20 * S + 1 * MS, 0, ACCOUNT_BOTH },
		{ "pid used again",     7, 25 * S, 26 * S, 20 * S, 0, ACCOUNT_MISSED },
		{ "used before",        7, 20 * S, 21 * S, 25 * S, 0, ACCOUNT_MISSED },
		{ "slept an hour",      7, 20 * S, 4000 * S, 20 * S, 3600 * S, ACCOUNT_BOTH },
		{ "ran for a year",     7, 20 * S, 31536000 * S, 20 * S, 0, ACCOUNT_BOTH },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_clock began = at(10 * S, 0);
		struct ops_clock now = at(rows[i].end + 5 * S, rows[i].slept);
		struct account *a = account_new(&began);
		struct acct_record r = record(rows[i].pid, rows[i].start,
				       rows[i].end, rows[i].slept),
				   got;
		uint64_t end;

		account_clock(a, &now);
		account_captured(a, 7, rows[i].real, rows[i].end);
		assert_int_equal(account_take(a, &r, now.boottime), 0);
		CHECK(account_next(a, FOREVER, &got, &end) == rows[i].word,
		    rows[i].row, "word");
		CHECK(got.pid == r.pid, rows[i].row, "record");
		CHECK(end <= rows[i].end && rows[i].end < end + S, rows[i].row,
		    "end");
		CHECK(account_forget(a, FOREVER) ==
			  (rows[i].word == ACCOUNT_BOTH ? 0 : 1),
		    rows[i].row, "left");
		account_free(a);
	}
}

/* A record waits until capture has told of all that was then; each end is one
 * record's only. */
static void
test_order(void **state)
{
	struct ops_clock began = at(10 * S, 0), now = at(30 * S, 0);
	struct account *a = account_new(&began);
	struct acct_record r = record(7, 20 * S, 21 * S, 0), got;
	uint64_t end;

	(void)state;
	account_clock(a, &now);
	assert_int_equal(account_next(a, FOREVER, &got, &end), ACCOUNT_WAIT);
	assert_int_equal(account_take(a, &r, 22 * S), 0);
	assert_int_equal(account_take(a, &r, 22 * S), 0);
	assert_int_equal(account_next(a, 22 * S - 1, &got, &end), ACCOUNT_WAIT);
	assert_int_equal(account_waiting(a), 2);
	account_captured(a, 7, 20 * S, 21 * S);
	assert_int_equal(account_next(a, 21 * S, &got, &end), ACCOUNT_BOTH);
	assert_int_equal(account_next(a, 21 * S, &got, &end), ACCOUNT_WAIT);
	assert_int_equal(account_next(a, 22 * S, &got, &end), ACCOUNT_MISSED);
	assert_int_equal(account_waiting(a), 0);
	/* Before the run, or in the second in which it began. */
	r = record(7, 5 * S, 10 * S + 500 * MS, 0);
	assert_int_equal(account_take(a, &r, 22 * S), 0);
	assert_int_equal(account_next(a, FOREVER, &got, &end), ACCOUNT_UNSURE);
	account_free(a);
}

/* The wall clock is set while a record waits: how long it waits doesn't change,
 * nor is its end later than when it was read. */
static void
test_clock_set(void **state)
{
	static const int64_t steps[] = { -900 * (int64_t)S, 3600 * (int64_t)S };
	struct ops_clock began = at(10 * S, 0), now;
	struct acct_record r = record(7, 20 * S, 21 * S, 0), got;
	struct account *a;
	uint64_t end;

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(steps); i++) {
		a = account_new(&began);
		assert_int_equal(account_take(a, &r, 22 * S), 0);
		assert_int_equal(account_take(a, &r, 22 * S), 0);
		now = at(22 * S, 0);
		now.realtime += (uint64_t)steps[i];
		account_clock(a, &now);
		/* Capture may still tell of it. */
		assert_int_equal(
		    account_next(a, 22 * S - 1, &got, &end), ACCOUNT_WAIT);
		account_captured(a, 7, 20 * S, 21 * S);
		assert_int_equal(
		    account_next(a, 22 * S - 1, &got, &end), ACCOUNT_BOTH);
		assert_int_equal(
		    account_next(a, 22 * S, &got, &end), ACCOUNT_MISSED);
		assert_true(end <= 22 * S);
		assert_int_equal(account_forget(a, FOREVER), 0);
		account_free(a);
	}
}

static void
test_limits(void **state)
{
	struct ops_clock began = at(10 * S, 0);
	struct account *a = account_new(&began);
	struct acct_record r = record(7, 20 * S, 21 * S, 0), got;
	uint64_t end;

	(void)state;
	for (size_t i = 0; i < ACCOUNT_RECORDS_MAX; i++)
		assert_int_equal(account_take(a, &r, 22 * S), 0);
	assert_int_equal(account_take(a, &r, 22 * S), -1);
	assert_int_equal(account_next(a, FOREVER, &got, &end), ACCOUNT_MISSED);
	assert_int_equal(account_take(a, &r, 22 * S), 0);
	for (uint32_t i = 0; i < ACCOUNT_ENDS_MAX + 3; i++)
		account_captured(a, i, 20 * S + i, 21 * S + i);
	assert_int_equal(account_forget(a, 0), 3);
	assert_int_equal(account_forget(a, 21 * S + 10), 7);
	assert_int_equal(account_forget(a, FOREVER), ACCOUNT_ENDS_MAX - 7);
	account_free(a);
	account_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_clock_set),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
