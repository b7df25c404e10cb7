/*
 * asciicast - a recording in any pieces.  The input is what was shown, with
 * the pieces' lengths taken from its own bytes.  Each line is one event whose
 * text reads back; all texts together are the same for each way of cutting it,
 * and valid UTF-8 comes back as it was, with nothing counted as replaced.
 */
#include "../fuzz.h"

#include <stdbool.h>
#include <stdio.h>

#include "asciicast.h"
#include "base/text.h"

#define SECOND UINT64_C(1000000000)
#define OUT_MAX (1u << 22)

static unsigned
hex4(const uint8_t *p)
{
	uint8_t b[2];

	REQUIRE(ops_unhex((const char *)p, 4, b, 2) == 0);
	return (unsigned)(b[0] << 8 | b[1]);
}

/* One character of a JSON string: a byte of it, or a control character. */
static size_t
read_char(const uint8_t *p, struct ops_buf *text)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	unsigned v;

	REQUIRE(p[0] >= 0x20);
	if (p[0] != '\\') {
		ops_buf_put8(text, p[0]);
		return 1;
	}
	at = strchr(from, p[1]);
	if (p[1] != 0 && at != NULL) {
		ops_buf_put8(text, (uint8_t)to[at - from]);
		return 2;
	}
	REQUIRE(p[1] == 'u');
	v = hex4(p + 2);
	/* All others are written as UTF-8; these would act on a terminal. */
	REQUIRE(v < 0xa0);
	if (v >= 0x80)
		ops_buf_put8(text, (uint8_t)(0xc0 | v >> 6));
	ops_buf_put8(text, (uint8_t)(v < 0x80 ? v : 0x80 | (v & 0x3f)));
	return 6;
}

struct read_back {
	struct ops_buf out, in; /* texts of events o and i */
	uint64_t last;          /* us (v2) or ms (v3, summed) */
};

/* One line: [1.234567, "o", "text"]; p is NUL-terminated behind all lines. */
static const uint8_t *
read_event(const uint8_t *p, int version, struct read_back *r)
{
	unsigned long long whole;
	unsigned part;
	uint64_t t;
	char code;
	int used = 0;

	REQUIRE(sscanf((const char *)p, "[%llu.%u, \"%c\", \"%n", &whole, &part,
		    &code, &used) == 3 &&
		used > 0);
	t = version == 2 ? whole * 1000000 + part : whole * 1000 + part;
	REQUIRE(version == 3 || t >= r->last);
	r->last = version == 2 ? t : r->last + t;
	REQUIRE(code == 'o' || code == 'i');
	p += used;
	while (*p != '"')
		p += read_char(p, code == 'o' ? &r->out : &r->in);
	REQUIRE(memcmp(p, "\"]\n", 3) == 0);
	return p + 3;
}

struct cast {
	struct read_back back;
	uint64_t replaced;
	uint64_t end; /* ns */
};

/* Lengths of pieces: from a generator; 0: all at once. */
static void
make(const uint8_t *data, size_t size, int version, uint32_t seed,
    struct cast *ret)
{
	struct ops_buf lines = { .max = OUT_MAX };
	struct asciicast a = { .version = version };
	uint64_t now = 0;

	memset(ret, 0, sizeof(*ret));
	ret->back.out.max = ret->back.in.max = OUT_MAX;
	for (size_t at = 0; at < size;) {
		size_t n = size - at;

		if (seed != 0) {
			seed = seed * 1664525 + 1013904223;
			n = 1 + (seed >> 24) % 5 < n ? 1 + (seed >> 24) % 5 : n;
			now += seed % (SECOND / 100);
		}
		/* As both: two streams that don't mix. */
		asciicast_put(&a, now, 'o', data + at, n, &lines);
		asciicast_put(&a, now, 'i', data + at, n, &lines);
		at += n;
	}
	asciicast_end(&a, now, &lines);
	ret->replaced = a.replaced;
	ret->end = now;
	ops_buf_put8(&lines, 0);
	REQUIRE(!lines.failed);
	REQUIRE(ops_utf8_valid(lines.data, lines.len));
	for (const uint8_t *p = lines.data; *p != 0;)
		p = read_event(p, version, &ret->back);
	REQUIRE(!ret->back.out.failed && !ret->back.in.failed);
	ops_buf_free(&lines);
	asciicast_free(&a);
}

static void
cast_free(struct cast *c)
{
	ops_buf_free(&c->back.out);
	ops_buf_free(&c->back.in);
}

static bool
same(const struct ops_buf *b, const void *p, size_t n)
{
	return b->len == n && (n == 0 || memcmp(b->data, p, n) == 0);
}

static void
check(const uint8_t *data, size_t size, int version)
{
	struct cast whole, cut;
	uint64_t end;

	make(data, size, version, 0, &whole);
	REQUIRE(same(&whole.back.in, whole.back.out.data, whole.back.out.len));
	REQUIRE((whole.replaced == 0) == ops_utf8_valid(data, size));
	if (whole.replaced == 0)
		REQUIRE(same(&whole.back.out, data, size));
	for (uint32_t seed = 1; seed <= 3; seed++) {
		make(data, size, version, seed * 0x9e3779b9u, &cut);
		REQUIRE(same(
		    &cut.back.out, whole.back.out.data, whole.back.out.len));
		REQUIRE(
		    same(&cut.back.in, whole.back.in.data, whole.back.in.len));
		REQUIRE(cut.replaced == whole.replaced);
		/* The last event is not later than the recording's end, and
		 * times that are written as differences don't drift. */
		end = version == 2 ? cut.end / 1000
				   : (cut.end + 500000) / 1000000;
		REQUIRE(cut.back.last <= end);
		cast_free(&cut);
	}
	cast_free(&whole);
}

/* What the user's processes chose stays inside its string: one line. */
static void
check_header(const uint8_t *data, size_t size, int version)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct asciicast_header h = { .version = version,
		.cols = 80,
		.rows = 24,
		.timestamp = 1,
		.command = data,
		.command_len = size / 2,
		.term = data + size / 2,
		.term_len = size - size / 2,
		.session = "abc" };

	asciicast_put_header(&h, &out);
	REQUIRE(!out.failed && out.data[out.len - 1] == '\n');
	REQUIRE(ops_utf8_valid(out.data, out.len));
	for (size_t i = 0; i + 1 < out.len; i++)
		REQUIRE(out.data[i] >= 0x20 && out.data[i] != 0x7f);
	ops_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096)
		return 0;
	for (int version = 2; version <= 3; version++) {
		check(data, size, version);
		check_header(data, size, version);
	}
	return 0;
}
