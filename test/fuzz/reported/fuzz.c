/* reported - any file: what is added to one made of its lines is found in it again, and
 * nothing is found in a file that isn't whole. */
#include <string.h>

#include "../fuzz.h"
#include "reported.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size);
	struct ops_buf b = { .max = REPORTED_MAX };

	(void)reported_has(s, size, "accounts: al has /bin/sh");
	if (size > 0 && size < 500) {
		reported_begin(&b);
		reported_add(&b, s);
		REQUIRE(!reported_has((const char *)b.data, b.len, s));
		reported_end(&b);
		REQUIRE(reported_has((const char *)b.data, b.len, s));
		REQUIRE(!reported_has((const char *)b.data, b.len - 1, s));
	}
	ops_buf_free(&b);
	free(s);
	return 0;
}
