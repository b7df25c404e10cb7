#include "lineedit.h"

#include <string.h>

#include "base/text.h"
#include "base/width.h"

enum { ESC_NONE, ESC_BEGUN, ESC_LIST, ESC_ONE_MORE };

#define CTRL(c) ((c)&0x1f)
#define ESC 0x1b
#define DEL 0x7f

/* -- taking back -- */

/* Where the last character begins; the line isn't empty. */
static size_t
last_char(const struct lineedit *l)
{
	size_t at = l->n - 1;

	while (at > 0 && (l->text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* With the marks on it, which have no column of their own. */
static void
erase_char(struct lineedit *l, struct ops_buf *echo)
{
	unsigned width = 0;

	while (width == 0 && l->n > 0) {
		size_t at = last_char(l);

		width = width_of(ops_utf8_value(l->text + at, l->n - at));
		l->n = at;
	}
	for (unsigned i = 0; i < width; i++)
		ops_buf_puts(echo, "\b \b");
}

static void
erase_word(struct lineedit *l, struct ops_buf *echo)
{
	while (l->n > 0 && l->text[l->n - 1] == ' ')
		erase_char(l, echo);
	while (l->n > 0 && l->text[l->n - 1] != ' ')
		erase_char(l, echo);
}

static void
erase_all(struct lineedit *l, struct ops_buf *echo)
{
	while (l->n > 0)
		erase_char(l, echo);
}

/* -- taking -- */

#define IDEOGRAPHIC_SPACE 0x3000 /* which is one that can be seen */

static bool
is_taken(const uint8_t *p, size_t n)
{
	return ops_text_visible_len(p, n) == n ||
	       ops_utf8_value(p, n) == IDEOGRAPHIC_SPACE;
}

static void
add_char(struct lineedit *l, struct ops_buf *echo)
{
	size_t n = l->parts;

	l->parts = 0;
	if (!is_taken(l->part, n) || l->n + n > LINEEDIT_MAX)
		return;
	/* A mark on nothing. */
	if (l->n == 0 && width_of(ops_utf8_value(l->part, n)) == 0)
		return;
	memcpy(l->text + l->n, l->part, n);
	l->n += n;
	ops_buf_put(echo, l->part, n);
}

/* A byte of a character. */
static void
add_byte(struct lineedit *l, uint8_t byte, struct ops_buf *echo)
{
	int len;

	l->part[l->parts++] = byte;
	len = ops_utf8_len(l->part, l->parts);
	if (len == 0 && l->parts > 1) {
		/* What was begun is none; this byte may begin one. */
		l->part[0] = byte;
		l->parts = 1;
		len = ops_utf8_len(l->part, 1);
	}
	if (len > 0)
		add_char(l, echo);
	else if (len == 0)
		l->parts = 0;
}

/* Is it part of a sequence?  A control character ends one, and is itself. */
static bool
in_escape(struct lineedit *l, uint8_t byte)
{
	uint8_t before = l->escape;

	l->escape = ESC_NONE;
	if (byte == ESC) {
		l->escape = ESC_BEGUN;
		l->parts = 0;
		return true;
	}
	if (before == ESC_NONE || byte < ' ' || byte == DEL)
		return false;
	if ((before == ESC_BEGUN && byte == '[') ||
	    (before == ESC_LIST && (byte < 0x40 || byte > 0x7e)))
		l->escape = ESC_LIST;
	else if (before == ESC_BEGUN && byte == 'O')
		l->escape = ESC_ONE_MORE;
	return true;
}

static enum lineedit_said
take_control(struct lineedit *l, uint8_t byte, struct ops_buf *echo)
{
	l->parts = 0;
	switch (byte) {
	case '\r':
	case '\n':
		ops_buf_puts(echo, "\r\n");
		return LINEEDIT_DONE;
	case CTRL('C'):
		ops_buf_puts(echo, "^C\r\n");
		return LINEEDIT_BREAK;
	case CTRL('D'):
		if (l->n > 0)
			break;
		ops_buf_puts(echo, "\r\n");
		return LINEEDIT_END;
	case '\b':
	case DEL:
		if (l->n > 0)
			erase_char(l, echo);
		break;
	case CTRL('U'):
		erase_all(l, echo);
		break;
	case CTRL('W'):
		erase_word(l, echo);
		break;
	default:
		break;
	}
	return LINEEDIT_MORE;
}

enum lineedit_said
lineedit_take(struct lineedit *l, uint8_t byte, struct ops_buf *echo)
{
	if (in_escape(l, byte))
		return LINEEDIT_MORE;
	if (byte < ' ' || byte == DEL)
		return take_control(l, byte, echo);
	add_byte(l, byte, echo);
	return LINEEDIT_MORE;
}

size_t
lineedit_text(const struct lineedit *l, const uint8_t **ret)
{
	size_t from = 0, to = l->n;

	while (from < to && l->text[from] == ' ')
		from++;
	while (to > from && l->text[to - 1] == ' ')
		to--;
	*ret = l->text + from;
	return to - from;
}
