/* Covers: program, body */
#include "check.h"

#include "base/bytes.h"
#include "record/program.h"
#include "record/record.h"

static const uint8_t id[OPS_ID_LEN] = "session-10";

#define T(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

/* Every member another value, so that no two can be mixed up. */
static const struct program_exec exec_all = { .pid = 1,
	.start = 2,
	.ppid = 3,
	.pstart = 4,
	.uid = 5,
	.euid = 6,
	.gid = 7,
	.egid = 8,
	.auid = EVENT_UNSET,
	.ses = 10,
	.joined = JOINED_INFERRED,
	.flags = PROGRAM_SECURE | PROGRAM_THREAD,
	.pgrp = 13,
	.sid = 14,
	.nspid = 15,
	.argc = 16,
	.args_len = UINT64_MAX,
	.tty = 136u << 20 | 3,
	.tty_fs = 19,
	.caps = 1ull << 40,
	.has_before = true,
	.before_uid = 21,
	.before_euid = 22,
	.before_caps = 23,
	.comm = T("ls"),
	.args = T("ls\0\0-l\xff\0"),
	.filename = T("./ls"),
	.interp = T("/bin/sh"),
	.exe = T("/usr/bin/ls"),
	.cwd = T("/"),
	.cgroup = T("/user.slice"),
	.exe_dev = 31,
	.exe_ino = 32,
	.exe_mode = 0100755,
	.exe_uid = 34,
	.ns_pid = 35,
	.ns_mnt = 36,
	.ns_net = 37,
	.ns_uts = 38,
	.ns_user = 39,
	.ns_cgroup = 40,
	.holes = T("0123456789abcdef"),
	.env = T("LANG=C\0"),
	.also = T("0123456789"),
	.has_ancestor = true,
	.ancestor = 44,
	.ancestor_back = 45 };

static bool
same_text(struct event_text a, struct event_text b)
{
	return (a.p == NULL) == (b.p == NULL) && a.n == b.n &&
	       (a.n == 0 || (a.p != NULL && memcmp(a.p, b.p, a.n) == 0));
}

static void
test_exec(void **state)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct program_exec got = { .pid = 99 };
	struct ops_err err = { 0 };

	(void)state;
	program_exec_put(&b, id, &exec_all);
	assert_false(b.failed);
	for (size_t n = 0; n < b.len; n++) {
		uint8_t *cut = heap_copy(b.data, n);

		assert_int_equal(program_exec_get(cut, n, &got, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_int_equal(got.pid, 99);
		free(cut);
	}
	assert_int_equal(program_exec_get(b.data, b.len, &got, NULL), 0);
	/* Texts differ in where they are, all else is the same. */
	assert_true(same_text(got.comm, exec_all.comm));
	assert_true(same_text(got.args, exec_all.args));
	assert_true(same_text(got.filename, exec_all.filename));
	assert_true(same_text(got.interp, exec_all.interp));
	assert_true(same_text(got.exe, exec_all.exe));
	assert_true(same_text(got.cwd, exec_all.cwd));
	assert_true(same_text(got.cgroup, exec_all.cgroup));
	assert_true(same_text(got.holes, exec_all.holes));
	assert_true(same_text(got.env, exec_all.env));
	assert_true(same_text(got.also, exec_all.also));
	got.comm = exec_all.comm;
	got.args = exec_all.args;
	got.filename = exec_all.filename;
	got.interp = exec_all.interp;
	got.exe = exec_all.exe;
	got.cwd = exec_all.cwd;
	got.cgroup = exec_all.cgroup;
	got.holes = exec_all.holes;
	got.env = exec_all.env;
	got.also = exec_all.also;
	assert_memory_equal(&got, &exec_all, sizeof(got));
	ops_buf_free(&b);
}

/* The longest texts and arguments fit into one record. */
static void
test_exec_longest(void **state)
{
	static uint8_t x[PROGRAM_PATH_MAX + 1];
	const struct event_text path = { x, sizeof(x) };
	struct program_exec e = exec_all, got;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };

	(void)state;
	memset(x, 'x', sizeof(x));
	e.filename = e.interp = e.exe = e.cwd = e.cgroup = e.comm = path;
	e.args.p = NULL;
	e.args.n = 0;
	program_exec_put(&b, id, &e);
	assert_false(b.failed);
	assert_int_equal(program_exec_get(b.data, b.len, &got, NULL), 0);
	assert_int_equal(got.exe.n, PROGRAM_PATH_MAX);
	assert_int_equal(got.interp.n, PROGRAM_INTERP_MAX);
	assert_int_equal(got.cgroup.n, PROGRAM_CGROUP_MAX);
	assert_int_equal(got.comm.n, PROGRAM_COMM_MAX);
	ops_buf_free(&b);
}

static void
test_others(void **state)
{
	const struct program_capture c = { CAPTURE_BEGAN, 2, 3, T("tp_btf"),
		T("host"), true };
	const struct program_args a = { 1, 2, 3, T("more\0") };
	const struct program_ended e = { .pid = 1,
		.start = 2,
		.status = 0x8b,
		.flags = PROGRAM_FORKED,
		.maxrss = 8,
		.majflt = 12,
		.has_who = true,
		.ppid = 13,
		.ses = 18,
		.comm = T("sh"),
		.has_own = true,
		.own = 20,
		.has_io = true,
		.rchar = 21,
		.wchar = UINT64_MAX };
	const struct program_failed f = { .pid = 1,
		.error = 2,
		.ses = 8,
		.name = T("/nowhere"),
		.has_where = true,
		.tty = 11,
		.tty_fs = 12,
		.ppid = 13,
		.pstart = 14,
		.has_ancestor = true,
		.ancestor = 15,
		.ancestor_back = 16 };
	const struct program_loss l = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct program_accounted w = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
		12, 13, 14, true, T("sh") };
	const struct program_coverage v = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct program_capture c2;
	struct program_args a2;
	struct program_ended e2;
	struct program_failed f2;
	struct program_loss l2;
	struct program_accounted w2;
	struct program_coverage v2;

	(void)state;
	program_capture_put(&b, &c);
	assert_int_equal(program_capture_get(b.data, b.len, &c2, NULL), 0);
	assert_true(c2.pid == 2 && c2.realtime == 3 &&
		    same_text(c2.how, c.how) && same_text(c2.host, c.host));
	ops_buf_reset(&b);
	program_args_put(&b, id, &a);
	assert_int_equal(program_args_get(b.data, b.len, &a2, NULL), 0);
	assert_true(a2.pid == 1 && a2.start == 2 && a2.offset == 3 &&
		    same_text(a2.args, a.args));
	ops_buf_reset(&b);
	program_ended_put(&b, id, &e);
	assert_int_equal(program_ended_get(b.data, b.len, &e2, NULL), 0);
	assert_true(e2.status == 0x8b && e2.maxrss == 8 && e2.majflt == 12 &&
		    e2.has_who && e2.ppid == 13 && e2.ses == 18 && e2.has_own &&
		    e2.own == 20 && e2.has_io && e2.rchar == 21 &&
		    e2.wchar == UINT64_MAX && same_text(e2.comm, e.comm));
	ops_buf_reset(&b);
	program_failed_put(&b, id, &f);
	assert_int_equal(program_failed_get(b.data, b.len, &f2, NULL), 0);
	assert_true(f2.error == 2 && f2.ses == 8 && f2.comm.p == NULL &&
		    same_text(f2.name, f.name));
	assert_true(f2.has_where);
	assert_true(f2.tty == 11 && f2.tty_fs == 12 && f2.ppid == 13 &&
		    f2.pstart == 14 && f2.has_ancestor && f2.ancestor == 15 &&
		    f2.ancestor_back == 16);
	ops_buf_reset(&b);
	program_loss_put(&b, &l);
	assert_int_equal(program_loss_get(b.data, b.len, &l2, NULL), 0);
	assert_memory_equal(&l, &l2, sizeof(l));
	ops_buf_reset(&b);
	program_accounted_put(&b, &w);
	assert_int_equal(program_accounted_get(b.data, b.len, &w2, NULL), 0);
	assert_true(w2.pid == 1 && w2.ppid == 2 && w2.uid == 3 && w2.gid == 4 &&
		    w2.status == 5 && w2.began == 6 && w2.elapsed == 7);
	assert_true(w2.utime == 8 && w2.stime == 9 && w2.mem == 10 &&
		    w2.minflt == 11 && w2.majflt == 12 && w2.tty == 13 &&
		    w2.flags == 14 && w2.unsure && same_text(w2.comm, w.comm));
	ops_buf_reset(&b);
	program_coverage_put(&b, &v);
	assert_int_equal(program_coverage_get(b.data, b.len, &v2, NULL), 0);
	assert_memory_equal(&v, &v2, sizeof(v));
	ops_buf_free(&b);
}

static void
test_refused(void **state)
{
	struct program_exec e = exec_all, got;
	struct program_capture c = { 3, 0, 0, { NULL, 0 }, { NULL, 0 } }, c2;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };

	(void)state;
	e.joined = JOINED_INFERRED + 1;
	program_exec_put(&b, id, &e);
	assert_int_equal(program_exec_get(b.data, b.len, &got, NULL), -1);
	ops_buf_reset(&b);
	e = exec_all;
	e.holes.n = PROGRAM_HOLE_LEN - 1;
	program_exec_put(&b, id, &e);
	assert_int_equal(program_exec_get(b.data, b.len, &got, NULL), -1);
	ops_buf_reset(&b);
	e = exec_all;
	e.also.n = OPS_ID_LEN - 1;
	program_exec_put(&b, id, &e);
	assert_int_equal(program_exec_get(b.data, b.len, &got, NULL), -1);
	ops_buf_reset(&b);
	e = exec_all;
	e.joined = JOINED_TTY; /* another session would be told from it */
	program_exec_put(&b, id, &e);
	assert_int_equal(program_exec_get(b.data, b.len, &got, NULL), -1);
	ops_buf_reset(&b);
	program_capture_put(&b, &c);
	assert_int_equal(program_capture_get(b.data, b.len, &c2, NULL), -1);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_longest),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
