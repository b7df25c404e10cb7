/* command - any line: its words stay inside the struct, in order, none more than
 * there may be. */
#include "../fuzz.h"

#include <string.h>

#include "config/command.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);
	static struct command c;
	struct ops_err err = { 0 };
	size_t n = 0;

	REQUIRE(line != NULL);
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	if (command_parse(line, &c, &err) < 0) {
		REQUIRE(err.code == OPS_EUSAGE && err.msg[0] != '\0');
		free(line);
		return 0;
	}
	for (const char *end = c.text; c.argv[n] != NULL; n++) {
		REQUIRE(n < COMMAND_WORDS && c.argv[n] == end);
		end += strlen(c.argv[n]) + 1;
		REQUIRE(end <= c.text + sizeof(c.text));
	}
	REQUIRE(n > 0 && c.argv[0][0] == '/');
	free(line);
	return 0;
}
