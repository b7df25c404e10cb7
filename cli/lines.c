#include "lines.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/width.h"
#include "line.h"

#define TAB 8
#define PARAM_MAX 9999

enum lines_state { GROUND, IN_ESC, IN_ESC_INTER, IN_CSI, IN_OSC, IN_STRING };

struct lines {
	struct line line;

	enum lines_state state;
	uint8_t seq[8]; /* of a character */
	size_t seq_len;
	unsigned param[8], params; /* of a control sequence */
	uint8_t prefix;
	bool inter;

	bool alternate;
	uint64_t alternate_since, now;
};

int
lines_new(unsigned cols, struct lines **ret, struct ops_err *err)
{
	struct lines *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->line.cell = calloc(
		    LINES_CELLS_MAX + LINES_COLS_MAX, sizeof(*l->line.cell));
	if (l == NULL || l->line.cell == NULL) {
		lines_free(l);
		return ops_fail(
		    err, OPS_ENOMEM, "lines of the screen: no memory");
	}
	lines_resize(l, cols);
	*ret = l;
	return 0;
}

void
lines_free(struct lines *l)
{
	if (l == NULL)
		return;
	free(l->line.cell);
	free(l);
}

/* A terminal that knows nothing of its width doesn't wrap. */
void
lines_resize(struct lines *l, unsigned cols)
{
	l->line.cols =
	    cols < 2 || cols > LINES_COLS_MAX ? LINES_COLS_MAX : cols;
	/* The rows of what stands there are as the new width cuts them. */
	l->line.col = l->line.base + l->line.col;
	l->line.base = l->line.col > 0
			   ? (l->line.col - 1) / l->line.cols * l->line.cols
			   : 0;
	l->line.col -= l->line.base;
}

/* -- text and controls -- */

/* One more byte of text; seq holds the beginning of a character. */
static void
in_text(struct lines *l, uint8_t c, struct ops_buf *out)
{
	l->seq[l->seq_len++] = c;
	while (l->seq_len > 0) {
		int len = ops_utf8_len(l->seq, l->seq_len);
		size_t used = len > 0 ? (size_t)len : 1;

		if (len < 0)
			return;
		if (ops_text_safe_len(l->seq, l->seq_len) > 0) {
			line_char(&l->line, l->seq, used,
			    width_of(ops_utf8_value(l->seq, used)), out);
		} else {
			for (size_t i = 0; i < used; i++)
				line_escaped(&l->line, l->seq[i], out);
		}
		l->seq_len -= used;
		memmove(l->seq, l->seq + used, l->seq_len);
	}
}

static void
cut_text(struct lines *l, struct ops_buf *out)
{
	for (size_t i = 0; i < l->seq_len; i++)
		line_escaped(&l->line, l->seq[i], out);
	l->seq_len = 0;
}

static void
in_control(struct lines *l, uint8_t c, struct ops_buf *out)
{
	switch (c) {
	case '\n':
	case '\v':
	case '\f':
		line_feed(&l->line, out);
		break;
	case '\r':
		l->line.col = 0;
		break;
	case '\b':
		if (l->line.col >= l->line.cols)
			l->line.col = l->line.cols - 1;
		if (l->line.col > 0)
			l->line.col--;
		break;
	case '\t':
		l->line.col = (l->line.col / TAB + 1) * TAB;
		if (l->line.col >= l->line.cols)
			l->line.col = l->line.cols - 1;
		break;
	default:
		break;
	}
}

/* -- sequences -- */

static void
set_alternate(struct lines *l, bool on, struct ops_buf *out)
{
	if (on == l->alternate)
		return;
	if (on) {
		line_leave(&l->line, out);
		l->alternate_since = l->now;
	} else {
		ops_buf_printf(out, "[full-screen program, %" PRIu64 " s]\n",
		    (l->now - l->alternate_since) / 1000000000);
	}
	l->alternate = on;
	l->line.col = 0;
}

static void
in_modes(struct lines *l, bool on, struct ops_buf *out)
{
	for (unsigned i = 0; i < l->params; i++) {
		unsigned m = l->param[i];

		if (m == 1049 || m == 1047 || m == 47)
			set_alternate(l, on, out);
	}
}

static void
erase_screen(struct lines *l, unsigned how, struct ops_buf *out)
{
	if (how == 0)
		line_erase(&l->line, 0, l->line.n);
	else if (how == 2)
		line_leave(&l->line, out);
}

static void
end_csi(struct lines *l, uint8_t final, struct ops_buf *out)
{
	unsigned first = l->param[0];
	size_t k = first > 0 ? first : 1;

	l->state = GROUND;
	if (l->prefix == '?' && (final == 'h' || final == 'l'))
		in_modes(l, final == 'h', out);
	if (l->prefix != 0 || l->inter || l->alternate)
		return;
	switch (final) {
	case 'A':
		line_up(&l->line, k, out);
		break;
	case 'B':
	case 'e':
		line_down(&l->line, k, out);
		break;
	case 'C':
	case 'a':
		line_column(&l->line, l->line.col + k);
		break;
	case 'D':
		line_column(&l->line, l->line.col > k ? l->line.col - k : 0);
		break;
	case 'E':
		line_down(&l->line, k, out);
		l->line.col = 0;
		break;
	case 'F':
		line_up(&l->line, k, out);
		l->line.col = 0;
		break;
	case 'G':
	case '`':
		line_column(&l->line, k - 1);
		break;
	case 'H':
	case 'f':
		line_leave(&l->line, out);
		line_column(&l->line, l->param[1] > 0 ? l->param[1] - 1 : 0);
		break;
	case 'd':
		line_leave(&l->line, out);
		break;
	case 'J':
		erase_screen(l, first, out);
		break;
	case 'K':
		line_erase(&l->line, first, l->line.base + l->line.cols);
		break;
	case 'P':
		line_shift(&l->line, k, false);
		break;
	case '@':
		line_shift(&l->line, k, true);
		break;
	case 'X':
		line_unpair(&l->line, l->line.base + l->line.col);
		line_unpair(&l->line, l->line.base + l->line.col + k);
		line_clear(&l->line, l->line.base + l->line.col,
		    l->line.base + (l->line.col + k < l->line.cols
					   ? l->line.col + k
					   : l->line.cols));
		break;
	case 's':
		l->line.saved = l->line.col;
		break;
	case 'u':
		line_column(&l->line, l->line.saved);
		break;
	default:
		break;
	}
}

static void
in_csi(struct lines *l, uint8_t c, struct ops_buf *out)
{
	unsigned *v = &l->param[l->params - 1];

	if (c >= 0x40 && c <= 0x7e) {
		end_csi(l, c, out);
	} else if (c >= '0' && c <= '9') {
		*v = *v * 10 + (unsigned)(c - '0');
		if (*v > PARAM_MAX)
			*v = PARAM_MAX;
	} else if (c == ';' || c == ':') {
		if (l->params < OPS_ARRAY_LEN(l->param))
			l->params++;
	} else if (c >= '<' && c <= '?') {
		l->prefix = c;
	} else {
		l->inter = true;
	}
}

static void
in_esc(struct lines *l, uint8_t c, struct ops_buf *out)
{
	l->state = GROUND;
	switch (c) {
	case '[':
		l->state = IN_CSI;
		memset(l->param, 0, sizeof(l->param));
		l->params = 1;
		l->prefix = 0;
		l->inter = false;
		break;
	case ']':
		l->state = IN_OSC;
		break;
	case 'P':
	case 'X':
	case '^':
	case '_':
	case 'k':
		l->state = IN_STRING;
		break;
	case '7':
		l->line.saved = l->line.col;
		break;
	case '8':
		line_column(&l->line, l->line.saved);
		break;
	case 'D':
	case 'E':
		if (!l->alternate)
			line_feed(&l->line, out);
		if (c == 'E')
			l->line.col = 0;
		break;
	case 'M':
		if (!l->alternate)
			line_up(&l->line, 1, out);
		break;
	case 'c':
		set_alternate(l, false, out);
		line_leave(&l->line, out);
		l->line.col = 0;
		break;
	default:
		if (c >= 0x20 && c <= 0x2f)
			l->state = IN_ESC_INTER;
		break;
	}
}

static void
feed(struct lines *l, uint8_t c, struct ops_buf *out)
{
	bool string = l->state == IN_OSC || l->state == IN_STRING;

	if (c == 0x1b || c == 0x18 || c == 0x1a) {
		cut_text(l, out);
		l->state = c == 0x1b ? IN_ESC : GROUND;
	} else if (string) {
		if (c == 0x07)
			l->state = GROUND;
	} else if (c < 0x20 || c == 0x7f) {
		cut_text(l, out);
		if (!l->alternate)
			in_control(l, c, out);
	} else if (l->state == IN_ESC) {
		in_esc(l, c, out);
	} else if (l->state == IN_ESC_INTER) {
		if (c > 0x2f)
			l->state = GROUND;
	} else if (l->state == IN_CSI) {
		in_csi(l, c, out);
	} else if (!l->alternate) {
		in_text(l, c, out);
	}
}

void
lines_feed(struct lines *l, uint64_t time, const uint8_t *p, size_t n,
    struct ops_buf *out)
{
	if (time > l->now)
		l->now = time;
	for (size_t i = 0; i < n; i++)
		feed(l, p[i], out);
}

void
lines_note(struct lines *l, const char *text, struct ops_buf *out)
{
	cut_text(l, out);
	line_leave(&l->line, out);
	l->line.col = 0;
	ops_buf_put8(out, '[');
	ops_buf_puts(out, text);
	ops_buf_puts(out, "]\n");
}

void
lines_end(struct lines *l, struct ops_buf *out)
{
	cut_text(l, out);
	line_leave(&l->line, out);
	set_alternate(l, false, out);
	l->state = GROUND;
}
