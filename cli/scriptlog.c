#include "scriptlog.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"

#define SECOND UINT64_C(1000000000)
#define STARTED "Script started on "
#define DONE "\nScript done on "
#define NO_TERMINAL "<not executed on terminal>"
#define EXIT_CODE "COMMAND_EXIT_CODE=\""
#define TIME_LEN 25 /* 2026-11-27 16:15:41+00:00 */

/* -- pieces of a text -- */

static bool
begins(struct event_text t, const char *s)
{
	size_t n = strlen(s);

	return t.n >= n && memcmp(t.p, s, n) == 0;
}

static bool
ends(struct event_text t, const char *s)
{
	size_t n = strlen(s);

	return t.n >= n && memcmp(t.p + t.n - n, s, n) == 0;
}

static struct event_text
from(struct event_text t, size_t at)
{
	return (struct event_text){ t.p + at, t.n - at };
}

/* The whole text is a decimal number of at most max. */
static bool
number(struct event_text t, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (t.n == 0 || t.n > 19)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(t.p[i] - '0');
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

/* A time as script writes it since 2.32.  Before that it was in the words of a
 * locale, mostly without a zone: such a time is none. */
static bool
take_time(struct event_text t, uint64_t *ret)
{
	static const char shape[] = "dddd-dd-dd dd:dd:dd+dd:dd";
	char text[TIME_LEN + 1];

	if (t.n < TIME_LEN || (t.n > TIME_LEN && t.p[TIME_LEN] != ' '))
		return false;
	for (size_t i = 0; i < TIME_LEN; i++) {
		bool digit = t.p[i] >= '0' && t.p[i] <= '9';

		if (shape[i] == 'd' ? !digit
				    : t.p[i] != (uint8_t)shape[i] &&
					  !(shape[i] == '+' && t.p[i] == '-'))
			return false;
	}
	memcpy(text, t.p, TIME_LEN);
	text[TIME_LEN] = '\0';
	text[10] = 'T';
	return ops_time_parse(text, 0, ret, NULL) == 0;
}

/* Cut NAME="VALUE" off the end of t, and a space before it.  The value is
 * not escaped there: it begins at the last NAME=" . */
static bool
cut_last(struct event_text *t, const char *name, struct event_text *value)
{
	size_t n = strlen(name);

	if (t->n < n + 1 || t->p[t->n - 1] != '"')
		return false;
	for (size_t at = t->n - n;; at--) {
		if (memcmp(t->p + at, name, n) == 0 && at + n < t->n &&
		    (at == 0 || t->p[at - 1] == ' ')) {
			*value = (struct event_text){ t->p + at + n,
				t->n - at - n - 1 };
			t->n = at > 0 ? at - 1 : 0;
			return true;
		}
		if (at == 0)
			return false;
	}
}

static void
cut_size(struct event_text *t, const char *name, uint16_t *ret)
{
	struct event_text value;
	uint64_t v;

	if (cut_last(t, name, &value) && number(value, UINT16_MAX, &v))
		*ret = (uint16_t)v;
}

/* What stands between the brackets, from its end on. */
static void
take_values(struct event_text t, struct scriptlog_head *h)
{
	static const char command[] = "COMMAND=\"";
	struct event_text value;

	if (ends(t, NO_TERMINAL)) {
		t.n -= sizeof(NO_TERMINAL) - 1;
		if (ends(t, " "))
			t.n--;
	} else {
		cut_size(&t, "LINES=\"", &h->rows);
		cut_size(&t, "COLUMNS=\"", &h->cols);
		if (cut_last(&t, "TTY=\"", &value))
			h->tty = value;
		if (cut_last(&t, "TERM=\"", &value))
			h->term = value;
	}
	if (begins(t, command) && t.n >= sizeof(command) && ends(t, "\""))
		h->command = (struct event_text){ t.p + sizeof(command) - 1,
			t.n - sizeof(command) };
}

/* -- the log -- */

int
scriptlog_head(
    const uint8_t *p, size_t n, struct scriptlog_head *ret, struct ops_err *err)
{
	size_t some = n < SCRIPTLOG_LINE_MAX ? n : SCRIPTLOG_LINE_MAX;
	struct scriptlog_head h = { .len = 0 };
	struct event_text line = { p, some };
	const uint8_t *end, *bracket;

	if (!begins(line, STARTED))
		return ops_fail(err, OPS_EFORMAT,
		    "is no typescript: it does not begin with \"" STARTED "\"");
	end = memchr(p, '\n', some);
	if (end == NULL)
		return ops_fail(err, OPS_EFORMAT,
		    n > some ? "its first line is over %d bytes"
			     : "it ends within its first line",
		    SCRIPTLOG_LINE_MAX);
	h.len = (size_t)(end + 1 - p);
	line.n = h.len - 1;
	line = from(line, sizeof(STARTED) - 1);
	h.has_start = take_time(line, &h.start);
	bracket = memchr(line.p, '[', line.n);
	if (bracket != NULL && ends(line, "]")) {
		line = from(line, (size_t)(bracket + 1 - line.p));
		line.n--;
		take_values(line, &h);
	}
	*ret = h;
	return 0;
}

void
scriptlog_tail(const uint8_t *p, size_t n, struct scriptlog_tail *ret)
{
	struct event_text t = { p, n }, value;
	uint64_t code;
	size_t at;

	*ret = (struct scriptlog_tail){ .len = 0 };
	if (n < 2 || p[n - 1] != '\n')
		return;
	for (at = n - 1; at > 0 && p[at - 1] != '\n'; at--)
		continue;
	if (at == 0 || !begins(from(t, at - 1), DONE))
		return;
	ret->len = n - at + 1;
	t = from(t, at - 1 + sizeof(DONE) - 1);
	t.n--; /* newline */
	ret->has_end = take_time(t, &ret->end);
	if (!ends(t, "]"))
		return;
	t.n--;
	for (at = 0; at < t.n && t.p[at] != '['; at++)
		continue;
	if (at == t.n)
		return;
	t = from(t, at + 1);
	if (cut_last(&t, EXIT_CODE, &value) &&
	    number(value, UINT8_MAX, &code)) {
		ret->has_exit = true;
		ret->exit = (uint8_t)code;
	}
}

/* -- the timing -- */

/* Cut off the first word and the space behind it. */
static struct event_text
word(struct event_text *t)
{
	const uint8_t *space = memchr(t->p, ' ', t->n);
	struct event_text w = *t;

	if (space == NULL) {
		*t = from(*t, t->n);
		return w;
	}
	w.n = (size_t)(space - t->p);
	*t = from(*t, w.n + 1);
	return w;
}

/* "12.345678": seconds, and up to nine digits of parts. */
static bool
delay(struct event_text t, uint64_t *ns)
{
	const uint8_t *dot = memchr(t.p, '.', t.n);
	uint64_t whole, part;
	struct event_text rest;

	if (dot == NULL)
		return false;
	rest = from(t, (size_t)(dot + 1 - t.p));
	t.n -= rest.n + 1;
	if (!number(t, SCRIPTLOG_DELAY_MAX, &whole) || rest.n > 9 ||
	    !number(rest, SECOND - 1, &part))
		return false;
	for (size_t i = rest.n; i < 9; i++)
		part *= 10;
	*ns = whole * SECOND + part;
	return true;
}

/* "ROWS=24 COLS=80" */
static void
take_size(struct scriptlog_entry *e)
{
	struct event_text t = e->value, rows = word(&t);
	uint64_t r, c;

	if (!begins(rows, "ROWS=") || !begins(t, "COLS=") ||
	    !number(from(rows, 5), UINT16_MAX, &r) ||
	    !number(from(t, 5), UINT16_MAX, &c))
		return;
	e->has_size = true;
	e->rows = (uint16_t)r;
	e->cols = (uint16_t)c;
}

/* What stands behind the delay. */
static bool
take_rest(struct event_text t, struct scriptlog_entry *e)
{
	if (e->stream == 'O' || e->stream == 'I')
		return number(t, SCRIPTLOG_BYTES_MAX, &e->bytes);
	e->name = word(&t);
	e->value = t;
	if (e->stream == 'S' && e->name.n == 8 && begins(e->name, "SIGWINCH"))
		take_size(e);
	return e->name.n > 0;
}

static bool
take_line(struct event_text t, enum scriptlog_kind *kind, uint64_t *ns,
    struct scriptlog_entry *e)
{
	struct event_text first = { t.p, t.n };

	e->stream = 'O';
	*kind = SCRIPTLOG_CLASSIC;
	if (t.n > 1 && t.p[1] == ' ' && memchr("OISH", t.p[0], 4) != NULL) {
		e->stream = (char)t.p[0];
		*kind = SCRIPTLOG_MULTI;
		t = from(t, 2);
	}
	first = word(&t);
	return delay(first, ns) && take_rest(t, e);
}

long
scriptlog_timing(struct scriptlog_timing *t, const uint8_t *p, size_t n,
    struct scriptlog_entry *ret, struct ops_err *err)
{
	size_t some = n < SCRIPTLOG_LINE_MAX ? n : SCRIPTLOG_LINE_MAX;
	const uint8_t *end = n > 0 ? memchr(p, '\n', some) : NULL;
	struct scriptlog_entry e = { .stream = 0 };
	struct scriptlog_timing next = *t;
	enum scriptlog_kind kind;
	uint64_t ns;

	if (end == NULL && n <= some)
		return 0;
	next.line++;
	if (end == NULL)
		return ops_fail(err, OPS_EFORMAT,
		    "line %" PRIu64 " is over %d bytes", next.line,
		    SCRIPTLOG_LINE_MAX);
	if (!take_line(
		(struct event_text){ p, (size_t)(end - p) }, &kind, &ns, &e) ||
	    (t->kind != SCRIPTLOG_UNKNOWN && kind != t->kind))
		return ops_fail(err, OPS_EFORMAT,
		    "line %" PRIu64 " is none of a timing file", next.line);
	next.kind = kind;
	next.time += ns;
	if (e.stream == 'O')
		next.out += e.bytes;
	else if (e.stream == 'I')
		next.in += e.bytes;
	if (next.time > SCRIPTLOG_DELAY_MAX * SECOND)
		return ops_fail(err, OPS_EFORMAT,
		    "line %" PRIu64 ": its times are over %u s", next.line,
		    SCRIPTLOG_DELAY_MAX);
	*t = next;
	*ret = e;
	return end + 1 - p;
}
