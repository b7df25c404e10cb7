/* Covers: logins, logins_wire */
#include "check.h"

#include "base/bytes.h"
#include "store/logins.h"

#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}
#define NONE                                                                   \
	{                                                                      \
		0                                                              \
	}

static const uint8_t boot1[LOGINS_BOOT] = "boot 1",
		     boot2[LOGINS_BOOT] = "boot 2";

/* In the order in which they are added, which is not that of their times. */
/* clang-format off */
static const struct {
	const uint8_t *boot;
	uint64_t time;
	struct login l;
} seen[] = {
	/* One login, a su and a sudo within it. */
	{ boot1, 10, { .ses = 5, .pid = 100, .start = 1, .service = T("sshd"),
		.method = T("publickey"), .key = T("K1"), .person = T("alice"), .how = LOGIN_MAP } },
	{ boot1, 30, { .ses = 5, .pid = 120, .start = 3, .service = T("su") } },
	{ boot1, 20, { .ses = 5, .pid = 110, .start = 2, .service = T("sudo") } },
	/* By password. */
	{ boot1, 40, { .ses = 6, .pid = 130, .start = 4, .service = T("sshd"), .method = T("password") } },
	/* The same numbers after a restart. */
	{ boot2, 10, { .ses = 5, .pid = 100, .start = 1, .service = T("login"),
		.method = T("x"), .key = T("K2"), .person = T("bob"), .how = LOGIN_COMMENT } },
	/* A container: no audit session.  One comes from within the other. */
	{ boot1, 50, { .ses = EVENT_UNSET, .pid = 200, .start = 5, .method = T("publickey"),
		.person = T("carol"), .how = LOGIN_FINGERPRINT } },
	{ boot1, 60, { .ses = EVENT_UNSET, .pid = 210, .start = 6, .method = T("password") } },
	{ boot1, 70, { .ses = EVENT_UNSET, .pid = 220, .start = 7, .service = T("su") } },
	/* Two that the kernel doesn't tell apart. */
	{ boot1, 80, { .ses = 7, .pid = 300, .start = 8, .method = T("m"), .person = T("dave"), .how = LOGIN_MAP } },
	{ boot1, 90, { .ses = 7, .pid = 310, .start = 9, .method = T("m"), .person = T("eve"), .how = LOGIN_MAP } },
	/* Twice by one process. */
	{ boot1, 100, { .ses = EVENT_UNSET, .pid = 44, .start = 2, .service = T("1"),
		.method = T("m"), .person = T("fay"), .how = LOGIN_MAP } },
	{ boot1, 110, { .ses = EVENT_UNSET, .pid = 44, .start = 2, .service = T("2"),
		.method = T("m"), .person = T("gus"), .how = LOGIN_MAP } },
};

#define P(pid, start) pid "\0\0\0" start "\0\0\0\0\0\0\0"
static const struct {
	const char *name;
	const uint8_t *boot;
	uint32_t ses, pid;
	uint64_t start;
	struct event_text ancestors;
	int hit;       /* place in seen; -1: none */
	uint64_t when; /* 0: after all of them */
} ways[] = {
	{ "by its audit session",	boot1, 5, 9999, 9, NONE, 0 },
	{ "of another boot",		boot2, 5, 9999, 9, NONE, 4 },
	{ "of none",			boot2, 6, 9999, 9, NONE, -1 },
	{ "by password",		boot1, 6, 9999, 9, NONE, 3 },
	{ "below a su",			boot1, 5, 9999, 9, T(P("\x78", "\3") P("\x64", "\1")), 0 },
	{ "su itself",			boot1, 5, 120, 3, NONE, 0 },
	{ "first with a person",	boot1, 7, 9999, 9, NONE, 8 },
	{ "nearer than the first",	boot1, 7, 310, 9, T(P("\x64", "\1")), 9 },
	{ "only its own session's",	boot1, 6, 9999, 9, T(P("\x64", "\1")), 3 },
	{ "no audit session",		boot1, EVENT_UNSET, 9999, 9, NONE, -1 },
	{ "by descent",			boot1, EVENT_UNSET, 9999, 9, T(P("\1", "\1") P("\xc8", "\5")), 5 },
	{ "password within",		boot1, EVENT_UNSET, 210, 6, T(P("\xc8", "\5")), 6 },
	{ "su within",			boot1, EVENT_UNSET, 220, 7, T(P("\xc8", "\5")), 5 },
	{ "su of nobody known",		boot1, EVENT_UNSET, 220, 7, NONE, 7 },
	{ "a pid used again",		boot1, EVENT_UNSET, 9999, 9, T(P("\xc8", "\6")), -1 },
	{ "one process, first",		boot1, EVENT_UNSET, 9999, 9, T(P("\x2c", "\2")), 10, 105 },
	{ "one process, second",	boot1, EVENT_UNSET, 9999, 9, T(P("\x2c", "\2")), 11, 115 },
	{ "one process, before",	boot1, EVENT_UNSET, 9999, 9, T(P("\x2c", "\2")), -1, 95 },
	{ "of another boot's process",	boot2, EVENT_UNSET, 9999, 9, T(P("\xc8", "\5")), -1 },
};
/* clang-format on */

static struct logins all;

static int
setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(seen); i++)
		if (logins_add(
			&all, seen[i].boot, seen[i].time, &seen[i].l, NULL) < 0)
			return -1;
	return logins_sort(&all, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	logins_free(&all);
	return 0;
}

static bool
is(const struct login *l, int hit)
{
	if (hit < 0 || l == NULL)
		return l == NULL && hit < 0;
	return l->ses == seen[hit].l.ses && l->pid == seen[hit].l.pid &&
	       l->service.p == seen[hit].l.service.p;
}

static void
test_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(ways); i++) {
		struct login_way w = { .ses = ways[i].ses,
			.self = { ways[i].pid, ways[i].start },
			.ancestors = ways[i].ancestors,
			.when = ways[i].when != 0 ? ways[i].when : 1000 };

		memcpy(w.boot, ways[i].boot, sizeof(w.boot));
		CHECK(is(logins_of(&all, &w), ways[i].hit), ways[i].name,
		    "another login");
	}
}

static void
test_ses(void **state)
{
	static const struct logins none;
	const struct login_way w = { .ses = 5 };

	(void)state;
	assert_true(is(logins_of_ses(&all, (const uint8_t *)"boot", 6), 3));
	assert_true(is(logins_of_ses(&all, boot1, 7), 8));
	assert_true(is(logins_of_ses(&all, boot1, 8), -1));
	assert_true(is(logins_of_ses(&all, (const uint8_t *)"bop", 6), -1));
	/* What has none is not all one. */
	assert_true(is(logins_of_ses(&all, boot1, EVENT_UNSET), -1));
	assert_null(logins_of_ses(&none, boot1, 5));
	assert_null(logins_of(&none, &w));
}

static void
test_names(void **state)
{
	(void)state;
	assert_true(login_is_person(&seen[0].l, "alice"));
	assert_false(login_is_person(&seen[0].l, "alic"));
	assert_false(login_is_person(&seen[0].l, "-"));
	assert_true(login_is_person(&seen[3].l, "-"));
	assert_true(login_is_person(NULL, "-"));
	assert_false(login_is_person(NULL, "alice"));
}

/* clang-format off */
static const struct login
	map_alice = { .how = LOGIN_MAP, .person = T("alice"), .key = T("K1") },
	map_alice2 = { .how = LOGIN_MAP, .person = T("alice"), .key = T("K2") },
	map_bob = { .how = LOGIN_MAP, .person = T("bob"), .key = T("K3") },
	says_alice = { .how = LOGIN_COMMENT, .person = T("alice"), .key = T("K4") },
	says_bob = { .how = LOGIN_COMMENT, .person = T("bob"), .key = T("K4") },
	says_alice1 = { .how = LOGIN_COMMENT, .person = T("alice"), .key = T("K1") },
	key4 = { .how = LOGIN_FINGERPRINT, .person = T("K4"), .key = T("K4") },
	key5 = { .how = LOGIN_FINGERPRINT, .person = T("K5"), .key = T("K5") },
	password = { .method = T("password") };

static const struct {
	const char *name;
	const struct login *reader, *of;
	bool may;
} rights[] = {
	{ "nobody known",		&map_alice, NULL, true },
	{ "nobody known to nobody",	NULL, NULL, true },
	{ "a password's",		&map_alice, &password, true },
	{ "the same name in the map",	&map_alice, &map_alice2, true },
	{ "another name in the map",	&map_alice, &map_bob, false },
	{ "who isn't known",		NULL, &map_alice, false },
	{ "by password",		&password, &map_alice, false },
	{ "a claimed name",		&says_alice, &map_alice, false },
	{ "of a claimed name",		&map_alice, &says_alice, false },
	{ "two claimed names",		&says_alice, &says_alice1, false },
	{ "the same key, renamed",	&says_alice, &says_bob, true },
	{ "the same key, not mapped yet", &map_alice, &says_alice1, true },
	{ "the same key, without a name", &says_alice, &key4, true },
	{ "another key",		&key5, &key4, false },
};
/* clang-format on */

static void
test_rights(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rights); i++)
		CHECK(login_may_read(rights[i].reader, rights[i].of) ==
			  rights[i].may,
		    rights[i].name, "allowed or not");
}

static void
add_in(struct logins *l, uint32_t pid, uint64_t time, uint64_t wall)
{
	const struct login in = {
		.pid = pid, .start = 1, .uid = pid, .auid = 7, .user = T("u")
	};

	assert_int_equal(logins_add(l, boot1, time, &in, NULL), 0);
	l->l[l->n - 1].wall = wall;
	l->l[l->n - 1].sealed = true;
}

static void
add_out(struct logins *l, const uint8_t *boot, uint32_t pid, uint64_t time)
{
	struct logout_seen o = { .time = time,
		.wall = time + 1000,
		.sealed = pid != 2,
		.o = { .pid = pid, .start = 1, .bytes_in = time } };

	memcpy(o.boot, boot, sizeof(o.boot));
	assert_int_equal(logins_add_out(l, &o, NULL), 0);
}

/* Each LOGOUT goes to the last login before it of the same process. */
static void
test_out(void **state)
{
	static const struct {
		uint32_t pid;
		uint64_t in, out; /* 0: none */
	} want[] = { { 1, 10, 15 }, { 1, 20, 30 }, { 2, 12, 40 }, { 3, 13, 0 },
		{ 4, 14, 0 } };
	struct logins l = { 0 };

	(void)state;
	add_out(&l, boot1, 2, 40);
	add_out(&l, boot1, 3, 5); /* before it */
	add_out(&l, boot2, 4, 50);
	add_out(&l, boot1, 1, 15);
	add_out(&l, boot1, 1, 30);
	add_out(&l, boot1, 9, 30); /* nobody's */
	add_in(&l, 4, 14, 0);
	add_in(&l, 1, 20, 0);
	add_in(&l, 1, 10, 0);
	add_in(&l, 3, 13, 0);
	add_in(&l, 2, 12, 0);
	assert_int_equal(logins_sort(&l, NULL), 0);
	for (size_t i = 0; i < l.n; i++) {
		const struct login_seen *s = &l.l[i];
		size_t k = 0;

		while (want[k].pid != s->l.pid || want[k].in != s->time)
			k++;
		assert_int_equal(s->has_out ? s->out.bytes_in : 0, want[k].out);
		assert_int_equal(s->sealed, s->l.pid != 2);
		assert_ptr_equal(logins_seen(&l, &s->l), s);
	}
	logins_free(&l);
}

/* clang-format off */
static const struct {
	const char *name;
	struct login_filter f;
	const char *pids; /* of those that fit, in their order */
} filters[] = {
	{ "all",	{ 0 }, "3 1 2 " },
	{ "one account", { .has_uid = true, .uid = 2 }, "2 " },
	{ "logged in as it", { .has_uid = true, .uid = 7 }, "3 1 2 " },
	{ "another's",	{ .has_uid = true, .uid = 8 }, "" },
	{ "by name",	{ .user = "u" }, "3 1 2 " },
	{ "by another",	{ .user = "" }, "" },
	{ "longer",	{ .user = "uu" }, "" },
	{ "nobody known", { .person = "-" }, "3 1 2 " },
	{ "somebody",	{ .person = "x" }, "" },
	{ "since",	{ .since = 1016 }, "3 2 " },
	{ "until",	{ .until = 100 }, "3 " },
};
/* clang-format on */

static void
test_keep(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(filters); i++) {
		struct logins l = { 0 };
		char pids[32] = "";

		add_in(&l, 1, 10, 200);
		add_in(&l, 2, 10, 300);
		add_in(&l, 3, 10, 100);
		add_out(&l, boot1, 1, 15);
		assert_int_equal(logins_sort(&l, NULL), 0);
		logins_keep(&l, &filters[i].f);
		for (size_t k = 0; k < l.n; k++)
			snprintf(pids + strlen(pids), 4, "%u ",
			    (unsigned)l.l[k].l.pid);
		CHECK(
		    strcmp(pids, filters[i].pids) == 0, filters[i].name, pids);
		logins_free(&l);
	}
}

static void
test_wire(void **state)
{
	struct login_seen l = { .time = 1,
		.wall = 2,
		.l = { .pid = 3, .user = T("u") },
		.has_out = true,
		.out_wall = 4,
		.out = { .pid = 3, .has_bytes = true, .bytes_out = 5 },
		.sessions = 6,
		.sealed = true };
	struct ops_buf b = { .max = 10000 };
	struct login_seen got = { 0 };

	(void)state;
	login_seen_put(&b, &l);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *cut = heap_copy(b.data, n);

		assert_int_equal(login_seen_get(cut, n, &got, NULL), -1);
		assert_int_equal(got.wall, 0);
		free(cut);
	}
	assert_int_equal(login_seen_get(b.data, b.len, &got, NULL), 0);
	assert_true(got.time == 1 && got.wall == 2 && got.l.pid == 3 &&
		    got.l.user.n == 1 && got.has_out && got.out_wall == 4 &&
		    got.out.has_bytes && got.out.bytes_out == 5 &&
		    got.sessions == 6 && got.sealed);
	ops_buf_reset(&b);
	l.has_out = l.sealed = false;
	login_seen_put(&b, &l);
	assert_int_equal(login_seen_get(b.data, b.len, &got, NULL), 0);
	assert_true(!got.has_out && !got.sealed);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_ses),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_out),
		cmocka_unit_test(test_keep),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
