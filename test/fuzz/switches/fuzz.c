/*
 * switches - as query sends them, each behind a u16 of its length.  What isn't taken
 * leaves the list as it was; what is, written again, reads the same.  Whatever they
 * are, the off that was in force then is one of them, and none is before the first.
 */
#include "../fuzz.h"

#include "store/switches.h"

static void
check_again(const struct switched *s)
{
	struct ops_buf a = { .max = 65536 }, b = { .max = 65536 };
	struct ops_buf by = { .max = 65536 };
	struct switches all = { 0 };

	switched_put(&a, s);
	REQUIRE(!a.failed && switched_get(a.data, a.len, &all, NULL) == 0);
	REQUIRE(all.n == 1 && all.s[0].time == s->time &&
		all.s[0].wall == s->wall && all.s[0].sealed == s->sealed);
	switched_put(&b, &all.s[0]);
	REQUIRE(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	switched_by(&by, s);
	REQUIRE(!by.failed && by.len > 0);
	for (size_t i = 0; i < by.len; i++)
		REQUIRE(by.data[i] >= ' ' && by.data[i] != 0x7f);
	switches_free(&all);
	ops_buf_free(&a);
	ops_buf_free(&b);
	ops_buf_free(&by);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct switches all = { 0 };
	const struct switched *off;
	struct fuzz_in in = { data, size };
	size_t taken = 0, n;

	while (fuzz_piece(&in, &data, &n)) {
		if (switched_get(data, n, &all, NULL) == 0) {
			REQUIRE(all.n == ++taken);
			check_again(&all.s[all.n - 1]);
		}
		REQUIRE(all.n == taken);
	}
	if (all.n > 0) {
		off = switches_at(&all, all.s[all.n - 1].wall);
		REQUIRE(off == NULL || (off >= all.s && off < all.s + all.n &&
					   off->e.what == DAEMON_OFF));
		REQUIRE(all.s[0].wall == 0 ||
			switches_at(&all, all.s[0].wall - 1) == NULL);
	}
	switches_free(&all);
	return 0;
}
