/* Covers: descent */
#include "check.h"

#include <stdio.h>

#include "descent.h"

#define TICK 10000000u
#define S UINT64_C(1000000000)

static struct program list[16];
static size_t n;

static struct program *
ran(uint32_t pid, uint64_t start, uint64_t time, uint32_t ppid, uint64_t pstart)
{
	list[n] = (struct program){ .kind = PROGRAM_RAN,
		.time = 100 * S + time,
		.boottime = time,
		.exec = { .pid = pid,
		    .start = start,
		    .ppid = ppid,
		    .pstart = pstart } };
	return &list[n++];
}

/* "0:1 1:2f 0:3!9": depth, pid, by a fork, by 9 who isn't there. */
static void
expect(const char *want)
{
	const struct program_list l = { .p = list, .n = n };
	struct descent_step s;
	struct descent *d;
	char got[256] = "";
	size_t len = 0;

	assert_int_equal(descent_new(&l, &d, NULL), 0);
	while (descent_next(d, &s)) {
		const struct program *p = &list[s.at];

		len += (size_t)snprintf(got + len, sizeof(got) - len,
		    "%s%u:%u%s", len > 0 ? " " : "", s.depth,
		    p->kind == PROGRAM_FAILED ? p->failed.pid : p->exec.pid,
		    s.forked ? "f" : "");
		if (s.cut != 0)
			len += (size_t)snprintf(
			    got + len, sizeof(got) - len, "!%u", s.cut);
	}
	assert_string_equal(got, want);
	descent_free(d);
	n = 0;
}

/* A subshell's programs hang below the shell; a program below what its parent was
 * when it was forked. */
static void
test_forks(void **state)
{
	struct program *p;

	(void)state;
	ran(10, 1 * S, 1 * S, 0, 0);
	p = ran(12, 3 * S, 3 * S, 11, 2 * S);
	p->exec.has_ancestor = true;
	p->exec.ancestor = 10;
	p->exec.ancestor_back = 1 * S;
	ran(13, 4 * S, 4 * S, 12, 3 * S);
	ran(10, 1 * S, 5 * S, 0, 0);
	ran(14, 6 * S, 6 * S, 10, 1 * S);
	expect("0:10 1:12f 2:13 0:10 1:14");
}

/* With --forks the fork itself has a row. */
static void
test_fork_listed(void **state)
{
	struct program *p;

	(void)state;
	ran(10, 1 * S, 1 * S, 0, 0);
	p = ran(12, 3 * S, 3 * S, 11, 2 * S);
	p->exec.has_ancestor = true;
	p->exec.ancestor = 10;
	p->exec.ancestor_back = 1 * S;
	p = ran(11, 2 * S, 4 * S, 10, 1 * S);
	p->kind = PROGRAM_ENDED;
	p->exec.flags = PROGRAM_FORKED;
	expect("0:10 1:11 2:12");
}

static void
test_seeded(void **state)
{
	struct program *p;

	(void)state;
	for (uint32_t pid = 2; pid < 4; pid++) {
		p = ran(pid, 7 * TICK, 1 * S, 1, 0);
		p->exec.flags = PROGRAM_SEEDED;
	}
	p->has_end = true;
	ran(20, 2 * S, 2 * S, 2, 7 * TICK + 5);
	ran(21, 2 * S, 2 * S, 3, 7 * TICK + 5);
	p = ran(3, 7 * TICK + 5, 3 * S, 1, 3);
	p->kind = PROGRAM_ENDED; /* its row has that */
	p->has_end = true;
	p = ran(4, 7 * TICK, 4 * S, 1, 0);
	p->exec.flags = PROGRAM_SEEDED; /* started nothing of these */
	p = ran(5, 7 * TICK, 4 * S, 1, 0);
	p->exec.flags = PROGRAM_SEEDED;
	p->has_end = true;
	p = ran(5, 7 * TICK + 8, 5 * S, 1, 3);
	p->kind = PROGRAM_ENDED;
	expect("0:2 1:20 0:3 1:21 0:5");
}

/* Filtered away, or lost; another process had its pid. */
static void
test_cut(void **state)
{
	(void)state;
	ran(10, 1 * S, 1 * S, 9, 1);
	ran(11, 3 * S, 3 * S, 10, 2 * S);
	expect("0:10!9 0:11!10");
}

static void
test_failed(void **state)
{
	static const uint32_t tried[] = { 10, 11, 12, 13 };

	(void)state;
	ran(10, 1 * S, 1 * S, 0, 0);
	for (size_t i = 0; i < 4; i++) {
		struct program *p = ran(0, 0, 4 * S, 0, 0);

		p->kind = PROGRAM_FAILED;
		p->failed = (struct program_failed){ .pid = tried[i],
			.start = i == 0 ? 1 * S : 3 * S,
			.ppid = i == 3 ? 99 : 10,
			.pstart = i == 2 ? 2 * S : 1 * S };
		if (i == 2) {
			p->failed.has_ancestor = true;
			p->failed.ancestor = 10;
			p->failed.ancestor_back = 1 * S;
		}
	}
	expect("0:10 1:10 1:11 1:12f 0:13!99");
}

/* Each boot has its own processes. */
static void
test_boots(void **state)
{
	struct program *p;

	(void)state;
	for (uint64_t boot = 0; boot < 2; boot++) {
		p = ran(1, 0, 1 * S, 0, 0);
		p->exec.flags = PROGRAM_SEEDED;
		p->time += boot * 1000 * S;
		p = ran((uint32_t)(20 + boot), 2 * S, 2 * S, 1, 3);
		p->time += boot * 1000 * S;
	}
	expect("0:1 1:20 0:1 1:21");
}

/* Who means harm says that each started the other. */
static void
test_circle(void **state)
{
	(void)state;
	ran(10, 5 * S, 1 * S, 11, 5 * S);
	ran(11, 5 * S, 1 * S, 10, 5 * S);
	ran(12, 5 * S, 1 * S, 12, 5 * S);
	expect("0:10!11 0:11!10 0:12!12");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forks),
		cmocka_unit_test(test_fork_listed),
		cmocka_unit_test(test_seeded),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_boots),
		cmocka_unit_test(test_circle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
