#include "answer.h"
#include "base/bytes.h"
#include "check.h"
#include "record/record.h"

static void
test_failed(void **state)
{
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(
	    answer_failed((const uint8_t *)"\x08not yours", 10, &err), -1);
	assert_int_equal(err.code, OPS_EPERM);
	assert_string_equal(err.msg, "not yours");
	assert_int_equal(answer_failed((const uint8_t *)"\x08", 1, &err), -1);
	assert_string_equal(err.msg, "");
	/* "It failed: all is well", and what no code stands for. */
	assert_int_equal(answer_failed((const uint8_t *)"\0x", 2, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(answer_failed((const uint8_t *)"\xffx", 2, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(answer_failed(NULL, 0, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
}

static void
test_names(void **state)
{
	/* clang-format off */
	static const struct { const char *row; const char *p; size_t n; size_t want; /* 0: refused */ } rows[] = {
		{ "two",        "a\0bc", 5, 2 },
		{ "dots inside", "..a\0.b", 7, 2 },
		{ "no end",     "a\0b", 3, 0 },
		{ "nothing",    "", 0, 0 },
		{ "empty name", "a\0", 3, 0 },
		{ "only NUL",   "", 1, 0 },
		{ "path",       "a/b", 4, 0 },
		{ "itself",     ".", 2, 0 },
		{ "above",      "a\0..", 5, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *p = heap_copy(rows[i].p, rows[i].n);
		struct vfs_names names = { 0 };
		struct ops_err err = { 0 };
		int rc = answer_names(&names, p, rows[i].n, &err);

		free(p);
		CHECK((rc == 0) == (rows[i].want > 0), rows[i].row, "taken?");
		CHECK(rc < 0 || names.n == rows[i].want, rows[i].row, "count");
		CHECK(rc == 0 || err.code == OPS_EFORMAT, rows[i].row, "code");
		vfs_names_free(&names);
	}
}

static void
test_sessions_end(void **state)
{
	/* clang-format off */
	static const struct { const char *row, *p; size_t n; bool taken; } rows[] = {
		{ "all",           "\3\0\0\0", 4, true },
		{ "another count", "\2\0\0\0", 4, false },
		{ "cut",           "\3\0\0", 3, false },
		{ "nothing",       "", 0, false },
		{ "some missing",  "\3\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0why", 23, true },
		{ "cut inside",    "\3\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0", 19, false },
		{ "none missing",  "\3\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 20, false },
		{ "more than all", "\3\0\0\0\3\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 20, false },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *p = heap_copy(rows[i].p, rows[i].n);
		struct session_missing m = { .frames = 77 };
		struct ops_err err = { 0 };
		int rc = answer_sessions_end(p, rows[i].n, 3, &m, &err);

		free(p);
		CHECK((rc == 0) == rows[i].taken, rows[i].row, "taken?");
		CHECK(rc == 0 || m.frames == 77, rows[i].row, "untouched");
		CHECK(rc == 0 || err.code == OPS_EFORMAT, rows[i].row, "code");
		if (rc == 0 && rows[i].n > 4)
			CHECK(m.frames == 1 && m.of == 2 &&
				  strcmp(m.why, "why") == 0,
			    rows[i].row, "what is missing");
	}
}

static size_t
put(uint8_t *p, uint64_t number, const char *text)
{
	struct record r = { .type = REC_OUTPUT,
		.payload = (const uint8_t *)text,
		.len = strlen(text) };

	ops_putle64(p, number);
	return 8 + record_encode(&r, p + 8);
}

static void
test_tail(void **state)
{
	struct ops_buf out = { .max = 100 };
	struct answer_tail t = { .out = &out };
	uint8_t p[RECORD_MAX + 8];
	struct ops_err err = { 0 };
	size_t n, len;

	(void)state;
	n = put(p, 7, "abc");
	assert_int_equal(answer_tail(&t, p, n, &err), 0);
	assert_int_equal(t.first, 7);
	assert_int_equal(t.next, 8);
	assert_int_equal(out.len, n - 8);
	len = out.len;
	assert_int_equal(answer_tail(&t, p, n, &err), -1); /* 7 again */
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_int_equal(answer_tail(&t, p, 7, &err), -1);
	n = put(p, 8, "d");
	assert_int_equal(answer_tail(&t, p, n - 1, &err), -1); /* cut */
	assert_int_equal(out.len, len);
	assert_int_equal(t.next, 8);
	assert_int_equal(answer_tail(&t, p, n, &err), 0);
	assert_int_equal(t.next, 9);
	assert_int_equal(t.first, 7);
	/* An empty one is none, but says where it would be. */
	ops_putle64(p, 9);
	assert_int_equal(answer_tail(&t, p, 8, &err), 0);
	assert_int_equal(t.next, 9);
	/* The limit holds. */
	n = put(p, 9,
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "456789");
	assert_int_equal(answer_tail(&t, p, n, &err), -1);
	assert_int_equal(err.code, OPS_ENOMEM);
	ops_buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_sessions_end),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
