#include "typescript.h"

#include <inttypes.h>

#include "base/text.h"

#define US 1000000u

/* The value of NAME="...": escaped, and without a quote inside. */
static void
put_value(struct ops_buf *out, const uint8_t *p, size_t n)
{
	struct ops_buf text = { .max = 1u << 20 };

	for (size_t i = 0; i < n; i++) {
		/* Arguments are joined with NUL. */
		uint8_t c = p[i] == 0 ? (uint8_t)' ' : p[i];

		ops_buf_put8(&text, c == '"' ? (uint8_t)'\'' : c);
	}
	ops_escape(out, text.data, text.len);
	ops_buf_free(&text);
}

static void
put_quoted(struct ops_buf *out, const char *name, const uint8_t *p, size_t n)
{
	if (p == NULL)
		return;
	ops_buf_printf(out, "%s=\"", name);
	put_value(out, p, n);
	ops_buf_puts(out, "\" ");
}

static void
put_head(struct ops_buf *out, const char *name, const uint8_t *p, size_t n)
{
	if (p == NULL)
		return;
	ops_buf_printf(out, "H 0.000000 %s ", name);
	put_value(out, p, n);
	ops_buf_put8(out, '\n');
}

static void
begin_log(const struct typescript_meta *m, struct ops_buf *log)
{
	ops_buf_printf(log, "Script started on %s [", m->start);
	put_quoted(log, "COMMAND", m->command, m->command_len);
	if (m->cols > 0) {
		put_quoted(log, "TERM", m->term, m->term_len);
		put_quoted(log, "TTY", m->tty, m->tty_len);
		ops_buf_printf(
		    log, "COLUMNS=\"%u\" LINES=\"%u\"", m->cols, m->rows);
	} else {
		ops_buf_puts(log, "<not executed on terminal>");
	}
	ops_buf_puts(log, "]\n");
}

static bool
is_typescript(const struct typescript_meta *m)
{
	return m->import != NULL && m->import->format == IMPORT_TYPESCRIPT;
}

void
typescript_begin(struct typescript *t, const struct typescript_meta *m,
    struct ops_buf *log, struct ops_buf *timing)
{
	if (is_typescript(m))
		ops_buf_put(log, m->import->head.p, m->import->head.n);
	else
		begin_log(m, log);
	if (t->timing == TIMING_CLASSIC)
		return;
	if (is_typescript(m) && m->import->multi) {
		ops_buf_put(
		    timing, m->import->timing_head.p, m->import->timing_head.n);
		return;
	}
	ops_buf_printf(timing, "H 0.000000 START_TIME %s\n", m->start);
	if (m->cols > 0) {
		put_head(timing, "TERM", m->term, m->term_len);
		put_head(timing, "TTY", m->tty, m->tty_len);
		ops_buf_printf(timing,
		    "H 0.000000 COLUMNS %u\nH 0.000000 LINES %u\n", m->cols,
		    m->rows);
	}
	put_head(timing, "COMMAND", m->command, m->command_len);
}

/* Time since the record before, rounded from the true offset each time. */
static void
put_delay(struct typescript *t, uint64_t offset, struct ops_buf *timing)
{
	uint64_t us = offset / 1000;
	uint64_t delay = us > t->last ? us - t->last : 0;

	ops_buf_printf(
	    timing, "%" PRIu64 ".%06" PRIu64, delay / US, delay % US);
	t->last += delay;
}

static void
put_bytes(struct typescript *t, const char *stream, uint64_t offset,
    const void *p, size_t n, struct ops_buf *log, struct ops_buf *timing)
{
	if (n == 0)
		return;
	ops_buf_put(log, p, n);
	if (t->timing == TIMING_ADVANCED)
		ops_buf_puts(timing, stream);
	put_delay(t, offset, timing);
	ops_buf_printf(timing, " %zu\n", n);
}

void
typescript_output(struct typescript *t, uint64_t offset, const void *p,
    size_t n, struct ops_buf *log, struct ops_buf *timing)
{
	put_bytes(t, "O ", offset, p, n, log, timing);
}

void
typescript_input(struct typescript *t, uint64_t offset, const void *p, size_t n,
    struct ops_buf *log, struct ops_buf *timing)
{
	put_bytes(t, "I ", offset, p, n, log, timing);
}

void
typescript_resize(struct typescript *t, uint64_t offset, unsigned cols,
    unsigned rows, struct ops_buf *timing)
{
	if (t->timing != TIMING_ADVANCED)
		return;
	ops_buf_puts(timing, "S ");
	put_delay(t, offset, timing);
	ops_buf_printf(timing, " SIGWINCH ROWS=%u COLS=%u\n", rows, cols);
}

void
typescript_end(const struct typescript *t, const struct typescript_meta *m,
    struct ops_buf *log, struct ops_buf *timing)
{
	uint64_t us = m->duration / 1000;

	if (is_typescript(m) && m->cut)
		return;
	if (is_typescript(m)) {
		ops_buf_put(log, m->import->tail.p, m->import->tail.n);
		ops_buf_put(timing, m->import->timing_tail.p,
		    t->timing == TIMING_ADVANCED ? m->import->timing_tail.n
						 : 0);
		return;
	}
	ops_buf_printf(log, "\nScript done on %s [", m->end);
	if (m->has_exit)
		ops_buf_printf(log, "COMMAND_EXIT_CODE=\"%d\"", m->exit);
	else
		ops_buf_puts(log, "<no exit status>");
	ops_buf_puts(log, "]\n");
	if (t->timing == TIMING_CLASSIC)
		return;
	ops_buf_printf(timing,
	    "H 0.000000 DURATION %" PRIu64 ".%06" PRIu64 "\n", us / US,
	    us % US);
	if (m->has_exit)
		ops_buf_printf(timing, "H 0.000000 EXIT_CODE %d\n", m->exit);
}
