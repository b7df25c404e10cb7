#include "check.h"

#include "base/bytes.h"
#include "record/login.h"
#include "store/visits.h"
#include "store_build.h"

#define SECOND UINT64_C(1000000000)
#define T(s) ((struct event_text){ (const uint8_t *)(s), strlen(s) })

static uint64_t began = 1; /* of PAM's process, clock ticks */

static void
put_login(struct build *b, uint32_t ses, uint32_t pid, const char *service,
    const char *method)
{
	struct login l = { .auid = 1000,
		.ses = ses,
		.pid = pid,
		.start = began,
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
		.how = LOGIN_MAP,
		.opened = OPENED_HAND,
		.opened_at = 8,
		.door = { 9, 10 } };
	struct visit none = v;
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
	assert_true(all.v[0].opened == OPENED_HAND && all.v[0].opened_at == 8 &&
		    all.v[0].door.pid == 9 && all.v[0].door.start == 10);
	none.opened = VISIT_OPENED_END;
	ops_buf_reset(&b);
	visit_put(&b, &none);
	assert_int_equal(visit_get(b.data, b.len, &all, NULL), -1);
	assert_int_equal(all.n, 1);
	visits_free(&all);
	ops_buf_free(&b);
	ops_buf_free(&again);
}

/* A row: the login of this service has one session, by this door of that uid, whose
 * parents are these. */
/* clang-format off */
#define LOGIN 100
static const struct {
	const char *name, *service;
	uint32_t uid, door, parent[3];
	uint64_t age; /* seconds of the door, when its session began */
	enum visit_opened opened;
} ways[] = {
	{ "a process becomes it",   "x",     1000, LOGIN, { 1, 0, 0 },	     1,  OPENED_DOOR },
	{ "sshd",		    "sshd",  1000, 700, { 650, LOGIN, 1 },   1,  OPENED_DOOR },
	{ "sshd, below a shell",    "sshd",  1000, 700, { 680, 650, LOGIN }, 1,  OPENED_HAND },
	{ "sshd, an old process",   "sshd",  1000, 700, { 650, LOGIN, 1 },   60, OPENED_HAND },
	{ "sshd, root",		    "sshd",  0,    700, { LOGIN, 1, 0 },     1,  OPENED_DOOR },
	{ "sshd, root's shell",	    "sshd",  0,    700, { 650, LOGIN, 1 },   1,  OPENED_HAND },
	{ "login",		    "login", 1000, 700, { LOGIN, 1, 0 },     1,  OPENED_DOOR },
	{ "login, below a shell",   "login", 1000, 700, { 650, LOGIN, 1 },   1,  OPENED_HAND },
	{ "tmux",		    "sshd",  1000, 700, { 650, 1, 0 },	     1,  OPENED_HAND },
	{ "no LOGIN",		    NULL,    1000, 700, { 650, LOGIN, 1 },   1,  OPENED_ASSUMED },
	{ "no descent is told",	    "sshd",  1000, 700, { 0, 0, 0 },	     1,  OPENED_ASSUMED },
};
/* clang-format on */

static void
put_session(struct build *b, size_t row)
{
	size_t stream = build_stream(b, CLASS_SCREEN);
	struct ops_buf chain = { .max = 4096 },
		       p = { .max = RECORD_PAYLOAD_MAX };
	struct event_open e = { .kind = SESSION_COMMAND,
		.uid = ways[row].uid,
		.auid = 1000,
		.ses = 50 + (uint32_t)row,
		.pid = ways[row].door,
		.start = (b->now - ways[row].age * SECOND) / EVENT_TICK_NS,
		.user = T("alice"),
		.realtime = b->now + b->wall };

	if (ways[row].door == LOGIN)
		e.start = began;
	for (size_t i = 0; i < 3 && ways[row].parent[i] != 0; i++) {
		const struct event_process one = { ways[row].parent[i], began };

		event_process_put(&chain, &one);
	}
	e.ancestors =
	    (struct event_text){ chain.len > 0 ? chain.data : NULL, chain.len };
	event_open_put(&p, b->stream[stream].id, &e);
	build_record(b, b->events, REC_SESSION_OPEN, p.data, p.len);
	ops_buf_free(&chain);
	ops_buf_free(&p);
}

static void
test_opened(void **state)
{
	static struct build b;
	struct visits all = { 0 };
	struct store *s;

	(void)state;
	build_example(&b);
	b.boot_id[0] ^= 1;
	build_boot(&b, BOOT_CLEAN, NULL);
	began = b.now / EVENT_TICK_NS;
	for (size_t i = 0; i < OPS_ARRAY_LEN(ways); i++) {
		if (ways[i].service != NULL)
			put_login(
			    &b, 50 + (uint32_t)i, LOGIN, ways[i].service, NULL);
		put_session(&b, i);
	}
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	load(s, (struct visit_filter){ 0 }, &all);
	for (size_t i = 0; i < OPS_ARRAY_LEN(ways); i++) {
		const struct visit *v =
		    of_ses(&all, b.boot_id, 50 + (uint32_t)i);

		CHECK(v->sessions == 1 && v->door.pid == ways[i].door,
		    ways[i].name, "session");
		CHECK(v->opened == ways[i].opened, ways[i].name, "opened");
		CHECK(visit_recorded(v) == (v->opened != OPENED_HAND),
		    ways[i].name, "recorded");
	}
	visits_free(&all);
	store_free(s);
	build_free(&b);
}

static void
put_person(struct build *b, uint32_t ses, uint32_t pid, const char *person)
{
	struct login l = { .auid = 1000,
		.ses = ses,
		.pid = pid,
		.start = 1,
		.uid = 1000,
		.user = T("alice"),
		.service = T("sshd"),
		.method = T("publickey"),
		.person = T(person),
		.how = LOGIN_MAP,
		.realtime = b->now + b->wall };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };

	login_put(&p, &l);
	build_record(b, b->events, REC_LOGIN, p.data, p.len);
	ops_buf_free(&p);
}

/* Behind a shared account in a container all have one audit session: who came as ben
 * sees none in which something is of anna, be it a LOGIN or a session by descent. */
static void
test_readers(void **state)
{
	static struct build b;
	struct ops_buf chain = { .max = 256 };
	struct event_process to_ben = { 200, 1 };
	struct login_way way = { .ses = 70, .self = { 210, 1 } };
	struct visits all = { 0 };
	struct event_open e = { .kind = SESSION_COMMAND,
		.uid = 1000,
		.auid = 1000,
		.ses = EVENT_UNSET,
		.pid = 220,
		.start = 1 };
	struct ops_buf p = { .max = RECORD_PAYLOAD_MAX };
	bool anna, ben;
	struct store *s;

	(void)state;
	build_example(&b);
	b.boot_id[0] ^= 1;
	build_boot(&b, BOOT_CLEAN, NULL);
	put_person(&b, 70, 200, "ben");
	put_person(&b, 70, 100, "anna");
	put_person(&b, 71, 300, "ben");
	put_person(&b, 72, 400, "anna");
	/* Without an audit session, below ben's process. */
	event_process_put(&chain, &to_ben);
	e.ancestors = (struct event_text){ chain.data, chain.len };
	e.realtime = b.now + b.wall;
	event_open_put(&p, b.stream[build_stream(&b, CLASS_SCREEN)].id, &e);
	build_record(&b, b.events, REC_SESSION_OPEN, p.data, p.len);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	memcpy(way.boot, b.boot_id, sizeof(way.boot));
	way.ancestors = e.ancestors;
	way.when = UINT64_MAX;
	load(s, (struct visit_filter){ .reader = &way }, &all);
	anna = ben = false;
	for (size_t i = 0; i < all.n; i++) {
		if (memcmp(all.v[i].boot, b.boot_id, 16) != 0)
			continue;
		assert_true(all.v[i].ses != 70 && all.v[i].ses != 72);
		ben |= all.v[i].ses == 71;
		anna |= all.v[i].person.n == 4;
	}
	assert_true(ben && !anna);
	/* By no login that is known: nothing that is anybody's. */
	visits_free(&all);
	way.ses = 99;
	way.ancestors = (struct event_text){ NULL, 0 };
	load(s, (struct visit_filter){ .reader = &way }, &all);
	for (size_t i = 0; i < all.n; i++)
		assert_null(all.v[i].person.p);
	visits_free(&all);
	store_free(s);
	build_free(&b);
	ops_buf_free(&chain);
	ops_buf_free(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_opened),
		cmocka_unit_test(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
