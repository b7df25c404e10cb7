#include "check.h"

#include "asciicast.h"
#include "base/text.h"

#define MS UINT64_C(1000000)
#define FFFD "\xef\xbf\xbd"

static void
equals(struct ops_buf *out, const char *want)
{
	assert_false(out->failed);
	ops_buf_put8(out, 0);
	assert_string_equal((char *)out->data, want);
	ops_buf_free(out);
}

static void
test_header(void **state)
{
	struct asciicast_header h = {
		.version = 2,
		.cols = 80,
		.rows = 24,
		.timestamp = 1700000000,
		.duration = 1500 * MS,
		.command = (const uint8_t *)"ls\0-l",
		.command_len = 5,
		.term = (const uint8_t *)"xterm",
		.term_len = 5,
		.session = "abc",
		.lossy = 3,
	};
	struct ops_buf out = { .max = 4096 };

	(void)state;
	asciicast_put_header(&h, &out);
	equals(&out, "{\"version\":2,\"width\":80,\"height\":24,"
		     "\"timestamp\":1700000000,\"duration\":1.500000000,"
		     "\"command\":\"ls -l\",\"env\":{\"TERM\":\"xterm\"},"
		     "\"opseal_session\":\"abc\",\"opseal_lossy_bytes\":3}\n");

	out = (struct ops_buf){ .max = 4096 };
	h.version = 3;
	h.lossy = 0;
	h.command = NULL;
	asciicast_put_header(&h, &out);
	equals(&out, "{\"version\":3,\"term\":{\"cols\":80,\"rows\":24,"
		     "\"type\":\"xterm\"},\"timestamp\":1700000000,"
		     "\"opseal_session\":\"abc\"}\n");
}

static void
put(struct asciicast *a, uint64_t t, char code, const char *s,
    struct ops_buf *out)
{
	asciicast_put(a, t, code, s, strlen(s), out);
}

static void
test_v2(void **state)
{
	struct ops_buf out = { .max = 4096 };
	struct asciicast a = { .version = 2 };

	(void)state;
	put(&a, 0, 'o', "a\033[1m\r\n\"\\", &out);
	put(&a, 1234567890, 'r', "100x30", &out);
	put(&a, 2000 * MS, 'x', "3", &out); /* not in version 2 */
	put(&a, 3000 * MS, 'm', "", &out);
	asciicast_end(&a, 3000 * MS, &out);
	equals(&out, "[0.000000, \"o\", \"a\\u001b[1m\\r\\n\\\"\\\\\"]\n"
		     "[1.234567, \"r\", \"100x30\"]\n"
		     "[3.000000, \"m\", \"\"]\n");
	assert_int_equal(a.replaced, 0);
	asciicast_free(&a);
}

/* Intervals are rounded so that their sum is not off by more than 1 ms. */
static void
test_v3_no_drift(void **state)
{
	struct asciicast a = { .version = 3 };
	uint64_t sum = 0, t = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		struct ops_buf out = { .max = 4096 };
		unsigned s, ms;

		t += 333333; /* 0.333 ms: each alone rounds to 0 */
		put(&a, t, 'o', "x", &out);
		ops_buf_put8(&out, 0);
		assert_int_equal(
		    sscanf((char *)out.data, "[%u.%3u,", &s, &ms), 2);
		sum += s * 1000 + ms;
		assert_true(sum * MS <= t + MS && t <= sum * MS + MS);
		ops_buf_free(&out);
	}
	asciicast_free(&a);
}

static void
test_v3_exit(void **state)
{
	struct ops_buf out = { .max = 4096 };
	struct asciicast a = { .version = 3 };

	(void)state;
	put(&a, 248 * MS, 'o', "hi", &out);
	put(&a, 1248 * MS, 'x', "0", &out);
	equals(&out, "[0.248, \"o\", \"hi\"]\n[1.000, \"x\", \"0\"]\n");
	asciicast_free(&a);
}

/* A character cut in two goes into the event that completes it. */
static void
test_carry(void **state)
{
	struct ops_buf out = { .max = 4096 };
	struct asciicast a = { .version = 2 };

	(void)state;
	put(&a, 0, 'o', "a\xe3", &out);
	put(&a, MS, 'o', "\x81", &out); /* nothing whole: no event */
	put(&a, 2 * MS, 'i', "b", &out);
	put(&a, 3 * MS, 'o', "\x82z", &out);
	put(&a, 4 * MS, 'o', "\xff\xe3", &out);
	asciicast_end(&a, 5 * MS, &out);
	assert_int_equal(a.replaced, 2);
	equals(&out, "[0.000000, \"o\", \"a\"]\n"
		     "[0.002000, \"i\", \"b\"]\n"
		     "[0.003000, \"o\", \"\xe3\x81\x82z\"]\n"
		     "[0.004000, \"o\", \"" FFFD "\"]\n"
		     "[0.005000, \"o\", \"" FFFD "\"]\n");
	asciicast_free(&a);
}

/* Any split of any bytes: the same text, the same count. */
static void
test_every_split(void **state)
{
	static const uint8_t in[] = "a\xe6\x97\xa5\xf0\x9f\x98\x80\xff\xc3("
				    "\xe0\x80\x80\xed\xa0\x80z\xf4";
	size_t n = sizeof(in) - 1;
	struct ops_buf whole = { .max = 4096 };
	struct utf8_carry c = { .n = 0 };
	uint64_t count = utf8_feed(&c, in, n, &whole);

	(void)state;
	count += utf8_end(&c, &whole);
	assert_true(ops_utf8_valid(whole.data, whole.len));
	assert_int_equal(count, 1 + 1 + 3 + 3 + 1);
	for (size_t i = 0; i <= n; i++) {
		for (size_t k = i; k <= n; k++) {
			struct ops_buf out = { .max = 4096 };
			uint64_t got = utf8_feed(&c, in, i, &out);

			got += utf8_feed(&c, in + i, k - i, &out);
			got += utf8_feed(&c, in + k, n - k, &out);
			got += utf8_end(&c, &out);
			assert_int_equal(got, count);
			assert_int_equal(out.len, whole.len);
			assert_memory_equal(out.data, whole.data, out.len);
			ops_buf_free(&out);
		}
	}
	ops_buf_free(&whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v3_no_drift),
		cmocka_unit_test(test_v3_exit),
		cmocka_unit_test(test_carry),
		cmocka_unit_test(test_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
