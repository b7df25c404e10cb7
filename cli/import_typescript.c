/*
 * import_typescript - a log of script(1), with its timing or without, as a
 * session that says it was imported.
 *
 * The log is read twice: once to check and hash it, since its hash stands in
 * the session's first record, and once to hand it over.  If it isn't the same
 * the second time the session gets no end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/io.h"
#include "base/text.h"
#include "cli.h"
#include "describe.h"
#include "import.h"
#include "importer.h"
#include "record/import.h"
#include "scriptlog.h"

#define TIMING_MAX (256u << 20) /* bytes of a timing file */
#define READ_SIZE 65536

_Static_assert(SCRIPTLOG_LINE_MAX <= IMPORT_HEAD_MAX, "a first line is kept");

/* The files, and what a first look at them told. */
struct script {
	struct cli *cli;
	const char *path, *timing_path; /* timing_path NULL: none */
	char full[PATH_MAX], timing_full[PATH_MAX];
	int fd;
	struct stat st;
	uint8_t first[SCRIPTLOG_LINE_MAX + 1], last[IMPORT_TAIL_MAX];
	struct scriptlog_head head;
	struct scriptlog_tail tail;
	uint64_t body; /* bytes between the two */
	struct ops_buf timing;
	struct scriptlog_timing total;
	size_t begin, end; /* of its lines that aren't only about the file */
	uint64_t left_out; /* signals that have no place in the log */
	struct import info;
};

/* -- the log -- */

/* As it is kept: a name that means something elsewhere, too. */
static struct event_text
full_path(const char *path, char out[static PATH_MAX])
{
	const char *s = realpath(path, out) != NULL ? out : path;

	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

static int
open_log(struct script *s, struct ops_err *err)
{
	/* A pipe without a writer is no reason to wait. */
	s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (s->fd < 0) {
		ops_fail_errno(err, "%.100s", s->path);
		if (err != NULL && (errno == EACCES || errno == EPERM))
			err->code = OPS_EPERM;
		return -1;
	}
	if (fstat(s->fd, &s->st) < 0)
		return ops_fail_errno(err, "%.100s", s->path);
	if (!S_ISREG(s->st.st_mode))
		return ops_fail(err, OPS_EUSAGE, "%.100s is %s", s->path,
		    S_ISDIR(s->st.st_mode) ? "a directory" : "no regular file");
	return 0;
}

static int
changed(const struct script *s, struct ops_err *err)
{
	return ops_fail(err, OPS_EUSAGE,
	    "%.100s changed while it was read; is its script still running?",
	    s->path);
}

/* n bytes at `at`, all of them. */
static int
read_at(
    const struct script *s, void *p, size_t n, uint64_t at, struct ops_err *err)
{
	ssize_t got = ops_pread_full(s->fd, p, n, at, err);

	if (got < 0)
		return ops_context(err, "%.100s", s->path);
	return (size_t)got == n ? 0 : changed(s, err);
}

static int
hash_log(const struct script *s, uint8_t out[static OPS_HASH_LEN],
    struct ops_err *err)
{
	static uint8_t buf[READ_SIZE];
	uint64_t size = (uint64_t)s->st.st_size;
	struct ops_sha256 *h = ops_sha256_new();
	int rc = 0;

	ops_sha256_init(h);
	for (uint64_t at = 0, n; rc == 0 && at < size; at += n) {
		n = size - at < sizeof(buf) ? size - at : sizeof(buf);
		rc = read_at(s, buf, (size_t)n, at, err);
		ops_sha256_update(h, buf, (size_t)n);
	}
	ops_sha256_final(h, out);
	ops_sha256_free(h);
	return rc;
}

static int
look_at_log(struct script *s, struct ops_err *err)
{
	uint64_t size = (uint64_t)s->st.st_size, rest;
	size_t n = size < sizeof(s->first) ? (size_t)size : sizeof(s->first);

	if (read_at(s, s->first, n, 0, err) < 0)
		return -1;
	if (scriptlog_head(s->first, n, &s->head, err) < 0)
		return ops_context(err, "%.100s", s->path);
	rest = size - s->head.len;
	n = rest < sizeof(s->last) ? (size_t)rest : sizeof(s->last);
	if (read_at(s, s->last, n, size - n, err) < 0)
		return -1;
	scriptlog_tail(s->last, n, &s->tail);
	s->body = rest - s->tail.len;
	s->info.head = (struct event_text){ s->first, s->head.len };
	if (s->tail.len > 0)
		s->info.tail = (struct event_text){ s->last + n - s->tail.len,
			s->tail.len };
	return hash_log(s, s->info.sha256, err);
}

/* -- the timing -- */

static bool
is(struct event_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

struct names {
	struct event_text out, in; /* of the files it is about */
};

static void
note_head(struct names *names, const struct scriptlog_entry *e)
{
	if (is(e->name, "OUTPUT_LOG"))
		names->out = e->value;
	else if (is(e->name, "INPUT_LOG"))
		names->in = e->value;
}

/* Are both in one file?  Else what was typed is in one that isn't here. */
static bool
same_file(const struct names *names)
{
	return names->out.p != NULL && names->in.p != NULL &&
	       names->out.n == names->in.n &&
	       memcmp(names->out.p, names->in.p, names->in.n) == 0;
}

static int
walk_timing(struct script *s, struct names *names, struct ops_err *err)
{
	const struct ops_buf *b = &s->timing;
	struct scriptlog_entry e;
	bool any = false;

	for (size_t at = 0; at < b->len;) {
		long used = scriptlog_timing(
		    &s->total, b->data + at, b->len - at, &e, err);

		if (used < 0)
			return -1;
		if (used == 0)
			return ops_fail(err, OPS_EFORMAT,
			    "it ends within line %" PRIu64, s->total.line + 1);
		if (e.stream == 'H') {
			note_head(names, &e);
		} else {
			if (!any)
				s->begin = at;
			s->end = at + (size_t)used;
			any = true;
		}
		at += (size_t)used;
		s->left_out += e.stream == 'S' && !e.has_size;
	}
	if (!any)
		s->begin = s->end = b->len;
	return 0;
}

static int
check_fit(const struct script *s, struct ops_err *err)
{
	uint64_t n = s->total.out + (s->info.both ? s->total.in : 0);

	if (n == s->body)
		return 0;
	return ops_fail(err, OPS_EFORMAT,
	    "%.60s counts %" PRIu64 " bytes and %.60s has %" PRIu64
	    ": one of them is cut, or they don't belong together; without "
	    "TIMING it is imported with no times",
	    s->timing_path, n, s->path, s->body);
}

static int
look_at_timing(struct script *s, struct ops_err *err)
{
	struct names names = { .out = { NULL, 0 } };
	struct ops_buf *b = &s->timing;

	b->max = TIMING_MAX;
	if (ops_read_file(AT_FDCWD, s->timing_path, OPS_IO_FOLLOW, b, err) <
	    0) {
		if (err != NULL && err->sys == EACCES)
			err->code = OPS_EPERM;
		return -1;
	}
	if (walk_timing(s, &names, err) < 0)
		return ops_context(err, "%.100s", s->timing_path);
	if (s->begin > IMPORT_HEAD_MAX || b->len - s->end > IMPORT_TAIL_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "%.100s: more than %d bytes of H lines in front, or %d "
		    "behind",
		    s->timing_path, IMPORT_HEAD_MAX, IMPORT_TAIL_MAX);
	s->info.both = same_file(&names);
	s->info.multi = s->total.kind == SCRIPTLOG_MULTI;
	s->info.timing = full_path(s->timing_path, s->timing_full);
	ops_sha256(b->data, b->len, s->info.timing_sha256);
	if (s->begin > 0)
		s->info.timing_head = (struct event_text){ b->data, s->begin };
	if (b->len > s->end)
		s->info.timing_tail =
		    (struct event_text){ b->data + s->end, b->len - s->end };
	return check_fit(s, err);
}

/* -- handing it over -- */

static void
fill_info(struct script *s)
{
	struct import *i = &s->info;

	i->format = IMPORT_TYPESCRIPT;
	i->file = full_path(s->path, s->full);
	i->size = (uint64_t)s->st.st_size;
	if (s->st.st_mtim.tv_sec > 0)
		i->mtime = (uint64_t)s->st.st_mtim.tv_sec * 1000000000u +
			   (uint64_t)s->st.st_mtim.tv_nsec;
	i->has_start = s->head.has_start;
	i->start = s->head.start;
	i->untimed = s->timing_path == NULL;
	i->duration = s->total.time;
	if (i->untimed && s->head.has_start && s->tail.has_end &&
	    s->tail.end > s->head.start)
		i->duration = s->tail.end - s->head.start;
}

static int
put_open(struct script *s, struct importer *im, struct ops_err *err)
{
	struct ops_buf b = { .max = EVENT_IMPORT_MAX };
	struct event_open o = { .kind = SESSION_TERMINAL,
		.tty = s->head.tty,
		.term = s->head.term,
		.command = s->head.command,
		.cols = s->head.cols,
		.rows = s->head.rows,
		.input = s->info.both };
	int rc;

	if (o.tty.n > 5 && memcmp(o.tty.p, "/dev/", 5) == 0)
		o.tty = (struct event_text){ o.tty.p + 5, o.tty.n - 5 };
	if (o.command.n > IMPORT_COMMAND_MAX) {
		o.command.n = IMPORT_COMMAND_MAX;
		o.command_cut = true;
	}
	import_put(&b, &s->info);
	rc = ops_buf_check(&b, "import", err);
	o.import = (struct event_text){ b.data, b.len };
	if (rc == 0)
		rc = importer_open(im, &o, err);
	ops_buf_free(&b);
	return rc;
}

/* What is left of the log, while it is handed over. */
struct copy {
	uint64_t at;
	struct ops_sha256 *hash; /* of all before `at` */
};

/* The next n bytes of the log, in records of this type. */
static int
put_bytes(struct script *s, struct importer *im, struct copy *c, uint8_t type,
    uint64_t offset, uint64_t n, struct ops_err *err)
{
	uint8_t buf[RECORD_PAYLOAD_MAX];

	while (n > 0) {
		size_t some = n < sizeof(buf) ? (size_t)n : sizeof(buf);

		if (read_at(s, buf, some, c->at, err) < 0)
			return -1;
		ops_sha256_update(c->hash, buf, some);
		if (importer_put(im, type, offset, buf, some, err) < 0)
			return -1;
		c->at += some;
		n -= some;
	}
	return 0;
}

static int
put_entry(struct script *s, struct importer *im, struct copy *c,
    const struct scriptlog_entry *e, uint64_t time, struct ops_err *err)
{
	uint8_t size[4];

	if (e->stream == 'O')
		return put_bytes(s, im, c, REC_OUTPUT, time, e->bytes, err);
	if (e->stream == 'I' && s->info.both)
		return put_bytes(s, im, c, REC_INPUT, time, e->bytes, err);
	if (!e->has_size)
		return 0;
	ops_putle16(size, e->cols);
	ops_putle16(size + 2, e->rows);
	return importer_put(im, REC_RESIZE, time, size, sizeof(size), err);
}

static int
put_timed(
    struct script *s, struct importer *im, struct copy *c, struct ops_err *err)
{
	struct scriptlog_timing t = { .line = 0 };
	struct scriptlog_entry e;

	for (size_t at = 0; at < s->timing.len;) {
		long used = scriptlog_timing(
		    &t, s->timing.data + at, s->timing.len - at, &e, err);

		if (used <= 0)
			return -1;
		at += (size_t)used;
		if (put_entry(s, im, c, &e, t.time, err) < 0)
			return -1;
	}
	return 0;
}

/* Is the log still the one that was hashed? */
static int
check_same(const struct script *s, struct copy *c, struct ops_err *err)
{
	uint8_t hash[OPS_HASH_LEN];
	struct stat st;

	ops_sha256_update(c->hash, s->info.tail.p, s->info.tail.n);
	ops_sha256_final(c->hash, hash);
	if (fstat(s->fd, &st) < 0)
		return ops_fail_errno(err, "%.100s", s->path);
	if (st.st_size != s->st.st_size ||
	    memcmp(hash, s->info.sha256, sizeof(hash)) != 0)
		return changed(s, err);
	return 0;
}

static int
put_end(struct script *s, struct importer *im, struct ops_err *err)
{
	struct event_close e = { .state = CLOSE_CLOSED,
		.why = CLOSE_EXIT,
		.has_status = s->tail.has_exit,
		.status = (uint32_t)s->tail.exit << 8, /* wait(2) */
		.bytes_out = s->body,
		.bytes_in = s->info.both ? s->total.in : 0 };
	uint8_t status[4];

	e.bytes_out -= e.bytes_in;
	ops_putle32(status, e.status);
	if (e.has_status && importer_put(im, REC_EXIT, s->info.duration, status,
				sizeof(status), err) < 0)
		return -1;
	return importer_end(im, &e, err);
}

static int
put_all(void *file, struct importer *im, struct ops_err *err)
{
	struct script *s = file;
	struct copy c = { s->head.len, ops_sha256_new() };
	int rc;

	ops_sha256_init(c.hash);
	ops_sha256_update(c.hash, s->first, s->head.len);
	rc = put_open(s, im, err);
	if (rc == 0 && s->timing_path != NULL)
		rc = put_timed(s, im, &c, err);
	else if (rc == 0)
		rc = put_bytes(s, im, &c, REC_OUTPUT, 0, s->body, err);
	if (rc == 0)
		rc = check_same(s, &c, err);
	if (rc == 0)
		rc = put_end(s, im, err);
	ops_sha256_free(c.hash);
	return rc;
}

/* -- what is said -- */

static void
say(const struct script *s)
{
	char size[24], span[24];

	describe_bytes(s->body, size);
	describe_span(s->info.duration, span);
	cli_note(s->cli,
	    "imported %s%s%s; whose it was and when is what the "
	    "file says",
	    size, s->info.untimed ? ", no times within" : " of ",
	    s->info.untimed ? "" : span);
	if (s->tail.len == 0)
		cli_note(s->cli,
		    "%.100s has no last line: its recording was cut off",
		    s->path);
	if (s->total.in > 0 && !s->info.both)
		cli_note(s->cli,
		    "what was typed (%" PRIu64
		    " bytes) is in another file, and "
		    "was not imported",
		    s->total.in);
	if (s->left_out > 0)
		cli_note(s->cli,
		    "%" PRIu64
		    " signals in the timing have no place in the log",
		    s->left_out);
}

int
import_typescript(struct cli *cli, const struct import_opts *o, int argc,
    char **argv, struct ops_err *err)
{
	static struct script s;
	int rc;

	s = (struct script){ .cli = cli,
		.path = argv[0],
		.timing_path = argc > 1 ? argv[1] : NULL,
		.fd = -1 };
	rc = open_log(&s, err);
	if (rc == 0)
		rc = look_at_log(&s, err);
	if (rc == 0 && s.timing_path != NULL)
		rc = look_at_timing(&s, err);
	if (rc == 0) {
		fill_info(&s);
		rc = import_hand_over(cli, o, &s.info, put_all, &s, err);
	}
	if (rc == 0)
		say(&s);
	if (s.fd >= 0)
		close(s.fd);
	ops_buf_free(&s.timing);
	return rc;
}
