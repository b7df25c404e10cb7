#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

#define FIRST_CAP 64

/* Doubling, so that n puts cost O(n), but never beyond max. */
static size_t
next_cap(const struct ops_buf *b, size_t need)
{
	size_t cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap;

	while (cap < need && cap <= b->max / 2)
		cap *= 2;
	if (cap < need || cap > b->max)
		cap = b->max;
	return cap;
}

uint8_t *
ops_buf_reserve(struct ops_buf *b, size_t n)
{
	uint8_t *data;
	size_t cap;

	assert(b->len <= b->cap);
	if (b->data != NULL && ops_buf_has_room(b, n))
		return b->data + b->len;
	if (b->failed)
		return NULL;
	if (b->len > b->max || n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	cap = next_cap(b, b->len + n);
	data = realloc(b->data, cap + (cap == 0));
	if (data == NULL) {
		b->failed = true;
		return NULL;
	}
	b->data = data;
	b->cap = cap;
	return b->data + b->len;
}

void
ops_buf_put(struct ops_buf *b, const void *p, size_t n)
{
	uint8_t *to;

	if (n == 0)
		return;
	to = ops_buf_reserve(b, n);
	if (to == NULL)
		return;
	memcpy(to, p, n);
	b->len += n;
}

void
ops_buf_put8(struct ops_buf *b, uint8_t v)
{
	ops_buf_put(b, &v, 1);
}

void
ops_buf_putle16(struct ops_buf *b, uint16_t v)
{
	uint8_t p[2];

	ops_putle16(p, v);
	ops_buf_put(b, p, sizeof(p));
}

void
ops_buf_putle32(struct ops_buf *b, uint32_t v)
{
	uint8_t p[4];

	ops_putle32(p, v);
	ops_buf_put(b, p, sizeof(p));
}

void
ops_buf_putle64(struct ops_buf *b, uint64_t v)
{
	uint8_t p[8];

	ops_putle64(p, v);
	ops_buf_put(b, p, sizeof(p));
}

void
ops_buf_puts(struct ops_buf *b, const char *s)
{
	ops_buf_put(b, s, strlen(s));
}

void
ops_buf_printf(struct ops_buf *b, const char *fmt, ...)
{
	char small[256], *big = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		ops_buf_put(b, small, (size_t)n);
		return;
	}

	va_start(ap, fmt);
	n = vasprintf(&big, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	ops_buf_put(b, big, (size_t)n);
	free(big);
}

void
ops_buf_consume(struct ops_buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void
ops_buf_reset(struct ops_buf *b)
{
	b->len = 0;
	b->failed = false;
}

void
ops_buf_free(struct ops_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
	b->failed = false;
}

int
ops_buf_check(const struct ops_buf *b, const char *what, struct ops_err *err)
{
	if (!b->failed)
		return 0;
	return ops_fail(err, OPS_ENOMEM,
	    "%s: no memory, or more than the limit of %zu bytes", what, b->max);
}
