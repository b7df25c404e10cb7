/*
 * capture_mask - any arguments, by the rules that opseald comes with, and by the
 * first bytes of the input as rules: there are as many arguments afterwards, the
 * first of them is as it was, and where nothing is masked all of them are.
 */
#include "../fuzz.h"

#include <string.h>

#include "capture_mask.h"

static size_t
count(const uint8_t *p, size_t n)
{
	size_t nuls = 0;

	for (size_t i = 0; i < n; i++)
		nuls += p[i] == 0;
	return nuls;
}

static void
check(const struct mask *m, const uint8_t *p, size_t n)
{
	struct ops_buf out = { .max = 64 * n + 64 };
	size_t masked = mask_args(m, p, n, &out);

	REQUIRE(!out.failed);
	REQUIRE(count(out.data, out.len) == count(p, n));
	if (masked == 0)
		REQUIRE(
		    out.len == n && (n == 0 || memcmp(out.data, p, n) == 0));
	if (n > 0) {
		size_t first = strnlen((const char *)p, n);

		REQUIRE(out.len >= first && memcmp(out.data, p, first) == 0);
	}
	ops_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mask *m;
	size_t rules = size > 0 ? data[0] : 0;

	if (size == 0)
		return 0;
	data++;
	size--;
	rules = rules < size ? rules : size;
	if (mask_new("rules", (const char *)data, rules, &m, NULL) == 0) {
		check(m, data + rules, size - rules);
		mask_free(m);
	}
	REQUIRE(mask_new("default", mask_default_rules,
		    strlen(mask_default_rules), &m, NULL) == 0);
	check(m, data + rules, size - rules);
	mask_free(m);
	return 0;
}
