/* Covers: store, history, layout, leafread, leaves, stream */
#include "check.h"

#include "base/bytes.h"
#include "store/store.h"
#include "store_build.h"

static struct store *
open_store(struct memstore *m, unsigned flags)
{
	struct ops_err err = { 0 };
	struct store *s = NULL;

	CHECK(store_open(&m->vfs, flags, &s, &err) == 0, "open", err.msg);
	return s;
}

/* The output of a stream from record `from`, unsealed parts in brackets, an
 * error as '!'. */
static const char *
text_of(struct store *s, const uint8_t *id, uint64_t from)
{
	static char text[1024];
	struct ops_err err = { 0 };
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	size_t n = 0;
	int rc;

	text[0] = '\0';
	CHECK(stream_open(s, id, from, &r, &err) == 0, "stream", err.msg);
	while ((rc = stream_next(r, &rec, &pos, &err)) != 0) {
		if (rc < 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "!");
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    pos.sealed ? "%.*s" : "[%.*s]", (int)rec.len,
			    (const char *)rec.payload);
	}
	stream_free(r);
	return text;
}

static void
test_example(void **state)
{
	const struct store_stream *streams;
	const struct store_frame *frames;
	const struct store_log *logs;
	const struct leaf_close *cl;
	struct build b;
	struct store *s;
	bool sealed = false;
	size_t n;

	(void)state;
	build_example(&b);
	s = open_store(&b.mem, 0);
	assert_null(store_problem(s));
	assert_int_equal(store_logs(s, &logs), 1);
	assert_string_equal(logs[0].key.name, BUILD_ORIGIN);
	assert_int_equal(logs[0].size, b.tree.size);
	assert_int_equal(logs[0].sealed.size, b.tree.size);
	assert_true(logs[0].clean);
	n = store_streams(s, &streams);
	assert_int_equal(n, 5);
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\n$ make\r\ndone\r\nexit\r\n");
	assert_string_equal(
	    text_of(s, b.stream[1].id, 2), "make\r\ndone\r\nexit\r\n");
	assert_string_equal(text_of(s, b.stream[1].id, 4), "exit\r\n");
	assert_string_equal(text_of(s, b.stream[1].id, 5), "");
	n = store_frames(s, b.stream[1].id, &frames);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		const char *path;
		uint64_t offset;

		assert_int_equal(frames[i].leaf.number, i);
		assert_true(frames[i].sealed);
		assert_int_equal(frames[i].wall, b.wall);
		assert_memory_equal(frames[i].boot, b.boot_id, 4);
		assert_int_equal(
		    store_locate(s, &frames[i], &path, &offset, NULL), 0);
		assert_int_equal(
		    offset, i == 1 ? 48 + frames[0].leaf.stored_len : 48);
		assert_non_null(
		    strstr(path, i == 2 ? "2026-11-26" : "2026-11-25"));
	}
	cl = store_close_leaf(s, b.stream[2].id, &sealed);
	assert_non_null(cl);
	assert_int_equal(cl->state, CLOSE_LOST);
	assert_true(sealed);
	assert_null(store_close_leaf(s, b.stream[0].id, NULL));
	assert_int_equal(stream_open(s, (const uint8_t *)"no such id", 0,
			     &(struct stream_reader *){ NULL }, NULL),
	    -1);
	store_free(s);
	build_free(&b);
}

static void
test_running(void **state)
{
	const struct store_stream *streams;
	const struct store_log *logs;
	struct build b;
	struct store *s;

	(void)state;
	build_running(&b);
	s = open_store(&b.mem, 0);
	assert_null(store_problem(s));
	store_logs(s, &logs);
	assert_false(logs[0].clean);
	assert_int_equal(store_streams(s, &streams), 3);
	assert_int_equal(streams[1].unsealed, 2);
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\n[not sealed yet\r\n][nor this\r\n]");
	assert_string_equal(text_of(s, b.stream[1].id, 2), "[nor this\r\n]");
	store_free(s);
	s = open_store(&b.mem, STORE_NO_WAL);
	assert_string_equal(text_of(s, b.stream[1].id, 0), "hello, world\r\n");
	store_free(s);
	/* frames whose checkpoint is not there yet are shown, but marked */
	b.no_checkpoint = true;
	build_seal(&b, false, false);
	s = open_store(&b.mem, 0);
	assert_null(store_problem(s));
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\n[not sealed yet\r\n][nor this\r\n]");
	store_free(s);
	build_free(&b);
}

/* What does not match is not shown; the rest is. */
static void
test_damage(void **state)
{
	const struct store_frame *frames;
	struct ops_err err = { 0 };
	struct store *s;
	struct build b;
	char path[128];

	(void)state;
	build_example(&b);
	snprintf(path, sizeof(path), "%s", b.stream[1].path);
	mem_find(&b.mem, path)->data[100] ^= 1; /* frame 2 */
	s = open_store(&b.mem, 0);
	assert_null(store_problem(s)); /* it is looked at when it is read */
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\n$ make\r\ndone\r\n!");
	store_free(s);
	mem_remove(&b.mem, path);
	s = open_store(&b.mem, 0);
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\n$ make\r\ndone\r\n!");
	store_free(s);
	build_free(&b);

	/* a segment in another folder is found all the same */
	build_example(&b);
	mem_rename(&b.mem, b.stream[1].path,
	    "data/screen/2020-01-01/eirceirceirceiqb-0001.seg");
	s = open_store(&b.mem, 0);
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\n$ make\r\ndone\r\nexit\r\n");
	store_frames(s, b.stream[1].id, &frames);
	store_free(s);

	mem_find(&b.mem, "log/0/checkpoint")->data[60] ^= 1;
	s = open_store(&b.mem, 0);
	assert_non_null(store_problem(s));
	assert_string_equal(text_of(s, b.stream[1].id, 4), "[exit\r\n]");
	store_free(s);
	mem_remove(&b.mem, "log/0/leaves");
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	build_free(&b);
}

static void
test_two_logs(void **state)
{
	const struct store_frame *frames;
	const struct store_log *logs;
	struct store *s;
	struct build b;

	(void)state;
	build_running(&b);
	build_seal(&b, false, false);
	build_successor(&b, BOOT_ROTATE);
	build_output(&b, 1, "next log\r\n");
	build_seal(&b, false, false);
	s = open_store(&b.mem, 0);
	assert_null(store_problem(s));
	assert_int_equal(store_logs(s, &logs), 2);
	assert_int_equal(logs[1].n, 1);
	assert_int_equal(store_frames(s, b.stream[1].id, &frames), 3);
	assert_int_equal(frames[2].log, 1);
	assert_false(frames[2].leaf.has_prev);
	assert_string_equal(text_of(s, b.stream[1].id, 0),
	    "hello, world\r\nnot sealed yet\r\nnor this\r\nnext log\r\n");
	store_free(s);
	build_free(&b);
}

/* -- a writer that goes on between the leaves and the WAL -- */

static struct {
	struct build *b; /* NULL: it has */
	const struct vfs_ops *ops;
	bool final, recycled;
} going;

static int
list_later(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	struct build *b = going.b;

	if (b != NULL && strcmp(path, "wal") == 0) {
		char file[128];

		going.b = NULL;
		snprintf(file, sizeof(file), "wal/%08u.wal",
		    (unsigned)b->wal_number);
		build_seal(b, going.final, false);
		/* Made for what comes next, and not begun. */
		if (going.recycled)
			mem_rename(&b->mem, file, "wal/00000900.wal");
	}
	return going.ops->list(v, path, ret, err);
}

/* All that was to be read before is read: from the frames now. */
static void
test_moves_on(void **state)
{
	static const struct {
		const char *name;
		bool final, recycled;
	} rows[] = {
		{ "sealed", false, false },
		{ "its file was taken for later", false, true },
		{ "closed, and the WAL removed", true, false },
	};
	struct vfs_ops ops;

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct store *s;
		struct build b;

		build_running(&b);
		ops = *b.mem.vfs.ops;
		ops.list = list_later;
		going.ops = b.mem.vfs.ops;
		going.b = &b;
		going.final = rows[i].final;
		going.recycled = rows[i].recycled;
		b.mem.vfs.ops = &ops;
		s = open_store(&b.mem, 0);
		assert_null(going.b);
		CHECK(store_problem(s) == NULL, rows[i].name, store_problem(s));
		CHECK(strcmp(text_of(s, b.stream[1].id, 0),
			  rows[i].final || rows[i].recycled
			      ? "hello, world\r\nnot sealed yet\r\nnor this\r\n"
			      : "hello, world\r\n[not sealed yet\r\n]"
				"[nor this\r\n]") == 0,
		    rows[i].name, text_of(s, b.stream[1].id, 0));
		store_free(s);
		build_free(&b);
	}
}

/* Record n of the programs that seek_store() has says so. */
static void
put_numbered(struct build *b, size_t stream, uint32_t n)
{
	uint8_t p[600] = { 0 };

	ops_putle32(p + OPS_ID_LEN, n);
	build_record(
	    b, stream, REC_ENDED, p, 20 + (n * 7919u) % (sizeof(p) - 20));
}

#define SEEK_FRAME 300  /* records: some 90 KB, six chunks */
#define SEEK_SEALED 900 /* then as many that aren't */
#define SEEK_ALL 1000

static size_t
seek_store(struct build *b)
{
	size_t stream;

	build_init(b);
	build_boot(b, BOOT_FIRST, NULL);
	stream = build_stream(b, CLASS_PROGRAMS);
	for (uint32_t i = 0; i < SEEK_ALL; i++) {
		put_numbered(b, stream, i);
		if (i % 20 == 19)
			build_sync(b);
		if (i < SEEK_SEALED && i % SEEK_FRAME == SEEK_FRAME - 1)
			build_seal(b, false, false);
	}
	return stream;
}

/* The next record is number n, or there is none. */
static void
check_next(struct stream_reader *r, uint32_t n)
{
	struct ops_err err = { 0 };
	struct stream_pos pos;
	struct record rec;
	int rc = stream_next(r, &rec, &pos, &err);

	CHECK(rc == (n < SEEK_ALL), "next", err.msg);
	if (rc != 1)
		return;
	assert_int_equal(pos.number, n);
	assert_int_equal(ops_getle32(rec.payload + OPS_ID_LEN), n);
	assert_int_equal(pos.sealed, n < SEEK_SEALED);
}

/* Anywhere, back and forth, and on from there. */
static void
test_seek(void **state)
{
	struct stream_reader *r;
	const struct store_frame *frames;
	uint32_t x = 12345;
	struct store *s;
	struct build b;
	size_t stream;

	(void)state;
	stream = seek_store(&b);
	s = open_store(&b.mem, 0);
	assert_int_equal(store_frames(s, b.stream[stream].id, &frames), 3);
	assert_int_equal(stream_open(s, b.stream[stream].id, 0, &r, NULL), 0);
	for (uint32_t i = 0; i <= SEEK_ALL; i++)
		check_next(r, i);
	for (unsigned i = 0; i < 3000; i++) {
		uint32_t at, on;

		x = x * 1664525u + 1013904223u;
		/* Near where it was, or far from it. */
		at = i % 3 != 0 ? (x >> 8) % SEEK_ALL : i / 3 % SEEK_ALL;
		on = (x >> 20) % (i % 50 == 0 ? 400 : 4);
		stream_seek(r, at);
		for (uint32_t k = at; k <= at + on && k <= SEEK_ALL; k++)
			check_next(r, k);
	}
	stream_seek(r, SEEK_ALL + 5);
	check_next(r, SEEK_ALL);
	stream_free(r);
	store_free(s);
	build_free(&b);
}

/* A frame that is not the one of its leaf is passed as a whole, however often. */
static void
test_seek_damage(void **state)
{
	const struct store_frame *frames;
	struct ops_err err = { 0 };
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	struct store *s;
	struct build b;
	size_t stream;

	(void)state;
	stream = seek_store(&b);
	mem_find(&b.mem, b.stream[stream].path)->data[2000] ^= 1;
	s = open_store(&b.mem, 0);
	assert_int_equal(store_frames(s, b.stream[stream].id, &frames), 3);
	assert_true(2000 < frames[0].leaf.stored_len);
	assert_int_equal(stream_open(s, b.stream[stream].id, 10, &r, NULL), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stream_next(r, &rec, &pos, &err), -1);
		assert_int_equal(err.code, OPS_ETAMPER);
		assert_ptr_equal(stream_failed(r), &frames[0]);
		check_next(r, SEEK_FRAME);
		assert_null(stream_failed(r));
		/* It is no better the second time. */
		stream_seek(r, 200);
	}
	stream_free(r);
	store_free(s);
	build_free(&b);
}

/* A frame that ends before what is asked for, behind one that has it: its leaf says
 * what no writer of ours would.  Nothing of it is asked for. */
static void
test_seek_behind(void **state)
{
	static const struct {
		uint64_t second, third; /* their first records */
	} rows[] = { { 100, 0 }, { 100, 100 }, { 100, 199 },
		{ UINT64_C(1) << 63, 0 }, { UINT64_C(1) << 40, 100 } };
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;

	(void)state;
	for (size_t k = 0; k < OPS_ARRAY_LEN(rows); k++) {
		const uint64_t from = rows[k].second + 50;
		uint64_t number = from;
		struct store *s;
		struct build b;
		size_t stream;

		build_init(&b);
		build_boot(&b, BOOT_FIRST, NULL);
		stream = build_stream(&b, CLASS_PROGRAMS);
		for (uint32_t i = 0; i < 205; i++) {
			if (i == 100)
				b.stream[stream].next_record = rows[k].second;
			if (i == 200)
				b.stream[stream].next_record = rows[k].third;
			put_numbered(&b, stream, i);
			if (i == 99 || i == 199 || i == 204)
				build_seal(&b, false, false);
		}
		s = open_store(&b.mem, STORE_NO_WAL);
		assert_int_equal(
		    stream_open(s, b.stream[stream].id, from, &r, NULL), 0);
		while (stream_next(r, &rec, &pos, NULL) == 1) {
			assert_true(pos.number >= from);
			if (number < from + 50)
				assert_int_equal(pos.number, number++);
		}
		assert_int_equal(number, from + 50);
		stream_free(r);
		store_free(s);
		build_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_two_logs),
		cmocka_unit_test(test_moves_on),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_seek_damage),
		cmocka_unit_test(test_seek_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
