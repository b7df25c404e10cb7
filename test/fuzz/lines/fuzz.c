/*
 * fuzz lines - any bytes at all: any split gives the same text, and it holds
 * printable characters and newlines only.  The first byte is the width.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX (1u << 28)

static struct ops_buf
render(const uint8_t *p, size_t n, unsigned cols, size_t step)
{
	struct ops_buf out = { .max = OUT_MAX };
	struct lines *l;

	if (lines_new(cols, &l, NULL) < 0)
		abort();
	for (size_t i = 0; i < n; i += step) {
		lines_feed(l, 0, p + i, n - i < step ? n - i : step, &out);
	}
	lines_end(l, &out);
	lines_free(l);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ops_buf whole, parts;
	struct lines *l;
	struct ops_buf wild = { .max = OUT_MAX };
	unsigned cols = size > 0 ? data[0] : 80;

	whole = render(data, size, cols, size + 1);
	parts = render(data, size, cols, 1 + cols % 5);
	if (whole.failed || whole.len != parts.len ||
	    (whole.len > 0 && memcmp(whole.data, parts.data, whole.len) != 0))
		abort();
	for (size_t i = 0; i < whole.len;) {
		size_t len = ops_text_safe_len(whole.data + i, whole.len - i);

		if (len == 0 && whole.data[i] != '\n')
			abort();
		i += len > 0 ? len : 1;
	}

	/* Resizing anywhere must not lead out of the line. */
	if (lines_new(cols, &l, NULL) < 0)
		abort();
	for (size_t i = 0; i < size; i++) {
		lines_feed(l, i, data + i, 1, &wild);
		if (i % 16 == 15)
			lines_resize(l, data[i] * 16u);
	}
	lines_note(l, "note", &wild);
	lines_free(l);
	ops_buf_free(&wild);
	ops_buf_free(&whole);
	ops_buf_free(&parts);
	return 0;
}
