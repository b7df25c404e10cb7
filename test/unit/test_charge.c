#include "check.h"

#include "charge.h"
#include "logline.h"

#define V 1000 /* a user, who logged in with the audit session 5 */
#define U 1001 /* another, who has none, or has chosen V's */
#define SES 5
#define SHELL 50 /* V's, in his login */
#define LOST 60  /* of somebody whom init has taken over */
#define NONE EVENT_UNSET

/* -- the processes, as /proc would have them -- */

struct fake {
	pid_t pid;
	struct procid_seen s;
	uint64_t start_now; /* 0: as it was */
};

/* clang-format off */
static struct fake fakes[] = {
	{ 1,    { .parent = 0, .start = 1, .auid = NONE, .ses = NONE }, 0 },
	{ 40,   { .parent = 1, .start = 40, .auid = V, .ses = SES }, 0 },	/* sshd */
	{ SHELL, { .parent = 40, .start = 50, .uid = V, .euid = V, .auid = V, .ses = SES }, 0 },
	{ 51,   { .parent = SHELL, .start = 51, .auid = V, .ses = SES }, 0 },	/* sudo */
	{ 52,   { .parent = 51, .start = 52, .auid = V, .ses = SES }, 0 },	/* root's shell */
	{ 53,   { .parent = SHELL, .start = 53, .uid = V, .auid = V, .ses = SES }, 0 }, /* su: euid 0 */
	{ 54,   { .parent = 53, .start = 54, .uid = U, .euid = U, .auid = V, .ses = SES }, 0 },
	{ LOST, { .parent = 1, .start = 60, .auid = V, .ses = SES }, 0 },
	/* U's service, and a child of it that chose V, and got another session for it. */
	{ 70,   { .parent = 1, .start = 70, .uid = U, .euid = U, .auid = NONE, .ses = NONE }, 0 },
	{ 71,   { .parent = 70, .start = 71, .uid = U, .euid = U, .auid = V, .ses = 9 }, 0 },
	{ 72,   { .parent = 71, .start = 72, .auid = V, .ses = 9 }, 0 },	/* his sudo */
	{ 73,   { .parent = 72, .start = 73, .uid = 1002, .euid = 1002, .auid = V, .ses = 9 }, 0 },
	{ 74,   { .parent = 70, .start = 74, .uid = U, .euid = U, .auid = 0, .ses = 10 }, 0 }, /* chose root */
	{ 75,   { .parent = 74, .start = 75, .auid = 0, .ses = 10 }, 0 },
	{ 76,   { .parent = 75, .start = 76, .uid = U, .euid = U, .auid = 0, .ses = 10 }, 0 },
	/* A file of V's that is setuid, run by U. */
	{ 77,   { .parent = 71, .start = 77, .uid = U, .euid = V, .auid = V, .ses = 9 }, 0 },
	{ 78,   { .parent = 77, .start = 78, .uid = U, .euid = U, .auid = V, .ses = 9 }, 0 },
	/* A pid that V's process got after the child of who had it. */
	{ 90,   { .parent = 91, .start = 90, .uid = U, .euid = U, .auid = V, .ses = 9 }, 0 },
	{ 91,   { .parent = 1, .start = 99, .uid = V, .euid = V, .auid = V, .ses = 9 }, 0 },
	/* One that another got while it was read. */
	{ 92,   { .parent = 93, .start = 92, .uid = U, .euid = U, .auid = V, .ses = 9 }, 0 },
	{ 93,   { .parent = 1, .start = 80, .uid = V, .euid = V, .auid = V, .ses = 9 }, 95 },
	/* One that is its own ancestor. */
	{ 94,   { .parent = 94, .start = 94, .uid = U, .euid = U, .auid = V, .ses = 9 }, 0 },
};
/* clang-format on */

static unsigned looks;

static const struct fake *
find(pid_t pid)
{
	for (size_t i = 0; i < sizeof(fakes) / sizeof(fakes[0]); i++)
		if (fakes[i].pid == pid)
			return &fakes[i];
	return NULL;
}

int
procid_see(pid_t pid, struct procid_seen *ret, struct ops_err *err)
{
	const struct fake *f = find(pid);

	looks++;
	if (f == NULL)
		return ops_fail(err, OPS_ENOENT, "none");
	*ret = f->s;
	return 0;
}

int
procid_start(pid_t pid, uint64_t *ret, struct ops_err *err)
{
	const struct fake *f = find(pid);

	if (f == NULL)
		return ops_fail(err, OPS_ENOENT, "none");
	*ret = f->start_now != 0 ? f->start_now : f->s.start;
	return 0;
}

bool
procid_maps_uids(pid_t pid)
{
	(void)pid;
	return false; /* whatever /etc/subuid has here */
}

void
logline(const char *fmt, ...)
{
	(void)fmt;
}

/* -- the tests -- */

/* clang-format off */
static const struct {
	const char *name;
	pid_t pid;
	uint32_t auid, ses;
	bool proven;
	uint32_t user;
} descents[] = {
	{ "his shell",			SHELL, V, SES, true, 0 },
	{ "root by sudo",		52, V, SES, true, 0 },
	{ "another by su",		54, V, SES, true, 0 },
	{ "sshd",			40, V, SES, false, 0 },
	{ "taken over by init",		LOST, V, SES, false, 0 },
	{ "who chose V",		71, V, 9, false, U },
	{ "sudo of who chose V",	72, V, 9, false, U },
	{ "and what it started",	73, V, 9, false, 1002 },
	{ "who chose root",		76, 0, 10, false, U },
	{ "sudo of who chose root",	75, 0, 10, false, U },
	{ "setuid",			78, V, 9, false, U },
	{ "no login",			70, NONE, NONE, false, U },
	{ "no login, all root's",	1, NONE, NONE, false, 0 },
	{ "a pid used again",		90, V, 9, false, U },
	{ "and again while read",	92, V, 9, false, U },
	{ "a ring",			94, V, 9, false, U },
	{ "none",			4711, V, SES, false, 0 },
};
/* clang-format on */

static void
test_descent(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(descents) / sizeof(descents[0]); i++) {
		const char *name = descents[i].name;
		struct charge_descent d;

		looks = 0;
		d = charge_descent(descents[i].pid, UINT64_MAX,
		    descents[i].auid, descents[i].ses);
		CHECK(d.proven == descents[i].proven, name, "proven");
		CHECK(d.user == descents[i].user, name, "user");
		CHECK(looks <= EVENT_ANCESTORS_MAX + 1, name, "looks");
	}
}

static struct charges charges;

static uint32_t
charged(pid_t pid)
{
	const struct procid_seen *s = &find(pid)->s;
	const struct charge_who who = { pid, s->start, s->euid, s->auid,
		s->ses };

	return charge_of(&charges, &who, 1);
}

static void
test_charge(void **state)
{
	(void)state;
	assert_int_equal(charged(LOST), 0); /* nothing proves it yet */
	assert_int_equal(charged(71), U);
	assert_int_equal(charged(76), U);
	assert_int_equal(charged(78), U);
	assert_int_equal(charged(70), U);
	assert_int_equal(charges.n, 0);
	assert_int_equal(charged(52), V);
	/* It was proven once; from here on it is known. */
	assert_int_equal(charges.n, 1);
	looks = 0;
	assert_int_equal(charged(LOST), V);
	assert_int_equal(charged(54), V);
	assert_int_equal(looks, 0);
	assert_int_equal(charged(71), U);
	charges_free(&charges);
	/* Who is himself needs no proof, and is one. */
	looks = 0;
	assert_int_equal(charged(SHELL), V);
	assert_int_equal(looks, 0);
	assert_int_equal(charged(LOST), V);
	charges_free(&charges);
	assert_int_equal(charged(LOST), 0);
	charges_free(&charges);
}

static void
test_known(void **state)
{
	struct charges c = { .n = 0 };
	uint32_t ses;

	(void)state;
	for (ses = CHARGE_LOGINS_MAX; ses > 0; ses--)
		charges_learn(&c, ses % 7 + 1, ses, ses);
	assert_int_equal(c.n, CHARGE_LOGINS_MAX);
	for (ses = 1; ses <= CHARGE_LOGINS_MAX; ses++)
		assert_true(charges_know(&c, ses % 7 + 1, ses,
		    ses == 5 ? CHARGE_LOGINS_MAX + 1 : ses));
	assert_false(charges_know(&c, 1, 8, 0));
	assert_false(charges_know(&c, 2, 1000000, 0));
	/* The oldest makes room: 5 was asked for. */
	for (ses = 1; ses <= 5; ses++)
		charges_learn(&c, 9, 1000000 + ses, CHARGE_LOGINS_MAX + 2);
	assert_int_equal(c.n, CHARGE_LOGINS_MAX);
	for (ses = 1; ses <= 7; ses++)
		assert_int_equal(charges_know(&c, ses % 7 + 1, ses, 0),
		    ses == 5 || ses == 7);
	assert_true(charges_know(&c, 9, 1000005, 0));
	charges_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descent),
		cmocka_unit_test(test_charge),
		cmocka_unit_test(test_known),
	};

	return cmocka_run_group_tests_name("charge", tests, NULL, NULL);
}
