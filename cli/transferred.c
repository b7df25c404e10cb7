#include "transferred.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "describe.h"
#include "ending.h"
#include "transfer.h"
#include "word.h"

#define LINES_MAX 20 /* transfers in a session's header */

static bool
is_transfer(const struct program *p, struct transfer *t)
{
	return p->kind == PROGRAM_RAN && transfer_of(&p->exec, t);
}

/*
 * What it wrote: to files, if it took them in, else to the other end.  What it read
 * has its libraries and the user database in it, too.
 */
static bool
moved(const struct program *p, uint64_t *ret)
{
	*ret = p->end.wchar;
	return p->has_end && p->end.has_io;
}

static void
put_moved(
    struct ops_buf *out, const struct program *p, const struct transfer *t)
{
	char text[24];
	uint64_t bytes;

	ops_buf_puts(out, transfer_way_name(t->way));
	if (moved(p, &bytes)) {
		describe_bytes(bytes, text);
		ops_buf_printf(out, ", %s", text);
	}
}

void
transferred_mark(const struct program *p, struct ops_buf *out)
{
	struct transfer t;
	uint64_t bytes;

	/* How a small one ended is no transfer yet: `scp -t x` may find nobody. */
	if (!moved(p, &bytes) || !is_transfer(p, &t))
		return;
	ops_buf_puts(out, " [transferred ");
	put_moved(out, p, &t);
	ops_buf_puts(out, "]");
}

static void
put_names(struct ops_buf *out, struct event_text names)
{
	for (size_t at = 0; at < names.n;) {
		size_t n = strnlen((const char *)names.p + at, names.n - at);

		ops_buf_puts(out, at == 0 ? ": " : " ");
		word_put(out, names.p + at, n, false);
		at += n + 1;
	}
}

void
transferred_json(const struct program *p, struct json *j)
{
	struct transfer t;
	uint64_t bytes;

	if (!is_transfer(p, &t))
		return;
	json_key(j, "transfer");
	json_begin_object(j);
	json_key(j, "by");
	json_str(j, t.program);
	json_key(j, "direction");
	json_str(j, transfer_way_name(t.way));
	json_key(j, "bytes");
	if (moved(p, &bytes))
		json_uint(j, bytes);
	else
		json_nil(j);
	json_key(j, "names");
	json_begin_array(j);
	for (size_t at = 0; at < t.names.n;) {
		const uint8_t *name = t.names.p + at;
		size_t n = strnlen((const char *)name, t.names.n - at);

		json_text(j, name, n);
		at += n + 1;
	}
	json_end_array(j);
	json_end_object(j);
}

/* -- a session -- */

static void
label(struct ops_buf *out, int width, const char *name)
{
	ops_buf_printf(out, "%-*s  ", width, name);
}

/* A command without a terminal: what went through it and what it started. */
static void
put_command(const struct session *s, const struct program_list *l, int width,
    struct ops_buf *out)
{
	const struct program *p = ending_of(s, l);

	if (s->open.kind != SESSION_COMMAND || p == NULL || !p->end.has_io)
		return;
	label(out, width, "moved");
	describe_put_bytes(out, "read, ", p->end.rchar);
	describe_put_bytes(out, "written, by all that it ran\n", p->end.wchar);
}

void
transferred_put(const struct session *s, const struct program_list *l,
    int width, struct ops_buf *out)
{
	struct transfer t;
	size_t n = 0;

	put_command(s, l, width, out);
	for (size_t i = 0; i < l->n; i++) {
		if (!is_transfer(&l->p[i], &t) || l->p[i].replaced ||
		    n++ >= LINES_MAX)
			continue;
		label(out, width, n == 1 ? "transfers" : "");
		ops_buf_printf(out, "%s ", t.program);
		put_moved(out, &l->p[i], &t);
		put_names(out, t.names);
		ops_buf_puts(out, "\n");
	}
	if (n > LINES_MAX) {
		label(out, width, "");
		ops_buf_printf(out, "and %zu more\n", n - LINES_MAX);
	}
	if (s->has_connection) {
		label(out, width, "connection");
		describe_put_bytes(out, "in, ", s->connection_in);
		describe_put_bytes(
		    out, "out, of the whole login\n", s->connection_out);
	}
}
