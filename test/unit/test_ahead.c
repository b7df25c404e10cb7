/* Covers: ahead, leafread, locate: what is read ahead is what is read in turn. */
#include "check.h"

#include "base/bytes.h"
#include "store/leafread.h"
#include "store/store.h"
#include "store_build.h"

#define FRAMES                                                                 \
	420 /* leaves of some 80 KB: more than leafread lets one thread read */
#define PROGRAMS 900

static struct build b;
static size_t screen, programs;

/* One record in each frame of screens; all programs in one, of several chunks. */
static int
setup(void **state)
{
	char text[32];

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	screen = build_stream(&b, CLASS_SCREEN);
	programs = build_stream(&b, CLASS_PROGRAMS);
	build_open(&b, screen, 1000, "ann", "pts/7", "sh");
	for (int i = 0; i < PROGRAMS; i++)
		build_program(&b, programs, screen, "true");
	for (int i = 0; i < FRAMES; i++) {
		snprintf(text, sizeof(text), "output %d", i);
		build_output(&b, screen, text);
		build_frames(&b);
	}
	build_sync(&b);
	build_seal(&b, false, false);
	build_checkpoint(&b);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	build_free(&b);
	return 0;
}

/* -- leaves -- */

static struct leafread *
open_leaves(struct memstore *m, bool ahead)
{
	struct ops_err err = { 0 };
	struct leafread *r = NULL;

	CHECK(leafread_open(&m->vfs, 0, 0, ahead, &r, &err) == 0, "leaves",
	    err.msg);
	return r;
}

/* How many leaves, all the same. */
static size_t
same_leaves(struct memstore *m)
{
	struct leafread *x = open_leaves(m, false), *y = open_leaves(m, true);
	const struct leafread_leaf *l = NULL, *k = NULL;
	uint64_t offset[2], bytes[2];
	struct ops_err err;
	size_t n = 0;
	int rc;

	while ((rc = leafread_next(x, &l, &err)) == 1) {
		assert_int_equal(leafread_next(y, &k, &err), 1);
		assert_int_equal(l->e.index, n);
		assert_int_equal(k->e.index, n++);
		assert_int_equal(l->e.n, k->e.n);
		assert_memory_equal(l->e.p, k->e.p, k->e.n);
		assert_int_equal(l->e.offset, k->e.offset);
		assert_int_equal(l->e.bad, k->e.bad);
		assert_memory_equal(l->hash, k->hash, OPS_HASH_LEN);
		assert_int_equal(l->good, k->good);
		assert_string_equal(l->why.msg, k->why.msg);
		if (l->good)
			assert_memory_equal(
			    &l->leaf, &k->leaf, sizeof(k->leaf));
	}
	assert_int_equal(leafread_next(y, &k, &err), rc);
	/* And once more: it stays at the end. */
	assert_int_equal(leafread_next(x, &l, &err), rc);
	assert_int_equal(leafread_next(y, &k, &err), rc);
	assert_int_equal(leafread_end(x, &offset[0], &bytes[0]),
	    leafread_end(y, &offset[1], &bytes[1]));
	assert_int_equal(offset[0], offset[1]);
	assert_int_equal(bytes[0], bytes[1]);
	leafread_free(x);
	leafread_free(y);
	return n;
}

static void
test_leaves(void **state)
{
	struct memfile *f = mem_find(&b.mem, "log/0/leaves");
	const struct leafread_leaf *l;
	size_t size = f->len;

	(void)state;
	assert_true(size >= 64 << 10);
	assert_int_equal(same_leaves(&b.mem), b.tree.size);
	/* a byte of a leaf: its checksum is wrong, and it goes on behind it */
	f->data[size / 2] ^= 1;
	assert_in_range(same_leaves(&b.mem), 1, b.tree.size);
	f->data[size / 2] ^= 1;
	/* an append that was cut short */
	f->len = size - 7;
	assert_int_equal(same_leaves(&b.mem), b.tree.size - 1);
	f->len = size;
	/* its reader has enough */
	for (size_t n = 0; n < b.tree.size; n += 63) {
		struct leafread *r = open_leaves(&b.mem, true);

		for (size_t i = 0; i < n; i++)
			assert_int_equal(leafread_next(r, &l, NULL), 1);
		leafread_free(r);
	}
}

/* -- frames -- */

/* Every `step`th record, ahead or not: a hash of what came, errors, too. */
static void
read_some(size_t stream, size_t step, bool ahead, uint8_t hash[OPS_HASH_LEN],
    size_t *failed)
{
	const size_t all = (size_t)b.stream[stream].next_record;
	uint64_t *want = calloc(all, sizeof(*want));
	struct ops_buf seen = { .max = 1 << 22 };
	struct ops_err err = { 0 };
	struct stream_reader *r;
	struct stream_pos pos;
	size_t n = 0, next = 0;
	struct record rec;
	struct store *s;

	assert_non_null(want);
	for (size_t i = step / 2; i < all; i += step)
		want[n++] = i;
	CHECK(store_open(&b.mem.vfs, 0, &s, &err) == 0, "open", err.msg);
	CHECK(stream_open(s, b.stream[stream].id, want[0], &r, &err) == 0,
	    "stream", err.msg);
	*failed = 0;
	for (size_t i = 0; i < n; i++) {
		if (ahead && i == next) {
			size_t done = stream_ahead(r, want + i, n - i);

			assert_in_range(done, 1, n - i);
			next += done;
		}
		stream_seek(r, want[i]);
		if (stream_next(r, &rec, &pos, &err) < 0) {
			assert_int_equal(err.code, OPS_ETAMPER);
			assert_non_null(strstr(err.msg, "data/screen"));
			(*failed)++;
			ops_buf_put(&seen, err.msg, strlen(err.msg));
			continue;
		}
		assert_int_equal(pos.number, want[i]);
		ops_buf_put(&seen, rec.payload, rec.len);
		/* and what follows it */
		if (step > 2 && stream_next(r, &rec, &pos, &err) == 1)
			ops_buf_put(&seen, rec.payload, rec.len);
	}
	assert_false(seen.failed);
	ops_sha256(seen.data, seen.len, hash);
	stream_free(r);
	store_free(s);
	ops_buf_free(&seen);
	free(want);
}

static size_t
same_records(size_t stream, size_t step)
{
	uint8_t in_turn[OPS_HASH_LEN], ahead[OPS_HASH_LEN];
	size_t failed[2];

	read_some(stream, step, false, in_turn, &failed[0]);
	read_some(stream, step, true, ahead, &failed[1]);
	assert_int_equal(failed[0], failed[1]);
	assert_memory_equal(in_turn, ahead, OPS_HASH_LEN);
	return failed[0];
}

static void
test_records(void **state)
{
	const size_t steps[] = { 1, 2, 3, 7, 64, 65, 200 };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(steps); i++) {
		assert_int_equal(same_records(screen, steps[i]), 0);
		assert_int_equal(same_records(programs, steps[i]), 0);
	}
}

/* Frames that aren't what their leaves say are told of where they are asked for. */
static void
test_damaged(void **state)
{
	struct memfile *f = mem_find(&b.mem, b.stream[screen].path);
	const struct store_frame *frames;
	struct ops_err err = { 0 };
	const char *path;
	uint64_t offset;
	struct store *s;

	(void)state;
	assert_int_equal(store_open(&b.mem.vfs, 0, &s, &err), 0);
	assert_true(store_frames(s, b.stream[screen].id, &frames) > 100);
	for (size_t i = 50; i < 53; i++) {
		assert_int_equal(
		    store_locate(s, &frames[i], &path, &offset, &err), 0);
		assert_string_equal(path, f->path);
		f->data[offset + frames[i].leaf.stored_len - 1] ^= 1;
	}
	store_free(s);
	assert_int_equal(same_records(screen, 1), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
