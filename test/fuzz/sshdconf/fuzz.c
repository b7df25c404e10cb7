/* sshdconf - any answer, any configuration: values fit; with a file more included it is
 * that file longer; a name that is let into Match User is one word. */
#include "../fuzz.h"

#include "sshdconf.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size), value[SSHDCONF_VALUE];
	struct ops_buf out = { .max = size + 100 };
	unsigned line = 0, before = 0;
	struct textline l;
	size_t at = 0;

	if (sshdconf_value(s, size, "usepam", value)) {
		REQUIRE(strlen(value) < SSHDCONF_VALUE);
		REQUIRE(strchr(value, '\n') == NULL);
	}
	while (sshdconf_next(s, size, &at, &line, "subsystem", value)) {
		REQUIRE(line > before && line <= size && at <= size);
		before = line;
	}
	if (sshdconf_refuses(s, size, "/door", value))
		REQUIRE(value[0] != '\0' && strlen(value) < SSHDCONF_VALUE);
	if (sshdconf_with(s, size, "/etc/ssh/d", "/new", &out))
		REQUIRE(out.len == size + strlen("Include /new\n"));
	else
		REQUIRE(out.len == size &&
			(size == 0 || memcmp(out.data, s, size) == 0));
	ops_buf_reset(&out);
	if (sshdconf_sftp(s, size, "/server", &l, &out)) {
		REQUIRE(sshdconf_sftp_is_internal(s, size));
		REQUIRE(out.len + strlen("internal-sftp") ==
			l.n + strlen("/server"));
	}
	(void)sshdconf_shuts_in(s, size);
	for (size_t last = 0; sshdconf_include(s, size, &at, value); last = at)
		REQUIRE(at > last && at <= size);
	if (sshdconf_is_name(s))
		REQUIRE(strpbrk(s, " \t\n,*?!\"'\\#") == NULL && s[0] != '-');
	ops_buf_free(&out);
	free(s);
	return 0;
}
