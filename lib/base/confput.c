#include "confput.h"

#include <inttypes.h>
#include <string.h>

#include "bytes.h"

struct unit {
	const char *name;
	uint64_t of;
};

/* In the largest unit of which it is a whole number. */
static void
put_in_units(
    struct ops_buf *out, uint64_t v, const struct unit *units, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v % units[i].of != 0 || (v == 0 && i + 1 < n))
			continue;
		ops_buf_printf(
		    out, "%" PRIu64 "%s", v / units[i].of, units[i].name);
		return;
	}
}

static void
put_size(struct ops_buf *out, uint64_t v)
{
	static const struct unit units[] = { { "T", UINT64_C(1) << 40 },
		{ "G", 1 << 30 }, { "M", 1 << 20 }, { "K", 1 << 10 },
		{ "", 1 } };

	put_in_units(out, v, units, OPS_ARRAY_LEN(units));
}

static void
put_duration(struct ops_buf *out, uint64_t v)
{
	static const uint64_t sec = 1000000000;
	const struct unit units[] = { { "d", 86400 * sec }, { "h", 3600 * sec },
		{ "min", 60 * sec }, { "s", sec }, { "ms", 1000000 },
		{ "us", 1000 }, { "ns", 1 } };

	if (v == 0)
		ops_buf_puts(out, "0s");
	else
		put_in_units(out, v, units, OPS_ARRAY_LEN(units));
}

static bool
needs_quotes(const char *s)
{
	size_t n = strlen(s);

	return n == 0 || strpbrk(s, "\"#;\n\t") != NULL || s[0] == ' ' ||
	       s[n - 1] == ' ';
}

static void
put_text(struct ops_buf *out, const char *s)
{
	if (!needs_quotes(s)) {
		ops_buf_puts(out, s);
		return;
	}
	ops_buf_put8(out, '"');
	for (; *s != '\0'; s++) {
		if (*s == '\n' || *s == '\t') {
			ops_buf_puts(out, *s == '\n' ? "\\n" : "\\t");
			continue;
		}
		if (*s == '"' || *s == '\\')
			ops_buf_put8(out, '\\');
		ops_buf_put8(out, (uint8_t)*s);
	}
	ops_buf_put8(out, '"');
}

static const void *
member(const struct conf_key *key, const void *in)
{
	return (const uint8_t *)in + key->offset;
}

static uint64_t
number(const struct conf_key *key, const void *in)
{
	uint64_t v;

	memcpy(&v, member(key, in), sizeof(v));
	return v;
}

static bool
flag(const struct conf_key *key, const void *in)
{
	bool v;

	memcpy(&v, member(key, in), sizeof(v));
	return v;
}

static int
word(const struct conf_key *key, const void *in)
{
	int v;

	memcpy(&v, member(key, in), sizeof(v));
	return v;
}

void
conf_put_value(
    struct ops_buf *out, const struct conf_key *key, const void *from)
{
	switch (key->kind) {
	case CONF_BOOL:
		ops_buf_puts(out, flag(key, from) ? "yes" : "no");
		break;
	case CONF_UINT:
		ops_buf_printf(out, "%" PRIu64, number(key, from));
		break;
	case CONF_SIZE:
		put_size(out, number(key, from));
		break;
	case CONF_DURATION:
		put_duration(out, number(key, from));
		break;
	case CONF_TEXT:
		put_text(out, member(key, from));
		break;
	case CONF_ENUM:
		ops_buf_puts(out, key->names[word(key, from)]);
		break;
	}
}

bool
conf_same(const struct conf_key *key, const void *a, const void *b)
{
	switch (key->kind) {
	case CONF_BOOL:
		return flag(key, a) == flag(key, b);
	case CONF_ENUM:
		return word(key, a) == word(key, b);
	case CONF_TEXT:
		return strcmp(member(key, a), member(key, b)) == 0;
	case CONF_UINT:
	case CONF_SIZE:
	case CONF_DURATION:
		break;
	}
	return number(key, a) == number(key, b);
}
