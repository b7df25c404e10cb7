#include "check.h"

#include "record/login.h"
#include "store/visits.h"
#include "store_build.h"

#define SECOND UINT64_C(1000000000)
#define T(s) ((struct event_text){ (const uint8_t *)(s), strlen(s) })

static void
put_login(struct build *b, uint32_t ses, uint32_t pid, const char *service,
    const char *method)
{
	struct login l = { .auid = 1000,
		.ses = ses,
		.pid = pid,
		.start = 1,
		.uid = 1000,
		.user = T("alice"),
		.service = T(service),
		.realtime = b->now + b->wall };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	if (method != NULL)
		l.method = T(method);
	login_put(&p, &l);
	build_record(b, b->events, REC_LOGIN, p.data, p.len);
	ops_buf_free(&p);
}

static void
put_logout(struct build *b, uint32_t ses, uint32_t pid)
{
	const struct logout l = { .auid = 1000,
		.ses = ses,
		.pid = pid,
		.start = 1,
		.user = T("alice"),
		.service = T("sshd"),
		.has_bytes = true,
		.bytes_in = 11,
		.bytes_out = 22,
		.realtime = b->now + b->wall };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	logout_put(&p, &l);
	build_record(b, b->events, REC_LOGOUT, p.data, p.len);
	ops_buf_free(&p);
}

/* The example has two sessions of audit session 7, without a LOGIN; then the machine is
 * started again. */
static void
build(struct build *b)
{
	size_t session;

	build_example(b);
	b->boot_id[0] ^= 1;
	build_boot(b, BOOT_CLEAN, NULL);
	put_login(b, 7, 100, "sshd", "publickey"); /* has a session */
	put_login(b, 7, 101, "su", NULL);          /* within it */
	session = build_stream(b, CLASS_SCREEN);
	build_open(b, session, 1000, "alice", "pts/3", "sh");
	put_login(b, 8, 200, "sshd", "publickey"); /* has none, and ended */
	put_logout(b, 8, 999);                     /* of another process */
	put_logout(b, 8, 200);
	put_login(b, 9, 300, "sshd", "password"); /* has none, and goes on */
	put_login(
	    b, EVENT_UNSET, 400, "sshd", NULL); /* told apart by process */
	put_login(b, EVENT_UNSET, 401, "sshd", NULL);
	build_sync(b);
}

static void
load(struct store *s, struct visit_filter f, struct visits *ret)
{
	struct ops_err err = { 0 };

	if (visits_load(s, &f, ret, &err) < 0)
		fail_msg("%s", err.msg);
}

static const struct visit *
of_ses(const struct visits *all, const uint8_t *boot, uint32_t ses)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].ses == ses &&
		    memcmp(all->v[i].boot, boot, 16) == 0)
			return &all->v[i];
	fail_msg("no visit of audit session %u", ses);
	return NULL;
}

static void
test_load(void **state)
{
	static struct build b;
	struct visits all = { 0 }, some = { 0 };
	const struct visit *v;
	struct store *s;
	size_t unset = 0, with = 0;

	(void)state;
	build(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	load(s, (struct visit_filter){ 0 }, &all);
	for (size_t i = 0; i < all.n; i++) {
		unset += all.v[i].ses == EVENT_UNSET;
		with += all.v[i].sessions > 0;
		assert_true(i == 0 || all.v[i].begin >= all.v[i - 1].begin);
	}
	assert_int_equal(unset, 2);
	assert_true(with >= 2); /* those of the example, and ours */
	v = of_ses(&all, b.boot_id, 7);
	assert_int_equal(v->sessions, 1);
	assert_true(v->has_login);
	assert_memory_equal(v->service.p, "sshd", 4);
	v = of_ses(&all, b.boot_id, 8);
	assert_int_equal(v->sessions, 0);
	assert_true(v->end >= v->begin && v->has_bytes);
	assert_int_equal(v->bytes_in, 11);
	assert_int_equal(v->bytes_out, 22);
	assert_memory_equal(v->method.p, "publickey", 9);
	v = of_ses(&all, b.boot_id, 9);
	assert_true(v->sessions == 0 && v->end == 0 && !v->has_bytes);
	/* Who may see only his own; a time after all of them, which goes on. */
	load(s, (struct visit_filter){ .has_uid = true, .uid = 4711 }, &some);
	assert_int_equal(some.n, 0);
	visits_free(&some);
	load(s, (struct visit_filter){ .since = v->begin + 3600 * SECOND },
	    &some);
	assert_int_equal(some.n, 4); /* 7, 9 and those without */
	visits_free(&some);
	load(s, (struct visit_filter){ .until = 1 }, &some);
	assert_int_equal(some.n, 0);
	visits_free(&some);
	visits_free(&all);
	store_free(s);
	build_free(&b);
}

static void
test_wire(void **state)
{
	const struct visit v = { .boot = "boot",
		.ses = EVENT_UNSET,
		.uid = 1,
		.auid = 2,
		.begin = 3,
		.end = UINT64_MAX,
		.has_login = true,
		.pid = 4,
		.has_bytes = true,
		.bytes_in = 5,
		.bytes_out = 6,
		.sessions = 7,
		.session = "12345678",
		.user = T("u"),
		.service = T("s"),
		.from = T("f"),
		.tty = T("t"),
		.method = T("m"),
		.person = T("p"),
		.how = LOGIN_MAP };
	struct ops_buf b = { .max = 4096 }, again = { .max = 4096 };
	struct visits all = { 0 };

	(void)state;
	visit_put(&b, &v);
	assert_int_equal(visit_get(b.data, b.len, &all, NULL), 0);
	visit_put(&again, &all.v[0]);
	assert_int_equal(b.len, again.len);
	assert_memory_equal(b.data, again.data, b.len);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *cut = heap_copy(b.data, n);

		assert_int_equal(visit_get(cut, n, &all, NULL), -1);
		free(cut);
	}
	assert_int_equal(all.n, 1);
	visits_free(&all);
	ops_buf_free(&b);
	ops_buf_free(&again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
