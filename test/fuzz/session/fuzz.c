/*
 * session - the input as one session of query's answer: what is taken can be
 * put again, and then comes back the same.
 */
#include <string.h>

#include "../fuzz.h"
#include "store/session.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf one = { .max = 1u << 20 }, two = { .max = 1u << 20 };
	struct session_list l = { 0 };

	if (session_get(data, size, &l, NULL) == 0) {
		REQUIRE(l.n == 1);
		REQUIRE(session_state_name(l.s[0].state)[0] != '?');
		session_put(&one, &l.s[0]);
		REQUIRE(!one.failed);
		REQUIRE(session_get(one.data, one.len, &l, NULL) == 0);
		REQUIRE(l.n == 2);
		session_put(&two, &l.s[1]);
		REQUIRE(one.len == two.len);
		REQUIRE(memcmp(one.data, two.data, one.len) == 0);
	} else {
		REQUIRE(l.n == 0);
	}
	session_list_free(&l);
	ops_buf_free(&one);
	ops_buf_free(&two);
	return 0;
}
