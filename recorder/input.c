#include "input.h"

#include <string.h>

#include "base/bytes.h"
#include "record/record.h"

/* A password prompt: nothing is shown, a line is awaited. */
static bool
is_prompt(unsigned modes)
{
	return (modes & (INPUT_ECHO | INPUT_ICANON)) == INPUT_ICANON;
}

static bool
is_newline(uint8_t c)
{
	return c == '\r' || c == '\n';
}

static void
mask(struct input *in, unsigned why)
{
	if (in->masked != why)
		in->sink.mask(in->sink.arg, why);
	in->masked = why;
}

static void
keep(struct input *in, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	in->sink.keep(in->sink.arg, p, n);
	in->masked = 0;
}

/* What is held had no echo.  The bytes are wiped: one may be of a password. */
static void
drop(struct input *in, unsigned why)
{
	if (in->n == 0)
		return;
	mask(in, why);
	ops_wipe(in->held, in->n);
	in->n = 0;
}

/* The echo went while this was on its way.  The end of a line is no secret: often it is
 * Return that brings the prompt, sooner than we look.  The rest may be a password. */
static void
keep_line_ends(struct input *in, const uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--)
		if (is_newline(*p))
			keep(in, p, 1);
		else
			mask(in, MASKED_ECHO_OFF);
}

/* Byte by byte in effect, so that it doesn't matter how many come at once. */
static void
hold(struct input *in, const uint8_t *p, size_t n, uint64_t now)
{
	while (n > 0) {
		size_t some;

		if (in->n == INPUT_MAX)
			drop(in, MASKED_NO_ECHO);
		if (in->n == 0) {
			in->since = now;
			in->shown = SHOWN_TEXT;
		}
		some = n < INPUT_MAX - in->n ? n : INPUT_MAX - in->n;
		memcpy(in->held + in->n, p, some);
		in->n += some;
		p += some;
		n -= some;
	}
}

void
input_typed(struct input *in, const uint8_t *p, size_t n, unsigned modes,
    unsigned again, uint64_t now)
{
	if (n == 0)
		return;
	if (is_prompt(modes) || is_prompt(again)) {
		drop(in, MASKED_NO_ECHO);
		if (modes & INPUT_ECHO)
			keep_line_ends(in, p, n);
		else
			mask(in, MASKED_ECHO_OFF);
		return;
	}
	if (modes & again & INPUT_ECHO) {
		drop(in, MASKED_NO_ECHO);
		keep(in, p, n);
		return;
	}
	hold(in, p, n, now);
}

/* Length of the escape sequence at p (ESC included), at most n. */
static size_t
escape_len(const uint8_t *p, size_t n)
{
	size_t i = 2;

	if (n < 2)
		return n;
	if (p[1] == '[') {
		while (i < n && (p[i] < 0x40 || p[i] > 0x7e))
			i++;
		return i < n ? i + 1 : n;
	}
	if (p[1] == ']') { /* ends with BEL or ESC \ */
		while (i < n && p[i] != 0x07 && p[i] != 0x1b)
			i++;
		return i < n ? i + (p[i] == 0x1b ? 2 : 1) : n;
	}
	return p[1] == '(' || p[1] == ')' ? 3 : 2;
}

/* Length of what stands at the head and has no echo of its own: control
 * characters but Return, and what keys like the arrows send. */
static size_t
silent_len(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n && (p[i] < 0x20 || p[i] == 0x7f) && !is_newline(p[i]))
		i += p[i] == 0x1b ? escape_len(p + i, n - i) : 1;
	return i < n ? i : n;
}

enum shown {
	IS_TEXT, /* or a control character */
	SKIPPED, /* a part of a sequence, or of a new line */
	LEFT_THE_LINE,
};

/* Does the escape sequence that ends so leave the line, as a new line does?
 * Programs that draw a screen (tmux) put the cursor where they answer. */
static enum shown
end_of(const char *leaving, uint8_t c)
{
	return c != '\0' && strchr(leaving, c) != NULL ? LEFT_THE_LINE
						       : SKIPPED;
}

/* What is this byte of output?  Moves in->shown on. */
static enum shown
skip_shown(struct input *in, uint8_t c)
{
	switch (in->shown) {
	case SHOWN_TEXT:
		break;
	case SHOWN_RETURN: /* \r\n is one new line */
		in->shown = SHOWN_TEXT;
		if (c == '\n')
			return SKIPPED;
		break;
	case SHOWN_ESC:
		in->shown = c == '['               ? SHOWN_CSI
			    : c == ']'             ? SHOWN_OSC
			    : c == '(' || c == ')' ? SHOWN_CHARSET
						   : SHOWN_TEXT;
		return end_of("DEM", c);
	case SHOWN_CSI:
		if (c < 0x40 || c > 0x7e)
			return SKIPPED;
		in->shown = SHOWN_TEXT;
		return end_of("ABEFHdefST", c);
	case SHOWN_OSC: /* ends with BEL or ESC \ */
		if (c == 0x07)
			in->shown = SHOWN_TEXT;
		else if (c == 0x1b)
			in->shown = SHOWN_CHARSET;
		return SKIPPED;
	case SHOWN_CHARSET: /* one byte more */
		in->shown = SHOWN_TEXT;
		return SKIPPED;
	}
	if (c != 0x1b)
		return IS_TEXT;
	in->shown = SHOWN_ESC;
	return SKIPPED;
}

/* What the output has repeated, between two pieces that had no echo. */
struct echoed {
	size_t from, to; /* of in->held */
};

static void
keep_echoed(struct input *in, struct echoed *e)
{
	keep(in, in->held + e->from, e->to - e->from);
	e->from = e->to;
}

/* Does this byte of output repeat what is held at e->to?  False: it is
 * something else, and no echo can follow it. */
static bool
take_echo(struct input *in, struct echoed *e, uint8_t c)
{
	const uint8_t *h = in->held + e->to;
	size_t silent;

	if (is_newline(*h) && is_newline(c)) {
		e->to++;
		in->shown = c == '\r' ? SHOWN_RETURN : SHOWN_TEXT;
		return true;
	}
	if (c == '\n' || c == '\v' || c == '\f')
		return false;
	if (c < 0x20 || c == 0x7f)
		return true;
	if (c == *h) {
		e->to++;
		return true;
	}
	silent = silent_len(h, in->n - e->to);
	if (silent == 0 || silent == in->n - e->to || h[silent] != c)
		return false;
	keep_echoed(in, e);
	mask(in, MASKED_NO_ECHO);
	e->from = e->to += silent;
	e->to++;
	return true;
}

/*
 * Keep the held bytes that the output repeats.  It must begin with them: only
 * escape sequences and control characters may stand before and between, and a
 * new line only where Return was typed.  Anything else that is written is not
 * an echo but an answer, and may begin with a password's letters by accident:
 * what is held then has no echo.  What a program writes comes in pieces of any
 * size, so nothing may depend on where one ends.
 */
static void
take_echoed(struct input *in, const uint8_t *p, size_t n)
{
	struct echoed e = { 0, 0 };
	bool answered = false;

	for (size_t i = 0; i < n && e.to < in->n && !answered; i++) {
		enum shown shown = skip_shown(in, p[i]);

		answered = shown == LEFT_THE_LINE ||
			   (shown == IS_TEXT && !take_echo(in, &e, p[i]));
	}
	keep_echoed(in, &e);
	memmove(in->held, in->held + e.to, in->n - e.to);
	ops_wipe(in->held + in->n - e.to, e.to);
	in->n -= e.to;
	if (answered)
		drop(in, MASKED_NO_ECHO);
}

void
input_output(struct input *in, const uint8_t *p, size_t n, unsigned modes)
{
	if (in->n == 0)
		return;
	if (is_prompt(modes))
		drop(in, MASKED_ECHO_OFF);
	else
		take_echoed(in, p, n);
}

void
input_tick(struct input *in, uint64_t now)
{
	if (in->n > 0 && (now == UINT64_MAX || now >= input_due(in)))
		drop(in, MASKED_NO_ECHO);
}

uint64_t
input_due(const struct input *in)
{
	return in->n > 0 ? in->since + INPUT_HOLD_NS : 0;
}
