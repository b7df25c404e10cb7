/* Covers: store, history, layout, leaves, stream */
#include "check.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_two_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
