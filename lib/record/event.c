#include "event.h"

#include <string.h>

#include "base/bytes.h"
#include "map.h"

#define TEXT_AT(s, m) offsetof(struct s, m), EVENT_TEXT_MAX

/* clang-format off */
static const struct map_field open_fields[] = {
	{ 1,  MAP_UINT, MAP_AT(event_open, kind) },
	{ 2,  MAP_UINT, MAP_AT(event_open, uid) },
	{ 3,  MAP_UINT, MAP_AT(event_open, gid) },
	{ 4,  MAP_UINT, MAP_AT(event_open, auid) },
	{ 5,  MAP_UINT, MAP_AT(event_open, ses) },
	{ 6,  MAP_UINT, MAP_AT(event_open, pid) },
	{ 7,  MAP_UINT, MAP_AT(event_open, start) },
	{ 8,  MAP_VIEW, TEXT_AT(event_open, user) },
	{ 9,  MAP_VIEW, TEXT_AT(event_open, tty) },
	{ 10, MAP_VIEW, TEXT_AT(event_open, inner) },
	{ 11, MAP_UINT, MAP_AT(event_open, cols) },
	{ 12, MAP_UINT, MAP_AT(event_open, rows) },
	{ 13, MAP_VIEW, TEXT_AT(event_open, term) },
	{ 14, MAP_VIEW, TEXT_AT(event_open, from) },
	{ 15, MAP_VIEW, offsetof(struct event_open, command), EVENT_ARGV_MAX },
	{ 16, MAP_FLAG, MAP_AT(event_open, command_cut) },
	{ 17, MAP_UINT, MAP_AT(event_open, recorder_pid) },
	{ 18, MAP_UINT, MAP_AT(event_open, recorder_start) },
	{ 19, MAP_VIEW, TEXT_AT(event_open, host) },
	{ 20, MAP_FLAG, MAP_AT(event_open, input) },
	{ 21, MAP_UINT, MAP_AT(event_open, realtime) },
	{ 22, MAP_VIEW, TEXT_AT(event_open, login) },
};

static const struct map_field close_fields[] = {
	{ 1, MAP_UINT, MAP_AT(event_close, state) },
	{ 2, MAP_UINT, MAP_AT(event_close, why) },
	{ 3, MAP_UINT, MAP_AT(event_close, status), .has = MAP_HAS(event_close, has_status) },
	{ 4, MAP_UINT, MAP_AT(event_close, bytes_out) },
	{ 5, MAP_UINT, MAP_AT(event_close, bytes_in) },
	{ 6, MAP_UINT, MAP_AT(event_close, bytes_lost) },
	{ 7, MAP_UINT, MAP_AT(event_close, records) },
};

static const struct map_field access_fields[] = {
	{ 1, MAP_UINT,  MAP_AT(event_access, uid) },
	{ 2, MAP_UINT,  MAP_AT(event_access, auid) },
	{ 3, MAP_UINT,  MAP_AT(event_access, pid) },
	{ 4, MAP_VIEW,  TEXT_AT(event_access, user) },
	{ 5, MAP_VIEW,  TEXT_AT(event_access, what) },
	{ 6, MAP_BYTES, MAP_AT(event_access, session), .has = MAP_HAS(event_access, has_session) },
	{ 7, MAP_FLAG,  MAP_AT(event_access, refused) },
};

static const struct map_field gap_fields[] = {
	{ 1, MAP_UINT, MAP_AT(event_gap, bytes) },
	{ 2, MAP_UINT, MAP_AT(event_gap, from) },
	{ 3, MAP_UINT, MAP_AT(event_gap, until) },
};

static const struct map_field bypass_fields[] = {
	{ 1, MAP_UINT, MAP_AT(event_bypass, pid) },
	{ 2, MAP_UINT, MAP_AT(event_bypass, uid) },
	{ 3, MAP_VIEW, TEXT_AT(event_bypass, comm) },
};

static const struct map_field daemon_fields[] = {
	{ 1, MAP_UINT, MAP_AT(event_daemon, what) },
	{ 2, MAP_UINT, MAP_AT(event_daemon, pid) },
	{ 3, MAP_VIEW, TEXT_AT(event_daemon, text) },
	{ 4, MAP_UINT, MAP_AT(event_daemon, since) },
	{ 5, MAP_UINT, MAP_AT(event_daemon, realtime) },
};
/* clang-format on */

static const uint8_t no_session[OPS_ID_LEN];

static void
put_event(struct ops_buf *b, const uint8_t *id, const struct map_field *f,
    size_t n, const void *from)
{
	ops_buf_put(b, id, OPS_ID_LEN);
	map_put(b, f, n, from);
}

/* Decode into to[0..size), which stays as it was on failure.  scratch has the
 * same size. */
static int
get_event(const uint8_t *p, size_t n, const struct map_field *f,
    size_t n_fields, void *scratch, size_t size, void *to, struct ops_err *err)
{
	struct cbor_reader r;

	if (n < OPS_ID_LEN)
		return ops_fail(
		    err, OPS_EFORMAT, "event: %zu bytes, no session id", n);
	r = (struct cbor_reader){ p + OPS_ID_LEN, n - OPS_ID_LEN };
	memset(scratch, 0, size);
	if (map_get(&r, f, n_fields, MAP_SKIP_UNKNOWN, scratch, err) < 0 ||
	    cbor_end(&r, err) < 0) {
		/* The payload is whole: more bytes will not come. */
		if (err != NULL && err->code == OPS_ETRUNC)
			err->code = OPS_EFORMAT;
		return ops_context(err, "event");
	}
	memcpy(to, scratch, size);
	return 0;
}

void
event_open_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_open *e)
{
	struct event_open cut = *e;

	if (cut.command.p != NULL && cut.command.n > EVENT_ARGV_MAX)
		cut.command_cut = true;
	put_event(b, id, open_fields, OPS_ARRAY_LEN(open_fields), &cut);
}

void
event_close_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_close *e)
{
	put_event(b, id, close_fields, OPS_ARRAY_LEN(close_fields), e);
}

void
event_access_put(struct ops_buf *b, const struct event_access *e)
{
	put_event(
	    b, no_session, access_fields, OPS_ARRAY_LEN(access_fields), e);
}

void
event_gap_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_gap *e)
{
	put_event(b, id, gap_fields, OPS_ARRAY_LEN(gap_fields), e);
}

void
event_bypass_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_bypass *e)
{
	put_event(b, id, bypass_fields, OPS_ARRAY_LEN(bypass_fields), e);
}

void
event_daemon_put(struct ops_buf *b, const struct event_daemon *e)
{
	put_event(
	    b, no_session, daemon_fields, OPS_ARRAY_LEN(daemon_fields), e);
}

int
event_session(const uint8_t *p, size_t n, uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	if (n < OPS_ID_LEN)
		return ops_fail(
		    err, OPS_EFORMAT, "event: %zu bytes, no session id", n);
	memcpy(id, p, OPS_ID_LEN);
	return 0;
}

int
event_open_get(
    const uint8_t *p, size_t n, struct event_open *ret, struct ops_err *err)
{
	struct event_open e;

	return get_event(p, n, open_fields, OPS_ARRAY_LEN(open_fields), &e,
	    sizeof(e), ret, err);
}

int
event_close_get(
    const uint8_t *p, size_t n, struct event_close *ret, struct ops_err *err)
{
	struct event_close e;

	return get_event(p, n, close_fields, OPS_ARRAY_LEN(close_fields), &e,
	    sizeof(e), ret, err);
}

int
event_access_get(
    const uint8_t *p, size_t n, struct event_access *ret, struct ops_err *err)
{
	struct event_access e;

	return get_event(p, n, access_fields, OPS_ARRAY_LEN(access_fields), &e,
	    sizeof(e), ret, err);
}

int
event_gap_get(
    const uint8_t *p, size_t n, struct event_gap *ret, struct ops_err *err)
{
	struct event_gap e;

	return get_event(p, n, gap_fields, OPS_ARRAY_LEN(gap_fields), &e,
	    sizeof(e), ret, err);
}

int
event_bypass_get(
    const uint8_t *p, size_t n, struct event_bypass *ret, struct ops_err *err)
{
	struct event_bypass e;

	return get_event(p, n, bypass_fields, OPS_ARRAY_LEN(bypass_fields), &e,
	    sizeof(e), ret, err);
}

int
event_daemon_get(
    const uint8_t *p, size_t n, struct event_daemon *ret, struct ops_err *err)
{
	struct event_daemon e;

	return get_event(p, n, daemon_fields, OPS_ARRAY_LEN(daemon_fields), &e,
	    sizeof(e), ret, err);
}
