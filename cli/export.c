/* opseal export - a session in another format. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "asciicast.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "cli.h"
#include "describe.h"
#include "lines.h"
#include "said.h"
#include "screen.h"
#include "typescript.h"

#define FLUSH (1u << 18) /* bytes gathered before they are written */
#define OUT_MAX (256u << 20)

/* A file being written; removed again if it was made here and fails. */
struct sink {
	const char *path; /* NULL: stdout */
	int fd;
	bool made;
	struct ops_buf buf;
};

struct export
{
	struct cli *cli;
	const struct export_opts *opts;
	const struct session *session;
	struct screen *screen;
	struct said said;
	struct sink main, timing;
	bool both; /* typescript: what was typed stands in the same file */
};

/* -- sinks -- */

static int
sink_open(struct sink *s, bool force, struct ops_err *err)
{
	s->buf.max = OUT_MAX;
	if (s->path == NULL) {
		s->fd = STDOUT_FILENO;
		return 0;
	}
	s->fd = open(
	    s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0600);
	if (s->fd >= 0) {
		s->made = true;
		return 0;
	}
	if (errno == EEXIST && !force)
		return ops_fail(err, OPS_EUSAGE,
		    "%.100s is there already; --force overwrites it", s->path);
	if (errno == EEXIST)
		s->fd =
		    open(s->path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NOCTTY);
	if (s->fd < 0)
		return ops_fail_errno(err, "%.100s", s->path);
	return 0;
}

static int
sink_write(struct sink *s, size_t at_least, struct ops_err *err)
{
	const char *name = s->path != NULL ? s->path : "stdout";

	if (ops_buf_check(&s->buf, name, err) < 0)
		return -1;
	if (s->buf.len == 0 || s->buf.len < at_least)
		return 0;
	if (ops_write_full(s->fd, s->buf.data, s->buf.len, err) < 0)
		return ops_context(err, "%.100s", name);
	ops_buf_reset(&s->buf);
	return 0;
}

static int
sink_close(struct sink *s, bool good, struct ops_err *err)
{
	int rc = good ? sink_write(s, 0, err) : -1;

	ops_buf_free(&s->buf);
	if (s->path == NULL || s->fd < 0)
		return rc;
	/* Some file systems tell of a full disk only here. */
	if (close(s->fd) < 0 && rc == 0)
		rc = ops_fail_errno(err, "%.100s", s->path);
	if (rc < 0 && s->made)
		unlink(s->path);
	return rc;
}

static int
flush_all(struct export *x, struct ops_err *err)
{
	if (sink_write(&x->main, FLUSH, err) < 0)
		return -1;
	return x->timing.path != NULL ? sink_write(&x->timing, FLUSH, err) : 0;
}

/* -- the formats -- */

static int
write_raw(struct export *x, struct ops_err *err)
{
	struct screen_record r;

	while (screen_next_noted(x->screen, &r)) {
		if (r.rec.type == REC_OUTPUT)
			ops_buf_put(&x->main.buf, r.rec.payload, r.rec.len);
		if (flush_all(x, err) < 0)
			return -1;
	}
	return 0;
}

/* Bytes that asciicast can't hold, told by the writer itself. */
static int
count_lossy(struct export *x, uint64_t *ret, struct ops_err *err)
{
	struct ops_buf text = { .max = OUT_MAX };
	struct utf8_carry out = { .n = 0 }, in = { .n = 0 };
	struct screen_record r;
	uint64_t n = 0;
	int rc;

	for (;;) {
		rc = screen_next(x->screen, &r, NULL);
		if (rc == 0)
			break;
		ops_buf_reset(&text);
		if (rc > 0 && r.rec.type == REC_OUTPUT)
			n += utf8_feed(&out, r.rec.payload, r.rec.len, &text);
		else if (rc > 0 && r.rec.type == REC_INPUT)
			n += utf8_feed(&in, r.rec.payload, r.rec.len, &text);
	}
	*ret = n + utf8_end(&out, &text) + utf8_end(&in, &text);
	ops_buf_free(&text);
	return screen_rewind(x->screen, err);
}

/* What was said until then, as markers. */
static void
cast_notes(struct export *x, struct asciicast *a, uint64_t until, uint64_t last)
{
	struct ops_buf text = { .max = OUT_MAX };
	const struct remark_seen *r;
	uint64_t offset;

	while ((r = said_next(&x->said, until, &offset)) != NULL) {
		ops_buf_reset(&text);
		said_put(&text, x->session, r);
		x->main.buf.failed |= text.failed;
		asciicast_put(a, offset > last ? offset : last, 'm', text.data,
		    text.len, &x->main.buf);
	}
	ops_buf_free(&text);
}

static void
cast_record(
    struct asciicast *a, const struct screen_record *r, struct ops_buf *out)
{
	const uint8_t *p = r->rec.payload;
	char text[DESCRIBE_MARK];

	switch (r->rec.type) {
	case REC_OUTPUT:
		asciicast_put(a, r->offset, 'o', p, r->rec.len, out);
		break;
	case REC_INPUT:
		asciicast_put(a, r->offset, 'i', p, r->rec.len, out);
		break;
	case REC_RESIZE:
		snprintf(text, sizeof(text), "%ux%u", (unsigned)ops_getle16(p),
		    (unsigned)ops_getle16(p + 2));
		asciicast_put(a, r->offset, 'r', text, strlen(text), out);
		break;
	case REC_GAP:
		describe_gap(r, text);
		asciicast_put(a, r->offset, 'm', text, strlen(text), out);
		break;
	case REC_EXIT:
		snprintf(
		    text, sizeof(text), "%d", describe_exit(ops_getle32(p)));
		asciicast_put(a, r->offset, 'x', text, strlen(text), out);
		break;
	default:
		break;
	}
}

static void
note_replaced(const struct cli *cli, uint64_t n)
{
	struct ops_buf b = { .max = 64 };

	describe_count(&b, n, "byte");
	cli_note(cli,
	    "%.*s %s not valid UTF-8; this format can't hold %s; use --format "
	    "raw",
	    (int)b.len, (const char *)b.data, n == 1 ? "is" : "are",
	    n == 1 ? "it" : "them");
	ops_buf_free(&b);
}

static int
write_asciicast(struct export *x, int version, struct ops_err *err)
{
	const struct session *s = x->session;
	struct asciicast a = { .version = version };
	struct asciicast_header h = {
		.version = version,
		.cols = s->open.cols,
		.rows = s->open.rows,
		.timestamp = s->start / 1000000000,
		.duration = describe_duration(s),
		.command = s->open.command.p,
		.command_len = s->open.command.n,
		.term = s->open.term.p,
		.term_len = s->open.term.n,
		.session = s->id_text,
	};
	struct screen_record r;
	uint64_t last = 0;
	int rc = 0;

	if (count_lossy(x, &h.lossy, err) < 0)
		return -1;
	asciicast_put_header(&h, &x->main.buf);
	while (rc == 0 && screen_next_noted(x->screen, &r)) {
		cast_notes(x, &a, r.offset, last);
		cast_record(&a, &r, &x->main.buf);
		last = r.offset;
		rc = flush_all(x, err);
	}
	asciicast_end(&a, last, &x->main.buf);
	cast_notes(x, &a, UINT64_MAX, last);
	if (rc == 0 && a.replaced > 0)
		note_replaced(x->cli, a.replaced);
	asciicast_free(&a);
	return rc;
}

/* "2026-11-23 06:38:58+00:00", as script(1) writes it. */
static void
script_time(const struct cli *cli, uint64_t t, char out[static OPS_TIME_TEXT])
{
	char *dot, *zone;

	ops_time_rfc3339(t, cli->global.utc, out);
	out[10] = ' ';
	dot = strchr(out, '.');
	if (dot == NULL)
		return;
	zone = dot + 1 + strspn(dot + 1, "0123456789");
	memmove(dot, zone, strlen(zone) + 1);
}

static void
script_record(
    struct export *x, struct typescript *t, const struct screen_record *r)
{
	const uint8_t *p = r->rec.payload;

	if (r->rec.type == REC_OUTPUT)
		typescript_output(
		    t, r->offset, p, r->rec.len, &x->main.buf, &x->timing.buf);
	else if (r->rec.type == REC_INPUT && x->both)
		typescript_input(
		    t, r->offset, p, r->rec.len, &x->main.buf, &x->timing.buf);
	else if (r->rec.type == REC_RESIZE)
		typescript_resize(t, r->offset, ops_getle16(p),
		    ops_getle16(p + 2), &x->timing.buf);
	if (x->timing.path == NULL)
		ops_buf_reset(&x->timing.buf);
}

static int
write_typescript(struct export *x, struct ops_err *err)
{
	const struct session *s = x->session;
	const char *kind = x->opts->timing_format;
	struct import import;
	bool imported = describe_import(s, &import);
	struct typescript t = { .timing = TIMING_CLASSIC };
	char start[OPS_TIME_TEXT], end[OPS_TIME_TEXT];
	struct typescript_meta m = {
		.start = start,
		.end = end,
		.command = s->open.command.p,
		.command_len = s->open.command.n,
		.term = s->open.term.p,
		.term_len = s->open.term.n,
		.tty = s->open.tty.p,
		.tty_len = s->open.tty.n,
		.cols = s->open.cols,
		.rows = s->open.rows,
		.duration = describe_duration(s),
		.has_exit = s->has_close && s->close.has_status,
		.import = imported ? &import : NULL,
		.cut = imported &&
		       (!s->has_close || s->close.state != CLOSE_CLOSED),
	};
	struct screen_record r;
	int rc = 0;

	if (m.cut)
		cli_partial(x->cli,
		    "the file was imported in part, and its end is missing");

	/* An imported one as it was, if nothing else is asked for. */
	if (kind != NULL ? strcmp(kind, "advanced") == 0
			 : imported && import.multi)
		t.timing = TIMING_ADVANCED;
	x->both = imported && import.both;
	if (m.has_exit)
		m.exit = describe_exit(s->close.status);
	script_time(x->cli, s->start, start);
	script_time(x->cli, s->start + m.duration, end);
	x->timing.buf.max = OUT_MAX;
	typescript_begin(&t, &m, &x->main.buf, &x->timing.buf);
	while (rc == 0 && screen_next_noted(x->screen, &r)) {
		script_record(x, &t, &r);
		rc = flush_all(x, err);
	}
	typescript_end(&t, &m, &x->main.buf, &x->timing.buf);
	return rc;
}

static void
text_notes(struct export *x, struct lines *l, uint64_t until)
{
	struct ops_buf text = { .max = OUT_MAX };
	const struct remark_seen *r;
	uint64_t offset;

	while ((r = said_next(&x->said, until, &offset)) != NULL) {
		ops_buf_reset(&text);
		said_put(&text, x->session, r);
		ops_buf_put8(&text, '\0');
		if (text.failed)
			x->main.buf.failed = true;
		else
			lines_note(l, (const char *)text.data, &x->main.buf);
	}
	ops_buf_free(&text);
}

static int
write_text(struct export *x, struct ops_err *err)
{
	char mark[DESCRIBE_MARK];
	struct screen_hole hole;
	struct screen_record r;
	struct lines *l;
	int rc = 0;

	if (lines_new(x->session->open.cols, &l, err) < 0)
		return -1;
	while (rc == 0) {
		bool more = screen_next_noted(x->screen, &r);

		if (screen_take_hole(x->screen, &hole)) {
			describe_hole(&hole, mark);
			lines_note(l, mark, &x->main.buf);
		}
		text_notes(x, l, more ? r.offset : UINT64_MAX);
		if (!more)
			break;
		describe_line(l, &r, &x->main.buf);
		rc = flush_all(x, err);
	}
	lines_end(l, &x->main.buf);
	lines_free(l);
	return rc;
}

static void
json_notes(struct export *x, uint64_t until)
{
	const struct remark_seen *r;
	uint64_t offset;

	while ((r = said_next(&x->said, until, &offset)) != NULL)
		said_json(x->session, r, &x->main.buf);
}

static int
write_json(struct export *x, struct ops_err *err)
{
	for (struct screen_record r; screen_next_noted(x->screen, &r);) {
		json_notes(x, r.offset);
		describe_record_json(x->session, &r, &x->main.buf);
		if (flush_all(x, err) < 0)
			return -1;
	}
	json_notes(x, UINT64_MAX);
	return flush_all(x, err);
}

static int
write_v2(struct export *x, struct ops_err *err)
{
	return write_asciicast(x, 2, err);
}

static int
write_v3(struct export *x, struct ops_err *err)
{
	return write_asciicast(x, 3, err);
}

static const struct format {
	const char *name;
	bool steers; /* its bytes would act on a terminal */
	bool timing; /* may have a timing file */
	int (*write)(struct export *x, struct ops_err *err);
} formats[] = {
	{ "asciicast-v2", false, false, write_v2 },
	{ "asciicast-v3", false, false, write_v3 },
	{ "typescript", true, true, write_typescript },
	{ "raw", true, false, write_raw },
	{ "text", false, false, write_text },
	{ "json", false, false, write_json },
};

/* -- the command -- */

static const struct format *
find_format(const struct export_opts *o, struct ops_err *err)
{
	const char *words[OPS_ARRAY_LEN(formats)], *near;

	if (o->format == NULL) {
		ops_fail(err, OPS_EUSAGE,
		    "which format? --format asciicast-v2, "
		    "asciicast-v3, typescript, raw, text "
		    "or json");
		return NULL;
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(formats); i++) {
		words[i] = formats[i].name;
		if (strcmp(o->format, words[i]) == 0)
			return &formats[i];
	}
	near = opt_nearest(o->format, words, OPS_ARRAY_LEN(words));
	ops_fail(err, OPS_EUSAGE, "unknown format \"%.40s\"%s%s%s", o->format,
	    near != NULL ? "; did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?" : "");
	return NULL;
}

static int
check_options(
    const struct export_opts *o, const struct format *f, struct ops_err *err)
{
	if ((o->timing != NULL || o->timing_format != NULL) && !f->timing)
		return ops_fail(err, OPS_EUSAGE,
		    "--timing is for the typescript format only");
	if (o->timing_format != NULL && o->timing == NULL)
		return ops_fail(
		    err, OPS_EUSAGE, "--timing-format needs --timing FILE");
	if (o->timing_format != NULL &&
	    strcmp(o->timing_format, "classic") != 0 &&
	    strcmp(o->timing_format, "advanced") != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "--timing-format is classic or advanced, not \"%.40s\"",
		    o->timing_format);
	if (o->timing != NULL && o->output != NULL &&
	    strcmp(o->timing, o->output) == 0)
		return ops_fail(
		    err, OPS_EUSAGE, "--output and --timing are the same file");
	if (f->steers && o->output == NULL && !o->force &&
	    isatty(STDOUT_FILENO))
		return ops_fail(err, OPS_EUSAGE,
		    "%s bytes would act on this terminal; use --output FILE, "
		    "or opseal play",
		    f->name);
	return 0;
}

static int
check_place(const struct sessionarg *place, struct ops_err *err)
{
	if (place->has_offset)
		return ops_fail(err, OPS_EUSAGE, "export takes whole sessions");
	return 0;
}

static int
write_files(struct export *x, const struct format *f, struct ops_err *err)
{
	struct ops_err late = { 0 };
	bool good;
	int rc;

	x->said.s = x->session;
	x->main = (struct sink){ .path = x->opts->output, .fd = -1 };
	x->timing = (struct sink){ .path = x->opts->timing, .fd = -1 };
	if (sink_open(&x->main, x->opts->force, err) < 0)
		return -1;
	rc = 0;
	if (x->timing.path != NULL)
		rc = sink_open(&x->timing, x->opts->force, err);
	if (rc == 0)
		rc = f->write(x, err);
	good = rc == 0;
	if (x->timing.path != NULL) {
		if (sink_close(&x->timing, good, &late) < 0 && good) {
			good = false;
			*err = late;
		}
	} else {
		ops_buf_free(&x->timing.buf);
	}
	if (sink_close(&x->main, good, &late) < 0 && good) {
		good = false;
		*err = late;
	}
	return good ? 0 : -1;
}

int
cmd_export(struct cli *cli, const void *opts, int argc, char **argv)
{
	struct remark_list notes = { 0 };
	struct export x = { .cli = cli, .opts = opts, .said.l = &notes };
	struct session_list list = { 0 };
	struct sessionarg place;
	struct ops_err err = { 0 };
	const struct format *f = find_format(x.opts, &err);
	int status;

	(void)argc;
	if (f == NULL || check_options(x.opts, f, &err) < 0)
		return cli_fail(cli, &err);
	if (screen_find(cli, argv[0], &list, &x.session, &place, &err) < 0 ||
	    check_place(&place, &err) < 0 ||
	    screen_open(cli, x.session, &x.screen, &err) < 0 ||
	    source_remarks(cli, x.session, &notes, &err) < 0 ||
	    write_files(&x, f, &err) < 0)
		status = cli_fail(cli, &err);
	else
		status = screen_status(x.screen);
	remark_list_free(&notes);
	screen_free(x.screen);
	session_list_free(&list);
	return status;
}
