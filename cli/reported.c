#include "reported.h"

#include <string.h>

#include "base/text.h"
#include "textline.h"

#define HEAD "opseal reported 1"
#define END "end"
#define FINDING_MAX 4096

/* As it stands in the file: one line, whatever it holds.  "- " keeps it from being
 * the end. */
static void
put_line(struct ops_buf *out, const char *text)
{
	ops_buf_puts(out, "- ");
	ops_escape(out, text, strlen(text));
}

static bool
is_whole(const char *p, size_t n)
{
	struct textline l;
	size_t at = 0;

	if (n == 0 || !textline_next(p, n, &at, &l) || !textline_is(&l, HEAD))
		return false;
	while (textline_next(p, n, &at, &l))
		if (textline_is(&l, END))
			return l.ended && at == n;
	return false;
}

bool
reported_has(const char *p, size_t n, const char *text)
{
	struct ops_buf line = { .max = FINDING_MAX };
	bool found = false;

	put_line(&line, text);
	ops_buf_put8(&line, 0);
	if (!line.failed && is_whole(p, n))
		found = textline_find(p, n, (const char *)line.data, NULL);
	ops_buf_free(&line);
	return found;
}

void
reported_begin(struct ops_buf *out)
{
	ops_buf_puts(out, HEAD "\n");
}

void
reported_add(struct ops_buf *out, const char *text)
{
	put_line(out, text);
	ops_buf_put8(out, '\n');
}

void
reported_end(struct ops_buf *out)
{
	ops_buf_puts(out, END "\n");
}
