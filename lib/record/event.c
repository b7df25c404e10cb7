#include "event.h"

#include <string.h>

#include "base/bytes.h"
#include "body.h"

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
	{ 23, MAP_UINT, MAP_AT(event_open, inner_fs), .has = MAP_HAS(event_open, has_inner) },
	{ 24, MAP_UINT, MAP_AT(event_open, inner_dev), .has = MAP_HAS(event_open, has_inner_dev) },
	{ 25, MAP_VIEW, offsetof(struct event_open, import), EVENT_IMPORT_MAX },
	{ 26, MAP_VIEW, offsetof(struct event_open, ancestors), EVENT_ANCESTORS_MAX * EVENT_PROCESS_LEN },
	{ 50, MAP_UINT, MAP_AT(event_open, charge), .has = MAP_HAS(event_open, has_charge) },
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
	{ 4, MAP_UINT, MAP_AT(event_gap, why), .has = MAP_HAS(event_gap, has_why) },
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
	{ 6, MAP_UINT, MAP_AT(event_daemon, uid), .has = MAP_HAS(event_daemon, has_who) },
	{ 7, MAP_UINT, MAP_AT(event_daemon, auid), .has = MAP_HAS(event_daemon, has_auid) },
	{ 8, MAP_VIEW, TEXT_AT(event_daemon, user) },
	{ 9, MAP_VIEW, TEXT_AT(event_daemon, login) },
};
/* clang-format on */

void
event_open_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_open *e)
{
	struct event_open cut = *e;

	if (cut.command.p != NULL && cut.command.n > EVENT_ARGV_MAX)
		cut.command_cut = true;
	cut.has_inner_dev = cut.has_inner;
	body_put(b, id, open_fields, OPS_ARRAY_LEN(open_fields), &cut);
}

uint32_t
event_open_charge(const struct event_open *e)
{
	return e->has_charge ? e->charge : e->uid;
}

void
event_process_put(struct ops_buf *b, const struct event_process *p)
{
	ops_buf_putle32(b, p->pid);
	ops_buf_putle64(b, p->start);
}

bool
event_process_get(struct event_text t, size_t i, struct event_process *ret)
{
	if (i >= t.n / EVENT_PROCESS_LEN)
		return false;
	ret->pid = ops_getle32(t.p + i * EVENT_PROCESS_LEN);
	ret->start = ops_getle64(t.p + i * EVENT_PROCESS_LEN + 4);
	return true;
}

void
event_close_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_close *e)
{
	body_put(b, id, close_fields, OPS_ARRAY_LEN(close_fields), e);
}

void
event_access_put(struct ops_buf *b, const struct event_access *e)
{
	body_put(
	    b, body_no_session, access_fields, OPS_ARRAY_LEN(access_fields), e);
}

const char *
event_gap_why(uint32_t why)
{
	switch (why) {
	case 0:
		return "the log could not be written";
	case GAP_FULL:
		return "the disk was nearly full";
	case GAP_OFF:
		return "recording was switched off";
	case GAP_LIMIT:
		return "the user had reached screen_rate or screen_day";
	default:
		return "for a reason that this opseal does not know";
	}
}

void
event_gap_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_gap *e)
{
	body_put(b, id, gap_fields, OPS_ARRAY_LEN(gap_fields), e);
}

void
event_bypass_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct event_bypass *e)
{
	body_put(b, id, bypass_fields, OPS_ARRAY_LEN(bypass_fields), e);
}

void
event_daemon_put(struct ops_buf *b, const struct event_daemon *e)
{
	struct event_daemon whole = *e;

	whole.has_auid = whole.has_who;
	body_put(b, body_no_session, daemon_fields,
	    OPS_ARRAY_LEN(daemon_fields), &whole);
}

bool
event_owner(const struct record *r, uint8_t id[static OPS_ID_LEN])
{
	/* In a part it stands behind the part's numbers. */
	size_t skip = (r->flags & RECORD_PART) != 0 ? RECORD_PART_HEADER : 0;

	if (record_type_class(r->type) != CLASS_EVENTS ||
	    r->len < skip + OPS_ID_LEN)
		return false;
	memcpy(id, r->payload + skip, OPS_ID_LEN);
	return !ops_all_zero(id, OPS_ID_LEN);
}

int
event_open_get(
    const uint8_t *p, size_t n, struct event_open *ret, struct ops_err *err)
{
	struct event_open e, got;

	if (body_get(p, n, open_fields, OPS_ARRAY_LEN(open_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	if (got.has_inner != got.has_inner_dev)
		return ops_fail(
		    err, OPS_EFORMAT, "event: half of an inner terminal");
	if (got.ancestors.n % EVENT_PROCESS_LEN != 0)
		return ops_fail(err, OPS_EFORMAT, "event: half of an ancestor");
	*ret = got;
	return 0;
}

int
event_close_get(
    const uint8_t *p, size_t n, struct event_close *ret, struct ops_err *err)
{
	struct event_close e;

	return body_get(p, n, close_fields, OPS_ARRAY_LEN(close_fields), &e,
	    sizeof(e), ret, err);
}

int
event_access_get(
    const uint8_t *p, size_t n, struct event_access *ret, struct ops_err *err)
{
	struct event_access e;

	return body_get(p, n, access_fields, OPS_ARRAY_LEN(access_fields), &e,
	    sizeof(e), ret, err);
}

int
event_gap_get(
    const uint8_t *p, size_t n, struct event_gap *ret, struct ops_err *err)
{
	struct event_gap e;

	return body_get(p, n, gap_fields, OPS_ARRAY_LEN(gap_fields), &e,
	    sizeof(e), ret, err);
}

int
event_bypass_get(
    const uint8_t *p, size_t n, struct event_bypass *ret, struct ops_err *err)
{
	struct event_bypass e;

	return body_get(p, n, bypass_fields, OPS_ARRAY_LEN(bypass_fields), &e,
	    sizeof(e), ret, err);
}

int
event_daemon_get(
    const uint8_t *p, size_t n, struct event_daemon *ret, struct ops_err *err)
{
	struct event_daemon e, got;

	if (body_get(p, n, daemon_fields, OPS_ARRAY_LEN(daemon_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	if (got.has_who != got.has_auid)
		return ops_fail(err, OPS_EFORMAT, "event: half of who");
	*ret = got;
	return 0;
}
