/* json - values from any bytes: the output is valid JSON in valid UTF-8 that
 * holds no control character, however the values are nested. */
#include "../fuzz.h"

#include "base/json.h"
#include "base/text.h"

/* A validator of RFC 8259, without tolerance. */

static void check_value(struct fuzz_in *in);

static void
expect(struct fuzz_in *in, const char *word)
{
	for (; *word != '\0'; word++)
		REQUIRE(in->n > 0 && fuzz_byte(in) == (uint8_t)*word);
}

static void
check_string(struct fuzz_in *in)
{
	expect(in, "\"");
	for (;;) {
		uint8_t c;

		REQUIRE(in->n > 0);
		c = fuzz_byte(in);
		if (c == '"')
			return;
		REQUIRE(c >= 0x20 && c != 0x7f);
		if (c != '\\')
			continue;
		REQUIRE(in->n > 0);
		c = fuzz_byte(in);
		if (c != 'u') {
			REQUIRE(c != 0 && strchr("\"\\/bfnrt", c) != NULL);
			continue;
		}
		for (int i = 0; i < 4; i++) {
			c = fuzz_byte(in);
			REQUIRE(
			    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
		}
	}
}

static void
check_digits(struct fuzz_in *in)
{
	REQUIRE(in->n > 0 && *in->p >= '0' && *in->p <= '9');
	while (in->n > 0 && *in->p >= '0' && *in->p <= '9')
		fuzz_byte(in);
}

static void
check_number(struct fuzz_in *in)
{
	if (*in->p == '-')
		fuzz_byte(in);
	REQUIRE(in->n < 2 || *in->p != '0' || in->p[1] < '0' || in->p[1] > '9');
	check_digits(in);
	if (in->n > 0 && *in->p == '.') {
		fuzz_byte(in);
		check_digits(in);
	}
}

static void
check_members(struct fuzz_in *in, const char *end, int object)
{
	fuzz_byte(in);
	REQUIRE(in->n > 0);
	if (*in->p != (uint8_t)*end) {
		for (;;) {
			if (object) {
				check_string(in);
				expect(in, ":");
			}
			check_value(in);
			REQUIRE(in->n > 0);
			if (*in->p != ',')
				break;
			fuzz_byte(in);
		}
	}
	expect(in, end);
}

static void
check_value(struct fuzz_in *in)
{
	REQUIRE(in->n > 0);
	switch (*in->p) {
	case '{':
		check_members(in, "}", 1);
		break;
	case '[':
		check_members(in, "]", 0);
		break;
	case '"':
		check_string(in);
		break;
	case 't':
		expect(in, "true");
		break;
	case 'f':
		expect(in, "false");
		break;
	case 'n':
		expect(in, "null");
		break;
	default:
		check_number(in);
		break;
	}
}

/* Writing: each byte of the input is one thing to do. */

static uint64_t
number(struct fuzz_in *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static size_t
text_len(struct fuzz_in *in)
{
	size_t n = fuzz_byte(in);

	return n < in->n ? n : in->n;
}

static void
put_leaf(struct json *j, struct fuzz_in *in, unsigned what)
{
	size_t n;

	switch (what % 7) {
	case 0:
		json_uint(j, number(in));
		break;
	case 1:
		json_int(j, (int64_t)number(in));
		break;
	case 2:
		json_seconds(j, number(in));
		break;
	case 3:
		json_bool(j, (fuzz_byte(in) & 1) != 0);
		break;
	case 4:
		n = text_len(in);
		json_base64(j, in->p, n);
		in->p += n;
		in->n -= n;
		break;
	case 5:
		json_nil(j);
		break;
	default:
		n = text_len(in);
		json_text(j, in->p, n);
		in->p += n;
		in->n -= n;
		break;
	}
}

static void
put_key(struct json *j, struct fuzz_in *in)
{
	char key[8];

	fuzz_take(in, key, sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	json_key(j, key);
}

static void
put_values(struct json *j, struct fuzz_in *in, unsigned depth, int object)
{
	while (in->n > 0) {
		unsigned what = fuzz_byte(in);
		size_t n;

		if (what % 16 == 0)
			return;
		if (object && what % 16 == 1) {
			n = text_len(in);
			json_text_bytes(j, "bytes", in->p, n);
			in->p += n;
			in->n -= n;
			continue;
		}
		if (object)
			put_key(j, in);
		if (depth < JSON_DEPTH_MAX && what % 16 == 2) {
			json_begin_object(j);
			put_values(j, in, depth + 1, 1);
			json_end_object(j);
		} else if (depth < JSON_DEPTH_MAX && what % 16 == 3) {
			json_begin_array(j);
			put_values(j, in, depth + 1, 0);
			json_end_array(j);
		} else
			put_leaf(j, in, what / 16);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf b = { .max = 1 << 22 };
	struct json j = { .out = &b };
	struct fuzz_in in = { data, size }, out;

	if (size > 65536)
		return 0;
	json_begin_array(&j);
	json_text(&j, data, size);
	put_values(&j, &in, 1, 0);
	json_end_array(&j);
	REQUIRE(!b.failed && j.depth == 0);
	REQUIRE(ops_utf8_valid(b.data, b.len));
	for (size_t i = 0; i < b.len;) {
		size_t len = ops_text_safe_len(b.data + i, b.len - i);

		REQUIRE(len > 0);
		i += len;
	}
	out = (struct fuzz_in){ b.data, b.len };
	check_value(&out);
	REQUIRE(out.n == 0);
	ops_buf_free(&b);
	return 0;
}
