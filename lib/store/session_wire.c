/* Sessions as bytes, for query's answers. */
#include <string.h>

#include "base/bytes.h"
#include "record/body.h"
#include "record/map.h"
#include "record/remark.h"
#include "session.h"

/* OPEN and CLOSE travel as the payloads that they were. */
struct wire {
	uint8_t id[OPS_ID_LEN];
	uint8_t state;
	bool sealed;
	uint64_t start, end, start_boottime, end_boottime;
	uint64_t bytes_lost, bypasses, last, logged;
	uint64_t commands; /* one more than there are; 0: unknown */
	struct event_text open, close, login;
	struct event_text reason;
	bool asked;
	uint64_t notes;
	bool has_connection, has_out;
	uint64_t connection_in, connection_out;
};

/* clang-format off */
static const struct map_field fields[] = {
	{ 1, MAP_BYTES, MAP_AT(wire, id), 0, NULL, 0 },
	{ 2, MAP_UINT, MAP_AT(wire, state), 0, NULL, 0 },
	{ 3, MAP_FLAG, MAP_AT(wire, sealed), 0, NULL, 0 },
	{ 4, MAP_UINT, MAP_AT(wire, start), 0, NULL, 0 },
	{ 5, MAP_UINT, MAP_AT(wire, end), 0, NULL, 0 },
	{ 6, MAP_UINT, MAP_AT(wire, start_boottime), 0, NULL, 0 },
	{ 7, MAP_UINT, MAP_AT(wire, end_boottime), 0, NULL, 0 },
	{ 8, MAP_UINT, MAP_AT(wire, bytes_lost), 0, NULL, 0 },
	{ 9, MAP_UINT, MAP_AT(wire, bypasses), 0, NULL, 0 },
	{ 10, MAP_UINT, MAP_AT(wire, last), 0, NULL, 0 },
	{ 11, MAP_VIEW, offsetof(struct wire, open), RECORD_PAYLOAD_MAX, 0, NULL, 0 },
	{ 12, MAP_VIEW, offsetof(struct wire, close), RECORD_PAYLOAD_MAX, 0, NULL, 0 },
	{ 13, MAP_UINT, MAP_AT(wire, logged), 0, NULL, 0 },
	{ 14, MAP_UINT, MAP_AT(wire, commands), 0, NULL, 0 },
	{ 15, MAP_VIEW, offsetof(struct wire, login), RECORD_PAYLOAD_MAX, 0, NULL, 0 },
	{ 16, MAP_FLAG, MAP_AT(wire, asked), 0, NULL, 0 },
	{ 17, MAP_VIEW, offsetof(struct wire, reason), REMARK_TEXT_MAX, 0, NULL, 0 },
	{ 18, MAP_UINT, MAP_AT(wire, notes), 0, NULL, 0 },
	{ 80, MAP_UINT, MAP_AT(wire, connection_in), MAP_HAS(wire, has_connection), NULL, 0 },
	{ 81, MAP_UINT, MAP_AT(wire, connection_out), MAP_HAS(wire, has_out), NULL, 0 },
};
/* clang-format on */

void
session_put(struct ops_buf *b, const struct session *s)
{
	struct ops_buf open = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf close = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf login = { .max = RECORD_PAYLOAD_MAX };
	struct wire w = { .state = (uint8_t)s->state,
		.sealed = s->sealed,
		.start = s->start,
		.end = s->end,
		.start_boottime = s->start_boottime,
		.end_boottime = s->end_boottime,
		.bytes_lost = s->bytes_lost,
		.bypasses = s->bypasses,
		.last = s->last,
		.logged = s->logged,
		.asked = s->asked,
		.reason = s->reason,
		.notes = s->notes,

		.commands = s->has_commands ? UINT64_C(1) + s->commands : 0,
		.has_connection = s->has_connection,
		.has_out = s->has_connection,
		.connection_in = s->connection_in,
		.connection_out = s->connection_out };

	memcpy(w.id, s->id, OPS_ID_LEN);
	event_open_put(&open, s->id, &s->open);
	w.open = (struct event_text){ open.data, open.len };
	if (s->has_close) {
		event_close_put(&close, s->id, &s->close);
		w.close = (struct event_text){ close.data, close.len };
	}
	if (s->has_login) {
		login_put(&login, &s->login);
		w.login = (struct event_text){ login.data, login.len };
	}
	if (open.failed || close.failed || login.failed)
		b->failed = true;
	else
		map_put(b, fields, OPS_ARRAY_LEN(fields), &w);
	ops_buf_free(&open);
	ops_buf_free(&close);
	ops_buf_free(&login);
}

static int
decode_wire(const uint8_t *p, size_t n, struct wire *w, struct session *s,
    struct ops_err *err)
{
	struct cbor_reader r = { p, n };
	uint8_t id[OPS_ID_LEN];

	if (map_get(&r, fields, OPS_ARRAY_LEN(fields), MAP_REFUSE_UNKNOWN, w,
		err) < 0 ||
	    cbor_end(&r, err) < 0)
		return -1;
	if (w->state > SESSION_DAMAGED)
		return ops_fail(err, OPS_EFORMAT, "no such state");
	if (w->commands > UINT64_C(1) + UINT32_MAX)
		return ops_fail(err, OPS_EFORMAT, "too many commands");
	if (w->has_connection != w->has_out)
		return ops_fail(err, OPS_EFORMAT, "half of a connection");
	if (w->open.p == NULL)
		return ops_fail(err, OPS_EFORMAT, "no SESSION-OPEN");
	if (body_session(w->open.p, w->open.n, id, err) < 0 ||
	    event_open_get(w->open.p, w->open.n, &s->open, err) < 0)
		return -1;
	if (memcmp(id, w->id, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_EFORMAT, "another session's OPEN");
	if (w->login.p != NULL) {
		if (login_get(w->login.p, w->login.n, &s->login, err) < 0)
			return -1;
		s->has_login = true;
	}
	if (w->close.p == NULL)
		return 0;
	s->has_close = true;
	if (body_session(w->close.p, w->close.n, id, err) < 0 ||
	    event_close_get(w->close.p, w->close.n, &s->close, err) < 0)
		return -1;
	if (memcmp(id, w->id, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_EFORMAT, "another session's CLOSE");
	return 0;
}

int
session_get(
    const uint8_t *p, size_t n, struct session_list *l, struct ops_err *err)
{
	struct session s = { 0 };
	struct wire w = { 0 };

	if (decode_wire(p, n, &w, &s, err) < 0)
		return ops_context(err, "session");
	memcpy(s.id, w.id, OPS_ID_LEN);
	ops_id_text(s.id, s.id_text);
	s.state = w.state;
	s.sealed = w.sealed;
	s.start = w.start;
	s.end = w.end;
	s.start_boottime = w.start_boottime;
	s.end_boottime = w.end_boottime;
	s.bytes_lost = w.bytes_lost;
	s.has_commands = w.commands != 0;
	s.commands = s.has_commands ? (uint32_t)(w.commands - 1) : 0;
	s.bypasses = w.bypasses;
	s.last = w.last;
	s.logged = w.logged;
	s.asked = w.asked;
	s.reason = w.reason;
	s.notes = w.notes;
	s.has_connection = w.has_connection;
	s.connection_in = w.connection_in;
	s.connection_out = w.connection_out;
	return session_list_add(l, &s, err);
}
