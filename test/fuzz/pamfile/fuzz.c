/* pamfile - any file: one line more is one line more, is found, and comes off again;
 * a file that was right stays so. */
#include "../fuzz.h"

#include "pamfile.h"
#include "textline.h"

#define MODULE "pam_fuzz.so"

static void
check(const char *s, size_t n, const char *kind, const char *line)
{
	struct ops_buf out = { .max = n + 100 }, back = { .max = n + 100 };
	bool had = textline_find(s, n, line, NULL);
	bool open = pamfile_add(s, n, kind, line, &out);

	REQUIRE(!out.failed);
	REQUIRE(out.len == n + strlen(line) + 1 + open);
	REQUIRE(textline_find((char *)out.data, out.len, line, NULL));
	if (!had) {
		REQUIRE(textline_drop(
		    (char *)out.data, out.len, line, open, &back));
		REQUIRE(
		    back.len == n && (n == 0 || memcmp(back.data, s, n) == 0));
	}
	/* Behind a line that goes on in the next, it would be part of that. */
	if (pamfile_wrong(s, n) == 0 && (n == 0 || s[n - 1] != '\\') &&
	    (n < 2 || s[n - 2] != '\\')) {
		REQUIRE(pamfile_wrong((char *)out.data, out.len) == 0);
		REQUIRE(pamfile_has((char *)out.data, out.len, kind, MODULE));
	}
	ops_buf_free(&out);
	ops_buf_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size);

	check(s, size, "account", "account optional " MODULE);
	check(s, size, "session", "session optional " MODULE);
	free(s);
	return 0;
}
