#include "check.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/text.h"

static void
test_hex(void **state)
{
	const uint8_t in[] = { 0x00, 0x7f, 0x80, 0xff, 0x0a };
	uint8_t out[5] = { 0 }, kept[5] = { 9, 9, 9, 9, 9 };
	char text[11];

	(void)state;
	ops_hex(in, 5, text);
	assert_string_equal(text, "007f80ff0a");
	assert_int_equal(ops_unhex(text, 10, out, 5), 0);
	assert_memory_equal(in, out, 5);
	assert_int_equal(ops_unhex("007F80Ff0A", 10, out, 5), 0);
	assert_memory_equal(in, out, 5);
	assert_int_equal(ops_unhex("", 0, out, 0), 0);
	assert_int_equal(ops_unhex(text, 9, kept, 4), -1);
	assert_int_equal(ops_unhex(text, 9, kept, 5), -1);
	assert_int_equal(ops_unhex(text, 10, kept, 4), -1);
	assert_int_equal(ops_unhex("00112233 4", 10, kept, 5), -1);
	assert_int_equal(ops_unhex("0011223g44", 10, kept, 5), -1);
	assert_int_equal(kept[0], 9);
}

/* RFC 4648 section 10 */
static const char *const base64[][2] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

static void
test_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(base64); i++) {
		const char *plain = base64[i][0], *text = base64[i][1];
		size_t n = strlen(plain);
		char out[16];
		uint8_t back[16];

		ops_base64((const uint8_t *)plain, n, out);
		CHECK(strcmp(out, text) == 0, text, out);
		CHECK(strlen(text) + 1 == OPS_BASE64_SIZE(n), text, "size");
		CHECK(ops_unbase64(text, strlen(text), back, n) == (ssize_t)n,
		    text, "decode");
		CHECK(memcmp(back, plain, n) == 0, text, "decoded");
		if (n > 0)
			CHECK(
			    ops_unbase64(text, strlen(text), back, n - 1) == -1,
			    text, "over the room");
	}
}

static void
test_base64_all(void **state)
{
	uint8_t in[256], back[256];
	char text[OPS_BASE64_SIZE(256)];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 167 + 13);
	for (size_t n = 0; n <= sizeof(in); n++) {
		ops_base64(in, n, text);
		assert_int_equal(
		    ops_unbase64(text, strlen(text), back, sizeof(back)), n);
		assert_memory_equal(in, back, n);
	}
}

static void
test_base64_bad(void **state)
{
	static const char *const rows[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=",
		"Zg==Zg==", "====", "Z===", "=Zg=", "Zg= ", "Zg==\n",
		" Zg==", "Zm9v\n", "Zm-v", "Zm_v", "Zm9vYg", "Z=9v", "Zm=v",
		"Zm9v=", "Zg==Zm9v" };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t out[16] = { 9 };
		size_t n = strlen(rows[i]);
		char *in = (char *)heap_copy(rows[i], n);

		CHECK(ops_unbase64(in, n, out, 16) == -1, rows[i], "accepted");
		CHECK(out[0] == 9, rows[i], "touched");
		free(in);
	}
}

/* RFC 4648 section 10: "fooba" twice. */
static void
test_id(void **state)
{
	static const char *const bad[] = { "", "mzxw6ytb", "mzxw6ytbmzxw6ytbm",
		"mzxw6ytbmzxw6yt", "mzxw6ytbmzxw6yt1", "mzxw6ytbmzxw6yt8",
		"MZXW6YTBMZXW6YTB", "mzxw6ytbmzxw6yt=" };
	uint8_t id[OPS_ID_LEN];
	char text[OPS_ID_TEXT_LEN + 1];

	(void)state;
	ops_id_text((const uint8_t *)"foobafooba", text);
	assert_string_equal(text, "mzxw6ytbmzxw6ytb");
	assert_int_equal(ops_id_parse(text, id), 0);
	assert_memory_equal(id, "foobafooba", 10);
	for (size_t i = 0; i < 256; i++) {
		uint8_t in[OPS_ID_LEN];

		for (size_t k = 0; k < sizeof(in); k++)
			in[k] = (uint8_t)(i * 31 + k * 77);
		ops_id_text(in, text);
		assert_int_equal(ops_id_parse(text, id), 0);
		assert_memory_equal(id, in, sizeof(in));
	}
	memset(id, 9, sizeof(id));
	for (size_t i = 0; i < OPS_ARRAY_LEN(bad); i++)
		CHECK(ops_id_parse(bad[i], id) == -1, bad[i], "accepted");
	assert_int_equal(id[0], 9);
}

/* clang-format off */
static const struct {
	const char *name, *in;
	size_t n;
	const char *want;
} escapes[] = {
#define B(s) s, sizeof(s) - 1
	{ "nothing",		B(""),			"" },
	{ "plain",		B("ls -l 'a b'"),	"ls -l 'a b'" },
	{ "by name",		B("a\nb\tc\rd\\e"),	"a\\nb\\tc\\rd\\\\e" },
	{ "nul",		B("a\0b"),		"a\\x00b" },
	{ "escape sequence",	B("\x1b[31m"),		"\\x1b[31m" },
	{ "del",		B("\x7f"),		"\\x7f" },
	{ "c1 alone",		B("\x9b" "2J"),		"\\x9b2J" },
	{ "c1 as utf-8",	B("\xc2\x9b" "2J"),	"\\xc2\\x9b2J" },
	{ "a blank that is none", B("a\xc2\xa0" "b"),	"a\\xc2\\xa0b" },
	{ "first after it",	B("\xc2\xa1"),		"\xc2\xa1" },
	{ "not to be seen",	B("ls\xe2\x80\x8b"),	"ls\\xe2\\x80\\x8b" },
	{ "a tag",		B("\xf3\xa0\x81\x81"),	"\\xf3\\xa0\\x81\\x81" },
	{ "text",		B("\xe7\xab\xaf\xe6\x9c\xab \xc3\xa9 \xf0\x9f\x98\x80"),
				"\xe7\xab\xaf\xe6\x9c\xab \xc3\xa9 \xf0\x9f\x98\x80" },
	{ "bidi override",	B("\xe2\x80\xae"),	"\\xe2\\x80\\xae" },
	{ "bidi isolate",	B("\xe2\x81\xa6"),	"\\xe2\\x81\\xa6" },
	{ "arabic mark",	B("\xd8\x9c"),		"\\xd8\\x9c" },
	{ "left-to-right mark",	B("\xe2\x80\x8e"),	"\\xe2\\x80\\x8e" },
	{ "line separator",	B("\xe2\x80\xa8"),	"\\xe2\\x80\\xa8" },
	{ "overlong slash",	B("\xc0\xaf"),		"\\xc0\\xaf" },
	{ "surrogate",		B("\xed\xa0\x80"),	"\\xed\\xa0\\x80" },
	{ "cut",		B("a\xe7\xab"),		"a\\xe7\\xab" },
	{ "cut, then text",	B("\xe7\xab" "b"),	"\\xe7\\xab" "b" },
#undef B
};
/* clang-format on */

static void
test_escape(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(escapes); i++) {
		struct ops_buf b = { .max = 1000 };
		uint8_t *in = heap_copy(escapes[i].in, escapes[i].n);

		ops_escape(&b, in, escapes[i].n);
		ops_buf_put8(&b, 0);
		CHECK(strcmp((char *)b.data, escapes[i].want) == 0,
		    escapes[i].name, (char *)b.data);
		free(in);
		ops_buf_free(&b);
	}
}

/* The shortest encoding of a code point, as RFC 3629 has it. */
static size_t
encode(uint32_t c, uint8_t out[4])
{
	static const uint32_t limit[] = { 0x80, 0x800, 0x10000, 0x110000 };
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	size_t n = 0;

	while (c >= limit[n])
		n++;
	for (size_t i = n; i > 0; i--) {
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)(lead[n] | c);
	return n + 1;
}

/* All code points, and every cut of them. */
static void
test_utf8_all(void **state)
{
	uint8_t p[4];

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		size_t n = encode(c, p);
		bool surrogate = c >= 0xd800 && c < 0xe000;

		if (ops_utf8_len(p, n) != (surrogate ? 0 : (int)n))
			fail_msg("U+%04X", c);
		if (surrogate)
			continue;
		if (ops_utf8_value(p, n) != c)
			fail_msg("value of U+%04X", c);
		for (size_t cut = 0; cut < n; cut++)
			if (ops_utf8_len(p, cut) != -1)
				fail_msg("U+%04X cut at %zu", c, cut);
	}
}

/* Any two bytes that aren't how a code point begins are refused. */
static void
test_utf8_pairs(void **state)
{
	static uint8_t starts[65536], leads[256];
	uint8_t p[4];

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		if (c >= 0xd800 && c < 0xe000)
			continue;
		if (encode(c, p) > 1) {
			starts[p[0] << 8 | p[1]] = 1;
			leads[p[0]] = 1;
		}
	}
	for (unsigned i = 0; i < 65536; i++) {
		const uint8_t q[] = { (uint8_t)(i >> 8), (uint8_t)i };
		int len = ops_utf8_len(q, 2);
		int want = q[0] < 0x80   ? 1
			   : !starts[i]  ? 0
			   : q[0] < 0xe0 ? 2
					 : -1;

		if (len != want)
			fail_msg("%02x %02x: %d", q[0], q[1], len);
		if (q[0] >= 0x80 &&
		    ops_utf8_len(q, 1) != (leads[q[0]] ? -1 : 0))
			fail_msg("%02x alone", q[0]);
	}
	assert_true(ops_utf8_valid(NULL, 0));
	assert_true(ops_utf8_valid((const uint8_t *)"a\xc3\xa9", 3));
	assert_false(ops_utf8_valid((const uint8_t *)"a\xc3", 2));
	assert_false(ops_utf8_valid((const uint8_t *)"\xc3(", 2));
}

static void
test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t d;
	} rows[] = {
		{ "", "", 0 },
		{ "abc", "", 3 },
		{ "", "abc", 3 },
		{ "kitten", "sitting", 3 },
		{ "serach", "search", 2 },
		{ "hold_tme", "hold_time", 1 },
		{ "same", "same", 0 },
	};
	char big[100];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++)
		CHECK(ops_edit_distance(rows[i].a, strlen(rows[i].a), rows[i].b,
			  strlen(rows[i].b)) == rows[i].d,
		    rows[i].a, rows[i].b);
	memset(big, 'a', sizeof(big));
	assert_int_equal(ops_edit_distance(big, 63, "a", 1), 62);
	assert_true(ops_edit_distance(big, 64, "a", 1) == SIZE_MAX);
	assert_true(ops_edit_distance("a", 1, big, 64) == SIZE_MAX);
}

/* clang-format off */
static const struct {
	const char *text;
	bool is;
	uint32_t uid;
} uids[] = {
	{ "0",			true, 0 },
	{ "1000",		true, 1000 },
	{ "0000001000",		true, 1000 },
	{ "4294967294",		true, 4294967294 },
	{ "4294967295",		false, 0 },
	{ "9999999999",		false, 0 },
	{ "00000001000",	false, 0 },
	{ "",			false, 0 },
	{ "-1",			false, 0 },
	{ "+1",			false, 0 },
	{ " 1",			false, 0 },
	{ "1 ",			false, 0 },
	{ "0x1",		false, 0 },
};
/* clang-format on */

static void
test_uid(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
		size_t n = strlen(uids[i].text);
		char *text = (char *)heap_copy(uids[i].text, n);
		uint32_t uid = 77;

		CHECK(ops_uid_parse(text, n, &uid) == uids[i].is, uids[i].text,
		    "is");
		CHECK(uid == (uids[i].is ? uids[i].uid : 77), uids[i].text,
		    "uid");
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_base64_all),
		cmocka_unit_test(test_base64_bad),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_uid),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_utf8_all),
		cmocka_unit_test(test_utf8_pairs),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
