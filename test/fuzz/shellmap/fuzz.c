/* shellmap - any file: entries lie inside it and are what their line says, lines are
 * counted, and who is found has one of the entries that may be his. */
#include "../fuzz.h"

#include <string.h>

#include "base/shellmap.h"

static bool
inside(const uint8_t *data, size_t size, const char *p, size_t n)
{
	const char *from = (const char *)data;

	return p >= from && n <= size && (size_t)(p - from) <= size - n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shellmap_entry e = { 0 }, found;
	size_t at = 0, lines = 1;
	bool mine = false, any = false;
	int rc;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	while ((rc = shellmap_next((const char *)data, size, &at, &e)) != 0) {
		REQUIRE(at <= size && e.line >= 1 && e.line <= lines);
		REQUIRE((rc < 0) == (e.wrong != NULL));
		if (rc < 0)
			continue;
		REQUIRE(inside(data, size, e.name, e.name_len));
		REQUIRE(inside(data, size, e.shell, e.shell_len));
		REQUIRE(e.name_len > 0 && e.shell_len > 0 && *e.shell == '/');
		REQUIRE(e.shell_len <= SHELLMAP_SHELL_MAX);
		REQUIRE(memchr(e.shell, '\n', e.shell_len) == NULL);
		mine |= !e.any && e.uid == 1000;
		any |= e.any;
	}
	REQUIRE(at == size);
	REQUIRE(shellmap_find((const char *)data, size, 1000, "a", &found) ==
		(mine || any));
	REQUIRE(!mine || (!found.any && found.uid == 1000));
	return 0;
}
