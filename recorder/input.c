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

void
input_typed(struct input *in, const uint8_t *p, size_t n, unsigned modes,
    unsigned again, uint64_t now)
{
	if (n > INPUT_MAX)
		return;
	if (is_prompt(modes) || is_prompt(again)) {
		drop(in, MASKED_NO_ECHO);
		mask(in, MASKED_ECHO_OFF);
		return;
	}
	if (modes & again & INPUT_ECHO) {
		drop(in, MASKED_NO_ECHO);
		keep(in, p, n);
		return;
	}
	if (in->n + n > INPUT_MAX)
		drop(in, MASKED_NO_ECHO);
	if (in->n == 0)
		in->since = now;
	memcpy(in->held + in->n, p, n);
	in->n += n;
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

/* Does this escape sequence leave the line, as a new line does?  Programs that
 * draw a screen (tmux) put the cursor where they write the answer. */
static bool
leaves_line(const uint8_t *p, size_t n)
{
	if (n < 2)
		return false;
	if (p[1] == '[')
		return n > 2 && strchr("ABEFHdefST", p[n - 1]) != NULL;
	return p[1] == 'D' || p[1] == 'E' || p[1] == 'M';
}

static bool
is_newline(uint8_t c)
{
	return c == '\r' || c == '\n';
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

static void
keep_until(struct input *in, size_t from, size_t to)
{
	keep(in, in->held + from, to - from);
}

/*
 * Keep the held bytes that the output repeats; *got is how many are done with.
 * The output must begin with them: only escape sequences and control characters
 * may stand before and between, and a new line only where Return was typed.
 * False: something else was written.  That is not an echo but an answer, and
 * what follows it may begin with a password's letters by accident.
 */
static bool
take_echoed(struct input *in, const uint8_t *p, size_t n, size_t *got)
{
	size_t at = 0, from = 0, silent, len;
	bool good = true;

	for (*got = 0; good && at < n && *got < in->n;) {
		const uint8_t *h = in->held + *got;
		uint8_t c = p[at];

		if (is_newline(*h) && is_newline(c)) {
			(*got)++;
			at += c == '\r' && at + 1 < n && p[at + 1] == '\n' ? 2
									   : 1;
		} else if (c == 0x1b) {
			len = escape_len(p + at, n - at);
			good = !leaves_line(p + at, len);
			at += len;
		} else if (c == '\n' || c == '\v' || c == '\f') {
			good = false;
		} else if (c < 0x20 || c == 0x7f) {
			at++;
		} else if (c == *h) {
			(*got)++;
			at++;
		} else {
			silent = silent_len(h, in->n - *got);
			good = silent > 0 && silent < in->n - *got &&
			       h[silent] == c;
			if (!good)
				break;
			keep_until(in, from, *got);
			mask(in, MASKED_NO_ECHO);
			from = *got += silent;
		}
	}
	keep_until(in, from, *got);
	return good;
}

void
input_output(struct input *in, const uint8_t *p, size_t n, unsigned modes)
{
	size_t got;
	bool good;

	if (in->n == 0)
		return;
	if (is_prompt(modes)) {
		drop(in, MASKED_ECHO_OFF);
		return;
	}
	good = take_echoed(in, p, n, &got);
	memmove(in->held, in->held + got, in->n - got);
	ops_wipe(in->held + in->n - got, got);
	in->n -= got;
	if (!good)
		drop(in, MASKED_NO_ECHO);
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
