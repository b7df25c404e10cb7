#include "filter.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define ESC 0x1b
#define BEL 0x07
#define CAN 0x18
#define SUB 0x1a
#define PALETTE_LEN 7 /* hex digits after ESC ] P, console_codes(4) */

#define SOFT_RESET "\033[!p"
#define CLEAR "\033[H\033[2J"

/* Controls that draw or move.  VT and FF are line feeds to a terminal. */
static void
put_control(struct filter *f, uint8_t c, struct ops_buf *out)
{
	switch (c) {
	case '\b':
	case '\t':
	case '\n':
	case '\r':
	case 0x0e:
	case 0x0f:
		ops_buf_put8(out, c);
		break;
	case '\v':
	case '\f':
		ops_buf_put8(out, '\n');
		break;
	case 0x00:
	case 0x7f:
		break;
	default:
		f->dropped++;
		break;
	}
}

/* -- control sequences -- */

struct csi {
	uint8_t prefix; /* one of < = > ? or 0 */
	uint8_t inter;  /* the intermediate byte, or 0 */
	uint8_t final;
	unsigned n;
	uint16_t param[32];  /* the first of them; 0 if left out */
	const uint8_t *text; /* of the parameters, prefix not included */
	size_t text_len;
};

/* Numbers and their separators; false if one is too large.  Only SGR may have
 * colons; a colon counts as a separator here. */
static bool
csi_numbers(struct csi *c)
{
	unsigned v = 0;

	for (size_t i = 0; i <= c->text_len; i++) {
		bool last = i == c->text_len;
		uint8_t b = last ? (uint8_t)';' : c->text[i];

		if (b >= '0' && b <= '9') {
			v = v * 10 + (unsigned)(b - '0');
			if (v > FILTER_PARAM_MAX)
				return false;
			continue;
		}
		if (b != ';' && (b != ':' || c->final != 'm'))
			return false;
		if (c->n < OPS_ARRAY_LEN(c->param))
			c->param[c->n] = (uint16_t)v;
		c->n++;
		v = 0;
	}
	return true;
}

static bool
csi_parse(const struct filter *f, uint8_t final, struct csi *ret)
{
	size_t from = 0, to = f->len;

	memset(ret, 0, sizeof(*ret));
	ret->final = final;
	if (to > 0 && f->seq[0] >= '<' && f->seq[0] <= '?')
		ret->prefix = f->seq[from++];
	if (to > from && f->seq[to - 1] >= 0x20 && f->seq[to - 1] <= 0x2f)
		ret->inter = f->seq[--to];
	ret->text = f->seq + from;
	ret->text_len = to - from;
	return csi_numbers(ret);
}

static void
put_csi(struct filter *f, uint8_t final, struct ops_buf *out)
{
	f->tabs |= final == 'g';
	ops_buf_put(out, "\033[", 2);
	ops_buf_put(out, f->seq, f->len);
	ops_buf_put8(out, final);
}

/* The DEC private modes that only draw. */
static bool
mode_draws(unsigned mode)
{
	static const uint16_t modes[] = {
		5,    /* reverse video */
		6,    /* origin */
		7,    /* autowrap */
		25,   /* cursor visible */
		47,   /* alternate screen, three ways */
		1047, /* */
		1048, /* save cursor */
		1049, /* both */
	};

	for (size_t i = 0; i < OPS_ARRAY_LEN(modes); i++)
		if (modes[i] == mode)
			return true;
	return false;
}

/* CSI ? ... h or l: only the modes that draw, of however many there are. */
static void
put_modes(struct filter *f, const struct csi *c, struct ops_buf *out)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < c->n && i < OPS_ARRAY_LEN(c->param); i++) {
		unsigned mode = c->param[i];

		if (!mode_draws(mode))
			continue;
		ops_buf_printf(out, "%s%u", kept++ == 0 ? "\033[?" : ";", mode);
		if (mode == 47 || mode == 1047 || mode == 1049)
			f->alternate = c->final == 'h';
		if (mode == 6)
			f->origin = c->final == 'h';
	}
	if (kept > 0)
		ops_buf_put8(out, c->final);
	else
		f->dropped++;
}

/* Does a sequence without prefix and intermediate byte only draw? */
static bool
csi_draws(const struct csi *c)
{
	unsigned first = c->param[0];

	switch (c->final) {
	case '@':
	case 'A':
	case 'B':
	case 'C':
	case 'D':
	case 'E':
	case 'F':
	case 'G':
	case 'H':
	case 'I':
	case 'K':
	case 'L':
	case 'M':
	case 'P':
	case 'S':
	case 'X':
	case 'Z':
	case '`':
	case 'a':
	case 'b':
	case 'd':
	case 'e':
	case 'f':
	case 'g':
	case 'm':
	case 'r':
		return true;
	case 'J': /* 3 erases the scrollback */
		return c->n == 1 && first <= 2;
	case 'T': /* with more numbers: highlight mouse tracking */
		return c->n == 1;
	case 's': /* with numbers: left and right margins */
	case 'u':
		return c->text_len == 0;
	case 'h': /* 4 is insert; 2 locks the keyboard, 20 changes Return */
	case 'l':
		return c->n == 1 && first == 4;
	default:
		return false;
	}
}

/* Does it go through as it is? */
static bool
csi_passes(const struct csi *c)
{
	if (c->inter != 0) /* the soft reset */
		return c->inter == '!' && c->final == 'p' && c->prefix == 0 &&
		       c->text_len == 0;
	if (c->prefix == '?') /* erasing what isn't protected */
		return (c->final == 'J' || c->final == 'K') && csi_draws(c);
	return c->prefix == 0 && csi_draws(c);
}

static void
end_csi(struct filter *f, uint8_t final, struct ops_buf *out)
{
	struct csi c;
	bool good = csi_parse(f, final, &c);

	if (good && c.prefix == '?' && c.inter == 0 &&
	    (final == 'h' || final == 'l'))
		put_modes(f, &c, out);
	else if (good && csi_passes(&c))
		put_csi(f, final, out);
	else
		f->dropped++;
	f->state = FILTER_GROUND;
	f->len = 0;
}

static void
in_csi(struct filter *f, uint8_t c, struct ops_buf *out)
{
	bool inter = c >= 0x20 && c <= 0x2f;
	bool after = f->len > 0 && f->seq[f->len - 1] <= 0x2f;

	if (c >= 0x40 && c <= 0x7e) {
		end_csi(f, c, out);
		return;
	}
	/* A prefix stands first, intermediate bytes last; one is enough. */
	if (f->len == sizeof(f->seq) || after || c >= 0x80 ||
	    (c >= '<' && c <= '?' && f->len > 0)) {
		f->state = FILTER_CSI_DROP;
		return;
	}
	if (inter || (c >= 0x30 && c <= 0x3f))
		f->seq[f->len++] = c;
}

/* -- escape sequences -- */

static void
in_esc(struct filter *f, uint8_t c, struct ops_buf *out)
{
	f->len = 0;
	f->state = FILTER_GROUND;
	switch (c) {
	case '[':
		f->state = FILTER_CSI;
		break;
	case ']':
		f->state = FILTER_OSC_START;
		break;
	case 'P':
	case 'X':
	case '^':
	case '_':
		f->state = FILTER_STRING;
		break;
	case 'k':
		f->state = FILTER_TITLE;
		break;
	case '7':
	case '8':
	case 'D':
	case 'E':
	case 'H':
	case 'M':
		ops_buf_put8(out, ESC);
		ops_buf_put8(out, c);
		f->tabs |= c == 'H';
		break;
	case 'c':
		f->alternate = f->origin = false;
		ops_buf_puts(out, "\033[?1049l" SOFT_RESET CLEAR);
		break;
	default:
		if (c >= 0x20 && c <= 0x2f) {
			f->seq[f->len++] = c;
			f->state = FILTER_ESC_INTER;
		} else {
			f->dropped++;
		}
		break;
	}
}

/* ESC ( B and its like. */
static void
in_esc_inter(struct filter *f, uint8_t c, struct ops_buf *out)
{
	uint8_t inter = f->seq[0];

	if (c >= 0x20 && c <= 0x2f) {
		f->len = 2; /* a second one: nothing of that kind draws */
		return;
	}
	f->state = FILTER_GROUND;
	if (f->len == 1 && ((inter >= '(' && inter <= '+' &&
				(c == 'B' || c == 'A' || c == '0')) ||
			       (inter == '#' && c == '8'))) {
		ops_buf_put8(out, ESC);
		ops_buf_put8(out, inter);
		ops_buf_put8(out, c);
		f->charsets |= inter >= ')' && inter <= '+';
	} else {
		f->dropped++;
	}
	f->len = 0;
}

/* -- strings: all of them are dropped; what matters is where they end -- */

static void
in_string(struct filter *f, uint8_t c)
{
	bool end = false;

	switch (f->state) {
	case FILTER_OSC_START:
		f->state = c == 'P' ? FILTER_OSC_PALETTE : FILTER_OSC;
		f->len = 0;
		end = c == 'R' || c == BEL;
		break;
	case FILTER_OSC_PALETTE:
		f->len++;
		end = f->len == PALETTE_LEN || c == BEL;
		break;
	case FILTER_OSC:
		end = c == BEL;
		break;
	case FILTER_TITLE:
		end = c < 0x20;
		break;
	case FILTER_STRING:
	case FILTER_GROUND:
	case FILTER_ESC:
	case FILTER_ESC_INTER:
	case FILTER_CSI:
	case FILTER_CSI_DROP:
		break;
	}
	if (end) {
		f->state = FILTER_GROUND;
		f->len = 0;
		f->dropped++;
	}
}

static bool
state_is_string(enum filter_state s)
{
	return s == FILTER_OSC_START || s == FILTER_OSC_PALETTE ||
	       s == FILTER_OSC || s == FILTER_STRING || s == FILTER_TITLE;
}

/* -- text -- */

/* One more byte of a character of several; seq holds those before. */
static void
in_text(struct filter *f, uint8_t c, struct ops_buf *out)
{
	f->seq[f->len++] = c;
	while (f->len > 0) {
		int len = ops_utf8_len(f->seq, f->len);
		size_t used = len > 0 ? (size_t)len : 1;

		if (len < 0)
			return;
		if (len == 0)
			ops_buf_puts(out, "\xef\xbf\xbd");
		else if (ops_text_safe_len(f->seq, f->len) > 0)
			ops_buf_put(out, f->seq, used);
		else
			f->dropped++;
		f->len -= used;
		memmove(f->seq, f->seq + used, f->len);
	}
}

/* A control ends a character that was cut short. */
static void
cut_text(struct filter *f, struct ops_buf *out)
{
	if (f->state == FILTER_GROUND) {
		for (; f->len > 0; f->len--)
			ops_buf_puts(out, "\xef\xbf\xbd");
	}
}

static void
feed(struct filter *f, uint8_t c, struct ops_buf *out)
{
	if (c == ESC) {
		/* It ends whatever was open: ESC \ is then a lone ESC \. */
		cut_text(f, out);
		if (f->state != FILTER_GROUND)
			f->dropped++;
		f->state = FILTER_ESC;
		f->len = 0;
	} else if (c == CAN || c == SUB) {
		cut_text(f, out);
		f->state = FILTER_GROUND;
		f->len = 0;
		f->dropped++;
	} else if (state_is_string(f->state)) {
		in_string(f, c);
	} else if (c < 0x20 || c == 0x7f) {
		/* Terminals act on it even inside a sequence. */
		cut_text(f, out);
		put_control(f, c, out);
	} else if (f->state == FILTER_ESC) {
		in_esc(f, c, out);
	} else if (f->state == FILTER_ESC_INTER) {
		in_esc_inter(f, c, out);
	} else if (f->state == FILTER_CSI) {
		in_csi(f, c, out);
	} else if (f->state == FILTER_CSI_DROP) {
		if (c >= 0x40 && c <= 0x7e) {
			f->state = FILTER_GROUND;
			f->len = 0;
			f->dropped++;
		}
	} else {
		in_text(f, c, out);
	}
}

void
filter_feed(struct filter *f, const uint8_t *p, size_t n, struct ops_buf *out)
{
	for (size_t i = 0; i < n; i++) {
		size_t plain = i;

		/* Runs of ASCII text are most of all there is. */
		if (f->state == FILTER_GROUND && f->len == 0) {
			while (plain < n && p[plain] >= 0x20 && p[plain] < 0x7f)
				plain++;
			ops_buf_put(out, p + i, plain - i);
			i = plain;
			if (i == n)
				return;
		}
		feed(f, p[i], out);
	}
}

/* No sequence that all terminals know does this.  Going right stops at the
 * margin, so there may be more stops than the terminal has columns. */
static void
put_tabs(struct ops_buf *out)
{
	ops_buf_puts(out, "\0337\r\033[3g");
	for (unsigned i = 0; i < FILTER_TABS; i++)
		ops_buf_puts(out, "\033[8C\033H");
	ops_buf_puts(out, "\0338");
}

void
filter_leave(const struct filter *f, struct ops_buf *out)
{
	/* The soft reset alone doesn't do: the Linux console lacks it, and it
	 * turns autowrap off by the book.  Setting the region moves the cursor,
	 * so that is put back. */
	if (f->alternate)
		ops_buf_puts(out, "\033[?1049l");
	/* So does ending the origin mode: only where it was begun. */
	if (f->origin)
		ops_buf_puts(out, "\033[?6l");
	if (f->tabs)
		put_tabs(out);
	if (f->charsets)
		ops_buf_puts(out, "\033)B\033*B\033+B");
	ops_buf_puts(out,
	    "\033[0m\017\033(B\033[4l\033[?5l"
	    "\0337\033[r\0338" SOFT_RESET "\033[0m\033[?7h\033[?25h");
}
