#include "check.h"

#include "base/buf.h"

static void
test_puts(void **state)
{
	static const char want[] = "\x01\x02\x03\x06\x05\x04\x03"
				   "\x0e\x0d\x0c\x0b\x0a\x09\x08\x07"
				   "abc-17";
	struct ops_buf b = { .max = 100 };

	(void)state;
	ops_buf_put8(&b, 1);
	ops_buf_putle16(&b, 0x0302);
	ops_buf_putle32(&b, 0x03040506);
	ops_buf_putle64(&b, 0x0708090a0b0c0d0e);
	ops_buf_puts(&b, "abc");
	ops_buf_printf(&b, "%d", -17);
	ops_buf_put(&b, NULL, 0);
	assert_int_equal(ops_buf_check(&b, "x", NULL), 0);
	/* 03 02 is little-endian: 02 03. */
	assert_int_equal(b.len, sizeof(want) - 1);
	assert_memory_equal(b.data, want, sizeof(want) - 1);

	ops_buf_consume(&b, 15);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "abc-17", 6);
	ops_buf_consume(&b, 6);
	assert_int_equal(b.len, 0);
	ops_buf_free(&b);
	assert_null(b.data);
	ops_buf_free(&b);
}

/* Exactly up to the limit, whatever it is; one byte more changes nothing. */
static void
test_limit(void **state)
{
	(void)state;
	for (size_t max = 0; max < 300; max++) {
		struct ops_buf b = { .max = max };
		struct ops_err err = { 0 };
		char row[32];

		snprintf(row, sizeof(row), "max %zu", max);
		for (size_t i = 0; i < max; i++)
			ops_buf_put8(&b, (uint8_t)i);
		CHECK(ops_buf_check(&b, "x", &err) == 0, row, err.msg);
		CHECK(b.len == max && b.cap <= max, row, "size");
		ops_buf_put8(&b, 0);
		CHECK(b.failed && b.len == max, row, "over the limit");
		CHECK(ops_buf_check(&b, "thing", &err) == -1, row, "check");
		CHECK(err.code == OPS_ENOMEM, row, "code");
		CHECK(strncmp(err.msg, "thing: ", 7) == 0, row, err.msg);
		for (size_t i = 0; i < max; i++)
			CHECK(b.data[i] == (uint8_t)i, row, "content");
		ops_buf_free(&b);
	}
}

static void
test_sticky(void **state)
{
	struct ops_buf b = { .max = 4 };

	(void)state;
	ops_buf_puts(&b, "ab");
	ops_buf_puts(&b, "cde");
	ops_buf_puts(&b, "c"); /* would fit, but something is missing */
	ops_buf_printf(&b, "%s", "d");
	assert_null(ops_buf_reserve(&b, 0));
	assert_true(b.failed);
	assert_int_equal(b.len, 2);
	ops_buf_reset(&b);
	assert_false(b.failed);
	ops_buf_puts(&b, "abcd");
	assert_false(b.failed);
	assert_memory_equal(b.data, "abcd", 4);
	assert_null(ops_buf_reserve(&b, SIZE_MAX));
	ops_buf_free(&b);
}

static void
test_reserve(void **state)
{
	struct ops_buf b = { .max = 1 << 20 };
	uint8_t *p = ops_buf_reserve(&b, 1000);

	(void)state;
	assert_non_null(p);
	assert_int_equal(b.len, 0);
	assert_true(b.cap >= 1000);
	memset(p, 'x', 1000);
	b.len += 1000;
	p = ops_buf_reserve(&b, 100000);
	assert_non_null(p);
	assert_ptr_equal(p, b.data + 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(b.data[i], 'x');
	ops_buf_free(&b);
	p = ops_buf_reserve(&b, 0);
	assert_non_null(p);
	ops_buf_free(&b);
}

/* Short and long results, and one that just fits. */
static void
test_printf(void **state)
{
	char want[1000];

	(void)state;
	memset(want, 'y', sizeof(want));
	for (int n = 0; n < (int)sizeof(want); n += 3) {
		struct ops_buf b = { .max = (size_t)n };

		ops_buf_printf(&b, "%.*s", n, want);
		assert_false(b.failed);
		assert_int_equal(b.len, n);
		if (n > 0)
			assert_memory_equal(b.data, want, (size_t)n);
		ops_buf_printf(&b, "%c", 'z');
		assert_true(b.failed);
		ops_buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_puts),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_printf),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
