/* passwd - any file: an account's parts lie in its line; shells that are changed and
 * changed back leave every byte as it was. */
#include "../fuzz.h"

#include <stdio.h>

#include "passwd.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size), name[300], shell[300];
	struct passwd_line l, first = { 0 };
	struct ops_buf there = { .max = size + 1000 },
		       back = { .max = size + 1000 };
	struct passwd_change c = { .name = name };
	size_t at = 0, end = 0;
	int rc;

	while ((rc = passwd_next(s, size, &at, &l)) != 0) {
		REQUIRE(at > end && at <= size);
		end = at;
		if (rc < 0)
			continue;
		REQUIRE(l.end == at && l.name_len > 0 && l.uid != UINT32_MAX);
		REQUIRE(l.shell == s + l.shell_at);
		REQUIRE(l.shell_at + l.shell_len <= l.end);
		REQUIRE(memchr(l.name, ':', l.name_len) == NULL);
		REQUIRE(memchr(l.shell, '\n', l.shell_len) == NULL);
		if (first.name == NULL && l.name_len < sizeof(name) &&
		    l.shell_len < sizeof(shell))
			first = l;
	}
	if (first.name != NULL) {
		snprintf(name, sizeof(name), "%.*s", (int)first.name_len,
		    first.name);
		snprintf(shell, sizeof(shell), "%.*s", (int)first.shell_len,
		    first.shell);
		c.uid = first.uid;
		c.from = shell;
		c.to = "/is/not/there";
		REQUIRE(passwd_change(s, size, &c, 1, &there) >= 1);
		c.from = c.to;
		c.to = shell;
		if (memmem(s, size, c.from, strlen(c.from)) == NULL) {
			REQUIRE(passwd_change((char *)there.data, there.len, &c,
				    1, &back) >= 1);
			REQUIRE(back.len == size &&
				memcmp(back.data, s, size) == 0);
		}
	}
	ops_buf_free(&there);
	ops_buf_free(&back);
	free(s);
	return 0;
}
