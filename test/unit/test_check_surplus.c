/* Covers: check_data, check_tiles */
/* Files and bytes that no leaf speaks of: what a crash leaves, and what not. */
#include "check.h"

#include "base/bytes.h"
#include "check_run.h"
#include "store/log.h"

/* Bytes behind what is there of a file. */
static void
put_behind(struct memstore *m, const char *path, size_t n)
{
	uint8_t *p = calloc(1, n);

	assert_non_null(p);
	memset(p, 'x', n);
	mem_splice(mem_find(m, path), mem_find(m, path)->len, 0, p, n);
	free(p);
}

/* A killed store with an open session (stream 1) and one that ended before the
 * last SEAL (stream 2). */
static void
build_killed(struct build *b)
{
	size_t one, two;

	build_init(b);
	build_boot(b, BOOT_FIRST, NULL);
	build_seal(b, false, false);
	one = build_stream(b, CLASS_SCREEN);
	two = build_stream(b, CLASS_SCREEN);
	build_open(b, one, 1000, "alice", "pts/3", NULL);
	build_output(b, one, "hello\r\n");
	build_open(b, two, 1000, "alice", "pts/4", NULL);
	build_output(b, two, "bye\r\n");
	build_close(b, two, CLOSE_CLOSED);
	build_seal(b, false, false);
	build_output(b, one, "not sealed yet\r\n");
	build_sync(b);
}

static void
open_tail(struct build *b)
{
	put_behind(&b->mem, b->stream[1].path, 100);
}

static void
long_tail(struct build *b)
{
	put_behind(&b->mem, b->stream[1].path, 65536);
}

static void
closed_tail(struct build *b)
{
	put_behind(&b->mem, b->stream[2].path, 100);
}

/* A next segment of a stream, in the folder of this day. */
static void
next_segment(struct build *b, size_t stream, const char *day)
{
	char path[128];

	snprintf(path, sizeof(path), "%s", b->stream[stream].path);
	memcpy(path + strlen("data/screen/"), day, 10);
	memcpy(path + strlen(path) - 5, "1", 1);
	mem_put(&b->mem, path, "begun", 5);
}

static void
open_segment(struct build *b)
{
	next_segment(b, 1, b->stream[1].day);
}

static void
open_segment_day(struct build *b)
{
	next_segment(b, 1, "1999-01-01");
}

static void
closed_segment(struct build *b)
{
	next_segment(b, 2, b->stream[2].day);
}

static void
checkpoint_tmp(struct build *b)
{
	mem_put(&b->mem, "log/0/checkpoint.tmp", "x", 1);
}

static void
tile_tmp(struct build *b)
{
	mem_put(&b->mem, "log/0/tile/0/000.tmp", "x", 1);
}

static void
folder_tmp(struct build *b)
{
	mem_put(&b->mem, "log/0/checkpoint.tmp/deep", "x", 1);
}

static void
other_tmp(struct build *b)
{
	mem_put(&b->mem, "log/0/leaves2.tmp", "x", 1);
}

static void
top_tmp(struct build *b)
{
	mem_put(&b->mem, "evil.tmp", "x", 1);
}

static void
day_tmp(struct build *b)
{
	mem_put(&b->mem, "data/screen/evil.tmp/deep", "x", 1);
}

static void
segment_tmp(struct build *b)
{
	mem_put(&b->mem, "data/screen/2026-11-25/evil.tmp", "x", 1);
}

static void
other_tile_tmp(struct build *b)
{
	mem_put(&b->mem, "log/0/tile/0/evil.tmp", "x", 1);
}

static void
long_append(struct build *b)
{
	struct memfile *f = mem_find(&b->mem, "log/0/leaves");
	size_t n = LOG_APPEND_MAX + 1;
	uint8_t *zero = calloc(1, n);

	assert_non_null(zero);
	mem_splice(f, f->len, 0, zero, n);
	free(zero);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*put)(struct build *b);
	enum finding_kind kind;
} rows[] = {
	{ "behind an open session",	open_tail,		FIND_UNSEALED },
	{ "more than its WAL gives",	long_tail,		FIND_UNKNOWN },
	{ "behind a closed session",	closed_tail,		FIND_UNKNOWN },
	{ "segment of an open one",	open_segment,		FIND_UNSEALED },
	{ "on a day long before",	open_segment_day,	FIND_UNKNOWN },
	{ "segment of a closed one",	closed_segment,		FIND_UNKNOWN },
	{ "a checkpoint half made",	checkpoint_tmp,		FIND_CRASH },
	{ "a tile half made",		tile_tmp,		FIND_CRASH },
	{ "a folder of that name",	folder_tmp,		FIND_UNKNOWN },
	{ "another file in a log",	other_tmp,		FIND_UNKNOWN },
	{ "at the top",			top_tmp,		FIND_UNKNOWN },
	{ "among the days",		day_tmp,		FIND_UNKNOWN },
	{ "among the segments",		segment_tmp,		FIND_UNKNOWN },
	{ "among the tiles",		other_tile_tmp,		FIND_UNKNOWN },
	{ "longer than any append",	long_append,		FIND_TAMPER },
};
/* clang-format on */

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct build b;

		build_killed(&b);
		rows[i].put(&b);
		expect_text(&b.mem, rows[i].name, rows[i].kind, "");
		build_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
