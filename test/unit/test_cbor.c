#include "check.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "record/cbor.h"

/* One item's head: these bytes give this. */
/* clang-format off */
static const struct {
	const char *name;
	const char *in;
	size_t n;
	enum ops_code code;
	enum cbor_kind kind;
	uint64_t value;
	size_t used;
} cases[] = {
#define B(s) s, sizeof(s) - 1
	{ "0",			B("\x00"),		OPS_OK, CBOR_UINT, 0, 1 },
	{ "23",			B("\x17"),		OPS_OK, CBOR_UINT, 23, 1 },
	{ "24",			B("\x18\x18"),		OPS_OK, CBOR_UINT, 24, 2 },
	{ "255",		B("\x18\xff"),		OPS_OK, CBOR_UINT, 255, 2 },
	{ "256",		B("\x19\x01\x00"),	OPS_OK, CBOR_UINT, 256, 3 },
	{ "65535",		B("\x19\xff\xff"),	OPS_OK, CBOR_UINT, 65535, 3 },
	{ "65536",		B("\x1a\0\x01\0\0"),	OPS_OK, CBOR_UINT, 65536, 5 },
	{ "2^32 - 1",		B("\x1a\xff\xff\xff\xff"), OPS_OK, CBOR_UINT, UINT32_MAX, 5 },
	{ "2^32",		B("\x1b\0\0\0\x01\0\0\0\0"), OPS_OK, CBOR_UINT, 1ull << 32, 9 },
	{ "2^64 - 1",		B("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), OPS_OK, CBOR_UINT, UINT64_MAX, 9 },
	{ "no bytes",		B("\x40"),		OPS_OK, CBOR_BYTES, 0, 1 },
	{ "bytes",		B("\x42\x00\xff" "x"),	OPS_OK, CBOR_BYTES, 2, 3 },
	{ "empty text",		B("\x60"),		OPS_OK, CBOR_TEXT, 0, 1 },
	{ "text",		B("\x63\xe2\x82\xac"),	OPS_OK, CBOR_TEXT, 3, 4 },
	{ "empty array",	B("\x80"),		OPS_OK, CBOR_ARRAY, 0, 1 },
	{ "array",		B("\x82\x01\x02"),	OPS_OK, CBOR_ARRAY, 2, 1 },
	{ "empty map",		B("\xa0"),		OPS_OK, CBOR_MAP, 0, 1 },
	{ "map",		B("\xa1\x01\x02"),	OPS_OK, CBOR_MAP, 1, 1 },

	{ "nothing",		B(""),			OPS_ETRUNC, 0, 0, 0 },
	{ "cut 1-byte",		B("\x18"),		OPS_ETRUNC, 0, 0, 0 },
	{ "cut 2-byte",		B("\x19\x01"),		OPS_ETRUNC, 0, 0, 0 },
	{ "cut 4-byte",		B("\x1a\x01\x01\x01"),	OPS_ETRUNC, 0, 0, 0 },
	{ "cut 8-byte",		B("\x1b\1\1\1\1\1\1\1"), OPS_ETRUNC, 0, 0, 0 },
	{ "cut bytes",		B("\x42\x00"),		OPS_ETRUNC, 0, 0, 0 },
	{ "cut text",		B("\x64" "abc"),	OPS_ETRUNC, 0, 0, 0 },
	{ "huge bytes",		B("\x5b\xff\xff\xff\xff\xff\xff\xff\xff"), OPS_ETRUNC, 0, 0, 0 },
	{ "array over input",	B("\x82\x01"),		OPS_ETRUNC, 0, 0, 0 },
	{ "map over input",	B("\xa2\x01\x02\x03"),	OPS_ETRUNC, 0, 0, 0 },
	{ "huge map",		B("\xbb\xff\xff\xff\xff\xff\xff\xff\xff"), OPS_ETRUNC, 0, 0, 0 },

	{ "23, long form",	B("\x18\x17"),		OPS_EFORMAT, 0, 0, 0 },
	{ "255, long form",	B("\x19\x00\xff"),	OPS_EFORMAT, 0, 0, 0 },
	{ "65535, long form",	B("\x1a\0\0\xff\xff"),	OPS_EFORMAT, 0, 0, 0 },
	{ "2^32 - 1, long form", B("\x1b\0\0\0\0\xff\xff\xff\xff"), OPS_EFORMAT, 0, 0, 0 },
	{ "bytes, long length",	B("\x58\x01" "a"),	OPS_EFORMAT, 0, 0, 0 },
	{ "array, long count",	B("\x98\x01\x01"),	OPS_EFORMAT, 0, 0, 0 },
	{ "reserved 28",	B("\x1c"),		OPS_EFORMAT, 0, 0, 0 },
	{ "reserved 30",	B("\x1e"),		OPS_EFORMAT, 0, 0, 0 },
	{ "indefinite bytes",	B("\x5f\x41\x61\xff"),	OPS_EFORMAT, 0, 0, 0 },
	{ "indefinite text",	B("\x7f\xff"),		OPS_EFORMAT, 0, 0, 0 },
	{ "indefinite array",	B("\x9f\xff"),		OPS_EFORMAT, 0, 0, 0 },
	{ "indefinite map",	B("\xbf\xff"),		OPS_EFORMAT, 0, 0, 0 },
	{ "negative",		B("\x20"),		OPS_EFORMAT, 0, 0, 0 },
	{ "tag",		B("\xc0\x00"),		OPS_EFORMAT, 0, 0, 0 },
	{ "false",		B("\xf4"),		OPS_EFORMAT, 0, 0, 0 },
	{ "null",		B("\xf6"),		OPS_EFORMAT, 0, 0, 0 },
	{ "float",		B("\xf9\x00\x00"),	OPS_EFORMAT, 0, 0, 0 },
	{ "break",		B("\xff"),		OPS_EFORMAT, 0, 0, 0 },
	{ "text, bad UTF-8",	B("\x61\xff"),		OPS_EFORMAT, 0, 0, 0 },
	{ "text, cut UTF-8",	B("\x62\xe2\x82"),	OPS_EFORMAT, 0, 0, 0 },
	{ "text, overlong",	B("\x62\xc0\x80"),	OPS_EFORMAT, 0, 0, 0 },
	{ "text, surrogate",	B("\x63\xed\xa0\x80"),	OPS_EFORMAT, 0, 0, 0 },
};
/* clang-format on */

static void
test_next(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(cases); i++) {
		const char *row = cases[i].name;
		uint8_t *in = heap_copy(cases[i].in, cases[i].n);
		struct cbor_reader r = { in, cases[i].n };
		struct cbor_item item = { .value = 77 };
		struct ops_err err = { 0 };
		int rc = cbor_next(&r, &item, &err);

		CHECK(err.code == cases[i].code, row, err.msg);
		if (cases[i].code == OPS_OK) {
			CHECK(rc == 0, row, "refused");
			CHECK(item.kind == cases[i].kind, row, "kind");
			CHECK(item.value == cases[i].value, row, "value");
			CHECK(r.p == in + cases[i].used, row, "used");
			CHECK(r.n == cases[i].n - cases[i].used, row, "left");
		} else {
			CHECK(rc == -1, row, "accepted");
			CHECK(item.value == 77, row, "output touched");
			CHECK(r.p == in && r.n == cases[i].n, row, "moved");
		}
		free(in);
	}
}

/* What is written is read back, in the shortest form. */
static void
test_round_trip(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit <= 64; bit++)
		for (uint64_t d = 0; d <= 2; d++) {
			uint64_t v = (bit == 64 ? 0 : 1ull << bit) + d - 1;
			struct ops_buf b = { .max = 16 };
			struct cbor_item item;

			cbor_put_uint(&b, v);
			assert_false(b.failed);
			struct cbor_reader r = { b.data, b.len };
			assert_int_equal(cbor_next(&r, &item, NULL), 0);
			assert_int_equal(item.kind, CBOR_UINT);
			assert_true(item.value == v);
			assert_int_equal(cbor_end(&r, NULL), 0);
			ops_buf_free(&b);
		}
}

static void
test_put(void **state)
{
	struct ops_buf b = { .max = 64 };

	(void)state;
	cbor_put_map(&b, 2);
	cbor_put_uint(&b, 1);
	cbor_put_array(&b, 2);
	cbor_put_text(&b, "ab", 2);
	cbor_put_bytes(&b, "\x00", 1);
	cbor_put_uint(&b, 500);
	cbor_put_bytes(&b, NULL, 0);
	assert_int_equal(b.len, 12);
	assert_memory_equal(b.data,
	    "\xa2\x01\x82\x62"
	    "ab\x41\x00\x19\x01\xf4\x40",
	    12);
	ops_buf_free(&b);
}

static void
test_expect(void **state)
{
	const uint8_t in[] = { 0x01, 0x02 };
	struct cbor_reader r = { in, 2 };
	struct cbor_item item;
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(cbor_expect(&r, CBOR_TEXT, &item, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	assert_ptr_equal(r.p, in);
	assert_int_equal(cbor_expect(&r, CBOR_UINT, &item, &err), 0);
	assert_int_equal(item.value, 1);
	err = (struct ops_err){ 0 };
	assert_int_equal(cbor_end(&r, &err), -1);
	assert_int_equal(err.code, OPS_EFORMAT);
}

/* Keys of a map, then whether each may follow the one before. */
static void
test_map_key(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		const char *in;
		size_t n;
		unsigned good; /* keys before the bad one */
	} keys[] = {
		{ "ascending",	  B("\x00\x01\x17\x18\x18"), 4 },
		{ "twice",	  B("\x01\x01"), 1 },
		{ "descending",	  B("\x02\x01"), 1 },
		{ "a text",	  B("\x01\x61\x61"), 1 },
		{ "largest",	  B("\x01\x1b\xff\xff\xff\xff\xff\xff\xff\xff"), 1 },
		{ "largest first", B("\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0 },
		{ "largest but one", B("\x1b\xff\xff\xff\xff\xff\xff\xff\xfe\x01"), 1 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		struct cbor_reader r = { (const uint8_t *)keys[i].in,
			keys[i].n };
		uint64_t last = UINT64_MAX, key;
		struct ops_err err = { 0 };
		unsigned good = 0;

		while (r.n > 0 && cbor_map_key(&r, &last, &key, &err) == 0)
			good++;
		CHECK(good == keys[i].good, keys[i].name, "keys");
		CHECK(
		    (err.code == OPS_OK) == (r.n == 0), keys[i].name, err.msg);
		CHECK(
		    r.n == 0 || err.code == OPS_EFORMAT, keys[i].name, err.msg);
	}
}

static void
test_skip(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		const char *in;
		size_t n;
		enum ops_code code;
		size_t used;
	} skips[] = {
		{ "integer",	  B("\x05\x06"), OPS_OK, 1 },
		{ "nested",	  B("\x82\xa1\x01\x81\x41\x00\x60\x07"), OPS_OK, 7 },
		{ "8 deep",	  B("\x81\x81\x81\x81\x81\x81\x81\x00"), OPS_OK, 8 },
		{ "9 deep",	  B("\x81\x81\x81\x81\x81\x81\x81\x81\x00"), OPS_EFORMAT, 0 },
		{ "bad inside",	  B("\x81\xf6"), OPS_EFORMAT, 0 },
		{ "keys twice",	  B("\xa2\x01\x00\x01\x00"), OPS_EFORMAT, 0 },
		{ "text key",	  B("\xa1\x61\x61\x00"), OPS_EFORMAT, 0 },
		{ "cut inside",	  B("\x82\x41\x00\x42\x00"), OPS_ETRUNC, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(skips); i++) {
		uint8_t *in = heap_copy(skips[i].in, skips[i].n);
		struct cbor_reader r = { in, skips[i].n };
		struct ops_err err = { 0 };
		int rc = cbor_skip(&r, &err);

		CHECK(err.code == skips[i].code, skips[i].name, err.msg);
		CHECK((rc == 0) == (err.code == OPS_OK), skips[i].name, "rc");
		CHECK(r.p == in + skips[i].used, skips[i].name, "used");
		free(in);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_map_key),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
