/* time - any text: refused, or a time that reads back as itself when printed. */
#include "../fuzz.h"

#include "base/clock.h"

#define NOW UINT64_C(1795421647500000000)

static void
check_time(const char *s)
{
	char out[OPS_TIME_TEXT];
	uint64_t t, back;

	if (ops_time_parse(s, NOW, &t, NULL) < 0)
		return;
	for (int utc = 0; utc < 2; utc++) {
		ops_time_rfc3339(t, utc, out);
		REQUIRE(strlen(out) < OPS_TIME_TEXT);
		/* What lies beyond the year 2500 prints, but isn't read. */
		if (ops_time_parse(out, NOW, &back, NULL) == 0)
			REQUIRE(back == t);
		else
			REQUIRE(memcmp(out, "2500", 4) > 0);
	}
}

static void
check_duration(const char *s)
{
	uint64_t d, back, t;
	char out[24];

	if (ops_duration_parse(s, &d, NULL) == 0) {
		char *relative = malloc(strlen(s) + 5);

		/* "-D" and "D ago" are the same time. */
		REQUIRE(relative != NULL);
		memcpy(relative, s, strlen(s));
		memcpy(relative + strlen(s), " ago", 5);
		if (d <= NOW) {
			REQUIRE(ops_time_parse(relative, NOW, &t, NULL) == 0);
			REQUIRE(t == NOW - d);
		}
		free(relative);
	}
	if (ops_offset_parse(s, &d, NULL) == 0) {
		ops_offset_text(d, out);
		REQUIRE(ops_offset_parse(out, &back, NULL) == 0);
		REQUIRE(back == d - d % 1000000000);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int zoned;
	char *s;

	if (!zoned) {
		setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
		zoned = 1;
	}
	if (size > 4096)
		return 0;
	s = fuzz_string(data, size);
	check_time(s);
	check_duration(s);
	free(s);
	return 0;
}
