/* doorpolicy - any file: what is taken has texts without control characters and within
 * their limits, and written out it is read back the same; what isn't touches nothing. */
#include "../fuzz.h"

#include "base/doorpolicy.h"

static void
check_text(const char *s, size_t max)
{
	REQUIRE(strlen(s) <= max);
	for (; *s != '\0'; s++)
		REQUIRE((unsigned char)*s >= ' ' && *s != 0x7f);
}

/* To the byte: nothing was written there. */
static bool
is_same(const void *a, const void *b, size_t n)
{
	return memcmp(a, b, n) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf b = { .max = DOORPOLICY_MAX };
	struct doorpolicy got, again, before;

	memset(&before, 7, sizeof(before));
	got = before;
	if (doorpolicy_parse((const char *)data, size, &got, NULL) < 0) {
		REQUIRE(is_same(&got, &before, sizeof(got)));
		return 0;
	}
	check_text(got.group, DOORPOLICY_NAME);
	check_text(got.off, DOORPOLICY_OFF);
	REQUIRE(got.has_group == (got.group[0] != '\0'));
	doorpolicy_put(&b, &got);
	REQUIRE(!b.failed);
	REQUIRE(
	    doorpolicy_parse((const char *)b.data, b.len, &again, NULL) == 0);
	REQUIRE(again.refuse == got.refuse && again.gid == got.gid);
	REQUIRE(strcmp(again.group, got.group) == 0);
	REQUIRE(strcmp(again.off, got.off) == 0);
	ops_buf_free(&b);
	return 0;
}
