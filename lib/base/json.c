#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "text.h"

static uint64_t
bit(const struct json *j)
{
	return UINT64_C(1) << j->depth;
}

/* What must stand before a value: its key has done so, or a comma. */
static void
before_value(struct json *j)
{
	bool in_object = j->depth > 0 && (j->objects & bit(j)) != 0;

	assert(j->has_key == in_object);
	if (!in_object && j->depth > 0 && (j->filled & bit(j)) != 0)
		ops_buf_put8(j->out, ',');
	j->filled |= bit(j);
	j->has_key = false;
}

static void
begin(struct json *j, bool object)
{
	before_value(j);
	assert(j->depth < JSON_DEPTH_MAX);
	ops_buf_put8(j->out, object ? '{' : '[');
	j->depth++;
	j->filled &= ~bit(j);
	if (object)
		j->objects |= bit(j);
	else
		j->objects &= ~bit(j);
}

static void
end(struct json *j, bool object)
{
	assert(j->depth > 0 && !j->has_key);
	assert(((j->objects & bit(j)) != 0) == object);
	ops_buf_put8(j->out, object ? '}' : ']');
	j->depth--;
}

void
json_begin_object(struct json *j)
{
	begin(j, true);
}

void
json_end_object(struct json *j)
{
	end(j, true);
}

void
json_begin_array(struct json *j)
{
	begin(j, false);
}

void
json_end_array(struct json *j)
{
	end(j, false);
}

/* One character that can't stand for itself; returns its bytes. */
static size_t
put_special(struct ops_buf *out, const uint8_t *p, size_t n)
{
	int len = ops_utf8_len(p, n);

	if (len <= 0) {
		ops_buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
		return 1;
	}
	switch (p[0]) {
	case '"':
		ops_buf_puts(out, "\\\"");
		break;
	case '\\':
		ops_buf_puts(out, "\\\\");
		break;
	case '\n':
		ops_buf_puts(out, "\\n");
		break;
	case '\r':
		ops_buf_puts(out, "\\r");
		break;
	case '\t':
		ops_buf_puts(out, "\\t");
		break;
	default: /* all of these are below U+10000 */
		ops_buf_printf(
		    out, "\\u%04" PRIx32, ops_utf8_value(p, (size_t)len));
		break;
	}
	return (size_t)len;
}

static void
put_quoted(struct ops_buf *out, const uint8_t *p, size_t n)
{
	size_t plain = 0; /* start of what can be copied as it is */

	ops_buf_put8(out, '"');
	for (size_t i = 0; i < n;) {
		size_t len = ops_text_safe_len(p + i, n - i);

		if (len > 0 && p[i] != '"' && p[i] != '\\') {
			i += len;
			continue;
		}
		ops_buf_put(out, p + plain, i - plain);
		i += put_special(out, p + i, n - i);
		plain = i;
	}
	ops_buf_put(out, p + plain, n - plain);
	ops_buf_put8(out, '"');
}

void
json_key(struct json *j, const char *key)
{
	assert(j->depth > 0 && (j->objects & bit(j)) != 0 && !j->has_key);
	if ((j->filled & bit(j)) != 0)
		ops_buf_put8(j->out, ',');
	put_quoted(j->out, (const uint8_t *)key, strlen(key));
	ops_buf_put8(j->out, ':');
	j->has_key = true;
}

void
json_text(struct json *j, const void *p, size_t n)
{
	before_value(j);
	put_quoted(j->out, p, n);
}

void
json_str(struct json *j, const char *s)
{
	if (s == NULL)
		json_nil(j);
	else
		json_text(j, s, strlen(s));
}

void
json_base64(struct json *j, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	char text[OPS_BASE64_SIZE(48)];

	before_value(j);
	ops_buf_put8(j->out, '"');
	/* In pieces of a multiple of three bytes, which join seamlessly. */
	while (n > 0) {
		size_t some = n < 48 ? n : 48;

		ops_base64(p, some, text);
		ops_buf_puts(j->out, text);
		p += some;
		n -= some;
	}
	ops_buf_put8(j->out, '"');
}

void
json_uint(struct json *j, uint64_t v)
{
	before_value(j);
	ops_buf_printf(j->out, "%" PRIu64, v);
}

void
json_int(struct json *j, int64_t v)
{
	before_value(j);
	ops_buf_printf(j->out, "%" PRId64, v);
}

void
json_bool(struct json *j, bool v)
{
	before_value(j);
	ops_buf_puts(j->out, v ? "true" : "false");
}

void
json_nil(struct json *j)
{
	before_value(j);
	ops_buf_puts(j->out, "null");
}

void
json_seconds(struct json *j, uint64_t ns)
{
	before_value(j);
	ops_buf_printf(
	    j->out, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
}

void
json_text_bytes(struct json *j, const char *key, const void *p, size_t n)
{
	char key_b64[64];
	size_t len = strlen(key);

	json_key(j, key);
	json_text(j, p, n);
	if (ops_utf8_valid(p, n))
		return;
	assert(len < sizeof(key_b64) - sizeof("_b64"));
	memcpy(key_b64, key, len);
	memcpy(key_b64 + len, "_b64", sizeof("_b64"));
	json_key(j, key_b64);
	json_base64(j, p, n);
}
