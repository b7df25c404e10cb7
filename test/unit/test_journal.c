#include "check.h"

#include "base/bytes.h"
#include "journal.h"

static void
test_fields(void **state)
{
	/* clang-format off */
	static const struct { const char *key, *value; size_t n; const char *want; size_t want_n; } rows[] = {
#define W(s) s, sizeof(s) - 1
		{ "MESSAGE", W("hello"),	W("MESSAGE=hello\n") },
		{ "MESSAGE", W(""),		W("MESSAGE=\n") },
		{ "MESSAGE", W("a=b"),		W("MESSAGE=a=b\n") },
		{ "A_1", W("a\0b"),		W("A_1=a\0b\n") },
		{ "MESSAGE", W("a\nb"),		W("MESSAGE\n\3\0\0\0\0\0\0\0a\nb\n") },
		{ "MESSAGE", W("\n"),		W("MESSAGE\n\1\0\0\0\0\0\0\0\n\n") },
		{ "MESSAGE", W("x\nPRIORITY=0"), W("MESSAGE\n\14\0\0\0\0\0\0\0x\nPRIORITY=0\n") },
#undef W
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct ops_buf out = { .max = 1000 };

		journal_put(&out, rows[i].key, rows[i].value, rows[i].n);
		CHECK(out.len == rows[i].want_n &&
			  memcmp(out.data, rows[i].want, out.len) == 0,
		    rows[i].want, "bytes");
		ops_buf_free(&out);
	}
}

/* An entry is its fields one after another; one that doesn't fit leaves the
 * buffer failed. */
static void
test_entry(void **state)
{
	static const char want[] = "PRIORITY=5\nMESSAGE=a b\n";
	struct ops_buf out = { .max = sizeof(want) - 1 };

	(void)state;
	journal_puts(&out, "PRIORITY", "5");
	journal_puts(&out, "MESSAGE", "a b");
	assert_false(out.failed);
	assert_memory_equal(out.data, want, sizeof(want) - 1);
	journal_puts(&out, "X", "");
	assert_true(out.failed);
	ops_buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_entry),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
