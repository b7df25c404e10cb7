/*
 * login - first byte: LOGIN or LOGOUT; the rest: its payload.  What is taken and
 * written again is shorter or equal (unknown keys go) and reads the same.
 */
#include "../fuzz.h"

#include <stdbool.h>

#include "base/buf.h"
#include "record/login.h"
#include "record/record.h"

/* Decode p; if it is taken, append it encoded again. */
static bool
again(bool out, const uint8_t *p, size_t n, struct ops_buf *b)
{
	struct logout o;
	struct login l;

	if (out) {
		if (logout_get(p, n, &o, NULL) < 0)
			return false;
		logout_put(b, &o);
		return true;
	}
	if (login_get(p, n, &l, NULL) < 0)
		return false;
	REQUIRE((l.how == LOGIN_NOBODY) == (l.person.p == NULL));
	login_put(b, &l);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf a = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };

	if (size == 0 || size > RECORD_PAYLOAD_MAX)
		return 0;
	if (again(data[0] & 1, data + 1, size - 1, &a)) {
		REQUIRE(!a.failed && a.len <= size - 1);
		REQUIRE(again(data[0] & 1, a.data, a.len, &b));
		REQUIRE(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	}
	ops_buf_free(&a);
	ops_buf_free(&b);
	return 0;
}
