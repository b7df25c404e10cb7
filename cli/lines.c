#include "lines.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define TAB 8
#define PARAM_MAX 9999

/* What stands in one column: a character with its combining marks, a blank
 * (len 0), or nothing, because a wide one began in the column before. */
struct cell {
	uint8_t len;
	bool covered;
	uint8_t text[14];
};

enum lines_state { GROUND, IN_ESC, IN_ESC_INTER, IN_CSI, IN_OSC, IN_STRING };

/*
 * The line as it is on the screen, its wrapped rows laid end to end:
 *
 *	cell[0 .. cols) first row, cell[cols .. 2 cols) second, ...
 *
 * The cursor is in column col of the row that begins at base.  col == cols
 * means: at the margin, the next character wraps.
 */
struct lines {
	struct cell *cell; /* LINES_CELLS_MAX + LINES_COLS_MAX of them */
	size_t n;          /* cells in use */
	size_t base, col, saved;
	size_t cols;

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
		l->cell =
		    calloc(LINES_CELLS_MAX + LINES_COLS_MAX, sizeof(*l->cell));
	if (l == NULL || l->cell == NULL) {
		lines_free(l);
		return ops_fail(err, OPS_ENOMEM, "lines of the screen");
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
	free(l->cell);
	free(l);
}

/* A terminal that knows nothing of its width doesn't wrap. */
void
lines_resize(struct lines *l, unsigned cols)
{
	l->cols = cols < 2 || cols > LINES_COLS_MAX ? LINES_COLS_MAX : cols;
	/* The rows of what stands there are as the new width cuts them. */
	l->col = l->base + l->col;
	l->base = l->col > 0 ? (l->col - 1) / l->cols * l->cols : 0;
	l->col -= l->base;
}

/* -- writing the line out -- */

static size_t
used_cells(const struct lines *l)
{
	size_t n = l->n;

	while (n > 0 && l->cell[n - 1].len == 0 && !l->cell[n - 1].covered)
		n--;
	return n;
}

static void
put_cells(const struct lines *l, struct ops_buf *out)
{
	size_t n = used_cells(l);

	for (size_t i = 0; i < n; i++) {
		const struct cell *c = &l->cell[i];

		if (c->len > 0)
			ops_buf_put(out, c->text, c->len);
		else if (!c->covered)
			ops_buf_put8(out, ' ');
	}
}

static void
clear_cells(struct lines *l, size_t from, size_t to)
{
	if (to > l->n)
		to = l->n;
	for (size_t i = from; i < to; i++) {
		l->cell[i].len = 0;
		l->cell[i].covered = false;
	}
}

static void
forget_line(struct lines *l)
{
	clear_cells(l, 0, l->n);
	l->n = 0;
	l->base = 0;
}

static void
flush_line(struct lines *l, struct ops_buf *out)
{
	put_cells(l, out);
	ops_buf_put8(out, '\n');
	forget_line(l);
}

/* The cursor goes elsewhere on the screen: what stands on the line is done. */
static void
leave_line(struct lines *l, struct ops_buf *out)
{
	if (used_cells(l) > 0)
		flush_line(l, out);
	else
		forget_line(l);
}

/* -- characters -- */

/* Columns a character takes: East Asian wide ones 2, combining marks 0. */
static unsigned
width(uint32_t c)
{
	static const struct {
		uint32_t from, to;
		unsigned width;
	} ranges[] = {
		{ 0x0300, 0x036f, 0 },
		{ 0x0483, 0x0489, 0 },
		{ 0x0591, 0x05bd, 0 },
		{ 0x0610, 0x061a, 0 },
		{ 0x064b, 0x065f, 0 },
		{ 0x1100, 0x115f, 2 },
		{ 0x1ab0, 0x1aff, 0 },
		{ 0x1dc0, 0x1dff, 0 },
		{ 0x200b, 0x200d, 0 },
		{ 0x20d0, 0x20f0, 0 },
		{ 0x2e80, 0x303e, 2 },
		{ 0x3041, 0x3098, 2 },
		{ 0x3099, 0x309a, 0 },
		{ 0x309b, 0x33ff, 2 },
		{ 0x3400, 0x4dbf, 2 },
		{ 0x4e00, 0xa4cf, 2 },
		{ 0xa960, 0xa97c, 2 },
		{ 0xac00, 0xd7a3, 2 },
		{ 0xf900, 0xfaff, 2 },
		{ 0xfe00, 0xfe0f, 0 },
		{ 0xfe20, 0xfe2f, 0 },
		{ 0xfe30, 0xfe6f, 2 },
		{ 0xff00, 0xff60, 2 },
		{ 0xffe0, 0xffe6, 2 },
		{ 0x1f300, 0x1f64f, 2 },
		{ 0x1f680, 0x1f6ff, 2 },
		{ 0x1f900, 0x1f9ff, 2 },
		{ 0x20000, 0x3fffd, 2 },
		{ 0xe0100, 0xe01ef, 0 },
	};

	if (c < ranges[0].from)
		return 1;
	for (size_t i = 0; i < OPS_ARRAY_LEN(ranges); i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return ranges[i].width;
	return 1;
}

/* Overwriting half of a wide character leaves a blank for the other half. */
static void
unpair(struct lines *l, size_t at)
{
	if (at > 0 && at < l->n && l->cell[at].covered) {
		l->cell[at - 1].len = 0;
		l->cell[at].covered = false;
	}
}

static void
combine(struct lines *l, const uint8_t *p, size_t n)
{
	size_t at = l->base + l->col;
	struct cell *c;

	if (at == 0)
		return;
	c = &l->cell[at - 1];
	if (c->covered && at >= 2)
		c--;
	if (c->len > 0 && c->len + n <= sizeof(c->text)) {
		memcpy(c->text + c->len, p, n);
		c->len = (uint8_t)(c->len + n);
	}
}

static void
next_row(struct lines *l, struct ops_buf *out)
{
	l->base += l->cols;
	l->col = 0;
	if (l->base + l->cols <= LINES_CELLS_MAX)
		return;
	put_cells(l, out); /* in pieces: no newline */
	forget_line(l);
}

static void
put_char(struct lines *l, const uint8_t *p, size_t n, unsigned w,
    struct ops_buf *out)
{
	size_t at;

	if (w == 0) {
		combine(l, p, n);
		return;
	}
	if (l->col + w > l->cols) {
		/* Nothing shows where a wide character didn't fit. */
		if (l->col < l->cols) {
			at = l->base + l->col;
			while (l->n <= at)
				l->cell[l->n++] = (struct cell){ 0 };
			l->cell[at].len = 0;
			l->cell[at].covered = true;
		}
		next_row(l, out);
	}
	at = l->base + l->col;
	while (l->n < at + w)
		l->cell[l->n++] = (struct cell){ 0 };
	unpair(l, at);
	unpair(l, at + w);
	l->cell[at].covered = false;
	l->cell[at].len = (uint8_t)n;
	memcpy(l->cell[at].text, p, n);
	if (w == 2) {
		l->cell[at + 1].len = 0;
		l->cell[at + 1].covered = true;
	}
	l->col += w;
}

static void
put_escaped(struct lines *l, uint8_t c, struct ops_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t text[4] = { '\\', 'x', (uint8_t)digits[c >> 4],
		(uint8_t)digits[c & 15] };

	for (size_t i = 0; i < sizeof(text); i++)
		put_char(l, text + i, 1, 1, out);
}

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
			put_char(l, l->seq, used,
			    width(ops_utf8_value(l->seq, used)), out);
		} else {
			for (size_t i = 0; i < used; i++)
				put_escaped(l, l->seq[i], out);
		}
		l->seq_len -= used;
		memmove(l->seq, l->seq + used, l->seq_len);
	}
}

static void
cut_text(struct lines *l, struct ops_buf *out)
{
	for (size_t i = 0; i < l->seq_len; i++)
		put_escaped(l, l->seq[i], out);
	l->seq_len = 0;
}

/* -- movement -- */

/* Does the line go on that many rows below, with room for a whole row? */
static bool
has_row(const struct lines *l, size_t below)
{
	size_t base = l->base + below * l->cols;

	return base < used_cells(l) && base + l->cols <= LINES_CELLS_MAX;
}

static void
line_feed(struct lines *l, struct ops_buf *out)
{
	/* Inside a wrapped line it goes to the next row of it. */
	if (has_row(l, 1))
		l->base += l->cols;
	else
		flush_line(l, out);
}

static void
in_control(struct lines *l, uint8_t c, struct ops_buf *out)
{
	switch (c) {
	case '\n':
	case '\v':
	case '\f':
		line_feed(l, out);
		break;
	case '\r':
		l->col = 0;
		break;
	case '\b':
		if (l->col >= l->cols)
			l->col = l->cols - 1;
		if (l->col > 0)
			l->col--;
		break;
	case '\t':
		l->col = (l->col / TAB + 1) * TAB;
		if (l->col >= l->cols)
			l->col = l->cols - 1;
		break;
	default:
		break;
	}
}

static void
go_up(struct lines *l, size_t rows, struct ops_buf *out)
{
	if (l->base >= rows * l->cols)
		l->base -= rows * l->cols;
	else
		leave_line(l, out);
}

static void
go_down(struct lines *l, size_t rows, struct ops_buf *out)
{
	if (has_row(l, rows))
		l->base += rows * l->cols;
	else
		leave_line(l, out);
}

static void
erase(struct lines *l, unsigned how, size_t row_end)
{
	size_t at = l->base + l->col;

	if (how == 0) {
		unpair(l, at);
		clear_cells(l, at, row_end);
	} else if (how == 1) {
		unpair(l, at + 1);
		clear_cells(l, l->base, at + 1);
	} else if (how == 2) {
		clear_cells(l, l->base, row_end);
	}
}

/* Delete or insert k columns at the cursor; the rest of the row moves. */
static void
shift(struct lines *l, size_t k, bool insert)
{
	size_t at = l->base + l->col, end = l->base + l->cols, left;

	if (end > l->n)
		end = l->n;
	if (at >= end)
		return;
	unpair(l, at);
	if (insert) {
		end = l->base + l->cols;
		while (l->n < end)
			l->cell[l->n++] = (struct cell){ 0 };
	}
	left = end - at;
	if (k > left)
		k = left;
	if (insert) {
		memmove(l->cell + at + k, l->cell + at,
		    (left - k) * sizeof(*l->cell));
		clear_cells(l, at, at + k);
	} else {
		unpair(l, at + k);
		memmove(l->cell + at, l->cell + at + k,
		    (left - k) * sizeof(*l->cell));
		clear_cells(l, end - k, end);
	}
}

/* -- sequences -- */

static void
set_alternate(struct lines *l, bool on, struct ops_buf *out)
{
	if (on == l->alternate)
		return;
	if (on) {
		leave_line(l, out);
		l->alternate_since = l->now;
	} else {
		ops_buf_printf(out, "[full-screen program, %" PRIu64 " s]\n",
		    (l->now - l->alternate_since) / 1000000000);
	}
	l->alternate = on;
	l->col = 0;
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
set_column(struct lines *l, size_t col)
{
	l->col = col < l->cols ? col : l->cols - 1;
}

static void
erase_screen(struct lines *l, unsigned how, struct ops_buf *out)
{
	if (how == 0)
		erase(l, 0, l->n);
	else if (how == 2)
		leave_line(l, out);
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
		go_up(l, k, out);
		break;
	case 'B':
	case 'e':
		go_down(l, k, out);
		break;
	case 'C':
	case 'a':
		set_column(l, l->col + k);
		break;
	case 'D':
		set_column(l, l->col > k ? l->col - k : 0);
		break;
	case 'E':
		go_down(l, k, out);
		l->col = 0;
		break;
	case 'F':
		go_up(l, k, out);
		l->col = 0;
		break;
	case 'G':
	case '`':
		set_column(l, k - 1);
		break;
	case 'H':
	case 'f':
		leave_line(l, out);
		set_column(l, l->param[1] > 0 ? l->param[1] - 1 : 0);
		break;
	case 'd':
		leave_line(l, out);
		break;
	case 'J':
		erase_screen(l, first, out);
		break;
	case 'K':
		erase(l, first, l->base + l->cols);
		break;
	case 'P':
		shift(l, k, false);
		break;
	case '@':
		shift(l, k, true);
		break;
	case 'X':
		unpair(l, l->base + l->col);
		unpair(l, l->base + l->col + k);
		clear_cells(l, l->base + l->col,
		    l->base + (l->col + k < l->cols ? l->col + k : l->cols));
		break;
	case 's':
		l->saved = l->col;
		break;
	case 'u':
		set_column(l, l->saved);
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
		l->saved = l->col;
		break;
	case '8':
		set_column(l, l->saved);
		break;
	case 'D':
	case 'E':
		if (!l->alternate)
			line_feed(l, out);
		if (c == 'E')
			l->col = 0;
		break;
	case 'M':
		if (!l->alternate)
			go_up(l, 1, out);
		break;
	case 'c':
		set_alternate(l, false, out);
		leave_line(l, out);
		l->col = 0;
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
	leave_line(l, out);
	l->col = 0;
	ops_buf_put8(out, '[');
	ops_buf_puts(out, text);
	ops_buf_puts(out, "]\n");
}

void
lines_end(struct lines *l, struct ops_buf *out)
{
	cut_text(l, out);
	leave_line(l, out);
	set_alternate(l, false, out);
	l->state = GROUND;
}
