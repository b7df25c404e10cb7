/* offswitch - any payload: what is taken can be shown as it is, off has a reason, and put
 * again it is read back the same; what isn't touches nothing. */
#include "../fuzz.h"

#include "store/offswitch.h"

/* To the byte: nothing was written there. */
static bool
is_same(const void *a, const void *b, size_t n)
{
	return memcmp(a, b, n) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf b = { .max = OFFSWITCH_MAX };
	struct offswitch got, again, before;
	char by[OFFSWITCH_BY];

	memset(&before, 1, sizeof(before));
	got = before;
	if (offswitch_get(data, size, &got, NULL) < 0) {
		REQUIRE(is_same(&got, &before, sizeof(got)));
		return 0;
	}
	REQUIRE(!got.off || got.reason[0] != '\0');
	REQUIRE(got.reason[0] == '\0' || offswitch_check_reason(got.reason,
					     strlen(got.reason), NULL) == 0);
	offswitch_by(&got, by);
	REQUIRE(by[0] != '\0' && strlen(by) < sizeof(by));
	offswitch_put(&b, &got, 7);
	REQUIRE(!b.failed);
	REQUIRE(offswitch_get(b.data, b.len, &again, NULL) == 0);
	REQUIRE(again.off == got.off && again.realtime == got.realtime);
	REQUIRE(again.has_who == got.has_who && again.uid == got.uid &&
		again.auid == got.auid);
	REQUIRE(strcmp(again.user, got.user) == 0 &&
		strcmp(again.login, got.login) == 0 &&
		strcmp(again.reason, got.reason) == 0);
	ops_buf_free(&b);
	return 0;
}
