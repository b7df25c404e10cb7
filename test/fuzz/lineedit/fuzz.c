/*
 * lineedit - anything that is typed, also behind the end of a line.
 *
 *	- the line is valid UTF-8 of characters that are safe, within its limit;
 *	- what is shown is such text, the end of a line, "^C", or "\b \b" of ours;
 *	- what is shown, as a terminal would draw it, is what the line is.
 */
#include "../fuzz.h"

#include "base/text.h"
#include "base/width.h"
#include "recorder/lineedit.h"

static struct {
	uint8_t text[LINEEDIT_MAX];
	size_t n;
	unsigned column
	    [LINEEDIT_MAX]; /* where the character with this byte begins */
	unsigned at;
} screen;

/* Back by one column, and blank: the character there goes once all of it has. */
static void
back(void)
{
	REQUIRE(screen.at > 0);
	screen.at--;
	while (screen.n > 0 && screen.column[screen.n - 1] >= screen.at)
		screen.n--;
}

static void
draw(const uint8_t *p, size_t n)
{
	size_t len = ops_text_safe_len(p, n);
	unsigned width;

	REQUIRE(len > 0 && screen.n + len <= sizeof(screen.text));
	width = width_of(ops_utf8_value(p, len));
	REQUIRE(width > 0 || screen.at > 0); /* a mark is on something */
	for (size_t i = 0; i < len; i++) {
		screen.column[screen.n] = screen.at - (width == 0);
		screen.text[screen.n++] = p[i];
	}
	screen.at += width;
}

static void
show(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = ops_text_safe_len(p + i, n - i);

		if (n - i >= 3 && memcmp(p + i, "\b \b", 3) == 0) {
			back();
			i += 3;
			continue;
		}
		REQUIRE(len > 0);
		draw(p + i, len);
		i += len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lineedit l = { .n = 0 };
	const uint8_t *text;

	memset(&screen, 0, sizeof(screen));
	for (size_t i = 0; i < size; i++) {
		uint8_t bytes[LINEEDIT_ECHO_MAX];
		struct ops_buf echo = OPS_BUF_FIXED(bytes);
		enum lineedit_said said = lineedit_take(&l, data[i], &echo);

		REQUIRE(!echo.failed && l.n <= LINEEDIT_MAX && l.parts < 4);
		REQUIRE(ops_utf8_valid(l.text, l.n));
		REQUIRE(lineedit_text(&l, &text) <= l.n);
		if (said == LINEEDIT_MORE) {
			show(echo.data, echo.len);
			REQUIRE(screen.n == l.n &&
				memcmp(screen.text, l.text, l.n) == 0);
			continue;
		}
		REQUIRE(said != LINEEDIT_BREAK || data[i] == 3);
		REQUIRE(said != LINEEDIT_END || data[i] == 4);
		REQUIRE(said != LINEEDIT_DONE || data[i] == '\r' ||
			data[i] == '\n');
		REQUIRE(echo.len >= 2 &&
			memcmp(echo.data + echo.len - 2, "\r\n", 2) == 0);
		REQUIRE(echo.len == (said == LINEEDIT_BREAK ? 4 : 2));
		l = (struct lineedit){ .n = 0 };
		memset(&screen, 0, sizeof(screen));
	}
	return 0;
}
