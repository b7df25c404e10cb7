#include "check.h"

#include "base/bytes.h"
#include "opening.h"

#define SECOND UINT64_C(1000000000)
#define TICK EVENT_TICK_NS
#define AT (1000 * SECOND) /* BOOTTIME of the session's begin */
#define WALL (1700000000 * SECOND)
#define SHELL "/usr/libexec/opseal/opseal-shell"
#define DOOR "/usr/libexec/opseal/opseal-door"

/* A row: by its descent it was this; its process began so much before, executed that
 * file then, with these arguments, and so it is that. */
/* clang-format off */
static const struct {
	const char *name;
	enum visit_opened was;
	uint64_t age, ran;	/* before AT: its process began, executed */
	const char *exe, *args;
	size_t args_n;
	uint32_t owner;
	enum visit_opened is;
} rows[] = {
#define A(s) s, sizeof(s)
	{ "the door",		  OPENED_DOOR,    SECOND, SECOND / 2, SHELL, A("-opseal-shell"), 0, OPENED_DOOR },
	{ "no LOGIN told",	  OPENED_ASSUMED, SECOND, SECOND / 2, SHELL, A("-opseal-shell"), 0, OPENED_DOOR },
	{ "below a shell",	  OPENED_HAND,    SECOND, SECOND / 2, SHELL, A("opseal-shell"),  0, OPENED_HAND },
	{ "a shell became it",	  OPENED_DOOR,    20 * SECOND, SECOND, SHELL, A("opseal-shell"), 0, OPENED_HAND },
	{ "opseal record",	  OPENED_DOOR,    SECOND, SECOND / 2, DOOR, A("opseal-door\0--"), 0, OPENED_HAND },
	{ "the same, no LOGIN",	  OPENED_ASSUMED, SECOND, SECOND / 2, DOOR, A("opseal-door\0--"), 0, OPENED_HAND },
	{ "ForceCommand",	  OPENED_DOOR,    SECOND, SECOND / 2, DOOR, A("opseal-door\0--forced"), 0, OPENED_DOOR },
	{ "--forced, by hand",	  OPENED_HAND,    SECOND, SECOND / 2, DOOR, A("opseal-door\0--forced"), 0, OPENED_HAND },
	{ "somebody's own file",  OPENED_ASSUMED, SECOND, SECOND / 2, "/home/a/opseal-shell", A("x"), 1000, OPENED_ASSUMED },
	{ "its name in a folder", OPENED_ASSUMED, SECOND, SECOND / 2, "/opseal-shell/x", A("x"), 0, OPENED_ASSUMED },
#undef A
};
/* clang-format on */

static void
test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint64_t start = AT - rows[i].age;
		struct visit v[] = {
			{ .opened = OPENED_NOT, .door = { 5, start / TICK } },
			{ .opened = rows[i].was,
			    .opened_at = WALL,
			    .door = { 5, start / TICK } },
		};
		struct visits all = { .v = v, .n = 2 };
		struct program p = { .kind = PROGRAM_RAN,
			.time = WALL - rows[i].ran,
			.boottime = AT - rows[i].ran,
			.exec = { .pid = 5,
			    .start = start + TICK / 2,
			    .exe_uid = rows[i].owner,
			    .exe = { (const uint8_t *)rows[i].exe,
				strlen(rows[i].exe) },
			    .args = { (const uint8_t *)rows[i].args,
				rows[i].args_n } } };
		struct program_list l = { .p = &p, .n = 1 };

		assert_int_equal(opening_judge(&all, &l, NULL), 0);
		CHECK(v[1].opened == rows[i].is, rows[i].name, "opened");
		CHECK(v[0].opened == OPENED_NOT, rows[i].name, "without one");
	}
}

/* What is of another process, boot or kind says nothing. */
static void
test_others(void **state)
{
	const struct program door = { .kind = PROGRAM_RAN,
		.time = WALL,
		.boottime = AT,
		.exec = { .pid = 5,
		    .nspid = 2,
		    .start = AT - TICK,
		    .exe = { (const uint8_t *)DOOR, strlen(DOOR) } } };
	struct visit v = { .opened_at = WALL,
		.door = { 5, (AT - TICK) / TICK } };
	struct visits all = { .v = &v, .n = 1 };

	(void)state;
	for (int i = 0; i < 7; i++) {
		struct program p = door;
		struct program_list l = { .p = &p, .n = 1 };

		v.opened = OPENED_DOOR;
		v.door.pid = i == 6 ? 2 : 5; /* as its own namespace has it */
		if (i == 0)
			p.exec.pid = 6;
		else if (i == 1)
			p.exec.start += TICK;
		else if (i == 2)
			p.time += 3600 * SECOND;
		else if (i == 3)
			p.kind = PROGRAM_FAILED;
		else if (i == 4)
			p.exec.flags = PROGRAM_SEEDED;
		assert_int_equal(opening_judge(&all, &l, NULL), 0);
		assert_int_equal(v.opened, i < 5 ? OPENED_DOOR : OPENED_HAND);
	}
}

static void
test_span(void **state)
{
	struct visit v[] = { { .opened_at = 0 }, { .opened_at = WALL + 9 },
		{ .opened_at = WALL } };
	struct visits all = { .v = v, .n = 1 };
	uint64_t since = 7, until = 7;

	(void)state;
	opening_span(&all, &since, &until);
	assert_true(since == 0 && until == 0);
	all.n = 3;
	opening_span(&all, &since, &until);
	assert_true(since < WALL && until > WALL + 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
