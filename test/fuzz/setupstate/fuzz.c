/* setupstate - any state: what is read is written the same or shorter, and read the
 * same again; undoing any file twice does no more than once. */
#include "../fuzz.h"

#include "setupstate.h"

static void
check_undo(const struct setupstate *s, const char *path)
{
	static const char now[] = "root:x:0:0::/:/bin/sh\n/door\nx\n";
	struct ops_buf once = { .max = 100000 }, twice = { .max = 100000 };

	if (setupstate_undo(s, path, now, strlen(now), &once) == UNDO_CHANGE) {
		enum setup_undo again = setupstate_undo(s, path,
		    once.len > 0 ? (char *)once.data : "", once.len, &twice);

		REQUIRE(once.len <= 100000);
		/* What was swapped may be as ours of another swap. */
		REQUIRE(again != UNDO_CHANGE || twice.len <= once.len ||
			s->n_swaps > 0 || strcmp(path, SETUPSTATE_PASSWD) == 0);
	}
	ops_buf_free(&once);
	ops_buf_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setupstate s = { 0 }, t = { 0 };
	struct ops_buf a = { .max = SETUPSTATE_MAX },
		       b = { .max = SETUPSTATE_MAX };
	struct ops_err err = { 0 };

	if (setupstate_parse((const char *)data, size, &s, &err) < 0) {
		REQUIRE(err.code != OPS_OK && err.msg[0] != '\0');
		REQUIRE(s.n_files == 0 && s.arena == NULL);
		return 0;
	}
	setupstate_put(&s, &a);
	REQUIRE(!a.failed);
	REQUIRE(setupstate_parse((const char *)a.data, a.len, &t, &err) == 0);
	setupstate_put(&t, &b);
	REQUIRE(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
	REQUIRE(s.n_accounts == t.n_accounts && s.n_lines == t.n_lines &&
		s.n_swaps == t.n_swaps);
	check_undo(&s, SETUPSTATE_PASSWD);
	for (size_t i = 0; i < s.n_files && i < 50; i++)
		check_undo(&s, s.files[i].path);
	setupstate_free(&s);
	setupstate_free(&t);
	ops_buf_free(&a);
	ops_buf_free(&b);
	return 0;
}
