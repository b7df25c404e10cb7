/* Covers: capture_procs */
#include "check.h"

#include "capture_procs.h"
#include "record/program.h"

static const uint8_t A[OPS_ID_LEN] = { 1 }, B[OPS_ID_LEN] = { 2 };
static struct procs *p;

static struct proc *
forked(uint32_t pid, uint64_t start, uint32_t ppid, uint64_t pstart)
{
	const struct cap_fork f = { .head = { .pid = pid,
					.start = start,
					.ppid = ppid,
					.pstart = pstart },
		.ses = CAP_UNSET,
		.comm = "fork" };
	struct proc *x = procs_fork(p, &f);

	assert_non_null(x);
	return x;
}

static uint32_t euid; /* of whom execd() makes */

static struct proc *
execd_as(const char *comm, uint32_t pid, uint64_t start, uint32_t ppid,
    uint64_t pstart, uint32_t minor, uint32_t ses)
{
	struct cap_exec e = { .head = { .pid = pid,
				  .start = start,
				  .ppid = ppid,
				  .pstart = pstart },
		.tty_major = minor != 0 ? 136 : 0,
		.tty_minor = minor,
		.tty_dev = minor != 0 ? 77 : 0,
		.euid = euid,
		.ses = ses };
	struct proc *x;

	memcpy(e.comm, comm, strlen(comm));
	x = procs_exec(p, &e);
	assert_non_null(x);
	return x;
}

static struct proc *
execd(uint32_t pid, uint64_t start, uint32_t ppid, uint64_t pstart,
    uint32_t minor, uint32_t ses)
{
	return execd_as("exec", pid, start, ppid, pstart, minor, ses);
}

static void
joined(const struct proc *x, uint64_t time, uint32_t how, const uint8_t *id)
{
	static const uint8_t none[OPS_ID_LEN];
	uint8_t got[OPS_ID_LEN];

	assert_int_equal(procs_joined(p, x, time, got), how);
	assert_memory_equal(got, id != NULL ? id : none, OPS_ID_LEN);
}

static void
session(const uint8_t *id, uint32_t minor, uint32_t door, uint32_t ses,
    uint64_t from)
{
	struct procs_session s = { .tty_major = 136,
		.tty_minor = minor,
		.tty_fs = 77,
		.door = door,
		.door_start = 1,
		.ses = ses,
		.from = from };

	memcpy(s.id, id, OPS_ID_LEN);
	assert_int_equal(procs_session(p, &s), 0);
}

static void
begin(void)
{
	p = procs_new();
	assert_non_null(p);
}

static void
test_life(void **state)
{
	const struct cap_exit e = { .head = { .pid = 5, .start = 100 } };
	struct proc got;

	(void)state;
	begin();
	forked(5, 100, 1, 10);
	assert_null(procs_find(p, 5, 101));
	assert_int_equal(procs_find(p, 5, 100)->ppid, 1);
	/* Its maker is gone: who has it now isn't who made it. */
	execd(5, 100, 2, 20, 0, CAP_UNSET);
	assert_int_equal(procs_find(p, 5, 100)->ppid, 1);
	assert_string_equal(procs_find(p, 5, 100)->comm, "exec");
	assert_true(procs_exit(p, &e, &got));
	assert_true(got.executed && got.ppid == 1);
	assert_false(procs_exit(p, &e, &got));
	/* A number used again, without an end having been told. */
	forked(6, 1, 1, 10);
	execd(6, 2, 3, 10, 0, CAP_UNSET);
	assert_null(procs_find(p, 6, 1));
	assert_int_equal(procs_find(p, 6, 2)->ppid, 3);
	assert_int_equal(procs_count(p), 1);
	procs_free(p);
}

static void
test_many(void **state)
{
	struct proc got;

	(void)state;
	begin();
	for (uint32_t i = 1; i <= 50000; i++)
		forked(i, i, i - 1, i - 1);
	assert_int_equal(procs_count(p), 50000);
	for (uint32_t i = 1; i <= 50000; i++) {
		const struct cap_exit e = { .head = { .pid = i, .start = i } };

		assert_non_null(procs_find(p, i, i));
		assert_true(procs_exit(p, &e, &got));
		assert_int_equal(got.ppid, i - 1);
	}
	assert_int_equal(procs_count(p), 0);
	procs_free(p);
}

static void
test_seed(void **state)
{
	const struct proc seen = {
		.pid = 5, .start = 3 * PROCS_TICK, .ppid = 4, .comm = "old"
	};
	const struct proc other = { .pid = 7, .start = 9 * PROCS_TICK };

	(void)state;
	begin();
	assert_int_equal(procs_seed(p, &seen), 0);
	assert_non_null(procs_find(p, 5, 3 * PROCS_TICK + 4711));
	assert_null(procs_find(p, 5, 4 * PROCS_TICK));
	/* Seen again by capture, it is the same one, now exactly. */
	assert_int_equal(
	    execd(5, 3 * PROCS_TICK + 4711, 1, 1, 0, CAP_UNSET)->ppid, 4);
	assert_null(procs_find(p, 5, 3 * PROCS_TICK));
	/* What capture saw stays. */
	forked(7, 100 * PROCS_TICK, 1, 1);
	assert_int_equal(procs_seed(p, &other), 0);
	assert_non_null(procs_find(p, 7, 100 * PROCS_TICK));
	procs_free(p);
}

static void
test_joined(void **state)
{
	struct proc *x;

	(void)state;
	begin();
	forked(10, PROCS_TICK + 5, 1, 1); /* a door */
	session(A, 3, 10, 42, 1000);
	/* Its shell, before and after it has its terminal. */
	x = forked(11, 2000, 10, PROCS_TICK + 5);
	joined(x, 2000, JOINED_DESCENT, A);
	x = execd(11, 2000, 10, PROCS_TICK + 5, 3, CAP_UNSET);
	joined(x, 2001, JOINED_TTY, A);
	/* A child inherits the terminal, and the descent where it has none. */
	forked(12, 3000, 11, 2000);
	joined(procs_find(p, 12, 3000), 3000, JOINED_TTY, A);
	x = execd(12, 3000, 11, 2000, 0, CAP_UNSET);
	joined(x, 3001, JOINED_DESCENT, A);
	/* Another terminal (tmux) is none of the session's. */
	x = execd(12, 3000, 11, 2000, 9, CAP_UNSET);
	joined(x, 3002, JOINED_DESCENT, A);
	/* Of the same login, and else nothing. */
	x = execd(13, 3000, 1, 1, 0, 42);
	joined(x, 3000, JOINED_LOGIN, A);
	x = execd(14, 3000, 1, 1, 0, 43);
	joined(x, 3000, JOINED_NOTHING, NULL);
	/* The number of the terminal, before that session and after. */
	x = execd(15, 3000, 1, 1, 3, CAP_UNSET);
	joined(x, 999, JOINED_NOTHING, NULL);
	procs_session_ended(p, A, 5000);
	joined(x, 5000, JOINED_TTY, A);
	session(B, 3, 99, CAP_UNSET, 6000);
	joined(x, 5500, JOINED_NOTHING, NULL);
	joined(x, 6000, JOINED_TTY, B);
	procs_sessions_before(p, 5001);
	joined(x, 4000, JOINED_NOTHING, NULL);
	joined(x, 6000, JOINED_TTY, B);
	procs_free(p);
}

/* Who connects to the writer again knows which sessions go on only once they
 * are named again. */
static void
test_over(void **state)
{
	struct proc *x, *y;

	(void)state;
	begin();
	session(A, 3, 10, CAP_UNSET, 1000);
	session(B, 4, 20, CAP_UNSET, 1000);
	x = execd(11, 1500, 1, 1, 3, CAP_UNSET);
	joined(x, 1500, JOINED_TTY, A);
	execd(21, 1500, 1, 1, 4, CAP_UNSET);
	procs_session_ended(p, B, 1800);
	procs_sessions_over(p, 2000);
	x = procs_find(p, 11, 1500);
	assert_non_null(x);
	joined(x, 2000, JOINED_TTY, A);
	joined(x, 2001, JOINED_NOTHING, NULL);
	/* What had ended before did so then. */
	y = procs_find(p, 21, 1500);
	assert_non_null(y);
	joined(y, 1800, JOINED_TTY, B);
	joined(y, 1801, JOINED_NOTHING, NULL);
	/* Named again it never was away. */
	session(A, 3, 10, CAP_UNSET, 1000);
	joined(x, 1500, JOINED_TTY, A);
	joined(x, 2500, JOINED_TTY, A);
	procs_sessions_over(p, 3000);
	procs_sessions_before(p, 3001);
	joined(x, 2500, JOINED_NOTHING, NULL);
	procs_free(p);
}

/* What the door does may be told after its session. */
static void
test_late_door(void **state)
{
	struct proc *x;

	(void)state;
	begin();
	session(A, 3, 10, CAP_UNSET, 2 * PROCS_TICK);
	execd(10, PROCS_TICK + 5, 1, 1, 0, CAP_UNSET);
	x = forked(11, 2 * PROCS_TICK + 1, 10, PROCS_TICK + 5);
	joined(x, 2 * PROCS_TICK + 1, JOINED_DESCENT, A);
	/* Another one with its pid. */
	execd(10, PROCS_TICK * 4, 1, 1, 0, CAP_UNSET);
	x = forked(12, 4 * PROCS_TICK + 1, 10, PROCS_TICK * 4);
	joined(x, 4 * PROCS_TICK + 1, JOINED_NOTHING, NULL);
	procs_free(p);
}

static void
shown(const struct proc *x, uint64_t time, size_t n, const uint8_t *a,
    const uint8_t *b)
{
	uint8_t ids[4][OPS_ID_LEN];

	assert_int_equal(procs_shown(p, x, time, ids, 4), n);
	if (n > 0)
		assert_memory_equal(ids[0], a, OPS_ID_LEN);
	if (n > 1)
		assert_memory_equal(ids[1], b, OPS_ID_LEN);
	joined(x, time, n > 0 ? JOINED_INFERRED : JOINED_DESCENT, a);
}

static void
ended(uint32_t pid, uint64_t start)
{
	const struct cap_exit e = { .head = { .pid = pid, .start = start } };
	struct proc gone;

	assert_true(procs_exit(p, &e, &gone));
}

/* A server that the first client makes, and then a second client. */
static void
test_tmux(void **state)
{
	struct proc *x, *y;

	(void)state;
	begin();
	session(A, 3, 10, CAP_UNSET, 10);
	session(B, 4, 20, CAP_UNSET, 10);
	execd(10, PROCS_TICK + 5, 1, 1, 0, CAP_UNSET);
	execd_as(
	    "tmux", 11, PROCS_TICK + 100, 10, PROCS_TICK + 5, 3, CAP_UNSET);
	forked(12, PROCS_TICK + 200, 11, PROCS_TICK + 100); /* the server */
	forked(13, PROCS_TICK + 300, 12, PROCS_TICK + 200);
	x = execd(13, PROCS_TICK + 300, 12, PROCS_TICK + 200, 9, CAP_UNSET);
	shown(x, PROCS_TICK + 400, 1, A, NULL);
	/* Another user's client is no client of this one. */
	euid = 1000;
	execd_as("tmux", 21, PROCS_TICK + 500, 20, 1, 4, CAP_UNSET);
	shown(x, PROCS_TICK + 600, 1, A, NULL);
	euid = 0;
	execd_as("tmux", 21, PROCS_TICK + 500, 20, 1, 4, CAP_UNSET);
	shown(x, PROCS_TICK + 600, 2, A, B);
	/* Nor is one of screen; and by then its terminal is its own. */
	execd_as("screen", 21, PROCS_TICK + 500, 20, 1, 4, CAP_UNSET);
	shown(x, PROCS_TICK + 600, 1, A, NULL);
	/* What runs in a pane hands that on; a recorded shell in it has its own. */
	forked(14, PROCS_TICK + 700, 13, PROCS_TICK + 300);
	y = execd(14, PROCS_TICK + 700, 13, PROCS_TICK + 300, 9, CAP_UNSET);
	shown(y, PROCS_TICK + 800, 1, A, NULL);
	y = execd(14, PROCS_TICK + 700, 13, PROCS_TICK + 300, 4, CAP_UNSET);
	joined(y, PROCS_TICK + 800, JOINED_TTY, B);
	/* Nobody is attached. */
	ended(11, PROCS_TICK + 100);
	shown(x, PROCS_TICK + 900, 0, A, NULL);
	procs_free(p);
}

/* Who makes many clients takes his own places, in memory that doesn't grow. */
static void
test_tmux_flood(void **state)
{
	const struct proc *x;

	(void)state;
	begin();
	session(A, 3, 10, CAP_UNSET, 10);
	execd(10, PROCS_TICK + 5, 1, 1, 0, CAP_UNSET);
	execd_as(
	    "tmux", 11, PROCS_TICK + 100, 10, PROCS_TICK + 5, 3, CAP_UNSET);
	forked(12, PROCS_TICK + 200, 11, PROCS_TICK + 100);
	forked(13, PROCS_TICK + 300, 12, PROCS_TICK + 200);
	execd(13, PROCS_TICK + 300, 12, PROCS_TICK + 200, 9, CAP_UNSET);
	euid = 1000;
	for (uint32_t i = 0; i < 100000; i++)
		execd_as("tmux", 50, 7, 1, 1, 8, CAP_UNSET);
	for (uint32_t i = 0; i < 5000; i++)
		execd_as("tmux", 1000 + i, 7, 1, 1, 8, CAP_UNSET);
	euid = 0;
	x = procs_find(p, 13, PROCS_TICK + 300);
	assert_non_null(x);
	shown(x, PROCS_TICK * 2, 1, A, NULL);
	/* The same user's newest count, and none that has ended. */
	for (uint32_t i = 0; i < 63; i++)
		execd_as("tmux", 10000 + i, 7, 1, 1, 8, CAP_UNSET);
	shown(x, PROCS_TICK * 2, 1, A, NULL);
	ended(10000, 7);
	execd_as("tmux", 20000, 7, 1, 1, 8, CAP_UNSET);
	shown(x, PROCS_TICK * 2, 1, A, NULL);
	execd_as("tmux", 20001, 7, 1, 1, 8, CAP_UNSET);
	shown(x, PROCS_TICK * 2, 0, A, NULL);
	procs_free(p);
}

/* The server, its shell and a client were there before. */
static void
test_tmux_seeded(void **state)
{
	const struct proc server = { .pid = 12,
		.start = PROCS_TICK,
		.ppid = 1,
		.comm = "tmux: server" };
	const struct proc shell = {
		.pid = 13, .start = PROCS_TICK, .ppid = 12, .comm = "sh"
	};
	const struct proc client = { .pid = 11,
		.start = PROCS_TICK,
		.ppid = 1,
		.tty_major = 136,
		.tty_minor = 3,
		.comm = "tmux: client" };
	struct proc *x;

	(void)state;
	begin();
	session(A, 3, 10, CAP_UNSET, 10);
	assert_int_equal(procs_seed(p, &server), 0);
	assert_int_equal(procs_seed(p, &shell), 0);
	assert_int_equal(procs_seed(p, &client), 0);
	forked(14, PROCS_TICK * 3, 13, PROCS_TICK);
	x = execd(14, PROCS_TICK * 3, 13, PROCS_TICK, 9, CAP_UNSET);
	shown(x, PROCS_TICK * 4, 1, A, NULL);
	forked(15, PROCS_TICK * 5, 14, PROCS_TICK * 3);
	x = execd(15, PROCS_TICK * 5, 14, PROCS_TICK * 3, 9, CAP_UNSET);
	shown(x, PROCS_TICK * 6, 1, A, NULL);
	procs_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_late_door),
		cmocka_unit_test(test_tmux),
		cmocka_unit_test(test_tmux_flood),
		cmocka_unit_test(test_tmux_seeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
