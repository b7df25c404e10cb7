/* Covers: programs, programs_wire, program_walk */
#include "check.h"
#include "record/acct.h"

#include "record/record.h"
#include "store/programs.h"
#include "store_build.h"

static struct build b;
static struct store *s;
static size_t one, stream;
static uint8_t long_args[PROGRAM_ARGS_MAX + 5000];

static struct event_text
text(const char *t, size_t n)
{
	return (struct event_text){ (const uint8_t *)t, n };
}
#define T(t) text(t, sizeof(t) - 1)

static const uint8_t *
id_of(size_t session)
{
	static const uint8_t nobody[OPS_ID_LEN];

	return session != 0 ? b.stream[session].id : nobody;
}

static void
put(uint8_t type, struct ops_buf *body)
{
	assert_false(body->failed);
	build_record(&b, stream, type, body->data, body->len);
	ops_buf_free(body);
}

static void
exec(size_t session, uint32_t pid, uint64_t start, uint32_t auid,
    struct event_text args, uint64_t args_len, struct event_text exe,
    uint32_t flags)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_exec e = { .pid = pid,
		.start = start,
		.ppid = 1,
		.uid = 1000,
		.euid = 1000,
		.auid = auid,
		.ses = EVENT_UNSET,
		.joined = session != 0 ? JOINED_TTY : JOINED_NOTHING,
		.flags = flags,
		.tty = session != 0 ? 136u << 20 | 7 : 0,
		.args_len = args_len,
		.args = args,
		.exe = exe,
		.comm = T("comm") };

	program_exec_put(&body, id_of(session), &e);
	put(REC_EXEC, &body);
}

static void
more_args(uint32_t pid, uint64_t start, size_t from, size_t n)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_args a = { pid, start, from, { long_args + from, n } };

	program_args_put(&body, id_of(0), &a);
	put(REC_ARGS, &body);
}

static void
ended(uint32_t pid, uint64_t start, uint32_t status, bool fork)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_ended e = { .pid = pid,
		.start = start,
		.status = status,
		.has_who = fork,
		.flags = fork ? PROGRAM_FORKED : 0,
		.uid = 1000,
		.euid = 1000,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET,
		.comm = fork ? T("forked") : (struct event_text){ 0 } };

	program_ended_put(&body, id_of(0), &e);
	put(REC_ENDED, &body);
}

static void
failed_and_lost(void)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_failed f = { .pid = 30,
		.start = 3000,
		.error = 2,
		.uid = 1001,
		.euid = 0,
		.auid = 1001,
		.comm = T("sh"),
		.name = T("/nowhere/prog") };
	struct program_loss l = { .from = 1, .until = 2, .execs = 5 };

	program_failed_put(&body, id_of(0), &f);
	put(REC_FAILED, &body);
	program_loss_put(&body, &l);
	put(REC_LOSS, &body);
}

/* unsure: an earlier run of capture may have seen it. */
static void
accounted_at(uint32_t pid, uint32_t flags, bool unsure, uint64_t began)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_accounted a = { .pid = pid,
		.uid = 1002,
		.status = 0x100,
		.began = began,
		.flags = flags,
		.tty = 136 << 20 | 4,
		.unsure = unsure,
		.comm = T("acct") };

	program_accounted_put(&body, &a);
	put(REC_ACCOUNTED, &body);
}

static void
accounted(uint32_t pid, uint32_t flags, bool unsure)
{
	accounted_at(pid, flags, unsure, 7);
}

static void
second_source(void)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_coverage c = { .captured = 3, .accounted = 7 };
	uint64_t began = (b.now + b.wall) / 1000000000;

	/* This run saw it, and told of it late, or too late. */
	ended(43, b.now, 0, false);
	accounted_at(43, 0, false, began);
	accounted_at(44, 0, false, began);
	ended(44, b.now, 0, false);
	accounted(40, 0, false);
	ended(40, b.now, 0, false); /* that is another one, by its begin */
	accounted(13, ACCT_FORKED, true); /* capture saw it */
	accounted(41, ACCT_FORKED, false);
	accounted(42, 0, true);
	accounted(42, 0, true); /* once more */
	program_coverage_put(&body, &c);
	put(REC_COVERAGE, &body);
}

static int
setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(long_args); i++)
		long_args[i] = i % 100 == 99 ? 0 : (uint8_t)('a' + i % 26);
	long_args[sizeof(long_args) - 1] = 0;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	one = build_stream(&b, CLASS_SCREEN);
	build_open(&b, one, 1000, "alice", "pts/3", NULL);
	stream = build_stream(&b, CLASS_PROGRAMS);
	exec(0, 5, 500, EVENT_UNSET, T("init\0"), 5, T("/sbin/init"),
	    PROGRAM_SEEDED);
	exec(
	    one, 10, 1000, EVENT_UNSET, T("-bash\0"), 6, T("/usr/bin/bash"), 0);
	exec(one, 11, 1100, EVENT_UNSET,
	    (struct event_text){ long_args, PROGRAM_ARGS_MAX },
	    sizeof(long_args), T("/usr/bin/ls"), 0);
	more_args(11, 1100, PROGRAM_ARGS_MAX, 3000);
	more_args(11, 1100, PROGRAM_ARGS_MAX + 3000, 2000);
	ended(11, 1100, 0x200, false);
	exec(one, 12, 1200, 1001, T("./run\0a\0"), 8, T("/usr/bin/dash"), 0);
	exec(one, 12, 1200, 1001, T("cat\0"), 4, T("/usr/bin/cat"), 0);
	ended(12, 1200, 9, false);
	ended(13, 1300, 0, true);
	failed_and_lost();
	second_source();
	build_seal(&b, false, false);
	/* Its pid is another's now: of what is known nothing has ended. */
	ended(10, 9999, 0, false);
	exec(0, 11, 2100, EVENT_UNSET, T("later\0"), 6, T("/opt/later"), 0);
	build_sync(&b);
	return store_open(&b.mem.vfs, 0, &s, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	store_free(s);
	build_free(&b);
	return 0;
}

static struct program_list
load(struct program_filter f)
{
	struct program_list l;

	assert_int_equal(program_list_load(s, &f, &l, NULL), 0);
	assert_int_equal(l.missing, 0);
	return l;
}

static void
test_all(void **state)
{
	struct program_list l = load((struct program_filter){ 0 });
	const struct program *p = l.p;

	(void)state;
	assert_int_equal(l.n, 9); /* not the seeded one */
	assert_int_equal(p[0].number, 1);
	assert_memory_equal(p[0].session, b.stream[one].id, OPS_ID_LEN);
	assert_false(p[0].has_end);
	assert_true(p[0].has_offset && p[0].sealed);
	assert_int_equal(p[0].login, 1000); /* the session's */
	/* Its arguments came in three records. */
	assert_int_equal(p[1].number, 2);
	assert_int_equal(p[1].exec.args.n, sizeof(long_args));
	assert_memory_equal(p[1].exec.args.p, long_args, sizeof(long_args));
	assert_true(p[1].has_end);
	assert_int_equal(p[1].end.status, 0x200);
	assert_true(p[2].replaced && !p[2].has_end);
	assert_int_equal(p[2].login, 1001); /* the kernel's word first */
	assert_true(p[3].has_end && !p[3].replaced);
	assert_int_equal(p[3].end.status, 9);
	assert_int_equal(p[4].kind, PROGRAM_FAILED);
	assert_int_equal(p[4].failed.error, 2);
	assert_int_equal(p[5].kind, PROGRAM_LOST);
	assert_int_equal(p[5].loss.execs, 5);
	assert_int_equal(p[6].kind, PROGRAM_ACCOUNTED);
	assert_int_equal(p[6].exec.pid, 40);
	assert_int_equal(p[6].login, 1002);
	assert_true(p[6].has_end && p[6].end.status == 0x100);
	assert_int_equal(p[7].exec.pid, 42);
	assert_int_equal(p[8].number, 0);
	assert_false(p[8].sealed || p[8].has_offset);
	program_list_free(&l);
}

static void
expect(struct program_filter f, size_t n, const char *first)
{
	struct program_list l = load(f);
	struct event_text name;

	assert_int_equal(l.n, n);
	if (first != NULL) {
		name = program_name(&l.p[0]);
		assert_int_equal(name.n, strlen(first));
		assert_memory_equal(name.p, first, name.n);
	}
	program_list_free(&l);
}

/* What was lost may have been any of what is asked for, so it is always told. */
static void
test_filters(void **state)
{
	struct program_filter f = { .has_session = true };

	(void)state;
	memcpy(f.session, b.stream[one].id, OPS_ID_LEN);
	expect(f, 5, "bash");
	expect((struct program_filter){ .name = "bash" }, 2, "bash");
	expect((struct program_filter){ .name = "run" }, 2, "dash");
	expect((struct program_filter){ .name = "prog" }, 2, "prog");
	expect((struct program_filter){ .exe = "/opt/*" }, 2, NULL);
	expect((struct program_filter){ .tty = "pts/7" }, 5, "bash");
	expect((struct program_filter){ .has_login = true, .login = 1001 }, 4,
	    "dash");
	expect(
	    (struct program_filter){ .has_euid = true, .euid = 0 }, 2, "prog");
	expect((struct program_filter){ .failed = true }, 6, "ls");
	expect((struct program_filter){ .newest = 2 }, 2, NULL);
	expect((struct program_filter){ .newest = 1 }, 1, "later");
	/* What was lost isn't counted, and shown from the oldest kept on. */
	expect((struct program_filter){ .newest = 3 }, 3, "acct");
	expect((struct program_filter){ .newest = 4 }, 5, "prog");
	expect(
	    (struct program_filter){ .name = "bash", .newest = 1 }, 2, "bash");
	expect((struct program_filter){ .name = "later", .newest = 1 }, 1,
	    "later");
	expect(
	    (struct program_filter){ .name = "later", .newest = 2 }, 2, NULL);
	expect((struct program_filter){ .name = "no", .newest = 1 }, 1, NULL);
	expect((struct program_filter){ .forks = true }, 11, "bash");
	expect(
	    (struct program_filter){ .has_owner = true, .owner = 4 }, 1, NULL);
	expect((struct program_filter){ .has_owner = true, .owner = 1001 }, 4,
	    "dash");
	expect((struct program_filter){ .name = "acct" }, 3, NULL);
	expect((struct program_filter){ .tty = "pts/4" }, 3, NULL);
	expect((struct program_filter){ .source = SOURCE_ACCT }, 2, "acct");
	expect((struct program_filter){ .source = SOURCE_ACCT, .forks = true },
	    3, "acct");
	expect((struct program_filter){ .source = SOURCE_CAPTURE }, 7, "bash");
	/* What was lost, what was missed, and the counts. */
	expect((struct program_filter){ .coverage = true }, 5, NULL);
	/* What ran before: beside all that is asked for, but of its owner. */
	expect((struct program_filter){ .seeded = true }, 10, "init");
	expect(
	    (struct program_filter){ .seeded = true, .newest = 1 }, 2, "init");
	expect((struct program_filter){ .seeded = true, .since = UINT64_MAX },
	    1, "init");
	expect(
	    (struct program_filter){
		.seeded = true, .has_owner = true, .owner = 4 },
	    1, NULL);
	expect((struct program_filter){ .since = UINT64_MAX }, 0, NULL);
	expect((struct program_filter){ .until = 1 }, 0, NULL);
}

static void
test_bytes(void **state)
{
	struct program_list l = load((struct program_filter){ .forks = true });
	struct program_list got = { 0 };
	struct ops_buf x = { .max = 65536 };
	uint64_t more;

	(void)state;
	for (size_t i = 0; i < l.n; i++) {
		const struct program *p = &l.p[i], *q;

		ops_buf_reset(&x);
		program_put(&x, p);
		assert_int_equal(
		    program_get(x.data, x.len, &got, &more, NULL), 0);
		if (more > 0) {
			assert_int_equal(
			    more, p->exec.args.n - PROGRAM_ARGS_MAX);
			assert_int_equal(
			    program_more(p->exec.args.p + PROGRAM_ARGS_MAX,
				(size_t)more + 1, &got, &more, NULL),
			    -1);
			assert_int_equal(
			    program_more(p->exec.args.p + PROGRAM_ARGS_MAX,
				(size_t)more, &got, &more, NULL),
			    0);
		}
		q = &got.p[i];
		assert_int_equal(q->kind, p->kind);
		assert_int_equal(q->number, p->number);
		assert_int_equal(q->exec.pid, p->exec.pid);
		assert_int_equal(q->end.status, p->end.status);
		assert_int_equal(q->exec.args.n, p->exec.args.n);
		if (p->exec.args.n > 0)
			assert_memory_equal(
			    q->exec.args.p, p->exec.args.p, p->exec.args.n);
		for (size_t n = 0; n < x.len; n++)
			assert_int_equal(
			    program_get(x.data, n, &got, &more, NULL), -1);
	}
	assert_int_equal(got.n, l.n);
	program_list_free(&got);
	program_list_free(&l);
	ops_buf_free(&x);
}

static void
test_tty(void **state)
{
	static const struct {
		uint32_t tty;
		const char *name;
	} rows[] = {
		{ 0, "-" },
		{ 136u << 20 | 300, "pts/300" },
		{ 4u << 20 | 1, "tty1" },
		{ 4u << 20 | 64, "ttyS0" },
		{ 5u << 20 | 1, "console" },
		{ 204u << 20 | 64, "204:64" },
	};
	char name[PROGRAM_TTY_NAME];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		program_tty(rows[i].tty, name);
		assert_string_equal(name, rows[i].name);
	}
}

/* A frame that can't be read: the rest is told, and that it isn't all. */
static void
test_missing(void **state)
{
	struct program_filter f = { 0 };
	struct program_list l;
	struct store *damaged;
	struct memfile *m = mem_find(&b.mem, b.stream[stream].path);

	(void)state;
	m->data[m->len - 20] ^= 1;
	assert_int_equal(store_open(&b.mem.vfs, 0, &damaged, NULL), 0);
	assert_int_equal(program_list_load(damaged, &f, &l, NULL), 0);
	assert_int_equal(l.missing, 1);
	assert_int_equal(l.n, 1);
	program_list_free(&l);
	store_free(damaged);
	m->data[m->len - 20] ^= 1;
}

static bool goes_on;

static uint64_t
capture(enum capture_what what, uint32_t pid, struct event_text how)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_capture e = {
		.what = what, .pid = pid, .how = how, .goes_on = goes_on
	};

	program_capture_put(&body, &e);
	put(REC_CAPTURE, &body);
	return b.now;
}

static void
another_boot(void)
{
	build_seal(&b, true, false);
	b.boot_id[0]++;
	b.wall += b.now;
	b.now = UINT64_C(1000000000);
	b.until_sealed = 0;
	build_boot(&b, BOOT_CLEAN, NULL);
	build_seal(&b, false, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
}

/* Since when and until when, as the list has it: as many as there are holes. */
static struct {
	uint64_t from, until;
} holes_are[4];
static uint64_t holes_wall; /* CLOCK_REALTIME when the first boot began */

/* Runs of capture that ended, and one that did not; between them other streams. */
static int
setup_holes(void **state)
{
	uint64_t wall;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
	capture(CAPTURE_BEGAN, 100, T("tp_btf"));
	holes_wall = b.wall;
	holes_are[0].from = capture(CAPTURE_ENDED, 100, T("tp_btf"));
	stream = build_stream(&b, CLASS_PROGRAMS);
	holes_are[0].until = capture(CAPTURE_BEGAN, 101, T("tp_btf"));
	exec(0, 11, 2100, EVENT_UNSET, T("last\0"), 5, T("/bin/last"), 0);
	holes_are[1].from = b.now;
	/* Accounting alone saw no start; what is imported has another's times. */
	stream = build_stream(&b, CLASS_PROGRAMS);
	capture(CAPTURE_BEGAN, 102, T("acct"));
	accounted(40, 0, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
	accounted(41, 0, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
	holes_are[1].until = capture(CAPTURE_BEGAN, 103, T("raw_tp"));
	goes_on = true; /* another log, and no hole */
	capture(CAPTURE_BEGAN, 103, T("raw_tp"));
	goes_on = false;
	wall = capture(CAPTURE_ENDED, 103, T("raw_tp")) + b.wall;
	/* Two more boots; in the second the process has the same pid. */
	another_boot();
	holes_are[2].until = capture(CAPTURE_BEGAN, 104, T("tp_btf"));
	holes_are[2].from = wall - b.wall;
	exec(0, 11, 2100, EVENT_UNSET, T("last\0"), 5, T("/bin/last"), 0);
	wall = b.now + b.wall;
	another_boot();
	holes_are[3].until = capture(CAPTURE_BEGAN, 104, T("tp_btf"));
	holes_are[3].from = wall - b.wall;
	capture(CAPTURE_ENDED, 104, T("tp_btf"));
	build_seal(&b, false, false);
	build_sync(&b);
	return store_open(&b.mem.vfs, 0, &s, NULL);
}

static void
test_holes(void **state)
{
	struct program_list l = load((struct program_filter){ 0 });
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < l.n; i++)
		if (l.p[i].kind == PROGRAM_LOST) {
			assert_true(n < OPS_ARRAY_LEN(holes_are));
			assert_int_equal(l.p[i].loss.from, holes_are[n].from);
			assert_int_equal(l.p[i].loss.until, holes_are[n].until);
			n++;
		}
	assert_int_equal(n, OPS_ARRAY_LEN(holes_are));
	program_list_free(&l);
}

/* A time that lies within a hole: it is told, though it ended later. */
static void
test_in_hole(void **state)
{
	uint64_t in = holes_wall + holes_are[1].from + 1;
	struct program_list l =
	    load((struct program_filter){ .since = in, .until = in });

	(void)state;
	assert_int_equal(l.n, 1);
	assert_int_equal(l.p[0].kind, PROGRAM_LOST);
	assert_int_equal(l.p[0].loss.until, holes_are[1].until);
	program_list_free(&l);
}

/* Its start was lost, or it ran before: its end tells of it.  What was found
 * running has that end, too. */
static int
setup_unseen(void **state)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_ended e = { .pid = 5,
		.start = 507,
		.status = 0x100,
		.has_who = true,
		.flags = PROGRAM_UNSEEN,
		.uid = 1000,
		.auid = EVENT_UNSET,
		.comm = T("init") };
	struct program_failed f = { .pid = 30,
		.auid = EVENT_UNSET,
		.has_where = true,
		.tty = 136u << 20 | 7,
		.name = T("/nowhere/prog") };

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
	exec(0, 5, 500, EVENT_UNSET, T("init\0"), 5, T("/sbin/init"),
	    PROGRAM_SEEDED);
	program_ended_put(&body, id_of(0), &e);
	put(REC_ENDED, &body);
	/* A run of capture saw it start, the next one found it, and saw its end. */
	exec(0, 8, 50000003, EVENT_UNSET, T("sh\0"), 3, T("/bin/sh"), 0);
	exec(0, 8, 50000000, EVENT_UNSET, T("sh\0"), 3, T("/bin/sh"),
	    PROGRAM_SEEDED);
	ended(8, 50000003, 0, true);
	ended(6, 600, 0, true);
	program_failed_put(&body, id_of(0), &f);
	put(REC_FAILED, &body);
	build_seal(&b, false, false);
	return store_open(&b.mem.vfs, 0, &s, NULL);
}

static void
test_unseen(void **state)
{
	struct program_list l = load((struct program_filter){ .seeded = true });

	(void)state;
	assert_int_equal(l.n, 4);
	assert_true(program_seeded(&l.p[0]) && l.p[0].has_end);
	assert_int_equal(l.p[0].end.status, 0x100);
	assert_int_equal(l.p[1].kind, PROGRAM_ENDED);
	assert_int_equal(l.p[1].exec.flags, PROGRAM_UNSEEN);
	assert_int_equal(l.p[2].exec.pid, 8);
	assert_true(l.p[2].has_end);
	program_list_free(&l);
	expect((struct program_filter){ 0 }, 3, "init");
	expect((struct program_filter){ .source = SOURCE_CAPTURE }, 3, "init");
	expect((struct program_filter){ .failed = true }, 2, "init");
	expect((struct program_filter){ .forks = true }, 4, "init");
	expect((struct program_filter){ .tty = "pts/7" }, 1, "prog");
}

/* The first run's programs have expired: they are not missing. */
static int
set_up_expired(void **state)
{
	struct leaf l = { .type = LEAF_TOMBSTONE };
	struct leaf_tombstone *t = &l.u.tombstone;
	char path[128];

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
	exec(0, 5, 500, EVENT_UNSET, T("old\0"), 4, T("/bin/old"), 0);
	build_seal(&b, false, false);
	memcpy(t->stream, b.stream[stream].id, OPS_ID_LEN);
	t->to = 1;
	t->realtime = b.now + b.wall;
	t->has_rule = true;
	t->class = CLASS_PROGRAMS;
	t->why = TOMBSTONE_EVENTS;
	t->limit = t->age = 1;
	memcpy(path, b.stream[stream].path, sizeof(path));
	build_leaf(&b, &l);
	build_seal(&b, false, false);
	mem_remove(&b.mem, path);
	stream = build_stream(&b, CLASS_PROGRAMS);
	exec(0, 6, 600, EVENT_UNSET, T("new\0"), 4, T("/bin/new"), 0);
	build_seal(&b, false, false);
	return store_open(&b.mem.vfs, 0, &s, NULL);
}

static void
test_expired(void **state)
{
	struct program_list l = load((struct program_filter){ 0 });
	uint64_t until = store_expired_until(s, CLASS_PROGRAMS);

	(void)state;
	assert_int_equal(l.missing, 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.p[0].exec.pid, 6);
	assert_true(until > 0 && until < l.p[0].time);
	assert_int_equal(store_expired_until(s, CLASS_SCREEN), 0);
	assert_int_equal(store_expired_events(s), 1);
	program_list_free(&l);
}

int
main(void)
{
	const struct CMUnitTest expired[] = { cmocka_unit_test(test_expired) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_missing),
	};
	const struct CMUnitTest holes[] = { cmocka_unit_test(test_holes),
		cmocka_unit_test(test_in_hole) };

	const struct CMUnitTest unseen[] = { cmocka_unit_test(test_unseen) };

	return cmocka_run_group_tests(tests, setup, teardown) +
	       cmocka_run_group_tests(holes, setup_holes, teardown) +
	       cmocka_run_group_tests(unseen, setup_unseen, teardown) +
	       cmocka_run_group_tests(expired, set_up_expired, teardown);
}
