#include "proto.h"

#include <string.h>

#include "base/bytes.h"
#include "record/map.h"
#include "record/remark.h"

#define TEXT_AT(s, m) offsetof(struct s, m), EVENT_TEXT_MAX

/* clang-format off */
static const struct map_field open_fields[] = {
	{ 1, MAP_UINT, MAP_AT(proto_open, kind) },
	{ 2, MAP_VIEW, TEXT_AT(proto_open, term) },
	{ 3, MAP_VIEW, TEXT_AT(proto_open, from) },
	{ 4, MAP_VIEW, offsetof(struct proto_open, command), EVENT_ARGV_MAX },
	{ 5, MAP_FLAG, MAP_AT(proto_open, command_cut) },
};

static const struct map_field status_fields[] = {
	{ 1,  MAP_UINT, MAP_AT(proto_status, ok) },
	{ 2,  MAP_VIEW, TEXT_AT(proto_status, reason) },
	{ 3,  MAP_UINT, MAP_AT(proto_status, since) },
	{ 4,  MAP_UINT, MAP_AT(proto_status, sessions) },
	{ 5,  MAP_UINT, MAP_AT(proto_status, records) },
	{ 6,  MAP_UINT, MAP_AT(proto_status, bytes) },
	{ 7,  MAP_UINT, MAP_AT(proto_status, unsealed) },
	{ 8,  MAP_UINT, MAP_AT(proto_status, lag) },
	{ 9,  MAP_UINT, MAP_AT(proto_status, sealed_size) },
	{ 10, MAP_UINT, MAP_AT(proto_status, lost) },
	{ 11, MAP_UINT, MAP_AT(proto_status, log) },
	{ 12, MAP_UINT, MAP_AT(proto_status, stored) },
	{ 13, MAP_UINT, MAP_AT(proto_status, durable_p50) },
	{ 14, MAP_UINT, MAP_AT(proto_status, durable_p99) },
	{ 15, MAP_UINT, MAP_AT(proto_status, sealed_p50) },
	{ 16, MAP_UINT, MAP_AT(proto_status, sealed_p99) },
	{ 17, MAP_VIEW, TEXT_AT(proto_status, origin) },
	{ 18, MAP_VIEW, TEXT_AT(proto_status, anchor) },
	{ 19, MAP_VIEW, TEXT_AT(proto_status, version) },
	{ 20, MAP_UINT, MAP_AT(proto_status, started) },
	{ 21, MAP_UINT, MAP_AT(proto_status, space) },
	{ 22, MAP_VIEW, offsetof(struct proto_status, store), PROTO_PATH_MAX },
	{ 23, MAP_UINT, MAP_AT(proto_status, capture) },
	{ 24, MAP_VIEW, TEXT_AT(proto_status, capture_text) },
	{ 25, MAP_UINT, MAP_AT(proto_status, capture_lost) },
	{ 40, MAP_UINT, MAP_AT(proto_status, config_read) },
	{ 41, MAP_VIEW, TEXT_AT(proto_status, config_hash) },
	{ 42, MAP_VIEW, TEXT_AT(proto_status, config_fault) },
	{ 43, MAP_UINT, MAP_AT(proto_status, config_fault_time) },
	{ 44, MAP_UINT, MAP_AT(proto_status, anchored) },
	{ 50, MAP_UINT, MAP_AT(proto_status, keep_screens) },
	{ 51, MAP_UINT, MAP_AT(proto_status, keep_events) },
	{ 52, MAP_UINT, MAP_AT(proto_status, max_size) },
	{ 53, MAP_UINT, MAP_AT(proto_status, keep_free) },
	{ 54, MAP_UINT, MAP_AT(proto_status, kept_bytes) },
	{ 55, MAP_UINT, MAP_AT(proto_status, leaves_bytes) },
	{ 56, MAP_UINT, MAP_AT(proto_status, oldest_screen) },
	{ 57, MAP_UINT, MAP_AT(proto_status, oldest_event) },
	{ 58, MAP_UINT, MAP_AT(proto_status, expired) },
	{ 59, MAP_UINT, MAP_AT(proto_status, expired_at) },
	{ 60, MAP_VIEW, TEXT_AT(proto_status, expired_by) },
	{ 61, MAP_VIEW, TEXT_AT(proto_status, expiry_trouble) },
	{ 62, MAP_FLAG, MAP_AT(proto_status, no_screens) },
	{ 63, MAP_UINT, MAP_AT(proto_status, off_since) },
	{ 64, MAP_VIEW, TEXT_AT(proto_status, off_by) },
	{ 65, MAP_VIEW, TEXT_AT(proto_status, off_reason) },
	{ 66, MAP_UINT, MAP_AT(proto_status, off_sessions) },
	{ 67, MAP_UINT, MAP_AT(proto_status, limited) },
	{ 68, MAP_VIEW, offsetof(struct proto_status, limited_users), PROTO_LIMITED_MAX * PROTO_LIMITED_LEN },
	{ 69, MAP_UINT, MAP_AT(proto_status, screen_rate) },
	{ 70, MAP_UINT, MAP_AT(proto_status, screen_day) },
	{ 71, MAP_UINT, MAP_AT(proto_status, limit_bytes) },
	{ 73, MAP_VIEW, TEXT_AT(proto_status, you) },
	{ 74, MAP_VIEW, TEXT_AT(proto_status, person) },
	{ 75, MAP_UINT, MAP_AT(proto_status, person_how) },
	{ 76, MAP_SOME, MAP_AT(proto_status, session) },
	{ 77, MAP_UINT, MAP_AT(proto_status, session_start) },
	{ 78, MAP_FLAG, MAP_AT(proto_status, reads_all) },
	{ 79, MAP_VIEW, TEXT_AT(proto_status, readers) },
	{ 340, MAP_VIEW, TEXT_AT(proto_status, switch_fault) },
	{ 341, MAP_VIEW, TEXT_AT(proto_status, not_shut_in) },
};

static const struct map_field alert_fields[] = {
	{ 1, MAP_UINT,  MAP_AT(proto_alert, kind) },
	{ 2, MAP_UINT,  MAP_AT(proto_alert, time) },
	{ 3, MAP_BYTES, MAP_AT(proto_alert, session), .has = MAP_HAS(proto_alert, has_session) },
	{ 4, MAP_UINT,  MAP_AT(proto_alert, count) },
	{ 5, MAP_VIEW,  TEXT_AT(proto_alert, detail) },
};
static const struct map_field note_fields[] = {
	{ 1, MAP_SOME, MAP_AT(proto_note, session) },
	{ 2, MAP_UINT, MAP_AT(proto_note, uid) },
	{ 3, MAP_UINT, MAP_AT(proto_note, auid) },
	{ 4, MAP_UINT, MAP_AT(proto_note, ses) },
	{ 5, MAP_UINT, MAP_AT(proto_note, pid) },
	{ 6, MAP_UINT, MAP_AT(proto_note, start) },
	{ 7, MAP_UINT, MAP_AT(proto_note, tty) },
	{ 8, MAP_VIEW, offsetof(struct proto_note, ancestors), EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN },
	{ 9, MAP_VIEW, offsetof(struct proto_note, text), REMARK_TEXT_MAX },
};
static const struct map_field filter_fields[] = {
	{ 1, MAP_VIEW, TEXT_AT(proto_filter, user) },
	{ 2, MAP_UINT, MAP_AT(proto_filter, since) },
	{ 3, MAP_UINT, MAP_AT(proto_filter, until) },
	{ 4, MAP_FLAG, MAP_AT(proto_filter, active) },
	{ 5, MAP_VIEW, TEXT_AT(proto_filter, command) },
	{ 6, MAP_FLAG, MAP_AT(proto_filter, mine) },
	{ 7, MAP_FLAG, MAP_AT(proto_filter, commands) },
	{ 8, MAP_VIEW, TEXT_AT(proto_filter, person) },
	{ 9, MAP_VIEW, TEXT_AT(proto_filter, note) },
};
static const struct map_field programs_fields[] = {
	{ 1,  MAP_UINT,  MAP_AT(proto_programs, login), .has = MAP_HAS(proto_programs, has_login) },
	{ 2,  MAP_UINT,  MAP_AT(proto_programs, euid), .has = MAP_HAS(proto_programs, has_euid) },
	{ 3,  MAP_VIEW,  TEXT_AT(proto_programs, name) },
	{ 4,  MAP_VIEW,  TEXT_AT(proto_programs, exe) },
	{ 5,  MAP_VIEW,  TEXT_AT(proto_programs, tty) },
	{ 6,  MAP_BYTES, MAP_AT(proto_programs, session), .has = MAP_HAS(proto_programs, has_session) },
	{ 7,  MAP_UINT,  MAP_AT(proto_programs, since) },
	{ 8,  MAP_UINT,  MAP_AT(proto_programs, until) },
	{ 9,  MAP_FLAG,  MAP_AT(proto_programs, failed) },
	{ 10, MAP_UINT,  MAP_AT(proto_programs, newest) },
	{ 11, MAP_FLAG,  MAP_AT(proto_programs, forks) },
	{ 12, MAP_FLAG,  MAP_AT(proto_programs, coverage) },
	{ 13, MAP_UINT,  MAP_AT(proto_programs, source) },
	{ 14, MAP_FLAG,  MAP_AT(proto_programs, seeded) },
	{ 15, MAP_VIEW,  TEXT_AT(proto_programs, person) },
};
/* clang-format on */

/* Read one map and nothing behind it into *to, which is zeroed here. */
static int
get_map(const uint8_t *p, size_t n, const struct map_field *f, size_t n_fields,
    enum map_unknown unknown, void *to, size_t size, struct ops_err *err)
{
	struct cbor_reader r = { p, n };

	memset(to, 0, size);
	if (map_get(&r, f, n_fields, unknown, to, err) < 0 ||
	    cbor_end(&r, err) < 0) {
		/* A message is whole: more bytes will not come. */
		if (err != NULL && err->code == OPS_ETRUNC)
			err->code = OPS_EFORMAT;
		return -1;
	}
	return 0;
}

void
proto_open_put(struct ops_buf *b, const struct proto_open *o)
{
	struct proto_open cut = *o;

	if (cut.command.p != NULL && cut.command.n > EVENT_ARGV_MAX)
		cut.command_cut = true;
	map_put(b, open_fields, OPS_ARRAY_LEN(open_fields), &cut);
}

int
proto_open_get(
    const uint8_t *p, size_t n, struct proto_open *ret, struct ops_err *err)
{
	struct proto_open o;

	if (get_map(p, n, open_fields, OPS_ARRAY_LEN(open_fields),
		MAP_SKIP_UNKNOWN, &o, sizeof(o), err) < 0)
		return ops_context(err, "request of a door");
	if (o.kind != SESSION_TERMINAL && o.kind != SESSION_COMMAND)
		return ops_fail(err, OPS_EFORMAT,
		    "request of a door: no session is of kind %u", o.kind);
	*ret = o;
	return 0;
}

void
proto_held_encode(
    const struct proto_held *h, uint8_t out[static PROTO_HELD_LEN])
{
	out[0] = h->known;
	out[1] = h->closed;
	ops_putle64(out + 2, h->next_record);
	ops_putle64(out + 10, h->next_event);
}

int
proto_held_decode(
    const uint8_t *p, size_t n, struct proto_held *ret, struct ops_err *err)
{
	if (n != PROTO_HELD_LEN)
		return ops_fail(err, OPS_EFORMAT,
		    "what the writer holds: %zu bytes, not %d", n,
		    PROTO_HELD_LEN);
	if (p[0] > 1 || p[1] > 1)
		return ops_fail(
		    err, OPS_EFORMAT, "what the writer holds: no such flag");
	*ret = (struct proto_held){ .known = p[0] != 0,
		.closed = p[1] != 0,
		.next_record = ops_getle64(p + 2),
		.next_event = ops_getle64(p + 10) };
	return 0;
}

void
proto_outer_encode(
    const struct proto_outer *o, uint8_t out[static PROTO_OUTER_LEN])
{
	memcpy(out, o->id, OPS_ID_LEN);
	out += OPS_ID_LEN;
	ops_putle64(out, o->fs);
	ops_putle64(out + 8, o->dev);
	ops_putle32(out + 16, o->door);
	ops_putle64(out + 20, o->door_start);
	ops_putle32(out + 28, o->recorder);
	ops_putle64(out + 32, o->recorder_start);
}

int
proto_outer_decode(
    const uint8_t *p, size_t n, struct proto_outer *ret, struct ops_err *err)
{
	struct proto_outer o;

	if (n != PROTO_OUTER_LEN)
		return ops_fail(err, OPS_EFORMAT,
		    "an outer terminal: %zu bytes, not %d", n, PROTO_OUTER_LEN);
	memcpy(o.id, p, OPS_ID_LEN);
	p += OPS_ID_LEN;
	o.fs = ops_getle64(p);
	o.dev = ops_getle64(p + 8);
	o.door = ops_getle32(p + 16);
	o.door_start = ops_getle64(p + 20);
	o.recorder = ops_getle32(p + 28);
	o.recorder_start = ops_getle64(p + 32);
	if (o.door == 0 || o.recorder == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "an outer terminal: no process");
	*ret = o;
	return 0;
}

void
proto_inner_encode(
    const struct proto_inner *i, uint8_t out[static PROTO_INNER_LEN])
{
	memcpy(out, i->id, OPS_ID_LEN);
	out += OPS_ID_LEN;
	ops_putle32(out, i->fs);
	ops_putle32(out + 4, i->dev);
	ops_putle32(out + 8, i->door);
	ops_putle64(out + 12, i->door_start);
	ops_putle32(out + 20, i->ses);
	ops_putle64(out + 24, i->begun);
}

int
proto_inner_decode(
    const uint8_t *p, size_t n, struct proto_inner *ret, struct ops_err *err)
{
	struct proto_inner i;

	if (n != PROTO_INNER_LEN)
		return ops_fail(err, OPS_EFORMAT,
		    "an inner terminal: %zu bytes, not %d", n, PROTO_INNER_LEN);
	memcpy(i.id, p, OPS_ID_LEN);
	p += OPS_ID_LEN;
	i.fs = ops_getle32(p);
	i.dev = ops_getle32(p + 4);
	i.door = ops_getle32(p + 8);
	i.door_start = ops_getle64(p + 12);
	i.ses = ops_getle32(p + 20);
	i.begun = ops_getle64(p + 24);
	if (i.door == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "an inner terminal: no process");
	*ret = i;
	return 0;
}

void
proto_capture_put(struct ops_buf *b, const struct proto_capture *c)
{
	ops_buf_put8(b, (uint8_t)c->state);
	ops_buf_putle64(b, c->lost);
	ops_buf_put(b, c->text.p,
	    c->text.n < PROTO_CAPTURE_TEXT ? c->text.n : PROTO_CAPTURE_TEXT);
}

int
proto_capture_get(
    const uint8_t *p, size_t n, struct proto_capture *ret, struct ops_err *err)
{
	if (n < PROTO_CAPTURE_HEAD ||
	    n > PROTO_CAPTURE_HEAD + PROTO_CAPTURE_TEXT || p[0] > CAPTURE_ON)
		return ops_fail(
		    err, OPS_EFORMAT, "state of capture: %zu bytes", n);
	*ret = (struct proto_capture){ p[0], ops_getle64(p + 1),
		{ p + PROTO_CAPTURE_HEAD, n - PROTO_CAPTURE_HEAD } };
	return 0;
}

void
proto_found_put(struct ops_buf *b, const struct proto_found *f)
{
	ops_buf_put(b, f->id, OPS_ID_LEN);
	ops_buf_putle32(b, f->pid);
	ops_buf_putle64(b, f->start);
	ops_buf_putle32(b, f->uid);
	ops_buf_put(b, f->comm.p,
	    f->comm.n < PROTO_COMM_MAX ? f->comm.n : PROTO_COMM_MAX);
}

int
proto_found_get(
    const uint8_t *p, size_t n, struct proto_found *ret, struct ops_err *err)
{
	struct proto_found f;

	if (n < PROTO_FOUND_HEAD || n > PROTO_FOUND_HEAD + PROTO_COMM_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "who holds a terminal: %zu bytes, not %d to %d", n,
		    PROTO_FOUND_HEAD, PROTO_FOUND_HEAD + PROTO_COMM_MAX);
	memcpy(f.id, p, OPS_ID_LEN);
	f.pid = ops_getle32(p + OPS_ID_LEN);
	f.start = ops_getle64(p + OPS_ID_LEN + 4);
	f.uid = ops_getle32(p + OPS_ID_LEN + 12);
	f.comm =
	    (struct event_text){ p + PROTO_FOUND_HEAD, n - PROTO_FOUND_HEAD };
	if (f.pid == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "who holds a terminal: no process");
	*ret = f;
	return 0;
}

void
proto_status_put(struct ops_buf *b, const struct proto_status *s)
{
	map_put(b, status_fields, OPS_ARRAY_LEN(status_fields), s);
}

int
proto_status_get(
    const uint8_t *p, size_t n, struct proto_status *ret, struct ops_err *err)
{
	struct proto_status s;

	if (get_map(p, n, status_fields, OPS_ARRAY_LEN(status_fields),
		MAP_SKIP_UNKNOWN, &s, sizeof(s), err) < 0)
		return ops_context(err, "status");
	*ret = s;
	return 0;
}

void
proto_limited_put(struct ops_buf *b, const struct proto_limited *l)
{
	uint8_t p[PROTO_LIMITED_LEN];

	ops_putle32(p, l->uid);
	p[4] = (uint8_t)l->which;
	ops_putle64(p + 5, l->used);
	ops_putle64(p + 13, l->size);
	ops_buf_put(b, p, sizeof(p));
}

bool
proto_limited_get(struct event_text t, size_t i, struct proto_limited *ret)
{
	const uint8_t *p;

	if (t.p == NULL || i >= t.n / PROTO_LIMITED_LEN)
		return false;
	p = t.p + i * PROTO_LIMITED_LEN;
	*ret = (struct proto_limited){ .uid = ops_getle32(p),
		.which = p[4],
		.used = ops_getle64(p + 5),
		.size = ops_getle64(p + 13) };
	return true;
}

void
proto_alert_put(struct ops_buf *b, const struct proto_alert *f)
{
	map_put(b, alert_fields, OPS_ARRAY_LEN(alert_fields), f);
}

int
proto_alert_get(
    const uint8_t *p, size_t n, struct proto_alert *ret, struct ops_err *err)
{
	struct proto_alert f;

	if (get_map(p, n, alert_fields, OPS_ARRAY_LEN(alert_fields),
		MAP_SKIP_UNKNOWN, &f, sizeof(f), err) < 0)
		return ops_context(err, "alert");
	if (f.kind < ALERT_GAP || f.kind > ALERT_SWITCH)
		return ops_fail(
		    err, OPS_EFORMAT, "alert: none is of kind %u", f.kind);
	*ret = f;
	return 0;
}

void
proto_note_put(struct ops_buf *b, const struct proto_note *n)
{
	map_put(b, note_fields, OPS_ARRAY_LEN(note_fields), n);
}

int
proto_note_get(
    const uint8_t *p, size_t n, struct proto_note *ret, struct ops_err *err)
{
	struct proto_note got;

	if (get_map(p, n, note_fields, OPS_ARRAY_LEN(note_fields),
		MAP_SKIP_UNKNOWN, &got, sizeof(got), err) < 0)
		return ops_context(err, "note");
	if (got.text.n == 0)
		return ops_fail(err, OPS_EFORMAT, "note: without words");
	if (got.ancestors.n % EVENT_PROCESS_LEN != 0)
		return ops_fail(err, OPS_EFORMAT, "note: half of an ancestor");
	*ret = got;
	return 0;
}

void
proto_filter_put(struct ops_buf *b, const struct proto_filter *f)
{
	map_put(b, filter_fields, OPS_ARRAY_LEN(filter_fields), f);
}

int
proto_filter_get(
    const uint8_t *p, size_t n, struct proto_filter *ret, struct ops_err *err)
{
	struct proto_filter f;

	/* An unknown condition can't be skipped: the answer would be wrong. */
	if (get_map(p, n, filter_fields, OPS_ARRAY_LEN(filter_fields),
		MAP_REFUSE_UNKNOWN, &f, sizeof(f), err) < 0)
		return ops_context(err, "filter");
	*ret = f;
	return 0;
}

void
proto_programs_put(struct ops_buf *b, const struct proto_programs *f)
{
	map_put(b, programs_fields, OPS_ARRAY_LEN(programs_fields), f);
}

int
proto_programs_get(
    const uint8_t *p, size_t n, struct proto_programs *ret, struct ops_err *err)
{
	struct proto_programs f;

	/* As above. */
	if (get_map(p, n, programs_fields, OPS_ARRAY_LEN(programs_fields),
		MAP_REFUSE_UNKNOWN, &f, sizeof(f), err) < 0)
		return ops_context(err, "filter");
	*ret = f;
	return 0;
}
