/*
 * remarks - notes as query sends them, each behind a u16 of its length.  What isn't
 * taken leaves the list as it was; what is, written again, reads the same.
 */
#include "../fuzz.h"

#include "store/remarks.h"

static void
check_again(const uint8_t *id, const struct remark_seen *r)
{
	struct ops_buf a = { .max = 65536 }, b = { .max = 65536 };
	struct remark_list l = { 0 };

	remark_seen_put(&a, id, r);
	REQUIRE(!a.failed && remark_seen_get(a.data, a.len, &l, NULL) == 0);
	REQUIRE(l.n == 1 && l.r[0].time == r->time && l.r[0].wall == r->wall &&
		l.r[0].sealed == r->sealed);
	remark_seen_put(&b, id, &l.r[0]);
	REQUIRE(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	remark_list_free(&l);
	ops_buf_free(&a);
	ops_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct remark_list l = { 0 };
	struct fuzz_in in = { data, size };
	size_t taken = 0, n;

	while (fuzz_piece(&in, &data, &n)) {
		if (remark_seen_get(data, n, &l, NULL) == 0) {
			REQUIRE(l.n == ++taken);
			check_again(data + 17, &l.r[l.n - 1]);
		}
		REQUIRE(l.n == taken);
	}
	remark_list_free(&l);
	return 0;
}
