/* diff - any two texts: with the diff the one gives the other.  Its lines carry what
 * was put in, so they are followed as patch(1) would. */
#include "../fuzz.h"

#include <stdbool.h>
#include <stdio.h>

#include "diff.h"
#include "textline.h"

/* Lines of a's, from line *at up to line to, are as they were. */
static void
copy(const struct diff_side *a, size_t *at, size_t *line, size_t to,
    struct ops_buf *out)
{
	struct textline l;

	while (*line < to && textline_next(a->p, a->n, at, &l)) {
		ops_buf_put(out, a->p + l.start, l.end - l.start);
		++*line;
	}
}

static void
follow(
    const struct diff_side *a, const struct ops_buf *diff, struct ops_buf *out)
{
	const char *p = (const char *)diff->data;
	size_t at = 0, line = 0, k = 0;
	struct textline l, mine;

	while (textline_next(p, diff->len, &k, &l)) {
		unsigned long from, count;

		if (sscanf(l.p, "@@ -%lu,%lu", &from, &count) == 2) {
			copy(a, &at, &line, from - (count > 0), out);
		} else if (l.p[0] == '\\') {
			continue; /* of the line before it */
		} else if (l.p[0] == '-' || l.p[0] == ' ') {
			REQUIRE(textline_next(a->p, a->n, &at, &mine));
			line++;
			REQUIRE(mine.n == l.n - 1 &&
				memcmp(mine.p, l.p + 1, mine.n) == 0);
			if (l.p[0] == ' ')
				ops_buf_put(out, a->p + mine.start,
				    mine.end - mine.start);
		} else {
			bool open = k < diff->len && p[k] == '\\';

			REQUIRE(l.p[0] == '+');
			ops_buf_put(out, l.p + 1, l.n - 1);
			if (!open)
				ops_buf_put8(out, '\n');
		}
	}
	copy(a, &at, &line, SIZE_MAX, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s = fuzz_string(data, size);
	size_t half = size > 0 ? data[0] * size / 256 : 0;
	struct diff_side a = { "a", s, half },
			 b = { "b", s + half, size - half };
	struct ops_buf diff = { .max = 10 * size + 1000 };
	struct ops_buf out = { .max = 10 * size + 1000 };
	const char *body;

	/* A few kinds of lines, so that many are alike; nothing to be escaped. */
	for (size_t i = 0; i < size; i++)
		s[i] = (char)(s[i] % 4 == 0 ? '\n' : 'a' + s[i] % 3);
	diff_put(&diff, &a, &b);
	REQUIRE(!diff.failed);
	if (diff.len == 0) {
		REQUIRE(a.n == b.n && memcmp(a.p, b.p, a.n) == 0);
	} else {
		body = memmem(diff.data, diff.len, "\n@@", 3);
		REQUIRE(body != NULL);
		ops_buf_consume(
		    &diff, (size_t)(body + 1 - (const char *)diff.data));
		ops_buf_put8(&diff, 0); /* for sscanf() */
		REQUIRE(!diff.failed);
		diff.len--;
		follow(&a, &diff, &out);
		REQUIRE(out.len == b.n && memcmp(out.data, b.p, b.n) == 0);
	}
	ops_buf_free(&diff);
	ops_buf_free(&out);
	free(s);
	return 0;
}
