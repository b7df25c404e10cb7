/*
 * An index that somebody made who means harm: whoever opens it reads or writes
 * nothing but it, is done soon, and shows what is shown without it.
 *
 * Covers: guard
 */
#include "check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "index/guard.h"
#include "index/indexdb.h"
#include "index/indexer.h"
#include "index/lookup.h"
#include "record/record.h"
#include "store/programs.h"
#include "store_build.h"

#define SOON 60 /* seconds, also on a machine that has much to do */
#define PAGE 4096
#define LEVELS 16 /* SQLite goes down 20 at most */
#define PROGRAMS 60

static struct build b;
static char dir[64];
static struct indexer *x;
static size_t stream;
static int anew; /* how often it was begun anew */

static const struct program_filter all = { .newest = 1000, .forks = true };
static const struct program_filter filters[] = {
	{ .newest = 1000, .forks = true },
	{ .name = "cc" },
	{ .name = "cc", .has_owner = true, .owner = 77, .failed = true },
	{ .exe = "*nothing*" },
	{ .tty = "pts/99" },
	{ .failed = true },
	{ .has_login = true, .login = 1000 },
};

static char *
path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

#define INDEX path_of("index/programs.sqlite")
#define JOURNAL path_of("index/programs.sqlite-journal")

/* -- the same as without it -- */

static void
same_list(const struct program_list *with, const struct program_list *without)
{
	assert_int_equal(with->n, without->n);
	for (size_t i = 0; i < with->n; i++) {
		struct ops_buf one = { .max = 65536 }, two = { .max = 65536 };

		program_put(&one, &with->p[i]);
		program_put(&two, &without->p[i]);
		assert_int_equal(one.len, two.len);
		assert_memory_equal(one.data, two.data, one.len);
		assert_int_equal(with->p[i].record, without->p[i].record);
		ops_buf_free(&one);
		ops_buf_free(&two);
	}
}

/* Was the index used? */
static bool
look(const struct program_filter *f)
{
	struct program_list with, without;
	struct ops_err err = { 0 };
	struct store *s;
	bool used;

	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(program_list_load(s, f, &without, &err), 0);
	assert_int_equal(
	    lookup_programs(dir, &b.mem.vfs, f, &with, &used, NULL, &err), 0);
	same_list(&with, &without);
	program_list_free(&with);
	program_list_free(&without);
	store_free(s);
	return used;
}

static void
note_anew(void *arg, const char *why)
{
	(void)arg, (void)why;
	anew++;
}

static int
update(struct ops_err *err)
{
	const struct indexer_calls calls = { .anew = note_anew };

	anew = 0;
	return indexer_update(x, &b.mem.vfs, &calls, err);
}

/* It is begun anew, and good then. */
static void
mends(const char *row)
{
	struct ops_err err = { 0 };

	CHECK(update(&err) == 0, row, err.msg);
	CHECK(anew == 1, row, "it is not begun anew");
	CHECK(look(&all), row, "it is not used then");
}

static int
setup(void **state)
{
	(void)state;
	alarm(SOON);
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	stream = build_stream(&b, CLASS_PROGRAMS);
	for (int i = 0; i < PROGRAMS; i++) {
		b.now += 1000000;
		build_program(&b, stream, 0, i % 2 == 0 ? "cc" : "ld");
	}
	build_seal(&b, false, false);
	snprintf(dir, sizeof(dir), "/tmp/opseal-hostile-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(indexer_new(dir, &x, NULL), 0);
	assert_int_equal(update(NULL), 0);
	assert_true(look(&all));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	alarm(0);
	(void)indexer_forget(x, NULL);
	indexer_free(x);
	(void)unlink(path_of("index/lock"));
	(void)unlink(path_of("victim"));
	(void)rmdir(path_of("index"));
	(void)rmdir(dir);
	build_free(&b);
	return 0;
}

/* -- files -- */

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct bytes
read_file(const char *path)
{
	struct stat st;
	struct bytes f;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	f.n = (size_t)st.st_size;
	f.p = malloc(f.n + 1);
	assert_non_null(f.p);
	assert_int_equal(read(fd, f.p, f.n), f.n);
	close(fd);
	return f;
}

static void
write_file(const char *path, const void *p, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static bool
is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* -- what is opened and removed -- */

/* A journal to be rolled back, of no page, that is one of several (SQLite's file
 * format, 3): the other one is removed with it. */
static size_t
make_journal(uint8_t j[static 1024], const char *other)
{
	static const uint8_t magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1,
		0x63, 0xd7 };
	size_t n = strlen(other), at = 512;
	struct stat st;
	uint32_t sum = 0;

	assert_int_equal(stat(INDEX, &st), 0);
	memset(j, 0, 1024);
	memcpy(j, magic, 8);
	ops_putbe32(j + 16, (uint32_t)(st.st_size / PAGE));
	ops_putbe32(j + 20, 512);
	ops_putbe32(j + 24, PAGE);
	for (size_t i = 0; i < n; i++)
		sum += (uint8_t)other[i];
	ops_putbe32(j + at, 0x40000000 / PAGE + 1);
	memcpy(j + at + 4, other, n);
	ops_putbe32(j + at + 4 + n, (uint32_t)n);
	ops_putbe32(j + at + 8 + n, sum);
	memcpy(j + at + 12 + n, magic, 8);
	return at + 20 + n;
}

static void
test_journal_names_another(void **state)
{
	uint8_t j[1024];
	size_t n;

	(void)state;
	write_file(path_of("victim"), "mine", 4);
	n = make_journal(j, path_of("victim"));
	write_file(JOURNAL, j, n);
	(void)look(&all);
	assert_int_equal(update(NULL), 0);
	assert_true(is_there(path_of("victim")));
	write_file(JOURNAL, j, n);
	mends("journal");
	assert_true(is_there(path_of("victim")));
}

/* As it is after a look, too: by SQLite's own calls. */
static void
test_calls(void **state)
{
	sqlite3_vfs *v;
	sqlite3 *db = NULL;

	(void)state;
	write_file(path_of("victim"), "mine", 4);
	assert_int_equal(guard_install(NULL), 0);
	v = sqlite3_vfs_find(NULL);
	assert_int_not_equal(v->xDelete(v, path_of("victim"), 0), SQLITE_OK);
	assert_true(is_there(path_of("victim")));
	write_file(JOURNAL, "", 0);
	assert_int_equal(v->xDelete(v, JOURNAL, 0), SQLITE_OK);
	assert_false(is_there(JOURNAL));

	assert_int_equal(unlink(path_of("victim")), 0);
	assert_int_equal(mkfifo(path_of("victim"), 0600), 0);
	assert_int_not_equal(
	    sqlite3_open_v2(path_of("victim"), &db, SQLITE_OPEN_READONLY, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	assert_int_not_equal(
	    sqlite3_open(path_of("victim-wal"), &db), SQLITE_OK);
	sqlite3_close(db);
	assert_false(is_there(path_of("victim-wal")));
	assert_int_not_equal(
	    sqlite3_open_v2("/dev/tty", &db, SQLITE_OPEN_READONLY, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
}

/* What is no file of its own: a FIFO would be waited for. */
static void
test_special(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *const names[] = { "index/programs.sqlite",
			"index/programs.sqlite-journal" };

		(void)unlink(path_of(names[i]));
		assert_int_equal(mkfifo(path_of(names[i]), 0600), 0);
		assert_false(look(&all));
		mends("fifo");
		(void)unlink(path_of(names[i]));
		write_file(path_of("victim"), "mine", 4);
		assert_int_equal(
		    symlink(path_of("victim"), path_of(names[i])), 0);
		assert_false(look(&all));
		mends("link");
		(void)unlink(path_of(names[i]));
		assert_int_equal(link(path_of("victim"), path_of(names[i])), 0);
		(void)look(&all);
		mends("second name");
		assert_true(is_there(path_of("victim")));
	}
}

/* Its bytes say that there is a log beside it, which is made if it isn't there. */
static void
test_wal(void **state)
{
	static const char *const beside[] = { "index/programs.sqlite-wal",
		"index/programs.sqlite-shm" };
	struct bytes f;

	(void)state;
	for (int there = 0; there < 2; there++) {
		f = read_file(INDEX);
		f.p[18] = f.p[19] = 2;
		write_file(INDEX, f.p, f.n);
		free(f.p);
		for (int i = 0; i < 2 && there; i++)
			write_file(path_of(beside[i]), "mine", 4);
		assert_false(look(&all));
		for (int i = 0; i < 2; i++) {
			assert_int_equal(is_there(path_of(beside[i])), there);
			if (!there)
				continue;
			f = read_file(path_of(beside[i]));
			assert_int_equal(f.n, 4);
			assert_memory_equal(f.p, "mine", 4);
			free(f.p);
		}
		mends("WAL");
	}
	/* Not in WAL mode, but one lies there. */
	write_file(path_of(beside[0]), "mine", 4);
	(void)look(&all);
	assert_true(is_there(path_of(beside[0])));
}

/* -- its header -- */

static void
test_header(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint8_t byte;
	} rows[] = {
		{ "magic", 3, 0 },
		{ "page size", 16, 3 },
		{ "of a later SQLite, to write", 18, 3 },
		{ "of a later SQLite, to read", 19, 3 },
		{ "payload fraction", 21, 1 },
		{ "schema format", 47, 9 },
		{ "largest root page", 55, 40 },
		{ "text encoding", 59, 7 },
		{ "version", 63, 1 },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct bytes f = read_file(INDEX);

		f.p[rows[i].at] = rows[i].byte;
		write_file(INDEX, f.p, f.n);
		free(f.p);
		(void)look(&all);
		mends(rows[i].name);
	}
}

/* -- pages that are children of many -- */

/* The first page of a table or an index. */
static uint32_t
root_of(const char *name)
{
	char sql[128];
	sqlite3_stmt *st;
	sqlite3 *db;
	uint32_t root;

	if (strcmp(name, "sqlite_schema") == 0)
		return 1;
	snprintf(sql, sizeof(sql),
	    "SELECT rootpage FROM sqlite_schema WHERE name = '%s'", name);
	assert_int_equal(sqlite3_open(INDEX, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	root = (uint32_t)sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return root;
}

/* A page whose children are all one: for a table with a key that is passed by, for
 * an index with a key of the leaf. */
static void
make_parent(uint8_t *page, size_t header, const uint8_t *leaf, uint32_t child)
{
	bool table = leaf[0] == 0x0d;
	const uint8_t *key = leaf + ops_getbe16(leaf + 8);
	size_t len = table ? 1 : (size_t)key[0] + 1, end = PAGE, n = 0;

	memset(page + header, 0, PAGE - header);
	page[header] = table ? 0x05 : 0x02;
	ops_putbe32(page + header + 8, child);
	while (end - (4 + len) >= header + 12 + 2 * (n + 1)) {
		end -= 4 + len;
		ops_putbe32(page + end, child);
		if (table)
			page[end + 4] = 1;
		else
			memcpy(page + end + 4, key, len);
		ops_putbe16(page + header + 12 + 2 * n++, (uint16_t)end);
	}
	ops_putbe16(page + header + 3, (uint16_t)n);
	ops_putbe16(page + header + 5, (uint16_t)end);
}

/* The leaf of a small tree becomes one of hundreds ^ LEVELS. */
static void
make_many(const char *name)
{
	uint32_t root = root_of(name), leaf = root;
	struct bytes f = read_file(INDEX);
	size_t pages = f.n / PAGE, header = root == 1 ? 100 : 0;
	uint8_t *p = calloc(pages + LEVELS, PAGE), *to;

	assert_non_null(p);
	memcpy(p, f.p, f.n);
	free(f.p);
	to = p + pages * PAGE; /* the leaf, from a page of its own */
	while ((p[(leaf - 1) * PAGE + (leaf == 1 ? 100 : 0)] & 8) == 0)
		leaf = ops_getbe32(
		    p + (leaf - 1) * PAGE + (leaf == 1 ? 100 : 0) + 8);
	memcpy(to, p + (leaf - 1) * PAGE, PAGE);
	if (leaf == 1)
		memmove(to, p + 100, 8 + 2 * (size_t)ops_getbe16(p + 103));
	for (uint32_t i = 1; i < LEVELS; i++)
		make_parent(to + i * PAGE, 0, to, (uint32_t)pages + i);
	make_parent(
	    p + (root - 1) * PAGE, header, to, (uint32_t)pages + LEVELS);
	ops_putbe32(p + 28, (uint32_t)pages + LEVELS);
	memcpy(p + 92, p + 24, 4);
	write_file(INDEX, p, (pages + LEVELS) * PAGE);
	free(p);
}

static void
test_many(void **state)
{
	static const char *const trees[] = { "sqlite_schema", "state", "stream",
		"exe", "process", "gone", "program", "called", "by_time",
		"by_login", "exe_path" };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(trees); i++) {
		struct ops_err err = { 0 };

		make_many(trees[i]);
		for (size_t j = 0; j < OPS_ARRAY_LEN(filters); j++)
			(void)look(&filters[j]);
		/* There is more to write. */
		b.now += 1000000;
		build_program(&b, stream, 0, "as");
		build_seal(&b, false, false);
		CHECK(update(&err) == 0, trees[i], err.msg);
		for (size_t j = 0; j < OPS_ARRAY_LEN(filters); j++)
			(void)look(&filters[j]);
		assert_int_equal(indexer_forget(x, NULL), 0);
		assert_int_equal(update(NULL), 0);
		CHECK(look(&all), trees[i], "not used");
	}
}

/* -- rows -- */

static void
change(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(INDEX, &db), SQLITE_OK);
	CHECK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql,
	    sqlite3_errmsg(db));
	sqlite3_close(db);
}

#define MANY                                                                   \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "      \
	"WHERE "                                                               \
	"i < 100000) "

/* More of them than there are records. */
static void
test_rows(void **state)
{
	static const char *const rows[] = {
		MANY "INSERT INTO exe(path) SELECT 'x' || i FROM n",
		MANY "INSERT OR REPLACE INTO process SELECT i, i, 0, NULL FROM "
		     "n",
		MANY
		"INSERT OR REPLACE INTO gone SELECT i, i, -1, -1, 0, -1, NULL "
		"FROM n",
		MANY "INSERT INTO program(stream, start_at, time, kind, exe, "
		     "forked) SELECT 1, 1, i, 1, 1, 0 FROM n",
		"INSERT INTO process VALUES(0, 1, 0, NULL)",
		"INSERT INTO process VALUES(4294967296, 1, 0, NULL)",
		"INSERT INTO process VALUES(-1, 1, 0, NULL)",
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct program_filter exe = all;

		exe.exe = "*";
		change(rows[i]);
		CHECK(!look(&exe), rows[i], "it is believed");
		assert_int_equal(indexer_forget(x, NULL), 0);
		assert_int_equal(update(NULL), 0);
	}
}

/* An end that doesn't say whose it is: the start of nothing. */
static void
test_end_as_start(void **state)
{
	struct program_ended e = { .pid = 4242 };
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	uint64_t time;
	char sql[256];
	uint8_t id[OPS_ID_LEN] = { 0 };

	(void)state;
	e.start = b.now;
	build_program(&b, stream, 0, "as");
	program_ended_put(&body, id, &e);
	build_record(&b, stream, REC_ENDED, body.data, body.len);
	ops_buf_free(&body);
	time = b.now + b.wall;
	build_seal(&b, false, false);
	assert_int_equal(update(NULL), 0);
	assert_true(look(&all));
	(void)snprintf(sql, sizeof(sql),
	    "INSERT INTO program(stream, start_at, time, session, n, kind, "
	    "failed, exe, forked) SELECT end_stream, end_at, %" PRId64
	    ", session, 0, 4, 0, exe, 0 FROM program WHERE end_at IS NOT NULL",
	    index_time(time));
	change(sql);
	assert_false(look(&all));
}

/* -- memory -- */

static sqlite3_mem_methods real;
static int until_none = -1; /* allocations; negative: there is enough */

static bool
is_none(void)
{
	return until_none >= 0 && until_none-- == 0;
}

static void *
some_malloc(int n)
{
	return is_none() ? NULL : real.xMalloc(n);
}

static void *
some_realloc(void *p, int n)
{
	return is_none() ? NULL : real.xRealloc(p, n);
}

/* One allocation fails, whichever it is: nothing is left out. */
static void
test_memory(void **state)
{
	struct program_filter f = { .name = "cc", .tty = "-", .newest = 5 };
	struct program_list with, without;
	struct store *s;
	int n = 0;

	(void)state;
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, NULL), 0);
	assert_int_equal(program_list_load(s, &f, &without, NULL), 0);
	do {
		until_none = n++;
		assert_int_equal(lookup_programs(dir, &b.mem.vfs, &f, &with,
				     NULL, NULL, NULL),
		    0);
		same_list(&with, &without);
		program_list_free(&with);
	} while (until_none < 0);
	program_list_free(&without);
	store_free(s);
	until_none = -1;
	assert_true(n > 100); /* it did fail */
	assert_true(look(&f));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_journal_names_another, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_special, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_end_as_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	};
	sqlite3_mem_methods some;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK)
		return 1;
	some = real;
	some.xMalloc = some_malloc;
	some.xRealloc = some_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &some) != SQLITE_OK)
		return 1;
	return cmocka_run_group_tests_name("index_hostile", tests, NULL, NULL);
}
