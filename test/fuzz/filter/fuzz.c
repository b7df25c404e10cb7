/*
 * fuzz filter - any bytes at all: any split gives the same, filtering again
 * changes nothing, and what comes out is made of allowed pieces only, as told
 * by a second, simpler reading of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (1u << 26)

static void
check_same(const struct ops_buf *a, const struct ops_buf *b)
{
	if (a->failed || b->failed || a->len != b->len ||
	    (a->len > 0 && memcmp(a->data, b->data, a->len) != 0))
		abort();
}

/* Length of the escape sequence at p; aborts unless it is a harmless kind. */
static size_t
sequence(const uint8_t *p, size_t n)
{
	size_t i = 2;

	if (n < 2)
		abort();
	if (p[1] != '[') {
		if (strchr("78DEHM", p[1]) != NULL)
			return 2;
		if (n < 3 || strchr("()*+#", p[1]) == NULL ||
		    strchr("AB08", p[2]) == NULL)
			abort();
		return 3;
	}
	while (i < n && p[i] >= 0x20 && p[i] <= 0x3f)
		i++;
	if (i == n)
		abort();
	/* Nothing that asks, reports, or sets keys, mouse or window. */
	if (strchr("cintqxyz{|}~wvoN", p[i]) != NULL)
		abort();
	if (p[i] == 'p' && (i != 3 || p[2] != '!'))
		abort();
	if (strchr("<=>", p[2]) != NULL)
		abort();
	if (p[i] == 'J' && memchr(p, '3', i) != NULL)
		abort();
	return i + 1;
}

static void
check_allowed(const uint8_t *p, size_t n)
{
	while (n > 0) {
		size_t len = ops_text_safe_len(p, n);

		if (len == 0 && memchr("\b\t\n\r\016\017", p[0], 6) != NULL)
			len = 1;
		if (len == 0 && p[0] == 0x1b)
			len = sequence(p, n);
		if (len == 0)
			abort();
		p += len;
		n -= len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf whole = { .max = OUT_MAX }, parts = { .max = OUT_MAX },
		       again = { .max = OUT_MAX };
	struct filter f = { 0 }, g = { 0 }, h = { 0 };
	size_t step = size > 0 ? 1 + data[0] % 7u : 1;

	filter_feed(&f, data, size, &whole);
	for (size_t i = 0; i < size; i += step)
		filter_feed(
		    &g, data + i, size - i < step ? size - i : step, &parts);
	check_same(&whole, &parts);
	check_allowed(whole.data, whole.len);
	filter_feed(&h, whole.data, whole.len, &again);
	check_same(&whole, &again);
	if (f.alternate != g.alternate || f.alternate != h.alternate)
		abort();
	ops_buf_free(&whole);
	ops_buf_free(&parts);
	ops_buf_free(&again);
	return 0;
}
