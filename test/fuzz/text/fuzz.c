/* text - decode(encode(x)) is x, encode(decode(x)) is x, and what was escaped
 * holds nothing that acts on a terminal and can be read back. */
#include "../fuzz.h"

#include "base/buf.h"
#include "base/text.h"

static void
check_encoders(const uint8_t *data, size_t size)
{
	char *text = malloc(2 * size + OPS_BASE64_SIZE(size));
	uint8_t *back = malloc(size + 1), id[OPS_ID_LEN];

	REQUIRE(text != NULL && back != NULL);
	ops_hex(data, size, text);
	REQUIRE(ops_unhex(text, 2 * size, back, size) == 0);
	REQUIRE(memcmp(back, data, size) == 0);

	ops_base64(data, size, text);
	REQUIRE(strlen(text) + 1 == OPS_BASE64_SIZE(size));
	REQUIRE(ops_unbase64(text, strlen(text), back, size) == (ssize_t)size);
	REQUIRE(memcmp(back, data, size) == 0);

	if (size >= OPS_ID_LEN) {
		ops_id_text(data, text);
		REQUIRE(ops_id_parse(text, id) == 0);
		REQUIRE(memcmp(id, data, sizeof(id)) == 0);
	}
	free(text);
	free(back);
}

/* Strict: one text for each byte string. */
static void
check_decoders(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size), *again = malloc(size + 8);
	uint8_t *out = malloc(size + 1), id[OPS_ID_LEN];
	ssize_t n = ops_unbase64(s, size, out, size);

	REQUIRE(again != NULL && out != NULL);
	if (n >= 0) {
		ops_base64(out, (size_t)n, again);
		REQUIRE(strlen(again) == size && memcmp(again, s, size) == 0);
	}
	if (ops_id_parse(s, id) == 0) {
		char text[OPS_ID_TEXT_LEN + 1];

		ops_id_text(id, text);
		REQUIRE(strcmp(text, s) == 0);
	}
	free(s);
	free(again);
	free(out);
}

static unsigned
hex_digit(uint8_t c)
{
	REQUIRE((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static uint8_t
read_escape(struct fuzz_in *in)
{
	uint8_t c = fuzz_byte(in);
	unsigned high;

	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case '\\':
		return '\\';
	default:
		REQUIRE(c == 'x');
		high = hex_digit(fuzz_byte(in));
		return (uint8_t)(high << 4 | hex_digit(fuzz_byte(in)));
	}
}

static void
check_escape(const uint8_t *data, size_t size)
{
	struct ops_buf b = { .max = 4 * size };
	struct fuzz_in in;

	ops_escape(&b, data, size);
	REQUIRE(!b.failed);
	REQUIRE(ops_utf8_valid(b.data, b.len));
	for (size_t i = 0; i < b.len; i++) {
		REQUIRE(b.data[i] >= 0x20 && b.data[i] != 0x7f);
		/* C1 as UTF-8 begins with C2. */
		if (b.data[i] == 0xc2)
			REQUIRE(b.data[i + 1] >= 0xa0);
	}
	in = (struct fuzz_in){ b.data, b.len };
	for (size_t i = 0; i < size; i++) {
		uint8_t c = fuzz_byte(&in);

		if (c == '\\')
			c = read_escape(&in);
		REQUIRE(c == data[i]);
	}
	REQUIRE(in.n == 0);
	ops_buf_free(&b);
}

/* A sequence is valid only if no cut of it is; its value encodes to itself. */
static void
check_utf8(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		int len = ops_utf8_len(data + i, size - i);

		REQUIRE(len >= -1 && len <= 4 &&
			(len < 0 || (size_t)len <= size - i));
		for (int cut = 1; cut < len; cut++)
			REQUIRE(ops_utf8_len(data + i, (size_t)cut) == -1);
		if (len > 0)
			REQUIRE(ops_utf8_valid(data + i, (size_t)len));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 65536)
		return 0;
	check_encoders(data, size);
	check_decoders(data, size);
	check_escape(data, size);
	check_utf8(data, size);
	return 0;
}
