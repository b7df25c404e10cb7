/* passed - four texts with NULs between, as the environment may have them: what is
 * taken is whole, and names every socket. */
#include "../fuzz.h"

#include <string.h>

#include "passed.h"

#define SELF 1234

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct passed p = { .n = 99 };
	struct ops_err err = { 0 };
	const char *text[4] = { NULL };
	char *copy = malloc(size + 1);
	size_t at = 0;

	REQUIRE(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	for (size_t i = 0; i < 4 && at < size; i++) {
		text[i] = copy + at;
		at += strlen(copy + at) + 1;
	}
	if (passed_sockets_parse(text[0], text[1], text[2], SELF, &p, &err) <
	    0) {
		REQUIRE(p.n == 99 && err.code == OPS_EUSAGE);
	} else {
		REQUIRE(p.n <= PASSED_MAX);
		for (size_t i = 0; i < p.n; i++) {
			size_t n = strnlen(p.name[i], sizeof(p.name[i]));

			REQUIRE(n > 0 && n <= PASSED_NAME_MAX);
			REQUIRE(strstr(text[2], p.name[i]) != NULL);
		}
	}
	REQUIRE(passed_watchdog_parse(text[3], NULL, SELF) % 1000 == 0);
	REQUIRE(passed_watchdog_parse(NULL, text[3], SELF) == 0);
	free(copy);
	return 0;
}
