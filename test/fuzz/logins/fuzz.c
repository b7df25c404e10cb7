/*
 * logins - an answer's login.  What is taken and written again reads the same.
 */
#include "../fuzz.h"

#include "store/logins.h"

#define MAX 100000

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf a = { .max = MAX }, b = { .max = MAX };
	struct login_seen l, again;

	if (login_seen_get(data, size, &l, NULL) == 0) {
		login_seen_put(&a, &l);
		REQUIRE(!a.failed);
		REQUIRE(login_seen_get(a.data, a.len, &again, NULL) == 0);
		REQUIRE(again.wall == l.wall && again.has_out == l.has_out &&
			again.sessions == l.sessions);
		login_seen_put(&b, &again);
		REQUIRE(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	}
	ops_buf_free(&a);
	ops_buf_free(&b);
	return 0;
}
