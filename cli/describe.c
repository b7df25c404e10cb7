#include "describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "person.h"
#include "store/expire.h"

#define SECOND UINT64_C(1000000000)

int
describe_exit(uint32_t wait_status)
{
	int w = (int)wait_status;

	return WIFSIGNALED(w) ? 128 + WTERMSIG(w) : WEXITSTATUS(w);
}

bool
describe_goes_on(const struct session *s)
{
	if (session_imported(s))
		return false;
	return s->state == SESSION_ACTIVE ||
	       (s->state == SESSION_GAPPED && !s->has_close);
}

const char *
describe_state(const struct session *s)
{
	if (s->state == SESSION_GAPPED && describe_goes_on(s))
		return "active, gapped";
	if (session_imported(s))
		return s->state == SESSION_CLOSED   ? "imported"
		       : s->state == SESSION_ACTIVE ? "importing"
						    : "imported in part";
	return session_state_name(s->state);
}

uint64_t
describe_duration(const struct session *s)
{
	if (s->end_boottime > s->start_boottime)
		return s->end_boottime - s->start_boottime;
	if (s->end > s->start)
		return s->end - s->start;
	return s->last > s->start ? s->last - s->start : 0;
}

void
describe_span(uint64_t ns, char out[static 24])
{
	uint64_t s = ns / SECOND, days = s / 86400;

	if (days > 0)
		snprintf(out, 24, "%" PRIu64 "d %02" PRIu64 ":%02" PRIu64,
		    days % 1000000, s / 3600 % 24, s / 60 % 60);
	else if (s < 10)
		snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "s", s,
		    ns / (SECOND / 10) % 10);
	else if (s < 60)
		snprintf(out, 24, "%" PRIu64 "s", s);
	else
		ops_offset_text(ns, out);
}

void
describe_bytes(uint64_t n, char out[static 24])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double v = (double)n;
	size_t u = 0;

	if (n < 1000) {
		snprintf(out, 24, "%" PRIu64 " B", n);
		return;
	}
	for (v /= 1000; v >= 999.95 && u + 1 < OPS_ARRAY_LEN(units); u++)
		v /= 1000;
	snprintf(out, 24, "%.1f %s", v, units[u]);
}

void
describe_put_bytes(struct ops_buf *out, const char *what, uint64_t n)
{
	char text[24];

	describe_bytes(n, text);
	ops_buf_printf(out, "%s %s", text, what);
}

void
describe_count(struct ops_buf *b, uint64_t n, const char *noun)
{
	ops_buf_printf(b, "%" PRIu64 " %s%s", n, noun, n == 1 ? "" : "s");
}

void
describe_text(struct ops_buf *b, const struct event_text *t)
{
	if (t->p == NULL)
		ops_buf_put8(b, '-');
	else
		ops_escape(b, t->p, t->n);
}

void
describe_command(struct ops_buf *b, const struct event_open *o)
{
	const uint8_t *p = o->command.p, *end;

	if (p == NULL) {
		ops_buf_puts(b, o->import.p == NULL          ? "login shell"
				: o->kind == SESSION_COMMAND ? "programs"
							     : "shell");
		return;
	}
	end = p + o->command.n;
	while (p < end) {
		const uint8_t *nul = memchr(p, 0, (size_t)(end - p));
		const uint8_t *stop = nul != NULL ? nul : end;

		ops_escape(b, p, (size_t)(stop - p));
		p = stop + 1;
		if (p < end)
			ops_buf_put8(b, ' ');
	}
	if (o->command_cut)
		ops_buf_puts(b, " ...");
}

bool
describe_import(const struct session *s, struct import *ret)
{
	const struct event_text *t = &s->open.import;

	return t->p != NULL && import_get(t->p, t->n, ret, NULL) == 0;
}

const char *
describe_import_format(const struct import *i)
{
	return i->format == IMPORT_TYPESCRIPT ? "typescript"
	       : i->format == IMPORT_PACCT    ? "acct"
					      : "unknown";
}

/* -- JSON -- */

static void
put_time(struct json *j, const char *key, uint64_t t, bool utc)
{
	char text[OPS_TIME_TEXT];

	json_key(j, key);
	if (t == 0) {
		json_nil(j);
		return;
	}
	ops_time_rfc3339(t, utc, text);
	json_str(j, text);
}

void
describe_finding(struct ops_buf *out, const struct finding *f)
{
	ops_buf_printf(out, "%s ", finding_name(f->kind));
	ops_escape(out, f->where, strlen(f->where));
	ops_buf_puts(out, ": ");
	ops_escape(out, f->detail, strlen(f->detail));
}

void
describe_json_text(struct json *j, const char *key, const struct event_text *t)
{
	if (t->p != NULL) {
		json_text_bytes(j, key, t->p, t->n);
		return;
	}
	json_key(j, key);
	json_nil(j);
}

void
describe_json_number(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_uint(j, v);
}

void
describe_json_id(struct json *j, const char *key, uint32_t v)
{
	json_key(j, key);
	if (v == EVENT_UNSET)
		json_nil(j);
	else
		json_uint(j, v);
}

static void
put_command_json(struct json *j, const struct event_open *o)
{
	struct ops_buf text = { .max = 1u << 20 };
	struct event_text joined = { NULL, 0 };

	/* Arguments are joined with NUL; people and jq want spaces. */
	ops_buf_put(&text, o->command.p, o->command.n);
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == 0)
			text.data[i] = ' ';
	if (o->command.p != NULL)
		joined = (struct event_text){
			text.data != NULL ? text.data : o->command.p, text.len
		};
	describe_json_text(j, "command", &joined);
	ops_buf_free(&text);
}

static void
put_bytes(struct json *j, const char *key, bool known, uint64_t n)
{
	json_key(j, key);
	if (known)
		json_uint(j, n);
	else
		json_nil(j);
}

static void
put_end_json(struct json *j, const struct session *s)
{
	bool known = s->has_close && s->close.has_status;
	int w = known ? (int)s->close.status : 0;

	json_key(j, "exit");
	if (known && !WIFSIGNALED(w))
		json_int(j, WEXITSTATUS(w));
	else
		json_nil(j);
	json_key(j, "signal");
	if (known && WIFSIGNALED(w))
		json_int(j, WTERMSIG(w));
	else
		json_nil(j);
	json_key(j, "status");
	json_str(j, session_state_name(s->state));
	put_bytes(j, "bytes_out", s->has_close, s->close.bytes_out);
	put_bytes(j, "bytes_in", s->has_close, s->close.bytes_in);
	describe_json_text(j, "reason", &s->reason);
	describe_json_number(j, "notes", s->notes);
	describe_json_number(j, "bytes_lost", s->bytes_lost);
	describe_json_number(j, "bypasses", s->bypasses);
	json_key(j, "sealed");
	json_bool(j, s->sealed);
	json_key(j, "commands");
	if (s->has_commands)
		json_uint(j, s->commands);
	else
		json_nil(j);
}

static void
put_hash(struct json *j, const char *key, const uint8_t hash[OPS_HASH_LEN])
{
	char text[2 * OPS_HASH_LEN + 1];

	ops_hex(hash, OPS_HASH_LEN, text);
	json_key(j, key);
	json_str(j, text);
}

static void
put_who_json(struct json *j, const struct event_open *o)
{
	describe_json_text(j, "user", &o->user);
	describe_json_id(j, "uid", o->uid);
	describe_json_id(j, "auid", o->auid);
	describe_json_text(j, "login", &o->login);
	describe_json_id(j, "ses", o->ses);
}

/* Whose session it was no file says; who imported it is told apart. */
static void
put_import_json(struct json *j, const struct session *s, bool utc)
{
	static const struct event_open nobody = {
		.uid = EVENT_UNSET, .auid = EVENT_UNSET, .ses = EVENT_UNSET
	};
	struct import i;

	put_who_json(j, &nobody);
	json_key(j, "import");
	json_begin_object(j);
	put_time(j, "time", s->logged, utc);
	put_who_json(j, &s->open);
	if (describe_import(s, &i)) {
		json_key(j, "format");
		json_str(j, describe_import_format(&i));
		describe_json_text(j, "file", &i.file);
		describe_json_number(j, "size", i.size);
		put_time(j, "mtime", i.mtime, utc);
		put_hash(j, "sha256", i.sha256);
		describe_json_text(j, "timing", &i.timing);
		if (i.timing.p != NULL)
			put_hash(j, "timing_sha256", i.timing_sha256);
		json_key(j, "start_claimed");
		json_bool(j, i.has_start);
		json_key(j, "whole");
		json_bool(
		    j, s->has_close && s->close.state == CLOSE_CLOSED &&
			   (i.format != IMPORT_TYPESCRIPT || i.tail.p != NULL));
	}
	json_end_object(j);
}

void
describe_session_json(const struct session *s, bool utc, struct ops_buf *out)
{
	const struct event_open *o = &s->open;
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "session");
	json_str(&j, s->id_text);
	json_key(&j, "kind");
	json_str(&j, o->kind == SESSION_COMMAND ? "command" : "terminal");
	json_key(&j, "source");
	json_str(&j, session_imported(s) ? "import" : "record");
	if (session_imported(s))
		put_import_json(&j, s, utc);
	else
		put_who_json(&j, o);
	person_json(&j, s);
	describe_json_text(&j, "tty", &o->tty);
	describe_json_text(&j, "inner", &o->inner);
	describe_json_text(&j, "from", &o->from);
	describe_json_text(&j, "host", &o->host);
	put_command_json(&j, o);
	describe_json_number(&j, "pid", o->pid);
	describe_json_number(&j, "cols", o->cols);
	describe_json_number(&j, "rows", o->rows);
	put_time(&j, "start", s->start, utc);
	put_time(&j, "end", s->end, utc);
	json_key(&j, "duration");
	json_seconds(&j, describe_duration(s));
	put_end_json(&j, s);
	put_bytes(&j, "connection_in", s->has_connection, s->connection_in);
	put_bytes(&j, "connection_out", s->has_connection, s->connection_out);
	json_end_object(&j);
}

static const char *
type_name(uint8_t type)
{
	static const char *const names[] = {
		[REC_OUTPUT] = "output",
		[REC_INPUT] = "input",
		[REC_MASKED] = "masked",
		[REC_RESIZE] = "resize",
		[REC_STOP] = "stop",
		[REC_CONT] = "continue",
		[REC_ECHO] = "echo",
		[REC_GAP] = "gap",
		[REC_EXIT] = "exit",
	};

	if (type >= OPS_ARRAY_LEN(names) || names[type] == NULL)
		return "unknown";
	return names[type];
}

/* NULL: not said, as the log could not be written. */
static const char *
gap_name(uint32_t why)
{
	switch (why) {
	case 0:
		return NULL;
	case GAP_FULL:
		return "disk-full";
	case GAP_OFF:
		return "off";
	case GAP_LIMIT:
		return "limit";
	default:
		return "other";
	}
}

static void
put_exit_json(struct json *j, uint32_t status)
{
	int w = (int)status;

	if (WIFSIGNALED(w))
		describe_json_number(j, "signal", (uint64_t)WTERMSIG(w));
	else
		describe_json_number(j, "exit", (uint64_t)WEXITSTATUS(w));
}

void
describe_record_json(
    const struct session *s, const struct screen_record *r, struct ops_buf *out)
{
	const uint8_t *p = r->rec.payload;
	struct json j = { .out = out };

	json_begin_object(&j);
	json_key(&j, "session");
	json_str(&j, s->id_text);
	describe_json_number(&j, "number", r->number);
	put_time(&j, "time", s->start + r->offset, true);
	json_key(&j, "offset");
	json_seconds(&j, r->offset);
	json_key(&j, "type");
	json_str(&j, type_name(r->rec.type));
	json_key(&j, "sealed");
	json_bool(&j, r->sealed);
	switch (r->rec.type) {
	case REC_OUTPUT:
	case REC_INPUT:
		json_text_bytes(&j, "data", p, r->rec.len);
		break;
	case REC_MASKED:
		json_key(&j, "why");
		json_str(&j, p[0] == MASKED_ECHO_OFF ? "echo-off" : "no-echo");
		break;
	case REC_RESIZE:
		describe_json_number(&j, "cols", ops_getle16(p));
		describe_json_number(&j, "rows", ops_getle16(p + 2));
		break;
	case REC_STOP:
		describe_json_number(&j, "signal", p[0]);
		break;
	case REC_ECHO:
		json_key(&j, "echo");
		json_bool(&j, (p[0] & 1) != 0);
		json_key(&j, "canonical");
		json_bool(&j, (p[0] & 2) != 0);
		break;
	case REC_GAP:
		describe_json_number(&j, "bytes", ops_getle64(p));
		json_key(&j, "why");
		json_str(&j, gap_name(describe_gap_why(&r->rec)));
		break;
	case REC_EXIT:
		put_exit_json(&j, ops_getle32(p));
		break;
	default:
		break;
	}
	json_end_object(&j);
	ops_buf_put8(out, '\n');
}

/* -- words -- */

bool
describe_record(const struct screen_record *r, struct ops_buf *out)
{
	const uint8_t *p = r->rec.payload;
	int w;

	switch (r->rec.type) {
	case REC_RESIZE:
		ops_buf_printf(out, "window %ux%u", (unsigned)ops_getle16(p),
		    (unsigned)ops_getle16(p + 2));
		return true;
	case REC_STOP:
		ops_buf_printf(out, "stopped by signal %u", (unsigned)p[0]);
		return true;
	case REC_CONT:
		ops_buf_puts(out, "continued");
		return true;
	case REC_MASKED:
		ops_buf_puts(out, p[0] == MASKED_ECHO_OFF
				      ? "input not kept: a password prompt"
				      : "input not kept: it was not echoed");
		return true;
	case REC_GAP:
		w = (int)describe_gap_why(&r->rec);
		ops_buf_printf(out,
		    "GAP: %" PRIu64 " bytes were not recorded%s%s",
		    ops_getle64(p), w != 0 ? ": " : "",
		    w != 0 ? event_gap_why((uint32_t)w) : "");
		return true;
	case REC_EXIT:
		w = (int)ops_getle32(p);
		if (WIFSIGNALED(w))
			ops_buf_printf(out, "ended by signal %d", WTERMSIG(w));
		else
			ops_buf_printf(out, "exit status %d", WEXITSTATUS(w));
		return true;
	default:
		return false;
	}
}

uint32_t
describe_gap_why(const struct record *r)
{
	/* The one byte behind three numbers. */
	return r->len > 24 ? r->payload[24] : 0;
}

bool
describe_gap(const struct screen_record *r, char out[static DESCRIBE_MARK])
{
	uint32_t why;

	if (r->rec.type != REC_GAP)
		return false;
	why = describe_gap_why(&r->rec);
	snprintf(out, DESCRIBE_MARK, "gap: %" PRIu64 " bytes not recorded%s%s",
	    ops_getle64(r->rec.payload), why != 0 ? ": " : "",
	    why != 0 ? event_gap_why(why) : "");
	return true;
}

void
describe_hole(const struct screen_hole *h, char out[static DESCRIBE_MARK])
{
	char text[EXPIRE_TEXT];

	if (h->expired != NULL) {
		expire_text(h->expired, text);
		snprintf(out, DESCRIBE_MARK,
		    "%" PRIu64 " records expired on %s", h->to - h->from, text);
	} else if (h->to - h->from == 1) {
		snprintf(out, DESCRIBE_MARK,
		    "damaged: record %" PRIu64 " is missing", h->from);
	} else {
		snprintf(out, DESCRIBE_MARK,
		    "damaged: records %" PRIu64 " to %" PRIu64 " are missing",
		    h->from, h->to - 1);
	}
}

void
describe_line(
    struct lines *l, const struct screen_record *r, struct ops_buf *out)
{
	const uint8_t *p = r->rec.payload;
	char note[DESCRIBE_MARK];

	switch (r->rec.type) {
	case REC_OUTPUT:
		lines_feed(l, r->offset, p, r->rec.len, out);
		break;
	case REC_RESIZE:
		lines_resize(l, ops_getle16(p));
		break;
	case REC_GAP:
		describe_gap(r, note);
		lines_note(l, note, out);
		break;
	default:
		break;
	}
}
