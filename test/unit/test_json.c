#include "check.h"

#include "base/bytes.h"
#include "base/json.h"

static const char *
text_of(struct ops_buf *b)
{
	assert_int_equal(ops_buf_check(b, "json", NULL), 0);
	ops_buf_put8(b, 0);
	b->len--;
	return (const char *)b->data;
}

static void
test_nesting(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct json j = { .out = &b };

	(void)state;
	json_begin_object(&j);
	json_key(&j, "empty");
	json_begin_object(&j);
	json_end_object(&j);
	json_key(&j, "none");
	json_begin_array(&j);
	json_end_array(&j);
	json_key(&j, "list");
	json_begin_array(&j);
	json_uint(&j, 1);
	json_begin_array(&j);
	json_int(&j, -2);
	json_int(&j, 3);
	json_end_array(&j);
	json_begin_object(&j);
	json_key(&j, "a");
	json_bool(&j, true);
	json_key(&j, "b");
	json_nil(&j);
	json_end_object(&j);
	json_str(&j, "x");
	json_str(&j, NULL);
	json_end_array(&j);
	json_key(&j, "last");
	json_bool(&j, false);
	json_end_object(&j);
	assert_string_equal(text_of(&b),
	    "{\"empty\":{},\"none\":[],\"list\":[1,[-2,3],"
	    "{\"a\":true,\"b\":null},\"x\",null],\"last\":false}");
	assert_int_equal(j.depth, 0);

	/* Lines: values on the top level have no comma between them. */
	ops_buf_reset(&b);
	json_uint(&j, 1);
	ops_buf_put8(&b, '\n');
	json_begin_array(&j);
	json_end_array(&j);
	assert_string_equal(text_of(&b), "1\n[]");
	ops_buf_free(&b);
}

/* As deep as allowed, arrays and objects in turn. */
static void
test_depth(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct json j = { .out = &b };
	size_t len = 0;

	(void)state;
	for (int i = 0; i < JSON_DEPTH_MAX; i++) {
		if (i % 2 == 1)
			json_key(&j, "k");
		if (i % 2 == 0)
			json_begin_object(&j);
		else
			json_begin_array(&j);
		len += i % 2 == 0 ? 2 : 6;
	}
	for (int i = JSON_DEPTH_MAX - 1; i >= 0; i--) {
		if (i % 2 == 0)
			json_end_object(&j);
		else
			json_end_array(&j);
	}
	assert_int_equal(strlen(text_of(&b)), len);
	ops_buf_free(&b);
}

static void
test_numbers(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct json j = { .out = &b };

	(void)state;
	json_begin_array(&j);
	json_uint(&j, UINT64_MAX);
	json_int(&j, INT64_MIN);
	json_seconds(&j, 0);
	json_seconds(&j, 1);
	json_seconds(&j, 999999999);
	json_seconds(&j, UINT64_C(83000000500));
	json_seconds(&j, UINT64_MAX);
	json_end_array(&j);
	assert_string_equal(text_of(&b),
	    "[18446744073709551615,-9223372036854775808,0.000000000,"
	    "0.000000001,0.999999999,83.000000500,18446744073.709551615]");
	ops_buf_free(&b);
}

/* clang-format off */
static const struct {
	const char *name, *in;
	size_t n;
	const char *want;
} texts[] = {
#define B(s) s, sizeof(s) - 1
	{ "nothing",		B(""),			"\"\"" },
	{ "plain",		B("a b/c'"),		"\"a b/c'\"" },
	{ "quotes",		B("\"a\\\""),		"\"\\\"a\\\\\\\"\"" },
	{ "line ends",		B("a\r\n\t"),		"\"a\\r\\n\\t\"" },
	{ "controls",		B("\0\x01\x1b\x1f"),	"\"\\u0000\\u0001\\u001b\\u001f\"" },
	{ "del",		B("\x7f"),		"\"\\u007f\"" },
	{ "c1 as utf-8",	B("\xc2\x80\xc2\x9b\xc2\x9f"),	"\"\\u0080\\u009b\\u009f\"" },
	{ "first after c1",	B("\xc2\xa0"),		"\"\xc2\xa0\"" },
	{ "c1 alone",		B("\x9b"),		"\"\xef\xbf\xbd\"" },
	{ "bidi override",	B("\xe2\x80\xae"),	"\"\\u202e\"" },
	{ "line separator",	B("\xe2\x80\xa8"),	"\"\\u2028\"" },
	{ "text",		B("\xe7\xab\xaf \xf0\x9f\x98\x80"),	"\"\xe7\xab\xaf \xf0\x9f\x98\x80\"" },
	{ "invalid",		B("a\xff" "b"),		"\"a\xef\xbf\xbd" "b\"" },
	{ "cut",		B("\xe7\xab"),		"\"\xef\xbf\xbd\xef\xbf\xbd\"" },
	{ "surrogate",		B("\xed\xa0\x80"),	"\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
#undef B
};
/* clang-format on */

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(texts); i++) {
		struct ops_buf b = { .max = 1000 };
		struct json j = { .out = &b };
		uint8_t *in = heap_copy(texts[i].in, texts[i].n);

		json_text(&j, in, texts[i].n);
		CHECK(strcmp(text_of(&b), texts[i].want) == 0, texts[i].name,
		    text_of(&b));
		free(in);
		ops_buf_free(&b);
	}
}

static void
test_bytes(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct json j = { .out = &b };

	(void)state;
	json_begin_object(&j);
	json_text_bytes(&j, "good", "caf\xc3\xa9", 5);
	json_text_bytes(&j, "bad", "caf\xe9", 4);
	json_key(&j, "\"odd\"\n");
	json_base64(&j, NULL, 0);
	json_end_object(&j);
	assert_string_equal(text_of(&b),
	    "{\"good\":\"caf\xc3\xa9\",\"bad\":\"caf\xef\xbf\xbd\","
	    "\"bad_b64\":\"Y2Fm6Q==\",\"\\\"odd\\\"\\n\":\"\"}");
	ops_buf_free(&b);
}

/* The pieces in which base64 is written join without a seam. */
static void
test_base64(void **state)
{
	char want[400] = "\"";

	(void)state;
	for (size_t n = 0; n <= 200; n++) {
		struct ops_buf b = { .max = 1000 };
		struct json j = { .out = &b };
		uint8_t in[200];
		size_t at = 1;

		memset(in, 0, sizeof(in));
		json_base64(&j, in, n);
		for (size_t i = 0; i < n; i += 3) {
			const char *end = n - i >= 3   ? "AAAA"
					  : n - i == 2 ? "AAA="
						       : "AA==";

			memcpy(want + at, end, 4);
			at += 4;
		}
		memcpy(want + at, "\"", 2);
		assert_string_equal(text_of(&b), want);
		ops_buf_free(&b);
	}
}

/* A full buffer is no reason to do anything worse than to fail. */
static void
test_full(void **state)
{
	(void)state;
	for (size_t max = 0; max < 20; max++) {
		struct ops_buf b = { .max = max };
		struct json j = { .out = &b };

		json_begin_object(&j);
		json_text_bytes(&j, "key", "\xff\n", 2);
		json_end_object(&j);
		assert_true(b.failed);
		assert_true(b.len <= max);
		ops_buf_free(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
