#include "text.h"

#include <string.h>

#include "buf.h"
#include "bytes.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static const char hex_digits[] = "0123456789abcdef";

void
ops_hex(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = hex_digits[p[i] >> 4];
		*out++ = hex_digits[p[i] & 15];
	}
	*out = '\0';
}

int
ops_unhex(const char *s, size_t s_len, uint8_t *out, size_t n)
{
	if (s_len / 2 != n || s_len % 2 != 0)
		return -1;
	for (size_t i = 0; i < s_len; i++)
		if (hex_value(s[i]) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((unsigned)hex_value(s[2 * i]) << 4 |
				   (unsigned)hex_value(s[2 * i + 1]));
	return 0;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void
ops_base64(const uint8_t *p, size_t n, char *out)
{
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;

		if (left > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (left > 2)
			v |= p[i + 2];
		*out++ = base64_digits[v >> 18];
		*out++ = base64_digits[v >> 12 & 63];
		*out++ = (char)(left > 1 ? base64_digits[v >> 6 & 63] : '=');
		*out++ = (char)(left > 2 ? base64_digits[v & 63] : '=');
	}
	*out = '\0';
}

/* One group with pad '=' at its end; the 24-bit value, or -1.  The bits that
 * the padding leaves over must be zero. */
static int32_t
base64_group(const char *s, size_t pad)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4 - pad; i++) {
		int d = base64_value(s[i]);

		if (d < 0)
			return -1;
		v |= (uint32_t)d << (18 - 6 * i);
	}
	if ((v & ((1u << (8 * pad)) - 1)) != 0)
		return -1;
	return (int32_t)v;
}

/* How many '=' end the text; only the last two places can be one. */
static size_t
base64_pad(const char *s, size_t n)
{
	if (n == 0 || s[n - 1] != '=')
		return 0;
	return s[n - 2] == '=' ? 2 : 1;
}

ssize_t
ops_unbase64(const char *s, size_t s_len, uint8_t *out, size_t cap)
{
	size_t pad, len;

	if (s_len % 4 != 0)
		return -1;
	pad = base64_pad(s, s_len);
	len = s_len / 4 * 3 - pad;
	if (len > cap)
		return -1;

	/* Twice, so that out stays untouched if the text is bad. */
	for (size_t i = 0; i < s_len; i += 4)
		if (base64_group(s + i, i + 4 == s_len ? pad : 0) < 0)
			return -1;
	for (size_t i = 0, at = 0; i < s_len; i += 4) {
		size_t gpad = i + 4 == s_len ? pad : 0;
		uint32_t v = (uint32_t)base64_group(s + i, gpad);

		for (size_t k = 0; k < 3 - gpad; k++)
			out[at++] = (uint8_t)(v >> (16 - 8 * k));
	}
	return (ssize_t)len;
}

static const char base32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";

static int
base32_value(char c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a';
	if (c >= '2' && c <= '7')
		return c - '2' + 26;
	return -1;
}

bool
ops_uid_parse(const char *p, size_t n, uint32_t *ret)
{
	uint64_t v = 0;

	if (n == 0 || n > 10)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	if (v >= UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

void
ops_id_text(
    const uint8_t id[static OPS_ID_LEN], char out[static OPS_ID_TEXT_LEN + 1])
{
	for (size_t i = 0; i < OPS_ID_LEN; i += 5) {
		uint64_t v = 0;

		for (size_t k = 0; k < 5; k++)
			v = v << 8 | id[i + k];
		for (size_t k = 0; k < 8; k++)
			*out++ = base32_digits[v >> (35 - 5 * k) & 31];
	}
	*out = '\0';
}

int
ops_id_parse(const char *s, uint8_t id[static OPS_ID_LEN])
{
	if (strnlen(s, OPS_ID_TEXT_LEN + 1) != OPS_ID_TEXT_LEN)
		return -1;
	for (size_t i = 0; i < OPS_ID_TEXT_LEN; i++)
		if (base32_value(s[i]) < 0)
			return -1;
	for (size_t i = 0; i < OPS_ID_LEN; i += 5, s += 8) {
		uint64_t v = 0;

		for (size_t k = 0; k < 8; k++)
			v = v << 5 | (uint64_t)base32_value(s[k]);
		for (size_t k = 0; k < 5; k++)
			id[i + k] = (uint8_t)(v >> (32 - 8 * k));
	}
	return 0;
}

/* Unicode 15, table 3-7: what the first byte says about length and the range
 * of the second byte; the rest are 80..BF. */
static const struct lead {
	uint8_t from, to, len, second_from, second_to;
} leads[] = {
	{ 0x00, 0x7f, 1, 0, 0 },
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct lead *
find_lead(uint8_t c)
{
	for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		if (c >= leads[i].from && c <= leads[i].to)
			return &leads[i];
	return NULL;
}

int
ops_utf8_len(const uint8_t *p, size_t n)
{
	const struct lead *lead;

	if (n == 0)
		return -1;
	if (p[0] < 0x80)
		return 1;
	lead = find_lead(p[0]);
	if (lead == NULL)
		return 0;
	for (size_t i = 1; i < lead->len; i++) {
		uint8_t from = i == 1 ? lead->second_from : 0x80;
		uint8_t to = i == 1 ? lead->second_to : 0xbf;

		if (i == n)
			return -1;
		if (p[i] < from || p[i] > to)
			return 0;
	}
	return lead->len;
}

bool
ops_utf8_valid(const uint8_t *p, size_t n)
{
	while (n > 0) {
		int len = ops_utf8_len(p, n);

		if (len <= 0)
			return false;
		p += len;
		n -= (size_t)len;
	}
	return true;
}

uint32_t
ops_utf8_value(const uint8_t *p, size_t len)
{
	static const uint8_t mask[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t v = p[0] & mask[len];

	for (size_t i = 1; i < len; i++)
		v = v << 6 | (p[i] & 0x3f);
	return v;
}

/* Characters that steer a terminal, or reorder or break what it shows. */
static bool
is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	       c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

size_t
ops_text_safe_len(const uint8_t *p, size_t n)
{
	int len = ops_utf8_len(p, n);

	if (len <= 0 || is_unsafe(ops_utf8_value(p, (size_t)len)))
		return 0;
	return (size_t)len;
}

/* Blanks that are none, and what takes no room at all: a name with one of them looks
 * like another.  Unicode's Zs, Default_Ignorable_Code_Point and U+2800. */
static bool
is_invisible(uint32_t c)
{
	static const uint32_t ranges[][2] = { { 0xa0, 0xa0 }, { 0xad, 0xad },
		{ 0x34f, 0x34f }, { 0x115f, 0x1160 }, { 0x1680, 0x1680 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x2000, 0x200f },
		{ 0x202f, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 },
		{ 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0xe0fff } };

	for (size_t i = 0; c >= 0xa0 && i < OPS_ARRAY_LEN(ranges); i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}

size_t
ops_text_visible_len(const uint8_t *p, size_t n)
{
	size_t len = ops_text_safe_len(p, n);

	return len > 0 && is_invisible(ops_utf8_value(p, len)) ? 0 : len;
}

static void
escape_byte(struct ops_buf *out, uint8_t c)
{
	static const char named[] = "\nn\tt\rr\\\\";
	char text[4] = { '\\', 'x', hex_digits[c >> 4], hex_digits[c & 15] };

	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if (c == (uint8_t)named[i]) {
			text[1] = named[i + 1];
			ops_buf_put(out, text, 2);
			return;
		}
	}
	ops_buf_put(out, text, 4);
}

void
ops_escape(struct ops_buf *out, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	size_t plain = 0; /* start of what can be copied as it is */

	for (size_t i = 0; i < n;) {
		size_t len = ops_text_visible_len(p + i, n - i);

		if (len > 0 && p[i] != '\\') {
			i += len;
			continue;
		}
		ops_buf_put(out, p + plain, i - plain);
		/* An unsafe character is escaped byte by byte: what follows
		 * its first byte is no start of a character. */
		escape_byte(out, p[i]);
		plain = ++i;
	}
	ops_buf_put(out, p + plain, n - plain);
}

#define WORD_MAX 63

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Levenshtein's table, of which only the last row is kept. */
size_t
ops_edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[WORD_MAX + 1];

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return SIZE_MAX;
	for (size_t k = 0; k <= b_len; k++)
		row[k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t above = row[k];

			row[k] = min3(above + 1, row[k - 1] + 1,
			    diagonal + (a[i - 1] != b[k - 1]));
			diagonal = above;
		}
	}
	return row[b_len];
}
