/*
 * remark - the payload of a NOTE.  What is taken and written again is shorter or equal
 * (unknown keys go) and reads the same, and its words are where they must be.
 */
#include "../fuzz.h"

#include "base/buf.h"
#include "record/record.h"
#include "record/remark.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf a = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct remark r, again;

	if (size > RECORD_PAYLOAD_MAX || remark_get(data, size, &r, NULL) < 0)
		return 0;
	REQUIRE(r.kind == REMARK_REASON || r.kind == REMARK_NOTE);
	REQUIRE(r.text.p != NULL ? r.text.n > 0 && r.text.n <= REMARK_TEXT_MAX
				 : r.kind == REMARK_REASON);
	remark_put(&a, data, &r);
	REQUIRE(!a.failed && a.len <= size);
	REQUIRE(remark_get(a.data, a.len, &again, NULL) == 0);
	remark_put(&b, data, &again);
	REQUIRE(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	ops_buf_free(&a);
	ops_buf_free(&b);
	return 0;
}
