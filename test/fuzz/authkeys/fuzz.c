/* authkeys - any file: a line that is named is there, and is neither a comment nor
 * empty; with "restrict" put before them, its lines are restricted. */
#include "../fuzz.h"

#include "authkeys.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char more[] = "\nrestrict ssh-rsa AAAA\n";
	char option[AUTHKEYS_OPTION] = "";
	char *s = fuzz_string(data, size), *longer;
	unsigned line = authkeys_restricted(s, size, option), lines = 1;
	const char *p = s;

	for (size_t i = 0; i < size; i++)
		lines += s[i] == '\n';
	REQUIRE(line <= lines);
	REQUIRE(strlen(option) < AUTHKEYS_OPTION);
	if (line > 0) {
		for (unsigned i = 1; i < line; i++)
			p = (const char *)memchr(p, '\n', size) + 1;
		while (*p == ' ' || *p == '\t')
			p++;
		REQUIRE(*p != '#' && *p != '\n');
	}
	/* One more key is found, whatever stands before it. */
	longer = malloc(size + sizeof(more));
	REQUIRE(longer != NULL);
	memcpy(longer, s, size);
	memcpy(longer + size, more, sizeof(more) - 1);
	REQUIRE(
	    authkeys_restricted(longer, size + sizeof(more) - 1, option) > 0);
	free(longer);
	free(s);
	return 0;
}
