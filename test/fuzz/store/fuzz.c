/*
 * store - the input as leaves of a log whose first leaf is a good BOOT: taken
 * as leaf after leaf, with lengths and CRCs made right.  Opening the store,
 * reading all there is, and checking it never do more than they may; and
 * since nobody signed these leaves, none of them is ever shown as sealed.
 */
#include <stdio.h>
#include <string.h>

#include "../../unit/store_build.h"
#include "../fuzz.h"
#include "store/check.h"
#include "store/session.h"
#include "store/store.h"

static void
read_stream(struct store *s, const uint8_t *id)
{
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	int rc, errors = 0;

	REQUIRE(stream_open(s, id, 0, &r, NULL) == 0);
	while ((rc = stream_next(r, &rec, &pos, NULL)) != 0) {
		if (rc > 0)
			REQUIRE(!pos.sealed);
		else
			REQUIRE(++errors < 100000);
	}
	stream_free(r);
}

static void
read_store(struct memstore *m)
{
	const struct store_stream *streams;
	struct session_list l = { 0 };
	struct store *s;
	size_t n;

	if (store_open(&m->vfs, 0, &s, NULL) < 0)
		return;
	n = store_streams(s, &streams);
	for (size_t i = 0; i < n; i++)
		read_stream(s, streams[i].id);
	if (session_list_load(s, NULL, &l, NULL) == 0)
		session_list_free(&l);
	store_free(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct check_opts o = { .threads = 1 };
	struct check_result r;
	struct fuzz_in in = { data, size };
	struct memfile *leaves;
	struct ops_buf b = { .max = 1u << 22 };
	bool whole = fuzz_byte(&in) & 1;
	struct build made;

	build_init(&made);
	build_boot(&made, BOOT_FIRST, NULL);
	while (!whole && in.n >= 2) {
		size_t n = (size_t)(in.p[0] | in.p[1] << 8) % LEAF_MAX + 1;

		in.p += 2;
		in.n -= 2;
		if (n > in.n)
			n = in.n;
		if (n > 0)
			leaf_file_put(&b, in.p, n);
		in.p += n;
		in.n -= n;
	}
	if (whole) /* the file itself, as it comes */
		ops_buf_put(&b, in.p, in.n);
	leaves = mem_find(&made.mem, "log/0/leaves");
	mem_splice(leaves, leaves->len, 0, b.data, b.len);
	read_store(&made.mem);
	if (check_store(&made.mem.vfs, &o, &r, NULL) == 0)
		REQUIRE(r.logs == 1 && r.leaves >= 1);
	ops_buf_free(&b);
	build_free(&made);
	return 0;
}
