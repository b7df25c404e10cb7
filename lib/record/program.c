#include "program.h"

#include "base/bytes.h"
#include "body.h"

#define TEXT(s, m, max) MAP_VIEW, offsetof(struct s, m), max
#define UINT(s, m) MAP_UINT, MAP_AT(s, m)
#define MAYBE(s, m, has_m) UINT(s, m), .has = MAP_HAS(s, has_m)

/* clang-format off */
static const struct map_field capture_fields[] = {
	{ 1, UINT(program_capture, what) },
	{ 2, UINT(program_capture, pid) },
	{ 3, UINT(program_capture, realtime) },
	{ 4, TEXT(program_capture, how, EVENT_TEXT_MAX) },
	{ 5, TEXT(program_capture, host, EVENT_TEXT_MAX) },
	{ 6, MAP_FLAG, MAP_AT(program_capture, goes_on) },
};

static const struct map_field exec_fields[] = {
	{ 1, UINT(program_exec, pid) },
	{ 2, UINT(program_exec, start) },
	{ 3, UINT(program_exec, ppid) },
	{ 4, UINT(program_exec, pstart) },
	{ 5, UINT(program_exec, uid) },
	{ 6, UINT(program_exec, euid) },
	{ 7, UINT(program_exec, gid) },
	{ 8, UINT(program_exec, egid) },
	{ 9, UINT(program_exec, auid) },
	{ 10, UINT(program_exec, ses) },
	{ 11, UINT(program_exec, joined) },
	{ 12, UINT(program_exec, flags) },
	{ 13, UINT(program_exec, pgrp) },
	{ 14, UINT(program_exec, sid) },
	{ 15, UINT(program_exec, nspid) },
	{ 16, UINT(program_exec, argc) },
	{ 17, UINT(program_exec, args_len) },
	{ 18, UINT(program_exec, tty) },
	{ 19, UINT(program_exec, tty_fs) },
	{ 20, UINT(program_exec, caps) },
	{ 21, MAYBE(program_exec, before_uid, has_before) },
	{ 22, MAYBE(program_exec, before_euid, has_before) },
	{ 23, MAYBE(program_exec, before_caps, has_before) },
	{ 24, TEXT(program_exec, comm, PROGRAM_COMM_MAX) },
	{ 25, TEXT(program_exec, args, PROGRAM_ARGS_MAX) },
	{ 26, TEXT(program_exec, filename, PROGRAM_PATH_MAX) },
	{ 27, TEXT(program_exec, interp, PROGRAM_INTERP_MAX) },
	{ 28, TEXT(program_exec, exe, PROGRAM_PATH_MAX) },
	{ 29, TEXT(program_exec, cwd, PROGRAM_PATH_MAX) },
	{ 30, TEXT(program_exec, cgroup, PROGRAM_CGROUP_MAX) },
	{ 31, UINT(program_exec, exe_dev) },
	{ 32, UINT(program_exec, exe_ino) },
	{ 33, UINT(program_exec, exe_mode) },
	{ 34, UINT(program_exec, exe_uid) },
	{ 35, UINT(program_exec, ns_pid) },
	{ 36, UINT(program_exec, ns_mnt) },
	{ 37, UINT(program_exec, ns_net) },
	{ 38, UINT(program_exec, ns_uts) },
	{ 39, UINT(program_exec, ns_user) },
	{ 40, UINT(program_exec, ns_cgroup) },
	{ 41, TEXT(program_exec, holes, PROGRAM_HOLES_MAX * PROGRAM_HOLE_LEN) },
	{ 42, TEXT(program_exec, env, PROGRAM_ENV_MAX) },
	{ 43, TEXT(program_exec, also, PROGRAM_ALSO_MAX * OPS_ID_LEN) },
	{ 44, MAYBE(program_exec, ancestor, has_ancestor) },
	{ 45, MAYBE(program_exec, ancestor_back, has_ancestor) },
};

static const struct map_field args_fields[] = {
	{ 1, UINT(program_args, pid) },
	{ 2, UINT(program_args, start) },
	{ 3, UINT(program_args, offset) },
	{ 4, TEXT(program_args, args, PROGRAM_ARGS_MAX) },
};

static const struct map_field ended_fields[] = {
	{ 1, UINT(program_ended, pid) },
	{ 2, UINT(program_ended, start) },
	{ 3, UINT(program_ended, status) },
	{ 4, UINT(program_ended, joined) },
	{ 5, UINT(program_ended, flags) },
	{ 6, UINT(program_ended, utime) },
	{ 7, UINT(program_ended, stime) },
	{ 8, UINT(program_ended, maxrss) },
	{ 9, UINT(program_ended, read_bytes) },
	{ 10, UINT(program_ended, write_bytes) },
	{ 11, UINT(program_ended, minflt) },
	{ 12, UINT(program_ended, majflt) },
	{ 13, MAYBE(program_ended, ppid, has_who) },
	{ 14, MAYBE(program_ended, pstart, has_who) },
	{ 15, MAYBE(program_ended, uid, has_who) },
	{ 16, MAYBE(program_ended, euid, has_who) },
	{ 17, MAYBE(program_ended, auid, has_who) },
	{ 18, MAYBE(program_ended, ses, has_who) },
	{ 19, TEXT(program_ended, comm, PROGRAM_COMM_MAX) },
	{ 20, MAYBE(program_ended, own, has_own) },
	{ 21, MAYBE(program_ended, rchar, has_io) },
	{ 22, MAYBE(program_ended, wchar, has_wchar) },
};

static const struct map_field failed_fields[] = {
	{ 1, UINT(program_failed, pid) },
	{ 2, UINT(program_failed, start) },
	{ 3, UINT(program_failed, error) },
	{ 4, UINT(program_failed, joined) },
	{ 5, UINT(program_failed, uid) },
	{ 6, UINT(program_failed, euid) },
	{ 7, UINT(program_failed, auid) },
	{ 8, UINT(program_failed, ses) },
	{ 9, TEXT(program_failed, comm, PROGRAM_COMM_MAX) },
	{ 10, TEXT(program_failed, name, PROGRAM_PATH_MAX) },
	{ 11, MAYBE(program_failed, tty, has_where) },
	{ 12, MAYBE(program_failed, tty_fs, has_where) },
	{ 13, MAYBE(program_failed, ppid, has_where) },
	{ 14, MAYBE(program_failed, pstart, has_where) },
	{ 15, MAYBE(program_failed, ancestor, has_ancestor) },
	{ 16, MAYBE(program_failed, ancestor_back, has_ancestor) },
};

static const struct map_field loss_fields[] = {
	{ 1, UINT(program_loss, from) },
	{ 2, UINT(program_loss, until) },
	{ 3, UINT(program_loss, execs) },
	{ 4, UINT(program_loss, ends) },
	{ 5, UINT(program_loss, forks) },
	{ 6, UINT(program_loss, failed) },
	{ 7, UINT(program_loss, args) },
	{ 8, UINT(program_loss, other) },
};

static const struct map_field accounted_fields[] = {
	{ 1, UINT(program_accounted, pid) },
	{ 2, UINT(program_accounted, ppid) },
	{ 3, UINT(program_accounted, uid) },
	{ 4, UINT(program_accounted, gid) },
	{ 5, UINT(program_accounted, status) },
	{ 6, UINT(program_accounted, began) },
	{ 7, UINT(program_accounted, elapsed) },
	{ 8, UINT(program_accounted, utime) },
	{ 9, UINT(program_accounted, stime) },
	{ 10, UINT(program_accounted, mem) },
	{ 11, UINT(program_accounted, minflt) },
	{ 12, UINT(program_accounted, majflt) },
	{ 13, UINT(program_accounted, tty) },
	{ 14, UINT(program_accounted, flags) },
	{ 15, MAP_FLAG, MAP_AT(program_accounted, unsure) },
	{ 16, TEXT(program_accounted, comm, PROGRAM_COMM_MAX) },
};

static const struct map_field coverage_fields[] = {
	{ 1, UINT(program_coverage, from) },
	{ 2, UINT(program_coverage, until) },
	{ 3, UINT(program_coverage, captured) },
	{ 4, UINT(program_coverage, accounted) },
	{ 5, UINT(program_coverage, missed) },
	{ 6, UINT(program_coverage, unsure) },
	{ 7, UINT(program_coverage, unaccounted) },
	{ 8, UINT(program_coverage, bad) },
};
/* clang-format on */

void
program_capture_put(struct ops_buf *b, const struct program_capture *e)
{
	body_put(b, body_no_session, capture_fields,
	    OPS_ARRAY_LEN(capture_fields), e);
}

void
program_exec_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_exec *e)
{
	body_put(b, id, exec_fields, OPS_ARRAY_LEN(exec_fields), e);
}

void
program_args_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_args *e)
{
	body_put(b, id, args_fields, OPS_ARRAY_LEN(args_fields), e);
}

void
program_ended_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_ended *e)
{
	struct program_ended all = *e;

	all.has_wchar = all.has_io;
	body_put(b, id, ended_fields, OPS_ARRAY_LEN(ended_fields), &all);
}

void
program_failed_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_failed *e)
{
	body_put(b, id, failed_fields, OPS_ARRAY_LEN(failed_fields), e);
}

void
program_loss_put(struct ops_buf *b, const struct program_loss *e)
{
	body_put(
	    b, body_no_session, loss_fields, OPS_ARRAY_LEN(loss_fields), e);
}

void
program_accounted_put(struct ops_buf *b, const struct program_accounted *e)
{
	body_put(b, body_no_session, accounted_fields,
	    OPS_ARRAY_LEN(accounted_fields), e);
}

void
program_imported_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct program_accounted *e)
{
	body_put(b, id, accounted_fields, OPS_ARRAY_LEN(accounted_fields), e);
}

void
program_coverage_put(struct ops_buf *b, const struct program_coverage *e)
{
	body_put(b, body_no_session, coverage_fields,
	    OPS_ARRAY_LEN(coverage_fields), e);
}

/* Is this joined as it can be? */
static int
check_joined(uint32_t joined, struct ops_err *err)
{
	if (joined > JOINED_INFERRED)
		return ops_fail(err, OPS_EFORMAT, "joined by %u", joined);
	return 0;
}

int
program_capture_get(const uint8_t *p, size_t n, struct program_capture *ret,
    struct ops_err *err)
{
	struct program_capture e, got;

	if (body_get(p, n, capture_fields, OPS_ARRAY_LEN(capture_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	if (got.what != CAPTURE_BEGAN && got.what != CAPTURE_ENDED)
		return ops_fail(err, OPS_EFORMAT, "capture: %u", got.what);
	*ret = got;
	return 0;
}

int
program_exec_get(
    const uint8_t *p, size_t n, struct program_exec *ret, struct ops_err *err)
{
	struct program_exec e, got;

	if (body_get(p, n, exec_fields, OPS_ARRAY_LEN(exec_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	if (check_joined(got.joined, err) < 0)
		return -1;
	if (got.holes.n % PROGRAM_HOLE_LEN != 0)
		return ops_fail(
		    err, OPS_EFORMAT, "holes of %zu bytes", got.holes.n);
	if (got.also.n % OPS_ID_LEN != 0 ||
	    (got.also.n > 0 && got.joined != JOINED_INFERRED))
		return ops_fail(
		    err, OPS_EFORMAT, "other sessions, %zu bytes", got.also.n);
	*ret = got;
	return 0;
}

int
program_args_get(
    const uint8_t *p, size_t n, struct program_args *ret, struct ops_err *err)
{
	struct program_args e, got;

	if (body_get(p, n, args_fields, OPS_ARRAY_LEN(args_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	*ret = got;
	return 0;
}

int
program_ended_get(
    const uint8_t *p, size_t n, struct program_ended *ret, struct ops_err *err)
{
	struct program_ended e, got;

	if (body_get(p, n, ended_fields, OPS_ARRAY_LEN(ended_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	if (check_joined(got.joined, err) < 0)
		return -1;
	if (got.has_io != got.has_wchar)
		return ops_fail(
		    err, OPS_EFORMAT, "end: half of a count of bytes");
	*ret = got;
	return 0;
}

int
program_failed_get(
    const uint8_t *p, size_t n, struct program_failed *ret, struct ops_err *err)
{
	struct program_failed e, got;

	if (body_get(p, n, failed_fields, OPS_ARRAY_LEN(failed_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	if (check_joined(got.joined, err) < 0)
		return -1;
	*ret = got;
	return 0;
}

int
program_loss_get(
    const uint8_t *p, size_t n, struct program_loss *ret, struct ops_err *err)
{
	struct program_loss e, got;

	if (body_get(p, n, loss_fields, OPS_ARRAY_LEN(loss_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	*ret = got;
	return 0;
}

int
program_accounted_get(const uint8_t *p, size_t n, struct program_accounted *ret,
    struct ops_err *err)
{
	struct program_accounted e, got;

	if (body_get(p, n, accounted_fields, OPS_ARRAY_LEN(accounted_fields),
		&e, sizeof(e), &got, err) < 0)
		return -1;
	*ret = got;
	return 0;
}

int
program_coverage_get(const uint8_t *p, size_t n, struct program_coverage *ret,
    struct ops_err *err)
{
	struct program_coverage e, got;

	if (body_get(p, n, coverage_fields, OPS_ARRAY_LEN(coverage_fields), &e,
		sizeof(e), &got, err) < 0)
		return -1;
	*ret = got;
	return 0;
}
