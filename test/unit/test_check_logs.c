/* Covers: history, history_rules */
/* Several runs and logs: clocks, checkpoints, what a start says, tombstones. */
#include "check.h"

#include "base/bytes.h"
#include "check_run.h"
#include "store/history.h"

/* In another time namespace the clocks of the same boot id are behind. */
static void
test_clock_set_back(void **state)
{
	struct boot_found found = { 1, 0, 0, 0 };
	struct build b;

	(void)state;
	for (int crash = 0; crash < 2; crash++) {
		build_running(&b);
		if (!crash)
			build_seal(&b, true, false);
		b.wall += 4000 * 1000000ull;
		b.now -= 4000 * 1000000ull;
		build_boot(
		    &b, crash ? BOOT_CRASH : BOOT_CLEAN, crash ? &found : NULL);
		b.from = 0;
		build_output(&b, build_stream(&b, CLASS_SCREEN), "again\r\n");
		build_seal(&b, false, false);
		build_output(&b, b.streams - 1, "and on\r\n");
		build_seal(&b, true, false);
		expect_text(&b.mem, crash ? "after a crash" : "after a stop",
		    FIND_CLOCK, "were set back before this start");
		build_free(&b);
	}
	/* within one run nothing explains it: test_wrong_writers has that */
}

/* A log that was gone on from has the checkpoint of its last SEAL, or of the
 * one before. */
static void
test_old_checkpoint_removed(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	mem_remove(&b.mem, "log/0/checkpoint");
	expect_pass(&b.mem, "the newest log");
	build_checkpoint(&b);
	build_successor(&b, BOOT_NO_RESUME);
	build_seal(&b, true, false);
	expect_pass(&b.mem, "two logs");
	mem_remove(&b.mem, "log/0/checkpoint");
	expect_fail(&b.mem, "the older one's", FIND_MISSING);
	build_free(&b);
}

/* What a start found it says, whatever came before it. */
static void
test_found_is_told(void **state)
{
	struct boot_found found = { 0, 0, 100, 0 };
	struct build b;

	(void)state;
	build_example(&b);
	build_boot(&b, BOOT_CLEAN, &found);
	build_seal(&b, true, false);
	expect_text(&b.mem, "clean", FIND_CRASH, "found at this start");
	build_free(&b);
}

/* Nothing of the old log vouches for a successor. */
static void
test_successor_is_not_vouched_for(void **state)
{
	struct build b;

	(void)state;
	build_running(&b);
	build_seal(&b, true, false);
	build_successor(&b, BOOT_MACHINE);
	build_seal(&b, true, false);
	expect_text(&b.mem, "successor", FIND_SUCCESSOR, "vouches for");
	build_free(&b);
}

static void
tombstone(struct build *b, uint64_t from, uint64_t to)
{
	struct leaf l = { .type = LEAF_TOMBSTONE };

	memcpy(l.u.tombstone.stream, b->stream[1].id, OPS_ID_LEN);
	l.u.tombstone.from = from;
	l.u.tombstone.to = to;
	build_leaf(b, &l);
}

static void
nothing(void *arg, enum finding_kind k, const char *where, const char *detail)
{
	(void)arg;
	(void)k;
	(void)where;
	(void)detail;
}

/* Ranges beside, in and over each other. */
static void
test_tombstones(void **state)
{
	static const bool gone[] = { true, true, true, false, true, false };
	struct history_opts o = { .threads = 1, .found = nothing };
	struct history h;
	struct build b;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_stream(&b, CLASS_SCREEN);
	for (int i = 0; i < 6; i++) {
		build_output(&b, 1, "x");
		build_seal(&b, false, false);
	}
	tombstone(&b, 4, 5);
	tombstone(&b, 1, 2);
	tombstone(&b, 0, 3);
	build_seal(&b, true, false);
	tombstone(&b, 5, 6); /* signed by nothing */
	assert_int_equal(history_read(&b.mem.vfs, &o, &h, NULL), 0);
	for (size_t i = 0; i < OPS_ARRAY_LEN(gone); i++)
		assert_int_equal(
		    history_expired(&h, b.stream[1].id, i), gone[i]);
	assert_false(history_expired(&h, b.stream[0].id, 0));
	history_free(&h);
	build_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_old_checkpoint_removed),
		cmocka_unit_test(test_found_is_told),
		cmocka_unit_test(test_successor_is_not_vouched_for),
		cmocka_unit_test(test_tombstones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
