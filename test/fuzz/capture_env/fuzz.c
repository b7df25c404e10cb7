/* capture_env - a list of names, NUL, an environment: what is kept was there. */
#include "../fuzz.h"

#include <string.h>

#include "capture_env.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	struct ops_buf out = { .max = 1u << 20 };
	const char *list = (const char *)data;
	size_t used;

	if (nul == NULL)
		return 0;
	used = (size_t)(nul - data) + 1;
	env_keep(list, data + used, size - used, &out);
	REQUIRE(!out.failed && out.len <= size - used);
	for (size_t at = 0; at < out.len;) {
		const char *p = (const char *)out.data + at;
		size_t n = strnlen(p, out.len - at);

		REQUIRE(at + n < out.len && memchr(p, '=', n) != NULL);
		REQUIRE(memmem(data + used, size - used, p, n + 1) != NULL);
		at += n + 1;
	}
	ops_buf_free(&out);
	return 0;
}
