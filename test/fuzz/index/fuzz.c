/*
 * index - the input as the file of an index, or as changes to an honest one, of a
 * small store: reading by way of it ends soon, and a program that is shown so is
 * one of those that are shown without it, with the same end if it has one.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../unit/store_build.h"
#include "../fuzz.h"
#include "index/indexdb.h"
#include "index/indexer.h"
#include "index/lookup.h"
#include "record/record.h"
#include "store/programs.h"

static struct build made;
static struct store *store;
static char dir[64], file[128];
static struct ops_buf honest = { .max = 1 << 22 };

static void
clean(void)
{
	char path[128];

	(void)index_db_remove(dir, NULL);
	(void)snprintf(path, sizeof(path), "%s/index/lock", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/index", dir);
	(void)rmdir(path);
	(void)rmdir(dir);
	store_free(store);
	build_free(&made);
	ops_buf_free(&honest);
}

static void
put_end(size_t stream, size_t session, uint64_t start, bool who)
{
	struct program_ended e = {
		.pid = 4242, .start = start, .status = 256, .has_who = who
	};
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };

	program_ended_put(&body, made.stream[session].id, &e);
	build_record(&made, stream, REC_ENDED, body.data, body.len);
	ops_buf_free(&body);
}

/* Seeds hang on what is in it. */
static void
make_store(void)
{
	static const char *const names[] = { "cc", "ld", "make" };
	size_t session, stream;

	build_init(&made);
	build_boot(&made, BOOT_FIRST, NULL);
	build_seal(&made, false, false);
	session = build_stream(&made, CLASS_SCREEN);
	build_open(&made, session, 1000, "alice", "pts/3", NULL);
	stream = build_stream(&made, CLASS_PROGRAMS);
	for (unsigned i = 0; i < 30; i++) {
		uint64_t start = made.now;

		build_program(
		    &made, stream, i % 2 == 0 ? session : 0, names[i % 3]);
		if (i % 4 != 3)
			put_end(stream, session, start + (i % 5 == 4), i & 1);
	}
	build_seal(&made, false, false);
	build_program(&made, stream, session, "tail");
	build_sync(&made);
}

static void
make_once(void)
{
	const struct indexer_calls none = { 0 };
	struct indexer *x;
	uint8_t page[4096];
	size_t n;
	FILE *f;

	make_store();
	REQUIRE(store_open(&made.mem.vfs, 0, &store, NULL) == 0);
	(void)snprintf(dir, sizeof(dir), "/tmp/opseal-fuzz-XXXXXX");
	REQUIRE(mkdtemp(dir) != NULL);
	(void)snprintf(file, sizeof(file), "%s/" INDEX_DIR "/" INDEX_FILE, dir);
	REQUIRE(atexit(clean) == 0);
	REQUIRE(indexer_new(dir, &x, NULL) == 0);
	REQUIRE(indexer_update(x, &made.mem.vfs, &none, NULL) == 0);
	indexer_free(x);
	f = fopen(file, "rbe");
	REQUIRE(f != NULL);
	while ((n = fread(page, 1, sizeof(page), f)) > 0)
		ops_buf_put(&honest, page, n);
	(void)fclose(f);
	REQUIRE(!honest.failed && honest.len > 0);
}

/* Bytes at a place: page, offset, length, so that few of them reach all. */
static void
change(struct fuzz_in *in, uint8_t *p, size_t n)
{
	while (in->n > 0) {
		size_t at = (size_t)fuzz_byte(in) * 4096;
		size_t len;

		at += (size_t)fuzz_byte(in) << 8;
		at += fuzz_byte(in);
		len = fuzz_byte(in);
		at %= n;
		fuzz_take(in, p + at, len < n - at ? len : n - at);
	}
}

static void
put_file(struct fuzz_in *in)
{
	bool raw = fuzz_byte(in) & 1;
	FILE *f = fopen(file, "wbe");
	uint8_t *p;

	REQUIRE(f != NULL);
	if (raw) {
		(void)fwrite(in->p, 1, in->n, f);
	} else {
		p = malloc(honest.len);
		REQUIRE(p != NULL);
		memcpy(p, honest.data, honest.len);
		change(in, p, honest.len);
		(void)fwrite(p, 1, honest.len, f);
		free(p);
	}
	REQUIRE(fclose(f) == 0);
}

/* Of an index that leaves out, an end is none, and a number is as it says. */
static bool
is_same(const struct program *shown, const struct program *real)
{
	struct ops_buf one = { .max = 65536 }, two = { .max = 65536 };
	struct program p = *shown, q = *real;
	bool same;

	if (p.record != q.record || p.stream != q.stream)
		return false;
	p.number = q.number = 0;
	if (!p.has_end && p.kind == PROGRAM_RAN) {
		q.has_end = false;
		q.end = p.end;
		if (!p.replaced || !q.replaced) {
			q.replaced = p.replaced;
			q.ended = p.ended;
		}
	}
	program_put(&one, &p);
	program_put(&two, &q);
	same = one.len == two.len && memcmp(one.data, two.data, one.len) == 0;
	ops_buf_free(&one);
	ops_buf_free(&two);
	return same;
}

/* Was the index used? */
static bool
compare(const struct program_filter *f)
{
	const struct program_filter everything = { .forks = true };
	struct program_list with, without;
	bool used;

	REQUIRE(lookup_programs(
		    dir, &made.mem.vfs, f, &with, &used, NULL, NULL) == 0);
	REQUIRE(program_list_load(store, &everything, &without, NULL) == 0);
	for (size_t i = 0; used && i < with.n; i++) {
		size_t j = 0;

		/* since when capture hadn't run is as the index says */
		if (with.p[i].kind == PROGRAM_LOST)
			continue;
		while (j < without.n && !is_same(&with.p[i], &without.p[j]))
			j++;
		REQUIRE(j < without.n);
	}
	program_list_free(&with);
	program_list_free(&without);
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct program_filter filters[] = {
		{ .newest = 100, .forks = true },
		{ .name = "cc", .exe = "*" },
		{ .failed = true, .newest = 3 },
	};
	struct fuzz_in in = { data, size };

	if (store == NULL) {
		make_once();
		REQUIRE(compare(&filters[0])); /* else nothing is tried */
	}
	put_file(&in);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		(void)compare(&filters[i]);
	return 0;
}
