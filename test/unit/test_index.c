/*
 * With the index and without it a list is the same: of a store as it grows, by
 * many filters, with an index that is behind, damaged, or made by somebody who
 * means harm.
 *
 * What happens is thrown: always the same, and with OPSEAL_SEED=N something else.
 *
 * Covers: indexdb, indexer, lead, lookup, pick, position, rows, whose
 */
#include "check.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index/indexdb.h"
#include "index/indexer.h"
#include "index/lookup.h"
#include "record/acct.h"
#include "record/record.h"
#include "store/programs.h"
#include "traffic.h"

#define SECOND UINT64_C(1000000000)
/* more than an index keeps as it is */
/* clang-format off */
#define LONG_NAME "a-name-of-many-letters-a-name-of-many-letters-a-name-of-many-letters"
/* clang-format on */

static struct build b;
static struct traffic t = { .b = &b };
static char dir[64];
static struct indexer *x;

static uint32_t throw(uint32_t sides)
{
	return traffic_throw(&t, sides);
}

/* -- the same? -- */

static void
same_program(const struct program *p, const struct program *q)
{
	struct ops_buf one = { .max = 65536 }, two = { .max = 65536 };

	program_put(&one, p);
	program_put(&two, q);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	assert_int_equal(p->record, q->record);
	assert_int_equal(p->stream, q->stream);
	assert_int_equal(p->exec.args.n, q->exec.args.n);
	if (p->exec.args.n > 0)
		assert_memory_equal(
		    p->exec.args.p, q->exec.args.p, p->exec.args.n);
	ops_buf_free(&one);
	ops_buf_free(&two);
}

/* Was the index used? */
static bool
same_list(struct store *s, const struct program_filter *f)
{
	struct program_list with, without;
	struct ops_err why = { 0 }, err = { 0 };
	bool used;

	assert_int_equal(program_list_load(s, f, &without, &err), 0);
	assert_int_equal(
	    lookup_programs(dir, &b.mem.vfs, f, &with, &used, &why, &err), 0);
	assert_int_equal(with.n, without.n);
	assert_int_equal(with.missing, without.missing);
	for (size_t i = 0; i < with.n; i++)
		same_program(&with.p[i], &without.p[i]);
	program_list_free(&with);
	program_list_free(&without);
	return used;
}

/* By the login of ann, of bob, of nobody. */
static struct login_way readers[3] = { { .ses = 7 }, { .ses = 8 },
	{ .ses = EVENT_UNSET } };

static struct program_filter
any_filter(void)
{
	static const char *const names[] = { "a", "b", "run", "", "called",
		"forked", LONG_NAME, "acct" };
	static const char *const exe[] = { "*", "/usr/*", "/tmp/*", "" };
	static const char *const persons[] = { "ann", "bob", "-", "eve" };
	struct program_filter f = { .forks = throw(2) == 0,
		.newest = throw(3) == 0 ? 0 : 1 + throw(30) };

	if (throw(3) == 0)
		f.name = names[throw(8)];
	if (throw(5) == 0)
		f.exe = exe[throw(4)];
	if (throw(5) == 0)
		f.tty = throw(2) == 0 ? "pts/7" : "-";
	f.failed = throw(4) == 0;
	f.has_login = throw(4) == 0;
	f.login = 1000 + throw(3);
	f.has_euid = throw(6) == 0;
	f.euid = throw(2) == 0 ? 0 : 1000;
	f.has_owner = throw(4) == 0;
	f.owner = 1000 + throw(3);
	f.has_session = throw(5) == 0;
	memcpy(
	    f.session, b.stream[t.session[throw(t.sessions)]].id, OPS_ID_LEN);
	f.coverage = throw(8) == 0;
	f.seeded = throw(12) == 0;
	if (throw(3) == 0)
		f.source = throw(4);
	if (throw(6) == 0)
		f.since = b.now + b.wall - throw(200) * 1000000;
	if (throw(6) == 0)
		f.until = b.now + b.wall - throw(200) * 1000000;
	if (throw(5) == 0)
		f.person = persons[throw(4)];
	if (throw(5) == 0)
		f.reader = &readers[throw(3)];
	return f;
}

/* How many of so many filters went by way of the index. */
static int
compare(int filters)
{
	struct store *s;
	int used = 0;

	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	for (int i = 0; i < filters; i++) {
		struct program_filter f = any_filter();

		used += same_list(s, &f);
	}
	store_free(s);
	return used;
}

static int anew; /* how often it was begun anew */

static void
count_anew(void *arg, const char *why)
{
	(void)arg, (void)why;
	anew++;
}

static void
update(void)
{
	const struct indexer_calls calls = { .anew = count_anew };
	struct ops_err err = { 0 };

	CHECK(indexer_update(x, &b.mem.vfs, &calls, &err) == 0, "update",
	    err.msg);
}

/* -- a store and its index -- */

static int
setup(void **state)
{
	const char *seed = getenv("OPSEAL_SEED");

	(void)state;
	t.dice = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	memset(t.running, 0, sizeof(t.running));
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	/* Ann's, bob's, and one of an audit session without a login. */
	t.sessions = 0;
	traffic_open_session(&t, 7);
	traffic_open_session(&t, 8);
	traffic_open_session(&t, 11);
	build_login(&b, 7, "ann");
	build_login(&b, 8, "bob");
	build_login(&b, 9, NULL);
	for (size_t i = 0; i < OPS_ARRAY_LEN(readers); i++)
		memcpy(readers[i].boot, b.boot_id, sizeof(readers[i].boot));
	t.stream = build_stream(&b, CLASS_PROGRAMS);
	t.imports = TRAFFIC_NO_STREAM;
	snprintf(dir, sizeof(dir), "/tmp/opseal-index-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return indexer_new(dir, &x, NULL);
}

static int
teardown(void **state)
{
	char path[96];

	(void)state;
	(void)indexer_forget(x, NULL);
	indexer_free(x);
	snprintf(path, sizeof(path), "%s/index/lock", dir);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/index", dir);
	(void)rmdir(path);
	(void)rmdir(dir);
	build_free(&b);
	return 0;
}

static void
test_grows(void **state)
{
	int used = 0;

	(void)state;
	assert_int_equal(compare(3), 0); /* there is none */
	for (int i = 0; i < 40; i++) {
		traffic_happen(&t, 10 + (int) throw(20));
		if (throw(3) != 0)
			build_seal(&b, false, false);
		build_sync(&b);
		if (throw(2) == 0)
			update();
		used += compare(25);
		if (i % 5 == 4)
			traffic_next_run(&t);
		if (i == 22)
			traffic_next_boot(&t);
	}
	assert_true(used > 300);
}

/* How many of what a filter asks for. */
static size_t
count(struct store *s, const struct program_filter *f, enum program_kind kind)
{
	struct program_list l;
	size_t n = 0;

	assert_int_equal(program_list_load(s, f, &l, NULL), 0);
	for (size_t i = 0; i < l.n; i++)
		n += l.p[i].kind == kind;
	program_list_free(&l);
	return n;
}

/* Each kind is there, and is found by the index as without it. */
static void
test_kinds(void **state)
{
	const struct program_filter coverage = { .coverage = true };
	const struct program_filter acct = { .source = SOURCE_ACCT,
		.forks = true };
	const struct program_filter import = { .source = SOURCE_IMPORT,
		.forks = true };
	struct program_filter in = { .has_session = true };
	struct store *s;

	(void)state;
	for (int i = 0; i < 6; i++) {
		traffic_grow(&t, 8);
		traffic_next_run(&t);
	}
	build_seal(&b, false, false);
	update();
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(count(s, &coverage, PROGRAM_COVERAGE) > 5);
	assert_true(count(s, &coverage, PROGRAM_LOST) > 5);
	assert_true(count(s, &acct, PROGRAM_ACCOUNTED) > 20);
	assert_true(count(s, &import, PROGRAM_ACCOUNTED) > 5);
	assert_true(same_list(s, &coverage));
	assert_true(same_list(s, &acct));
	assert_true(same_list(s, &import));
	for (int i = 0; i < 3; i++) {
		memcpy(in.session, b.stream[t.session[i]].id, OPS_ID_LEN);
		assert_true(same_list(s, &in));
	}
	memset(in.session, 0x77, OPS_ID_LEN); /* as another only */
	assert_true(count(s, &in, PROGRAM_RAN) > 0);
	assert_true(same_list(s, &in));
	store_free(s);
}

/* What was lost isn't counted, however much of it there is. */
static void
test_losses(void **state)
{
	struct program_filter f = { .name = "a", .newest = 2 };
	struct program_loss l = { .from = 1, .until = 2, .execs = 5 };
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct store *s;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		struct program_exec e = { .pid = 100 + i,
			.start = b.now,
			.auid = EVENT_UNSET,
			.ses = EVENT_UNSET,
			.comm = traffic_text("comm"),
			.exe =
			    traffic_text(i % 10 == 0 ? "/bin/a" : "/bin/b") };

		b.now += SECOND;
		if (i % 2 == 0) {
			program_exec_put(&body, traffic_any_session(&t), &e);
			traffic_put(&t, REC_EXEC, &body);
		} else {
			program_loss_put(&body, &l);
			traffic_put(&t, REC_LOSS, &body);
		}
	}
	build_seal(&b, false, false);
	update();
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &f));
	assert_int_equal(count(s, &f, PROGRAM_RAN), 2);
	assert_int_equal(count(s, &f, PROGRAM_LOST), 10); /* since number 20 */
	f.newest = 4; /* as many as there are */
	assert_true(same_list(s, &f));
	assert_int_equal(count(s, &f, PROGRAM_RAN), 4);
	assert_int_equal(count(s, &f, PROGRAM_LOST), 20);
	f.name = "no";
	assert_true(same_list(s, &f));
	assert_int_equal(count(s, &f, PROGRAM_LOST), 20);
	store_free(s);
}

/* Behind the index: a hole that begins in it, and an end that may be in it. */
static void
test_behind(void **state)
{
	struct program_filter lost = { .newest = 1000 };
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_ended e = { .pid = 11, .start = 1 };
	struct program_accounted a = { .pid = 11, .uid = 1000 };
	struct store *s;
	size_t holes, ends;

	(void)state;
	traffic_capture(&t, 7);
	e.start = b.now;
	program_ended_put(&body, b.stream[t.session[0]].id, &e);
	traffic_put(&t, REC_ENDED, &body);
	build_seal(&b, false, false);
	update();
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &lost));
	holes = count(s, &lost, PROGRAM_LOST);
	ends = count(s, &lost, PROGRAM_ACCOUNTED);
	store_free(s);

	traffic_capture(&t, 8);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &lost));
	assert_int_equal(count(s, &lost, PROGRAM_LOST), holes + 1);
	store_free(s);

	/* Which of a pid's ends are known is asked of the index. */
	program_accounted_put(&body, &a);
	traffic_put(&t, REC_ACCOUNTED, &body);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &lost));
	store_free(s);
	a.pid = 12;
	a.unsure = true;
	program_accounted_put(&body, &a);
	traffic_put(&t, REC_ACCOUNTED, &body);
	a.pid = 11;
	program_accounted_put(&body, &a);
	traffic_put(&t, REC_ACCOUNTED, &body);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &lost));
	assert_int_equal(count(s, &lost, PROGRAM_ACCOUNTED), ends + 2);
	store_free(s);
	build_seal(&b, false, false);
	update();
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &lost));
	store_free(s);
}

/* Accounting told of an end first, which is in the index; capture does behind it. */
static void
test_told_late(void **state)
{
	const struct program_filter newest = { .newest = 1000 };
	const struct program_filter acct = { .source = SOURCE_ACCT };
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct program_accounted a = { .pid = 13, .uid = 1000 };
	struct program_ended e = { .pid = 13 };
	struct store *s;

	(void)state;
	traffic_capture(&t, 7);
	e.start = b.now;
	a.began = (b.now + b.wall) / SECOND;
	program_accounted_put(&body, &a);
	traffic_put(&t, REC_ACCOUNTED, &body);
	a.pid = 14;
	program_accounted_put(&body, &a);
	traffic_put(&t, REC_ACCOUNTED, &body);
	build_seal(&b, false, false);
	update();
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(count(s, &acct, PROGRAM_ACCOUNTED), 2);
	assert_true(same_list(s, &acct));
	store_free(s);

	program_ended_put(&body, b.stream[t.session[0]].id, &e);
	traffic_put(&t, REC_ENDED, &body);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(count(s, &acct, PROGRAM_ACCOUNTED), 1);
	assert_true(same_list(s, &acct));
	assert_false(same_list(s, &newest)); /* it has one too few */
	store_free(s);
	build_seal(&b, false, false);
	update();
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_true(same_list(s, &acct));
	assert_true(same_list(s, &newest));
	store_free(s);

	/* And the other way round: sure, but told of already. */
	a.pid = 13;
	program_accounted_put(&body, &a);
	traffic_put(&t, REC_ACCOUNTED, &body);
	build_sync(&b);
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(count(s, &acct, PROGRAM_ACCOUNTED), 1);
	assert_true(same_list(s, &acct));
	store_free(s);
}

/* Before and after: the same process may end in another run. */
static void
test_older_stream(void **state)
{
	size_t older = t.stream;

	(void)state;
	traffic_grow(&t, 2);
	build_seal(&b, false, false);
	t.stream = build_stream(&b, CLASS_PROGRAMS);
	traffic_grow(&t, 2);
	build_seal(&b, false, false);
	update();
	assert_true(compare(30) > 20);
	t.stream = older;
	traffic_happen(&t, 5);
	build_seal(&b, false, false);
	assert_int_equal(compare(30), 0); /* out of order: not by the index */
	update();
}

static bool
said(bool (*about)(const struct program_list *l))
{
	const struct program_filter f = { .newest = 100000, .forks = true };
	struct program_list l;
	bool used, so;

	assert_int_equal(
	    lookup_programs(dir, &b.mem.vfs, &f, &l, &used, NULL, NULL), 0);
	so = about(&l);
	program_list_free(&l);
	return used && so;
}

static bool
has_imported(const struct program_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (program_imported(&l->p[i]))
			return true;
	return false;
}

/* Beside a stream of capture's that goes on and is never sealed to its end. */
static void
test_imported(void **state)
{
	(void)state;
	traffic_capture(&t, 100);
	traffic_exec(&t, 1);
	build_seal(&b, false, false);
	anew = 0;
	for (int i = 0; i < 5; i++) {
		traffic_exec(&t, 2);
		traffic_accounted(&t, true);
		build_seal(&b, false, false);
		traffic_exec(&t, 3);
		build_sync(&b);
		update();
		assert_true(compare(20) > 10);
		assert_true(said(has_imported));
	}
	assert_int_equal(anew, 0);
}

/* A program that came before the OPEN of its session was told of without it. */
static void
test_open_comes_late(void **state)
{
	static const uint8_t late[OPS_ID_LEN] = { 0x1a };
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	const struct program_exec e = { .pid = 7,
		.start = 70,
		.auid = EVENT_UNSET,
		.joined = JOINED_TTY,
		.comm = traffic_text("a"),
		.exe = traffic_text("/usr/bin/a") };
	const struct event_open o = { .kind = SESSION_TERMINAL,
		.uid = 1001,
		.auid = EVENT_UNSET,
		.user = traffic_text("late") };

	(void)state;
	program_exec_put(&body, late, &e);
	traffic_put(&t, REC_EXEC, &body);
	build_seal(&b, false, false);
	update();
	anew = 0;
	update();
	assert_int_equal(anew, 0);
	assert_true(compare(20) > 10);
	event_open_put(&body, late, &o);
	build_record(&b, b.events, REC_SESSION_OPEN, body.data, body.len);
	ops_buf_free(&body);
	build_seal(&b, false, false);
	assert_int_equal(compare(20), 0);
	update();
	assert_int_equal(anew, 1);
	assert_true(compare(20) > 10);
}

static void
change(const char *sql)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/index/programs.sqlite", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql,
	    sqlite3_errmsg(db));
	if (strncmp(sql, "UPDATE", 6) == 0)
		CHECK(sqlite3_changes(db) > 0, sql, "changes nothing");
	sqlite3_close(db);
}

/* By way of the index each program that is shown is one that is there, as it is, and
 * none is shown twice.  One that is there may be left out: doc/design/index.md. */
static void
only_truth(struct store *s, struct program_filter f)
{
	struct program_list with, without;
	struct ops_err why = { 0 }, err = { 0 };
	size_t at = 0;
	bool used;

	assert_int_equal(
	    lookup_programs(dir, &b.mem.vfs, &f, &with, &used, &why, &err), 0);
	/* In the place of a newer one that is left out an older one is shown. */
	f.newest = 0;
	assert_int_equal(program_list_load(s, &f, &without, &err), 0);
	for (size_t i = 0; i < with.n; i++, at++) {
		while (at < without.n &&
		       (without.p[at].record != with.p[i].record ||
			   without.p[at].stream != with.p[i].stream ||
			   without.p[at].kind != with.p[i].kind))
			at++;
		assert_true(at < without.n);
		same_program(&with.p[i], &without.p[at]);
	}
	program_list_free(&with);
	program_list_free(&without);
}

/*
 * Whatever it says, nothing is shown that isn't so; and where it says something else
 * of all programs than their records do, that is noticed, and it isn't used.
 */
static void
test_lies(void **state)
{
	static const char *const lies[] = {
		"UPDATE program SET start_at = start_at + 1",
		"UPDATE program SET start_at = 5",
		"UPDATE program SET start_at = -1",
		"UPDATE program SET stream = 9",
		"UPDATE program SET end_at = end_at + 1",
		"UPDATE program SET end_at = start_at",
		"UPDATE program SET next_at = 1, next_stream = 1",
		"UPDATE program SET time = time + 1",
		"UPDATE program SET failed = 1 - failed",
		"UPDATE program SET login = 1000 WHERE login <> 1000",
		"UPDATE process SET program = program + 1",
		"UPDATE process SET start = start + 1",
		"UPDATE stream SET next = next + 100000",
		"UPDATE stream SET stream = x'00'",
		"UPDATE state SET origin = x'00'",
		"UPDATE state SET last = last + 1, unended = 1",
		"UPDATE state SET last_at = last_at + 100000",
		("UPDATE program SET hole_at = start_at, hole_stream = stream "
		 "WHERE kind = 3"),
		"UPDATE program SET hole_stream = NULL",
		("UPDATE program SET hole_at = start_at, hole_stream = stream "
		 "WHERE kind = 1"),
		"UPDATE state SET unsynced = 'another boot'",
		("UPDATE session SET session = x'0102' WHERE commands > 0 AND "
		 "id = (SELECT max(id) FROM session WHERE commands > 0)"),
		("CREATE TRIGGER t AFTER INSERT ON program BEGIN DELETE FROM "
		 "program; END"),
		"CREATE VIEW v AS SELECT 1",
		"DROP TABLE called",
		"PRAGMA user_version = 1000",
	};

	(void)state;
	traffic_capture(&t, 500);
	traffic_capture(&t, 501); /* a hole */
	traffic_grow(&t, 8);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct store *s;
		const struct program_filter all = { .newest = 1000,
			.forks = true };

		assert_int_equal(indexer_forget(x, NULL), 0);
		update();
		assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
		assert_true(same_list(s, &all));
		change(lies[i]);
		CHECK(!same_list(s, &all) || strstr(lies[i], "login") != NULL ||
			  strstr(lies[i], "process") != NULL,
		    lies[i], "it is believed");
		/* Whose end it is that isn't indexed yet is looked up there. */
		for (int j = 0; strstr(lies[i], "process") == NULL && j < 20;
		     j++)
			only_truth(s, any_filter());
		store_free(s);
	}
}

/* The names that a program's row keeps until it ends: those that are not ours, and
 * the program then fails, are damage. */
static void
test_kept_names(void **state)
{
	static const char *const damaged[] = {
		"x'ff'",                             /* too long a name */
		"x'0461'",                           /* one that is cut */
		"x'016101610161'||x'0161'",          /* too many */
		"CAST(zeroblob(60000) AS BLOB)",     /* empty ones */
		"CAST(CAST(names AS TEXT) AS BLOB)", /* the same ones */
	};
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	char sql[128];

	(void)state;
	for (uint32_t i = 0; i < OPS_ARRAY_LEN(damaged); i++) {
		const struct program_exec e = { .pid = 90000 + i,
			.start = 90000 + i,
			.auid = 1000,
			.comm = traffic_text("a"),
			.filename = traffic_text("/bin/run"),
			.exe = traffic_text("/usr/bin/a") };
		const struct program_ended ended = {
			.pid = e.pid, .start = e.start, .status = 256
		};
		bool ours = i + 1 == OPS_ARRAY_LEN(damaged);

		program_exec_put(&body, b.stream[t.session[0]].id, &e);
		traffic_put(&t, REC_EXEC, &body);
		build_seal(&b, false, false);
		update();
		(void)snprintf(sql, sizeof(sql),
		    "UPDATE program SET names = %s WHERE names IS NOT NULL",
		    damaged[i]);
		change(sql);
		program_ended_put(&body, b.stream[t.session[0]].id, &ended);
		traffic_put(&t, REC_ENDED, &body);
		build_seal(&b, false, false);
		anew = 0;
		update();
		CHECK(anew == (ours ? 0 : 1), damaged[i], "begun anew");
		assert_true(compare(20) > 10);
	}
}

/* Bytes of the file: the index is made anew, and until then not used. */
static void
test_damage(void **state)
{
	char path[96];

	(void)state;
	traffic_grow(&t, 8);
	update();
	assert_true(compare(20) > 10);
	snprintf(path, sizeof(path), "%s/index/programs.sqlite", dir);
	for (int i = 0; i < 20; i++) {
		FILE *f = fopen(path, "r+");

		assert_non_null(f);
		assert_int_equal(fseek(f, (long)i * 4096, SEEK_SET), 0);
		assert_true(
		    fwrite("nonsense nonsense nonsense", 1, 26, f) == 26);
		fclose(f);
		(void)compare(10);
		if (i == 0) { /* its header: seen at once */
			assert_int_equal(compare(5), 0);
			update();
			assert_true(compare(20) > 10);
		}
	}
	assert_int_equal(truncate(path, 5000), 0);
	assert_int_equal(compare(5), 0);
	update();
	assert_true(compare(20) > 10);
}

static bool
stop_at_once(void *arg, uint64_t done, uint64_t of)
{
	(void)arg, (void)done, (void)of;
	return false;
}

/* 0: ann; 1: bob; 2: nobody known. */
static size_t
whose(const struct program *p)
{
	for (size_t i = 0; i < 2; i++)
		if (memcmp(p->session, b.stream[t.session[i]].id, OPS_ID_LEN) ==
		    0)
			return i;
	if (p->exec.ses == 7)
		return 0;
	return p->exec.ses == 8 ? 1 : 2;
}

/* What is of a person, and what may be read by whom, from the records and by
 * way of the index. */
static void
test_persons(void **state)
{
	/* clang-format off */
	static const struct {
		const char *person;
		int reader; /* place in readers; -1: all may be read */
		bool ann, bob, nobody; /* what may be in it */
	} rows[] = {
		{ "ann", -1, true, false, false },
		{ "bob", -1, false, true, false },
		{ "-",	 -1, false, false, true },
		{ "eve", -1, false, false, false },
		{ NULL,	  0, true, false, true },
		{ NULL,	  1, false, true, true },
		{ NULL,	  2, false, false, true },
		{ "ann",  1, false, false, false },
	};
	/* clang-format on */
	struct program_list l;
	struct store *s;

	(void)state;
	traffic_grow(&t, 12);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
		for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
			struct program_filter f = { .person = rows[i].person,
				.reader = rows[i].reader >= 0
					      ? &readers[rows[i].reader]
					      : NULL,
				.has_euid = true,
				.euid = 1000 };
			size_t n[3] = { 0 };

			assert_int_equal(same_list(s, &f), turn == 1);
			assert_int_equal(program_list_load(s, &f, &l, NULL), 0);
			for (size_t j = 0; j < l.n; j++)
				if (l.p[j].kind == PROGRAM_RAN)
					n[whose(&l.p[j])]++;
			CHECK((n[0] > 0) == rows[i].ann, "rows", "ann's");
			CHECK((n[1] > 0) == rows[i].bob, "rows", "bob's");
			CHECK((n[2] > 0) == rows[i].nobody, "rows", "others");
			program_list_free(&l);
		}
		store_free(s);
		update();
	}
}

/* More sessions of each than are asked for by themselves; of kinds that aren't wanted
 * there is more than of others. */
static void
test_many_sessions(void **state)
{
	static const char *const persons[] = { "ann", "bob", "-", "eve" };
	size_t used = 0;

	(void)state;
	while (t.sessions < TRAFFIC_SESSIONS)
		traffic_open_session(&t, t.sessions % 3 == 0   ? 7
					 : t.sessions % 3 == 1 ? 8
							       : 11);
	for (int i = 0; i < 8; i++) {
		struct store *s;

		traffic_grow(&t, 3);
		for (uint32_t n = 0; n < 100; n++)
			traffic_end(&t, n % TRAFFIC_RUNNING, true);
		traffic_grow(&t, 1);
		update();
		assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
		for (uint32_t n = 0; n < 40; n++) {
			struct program_filter f = { .newest = n,
				.forks = n % 4 == 1,
				.person = n % 3 == 0 ? NULL : persons[throw(4)],
				.reader =
				    n % 3 == 1 ? NULL : &readers[throw(3)],
				.has_login = n % 8 == 7,
				.login = 1000 + throw(3) };

			used += same_list(s, &f);
		}
		used += (size_t)compare(20);
		store_free(s);
	}
	assert_true(used > 200);
}

/* Commands of each session, as counted by who reads all. */
static void
test_commands(void **state)
{
	struct session_list l;
	struct program_list all;
	const struct program_filter f = { 0 };
	const struct session_filter counted = { .commands = true };
	struct store *s;

	(void)state;
	traffic_grow(&t, 5);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
		assert_int_equal(
		    lookup_sessions(dir, &b.mem.vfs, &counted, &l, NULL), 0);
		assert_int_equal(program_list_load(s, &f, &all, NULL), 0);
		for (size_t j = 0; j < l.n; j++) {
			uint32_t n = 0;

			for (size_t k = 0; k < all.n; k++)
				if (memcmp(all.p[k].session, l.s[j].id,
					OPS_ID_LEN) == 0 &&
				    all.p[k].number > n)
					n = all.p[k].number;
			/* without the index, too, as there are few */
			assert_int_equal(l.s[j].has_commands, n > 0);
			assert_int_equal(l.s[j].commands, n);
		}
		program_list_free(&all);
		session_list_free(&l);
		store_free(s);
		update();
		traffic_happen(&t, 5);
		build_sync(&b);
	}
}

static void
test_stop_and_lock(void **state)
{
	const struct indexer_calls stop = { .goes_on = stop_at_once };
	struct indexer *second;
	struct ops_err err = { 0 };

	(void)state;
	traffic_grow(&t, 3);
	assert_int_equal(indexer_update(x, &b.mem.vfs, &stop, NULL), 0);
	(void)compare(10);
	assert_int_equal(indexer_new(dir, &second, &err), -1);
	assert_int_equal(err.code, OPS_EBUSY);
	assert_false(indexer_is_asked(dir));
	assert_int_equal(indexer_ask(dir, NULL), 0);
	assert_true(indexer_is_asked(dir));
	assert_int_equal(indexer_answer(dir, NULL), 0);
	assert_false(indexer_is_asked(dir));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_told_late, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_older_stream, setup, teardown),
		cmocka_unit_test_setup_teardown(test_imported, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_open_comes_late, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_kept_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_persons, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_many_sessions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_stop_and_lock, setup, teardown),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
