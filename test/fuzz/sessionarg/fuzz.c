/*
 * sessionarg - any argument.  What is taken is a beginning of what was typed,
 * with its place written out behind it: put together again it is taken the
 * same, and nothing else was left out.  What is refused touches nothing.
 */
#include "../fuzz.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "sessionarg.h"

#define SECOND UINT64_C(1000000000)

static void
check_places(const char *s, const struct sessionarg *a)
{
	size_t n = strlen(a->name);
	const char *rest = s + n;
	uint64_t offset;

	REQUIRE(n > 0 && strncmp(a->name, s, n) == 0);
	if (a->has_number) {
		char *end;

		REQUIRE(*rest == ':' && a->number > 0);
		REQUIRE(strtoull(rest + 1, &end, 10) == a->number);
		rest = end;
	}
	if (a->has_offset) {
		REQUIRE(*rest == '@');
		REQUIRE(ops_offset_parse(rest + 1, &offset, NULL) == 0);
		REQUIRE(offset == a->offset);
		rest += strlen(rest);
	}
	REQUIRE(*rest == '\0');
}

static void
check_again(const struct sessionarg *a)
{
	struct sessionarg again;
	char text[SESSIONARG_NAME_MAX + 80];
	int n = snprintf(text, sizeof(text), "%s", a->name);

	if (a->has_number)
		n += snprintf(
		    text + n, sizeof(text) - (size_t)n, ":%" PRIu64, a->number);
	if (a->has_offset)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    "@%" PRIu64 ".%09" PRIu64, a->offset / SECOND,
		    a->offset % SECOND);
	if (n > SESSIONARG_NAME_MAX)
		return;
	REQUIRE(sessionarg_parse(text, &again, NULL) == 0);
	REQUIRE(strcmp(again.name, a->name) == 0);
	REQUIRE(again.has_number == a->has_number &&
		again.number == a->number &&
		again.has_offset == a->has_offset && again.offset == a->offset);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size);
	struct sessionarg a = { .name = "untouched" };
	struct ops_err err = { 0 };

	if (sessionarg_parse(s, &a, &err) < 0) {
		REQUIRE(err.code != OPS_OK && err.msg[0] != '\0');
		REQUIRE(strcmp(a.name, "untouched") == 0);
	} else {
		check_places(s, &a);
		check_again(&a);
	}
	free(s);
	return 0;
}
