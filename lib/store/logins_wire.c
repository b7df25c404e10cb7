/* Logins as bytes, for query's answers. */
#include "base/bytes.h"
#include "logins.h"
#include "record/map.h"
#include "record/record.h"

/* LOGIN and LOGOUT travel as the payloads that they were. */
struct wire {
	uint64_t time, wall, out_wall;
	uint32_t sessions;
	bool sealed;
	struct event_text in, out;
};

/* clang-format off */
static const struct map_field fields[] = {
	{ 1, MAP_UINT, MAP_AT(wire, time), 0, NULL, 0 },
	{ 2, MAP_UINT, MAP_AT(wire, wall), 0, NULL, 0 },
	{ 3, MAP_UINT, MAP_AT(wire, out_wall), 0, NULL, 0 },
	{ 4, MAP_UINT, MAP_AT(wire, sessions), 0, NULL, 0 },
	{ 5, MAP_FLAG, MAP_AT(wire, sealed), 0, NULL, 0 },
	{ 6, MAP_VIEW, offsetof(struct wire, in), RECORD_PAYLOAD_MAX, 0, NULL, 0 },
	{ 7, MAP_VIEW, offsetof(struct wire, out), RECORD_PAYLOAD_MAX, 0, NULL, 0 },
};
/* clang-format on */

void
login_seen_put(struct ops_buf *b, const struct login_seen *l)
{
	struct ops_buf in = { .max = RECORD_PAYLOAD_MAX };
	struct ops_buf out = { .max = RECORD_PAYLOAD_MAX };
	struct wire w = { .time = l->time,
		.wall = l->wall,
		.out_wall = l->out_wall,
		.sessions = l->sessions,
		.sealed = l->sealed };

	login_put(&in, &l->l);
	w.in = (struct event_text){ in.data, in.len };
	if (l->has_out) {
		logout_put(&out, &l->out);
		w.out = (struct event_text){ out.data, out.len };
	}
	if (in.failed || out.failed)
		b->failed = true;
	else
		map_put(b, fields, OPS_ARRAY_LEN(fields), &w);
	ops_buf_free(&in);
	ops_buf_free(&out);
}

int
login_seen_get(
    const uint8_t *p, size_t n, struct login_seen *ret, struct ops_err *err)
{
	struct cbor_reader r = { p, n };
	struct login_seen l = { 0 };
	struct wire w = { 0 };

	if (map_get(&r, fields, OPS_ARRAY_LEN(fields), MAP_REFUSE_UNKNOWN, &w,
		err) < 0 ||
	    cbor_end(&r, err) < 0)
		return ops_context(err, "login");
	if (w.in.p == NULL)
		return ops_fail(err, OPS_EFORMAT, "login: no LOGIN");
	if (login_get(w.in.p, w.in.n, &l.l, err) < 0 ||
	    (w.out.p != NULL && logout_get(w.out.p, w.out.n, &l.out, err) < 0))
		return -1;
	l.time = w.time;
	l.wall = w.wall;
	l.has_out = w.out.p != NULL;
	l.out_wall = w.out_wall;
	l.sessions = w.sessions;
	l.sealed = w.sealed;
	*ret = l;
	return 0;
}
