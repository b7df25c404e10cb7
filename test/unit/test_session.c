/* Covers: session, session_wire, remarks */
#include "check.h"

#include "store/remarks.h"
#include "store/session.h"
#include "store_build.h"

static struct build b;
static struct store *s;
static struct session_list l;

static int
setup(void **state)
{
	(void)state;
	build_example(&b);
	build_boot(&b, BOOT_CLEAN, NULL);
	build_seal(&b, false, false);
	build_stream(&b, CLASS_SCREEN);
	build_open(&b, 6, 1001, "bob", "pts/3", "make|-j2|all");
	build_output(&b, 6, "cc\r\n");
	build_sync(&b);
	if (store_open(&b.mem.vfs, 0, &s, NULL) < 0)
		return -1;
	return session_list_load(s, NULL, &l, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	session_list_free(&l);
	store_free(s);
	build_free(&b);
	return 0;
}

static void
test_load(void **state)
{
	(void)state;
	assert_int_equal(l.n, 3);
	assert_int_equal(l.s[0].state, SESSION_CLOSED);
	assert_true(l.s[0].sealed);
	assert_memory_equal(l.s[0].id, b.stream[1].id, OPS_ID_LEN);
	assert_memory_equal(l.s[0].open.user.p, "alice", 5);
	assert_true(l.s[0].end > l.s[0].start + 86400ull * 1000000000);
	assert_int_equal(l.s[0].end - l.s[0].start,
	    l.s[0].end_boottime - l.s[0].start_boottime);
	assert_true(l.s[0].last > l.s[0].start && l.s[0].last < l.s[0].end);
	assert_int_equal(l.s[1].state, SESSION_LOST);
	assert_int_equal(l.s[1].bytes_lost, 77);
	assert_int_equal(l.s[1].end, 0);
	assert_int_equal(l.s[2].state, SESSION_ACTIVE);
	assert_false(l.s[2].sealed);
	assert_int_equal(l.s[2].last, b.now + b.wall);
	assert_string_equal(session_state_name(l.s[2].state), "active");
}

static void
test_find(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name, *tty;
		int hit; /* index, or -code */
	} rows[] = {
		{ "last",		NULL,	2 },
		{ "last:alice",		NULL,	0 },
		{ "last:bob",		NULL,	2 },
		{ "last:eve",		NULL,	-OPS_ENOENT },
		{ "pts/3",		NULL,	2 },
		{ "pts/4",		NULL,	1 },
		{ "pts/5",		NULL,	-OPS_ENOENT },
		{ "e",			NULL,	0 },
		{ "eirceirceirceiqb",	NULL,	0 },
		{ "eirceirceirceiqbx",	NULL,	-OPS_ENOENT },
		{ "x",			NULL,	-OPS_ENOENT },
		{ "",			NULL,	-OPS_EUSAGE },
		{ ".",			NULL,	-OPS_ENOENT },
		{ ".",			"pts/9", -OPS_ENOENT },
	};
	/* clang-format on */
	const struct session *hit = NULL;
	struct ops_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc =
		    session_find(&l, rows[i].name, rows[i].tty, &hit, &err);

		if (rows[i].hit >= 0)
			CHECK(rc == 0 && hit == &l.s[rows[i].hit], rows[i].name,
			    err.msg);
		else
			CHECK(rc == -1 && (int)err.code == -rows[i].hit,
			    rows[i].name, err.msg);
	}
	/* two that begin alike */
	l.s[1].id_text[0] = 'e';
	assert_int_equal(session_find(&l, "e", NULL, &hit, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_non_null(strstr(err.msg, "eirceirceirceiqb"));
}

static unsigned
matches_in(struct store *store, struct session_filter f)
{
	struct session_list some = { 0 };
	unsigned bits = 0;

	assert_int_equal(session_list_load(store, &f, &some, NULL), 0);
	for (size_t i = 0; i < some.n; i++)
		for (size_t j = 0; j < l.n; j++)
			if (memcmp(some.s[i].id, l.s[j].id, OPS_ID_LEN) == 0)
				bits |= 1u << j;
	session_list_free(&some);
	return bits;
}

static unsigned
matches(struct session_filter f)
{
	return matches_in(s, f);
}

/* In the store as it has become. */
static unsigned
matches_now(struct session_filter f)
{
	struct store *store;
	unsigned bits;

	assert_int_equal(store_open(&b.mem.vfs, 0, &store, NULL), 0);
	bits = matches_in(store, f);
	store_free(store);
	return bits;
}

static void
test_filter(void **state)
{
	(void)state;
	assert_int_equal(matches((struct session_filter){ 0 }), 7);
	assert_int_equal(
	    matches((struct session_filter){ .has_uid = true, .uid = 1001 }),
	    6);
	assert_int_equal(
	    matches((struct session_filter){ .user = "alice" }), 1);
	assert_int_equal(matches((struct session_filter){ .user = "ali" }), 0);
	assert_int_equal(matches((struct session_filter){ .active = true }), 4);
	assert_int_equal(
	    matches((struct session_filter){ .command = "vim" }), 2);
	assert_int_equal(
	    matches((struct session_filter){ .command = "vim /etc" }), 2);
	assert_int_equal(
	    matches((struct session_filter){ .command = "emacs" }), 0);
	assert_int_equal(
	    matches((struct session_filter){ .since = l.s[2].start }), 4);
	assert_int_equal(
	    matches((struct session_filter){ .until = l.s[0].start }), 1);
	assert_int_equal(
	    matches((struct session_filter){ .since = l.s[0].end }), 5);
	assert_int_equal(matches((struct session_filter){
			     .since = l.s[1].last + 1, .until = l.s[0].end }),
	    1);
}

/* Whoever imported it with sudo is not its owner. */
static void
test_imported(void **state)
{
	const struct session_filter mine = { .has_uid = true, .uid = 1001 };
	struct session imp = l.s[1];
	struct session_list one = { .s = &imp, .n = 1 };

	(void)state;
	session_list_keep(&one, &mine);
	assert_int_equal(one.n, 1);
	imp.open.import = (struct event_text){ (const uint8_t *)"i", 1 };
	session_list_keep(&one, &mine);
	assert_int_equal(one.n, 0);
}

static void
test_bytes(void **state)
{
	struct session_list got = { 0 };
	struct ops_buf x = { .max = 65536 }, y = { .max = 65536 };

	(void)state;
	for (size_t i = 0; i < l.n; i++) {
		ops_buf_reset(&x);
		session_put(&x, &l.s[i]);
		assert_false(x.failed);
		for (size_t n = 0; n < x.len; n++)
			assert_int_equal(
			    session_get(x.data, n, &got, NULL), -1);
		assert_int_equal(session_get(x.data, x.len, &got, NULL), 0);
		assert_int_equal(got.n, i + 1);
		assert_string_equal(got.s[i].id_text, l.s[i].id_text);
		assert_int_equal(got.s[i].state, l.s[i].state);
		assert_int_equal(got.s[i].has_close, l.s[i].has_close);
		ops_buf_reset(&y);
		session_put(&y, &got.s[i]);
		assert_int_equal(x.len, y.len);
		assert_memory_equal(x.data, y.data, x.len);
	}
	ops_buf_put8(&x, 0);
	assert_int_equal(session_get(x.data, x.len, &got, NULL), -1);
	assert_int_equal(got.n, l.n);
	session_list_free(&got);
	ops_buf_free(&x);
	ops_buf_free(&y);
}

/* Events that can't be read: what they told of isn't there, which is said, and
 * nothing is made up for it. */
static void
test_missing(void **state)
{
	struct session_list damaged = { 0 };
	struct store *store;
	struct memfile *f;
	size_t first = 0;

	(void)state;
	assert_int_equal(l.missing.frames, 0);
	assert_int_equal(l.missing.of, 3);
	/* the end of the second day: alice's session ended there */
	f = mem_find(&b.mem, b.stream[4].path);
	f->data[f->len - 20] ^= 1;
	assert_int_equal(store_open(&b.mem.vfs, 0, &store, NULL), 0);
	assert_int_equal(session_list_load(store, NULL, &damaged, NULL), 0);
	assert_int_equal(damaged.n, 3);
	assert_int_equal(damaged.missing.frames, 1);
	assert_int_equal(damaged.missing.of, 3);
	assert_non_null(strstr(damaged.missing.why, "does not match"));
	assert_int_equal(damaged.s[0].state, SESSION_DAMAGED);
	assert_int_equal(damaged.s[0].end, 0);
	assert_string_equal(session_state_name(damaged.s[0].state), "damaged");
	/* no CLOSE leaf speaks of an end that would be missing here */
	assert_int_equal(damaged.s[2].state, SESSION_ACTIVE);
	session_list_free(&damaged);
	assert_int_equal(
	    session_list_load(store, &(struct session_filter){ .active = true },
		&damaged, NULL),
	    0);
	assert_int_equal(damaged.n, 1);
	session_list_free(&damaged);
	store_free(store);
	/* all of them gone */
	while (first < b.mem.n)
		if (strncmp(b.mem.file[first].path, "data/events/", 12) == 0)
			mem_remove(&b.mem, b.mem.file[first].path);
		else
			first++;
	assert_int_equal(store_open(&b.mem.vfs, 0, &store, NULL), 0);
	assert_int_equal(session_list_load(store, NULL, &damaged, NULL), 0);
	assert_int_equal(damaged.missing.frames, damaged.missing.of);
	session_list_free(&damaged);
	store_free(store);
}

/* Sessions before and after a login of the same audit session are its; those of
 * another kernel boot aren't. */
static void
test_logins(void **state)
{
	struct session_list got = { 0 }, back = { 0 };
	struct login_way alice = { .ses = 7 }, bob = { .ses = 8 };
	struct session_filter f = { .person = "Alice A." };
	struct ops_buf x = { .max = 65536 };
	struct store *store;

	(void)state;
	build_login(&b, 7, "Alice A.");
	build_login(&b, 8, "Bob");
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &store, NULL), 0);
	memcpy(alice.boot, b.boot_id, sizeof(alice.boot));
	memcpy(bob.boot, b.boot_id, sizeof(bob.boot));
	assert_int_equal(session_list_load(store, NULL, &got, NULL), 0);
	assert_int_equal(got.logins.n, 2);
	for (size_t i = 0; i < got.n; i++) {
		assert_true(got.s[i].has_login);
		assert_true(login_is_person(&got.s[i].login, "Alice A."));
	}
	got.s[0].has_connection = true;
	got.s[0].connection_in = 12;
	got.s[0].connection_out = UINT64_MAX;
	session_put(&x, &got.s[0]);
	assert_int_equal(session_get(x.data, x.len, &back, NULL), 0);
	assert_true(back.s[0].has_connection);
	assert_int_equal(back.s[0].connection_in, 12);
	assert_int_equal(back.s[0].connection_out, UINT64_MAX);
	assert_int_equal(session_person(&back.s[0]).n, 8);
	assert_memory_equal(session_person(&back.s[0]).p, "Alice A.", 8);
	ops_buf_free(&x);
	session_list_free(&back);
	session_list_free(&got);
	store_free(store);

	assert_int_equal(matches_now(f), 7);
	f.person = "Bob";
	assert_int_equal(matches_now(f), 0);
	f.person = "-";
	assert_int_equal(matches_now(f), 0);
	f.person = NULL;
	f.reader = &alice;
	assert_int_equal(matches_now(f), 7);
	f.reader = &bob;
	assert_int_equal(matches_now(f), 0);
	bob.ses = 9;
	assert_int_equal(matches_now(f), 0);
	alice.boot[0] ^= 1;
	f.reader = &alice;
	assert_int_equal(matches_now(f), 0);
}

/* What was said of a session is told with it, and found; the notes are its own. */
static void
test_remarks(void **state)
{
	size_t mine[3];
	struct session_filter f = { .note = "CHG-7" };
	struct remark_list notes = { 0 };
	struct session_list got = { 0 };
	struct store *store;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		mine[i] = build_stream(&b, CLASS_SCREEN);
		build_open(&b, mine[i], 1000, "eva", "pts/1", NULL);
	}
	build_remark(&b, mine[0], REMARK_REASON, "see CHG-7");
	build_remark(&b, mine[1], REMARK_REASON, NULL);
	build_remark(&b, mine[1], REMARK_NOTE, "for CHG-71");
	build_remark(&b, mine[0], REMARK_NOTE, "done");
	build_remark(&b, mine[1], REMARK_NOTE, "done, too");
	build_frames(&b);
	build_seal(&b, false, false);
	build_checkpoint(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &store, NULL), 0);
	assert_int_equal(session_list_load(store, NULL, &got, NULL), 0);
	for (size_t i = 0; i < got.n; i++) {
		const struct session *x = &got.s[i];
		bool first =
		    memcmp(x->id, b.stream[mine[0]].id, OPS_ID_LEN) == 0;
		bool second =
		    memcmp(x->id, b.stream[mine[1]].id, OPS_ID_LEN) == 0;

		assert_int_equal(x->asked, first || second);
		assert_int_equal(x->reason.n, first ? 9 : 0);
		assert_int_equal(x->notes, first ? 1 : second ? 2 : 0);
	}
	session_list_free(&got);
	assert_int_equal(session_list_load(store, &f, &got, NULL), 0);
	assert_int_equal(got.n, 2);
	session_list_free(&got);
	f.note_marks = true;
	assert_int_equal(session_list_load(store, &f, &got, NULL), 0);
	assert_true(got.n > 2);
	session_list_free(&got);
	assert_int_equal(
	    remark_list_load(store, b.stream[mine[1]].id, &notes, NULL), 0);
	assert_int_equal(notes.n, 3);
	assert_int_equal(notes.missing, 0);
	assert_null(notes.r[0].r.text.p);
	assert_memory_equal(notes.r[1].r.text.p, "for CHG-71", 10);
	assert_memory_equal(notes.r[2].r.text.p, "done, too", 9);
	assert_true(notes.r[0].time <= notes.r[1].time && notes.r[1].sealed);
	remark_list_free(&notes);
	store_free(store);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_load),
		T(test_find),
		T(test_filter),
		T(test_imported),
		T(test_bytes),
		T(test_logins),
		T(test_remarks),
		T(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
