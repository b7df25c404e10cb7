/* Covers: capture_record */
#include "check.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "capture_record.h"
#include "record/program.h"
#include "record/record.h"

#define N(s) (const uint8_t *)(s), sizeof(s) - 1

static struct {
	unsigned room; /* records that it takes from now on */
	unsigned n;
	uint8_t type;
	uint64_t time;
	struct ops_buf last; /* payload */
	struct ops_buf args; /* of all records since begin_args() */
	uint64_t args_len;
} sink_state;

static bool
sink_put(void *arg, uint8_t type, uint64_t time, const uint8_t *p, size_t n)
{
	struct program_exec e;
	struct program_args a;

	(void)arg;
	if (sink_state.room == 0)
		return false;
	sink_state.room--;
	sink_state.n++;
	sink_state.type = type;
	sink_state.time = time;
	sink_state.last.max = sink_state.args.max = 8u << 20;
	ops_buf_reset(&sink_state.last);
	ops_buf_put(&sink_state.last, p, n);
	if (type == REC_EXEC) {
		assert_int_equal(program_exec_get(p, n, &e, NULL), 0);
		ops_buf_reset(&sink_state.args);
		ops_buf_put(&sink_state.args, e.args.p, e.args.n);
		sink_state.args_len = e.args_len;
	} else if (type == REC_ARGS) {
		assert_int_equal(program_args_get(p, n, &a, NULL), 0);
		assert_int_equal(a.offset, sink_state.args.len);
		ops_buf_put(&sink_state.args, a.args.p, a.args.n);
	}
	return true;
}

static const struct capture_sink sink = { sink_put, NULL };

static void
test_path(void **state)
{
	static const struct {
		const uint8_t *names;
		size_t n;
		bool cut;
		size_t size;
		const char *want;
	} rows[] = {
		{ N("ls\0bin\0usr\0"), false, 100, "/usr/bin/ls" },
		{ N(""), false, 100, "/" },
		{ N("x\0"), false, 2, "/x" },
		{ N("ls\0bin\0"), true, 100, "bin/ls" },
		{ N("ls\0bin\0"), false, 5, "ls" },
		{ N("ls\0bin"), false, 100, "/bin/ls" },
		{ N("memfd:x\0"), false, 100, "/memfd:x" },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t out[100];
		size_t n = capture_path(
		    rows[i].names, rows[i].n, rows[i].cut, out, rows[i].size);

		CHECK(n == strlen(rows[i].want) &&
			  memcmp(out, rows[i].want, n) == 0,
		    rows[i].want, "path");
	}
}

/* An exec as the ring has it. */
static struct cap_exec *
make_exec(const void *args, size_t n)
{
	static _Alignas(8) uint8_t b[sizeof(struct cap_exec) + 8192];
	static const char names[] = "./sh/bin/shsh\0bin\0root\0a\0b\0";
	struct cap_exec *e = (void *)b;
	uint8_t *data = b + sizeof(*e);

	memset(b, 0, sizeof(b));
	e->head = (struct cap_head){ .type = CAP_EXEC,
		.time = 99,
		.pid = 7,
		.start = 5,
		.ppid = 2,
		.pstart = 1 };
	e->args_len = n;
	n = n <= CAP_ARGS_INLINE ? n : 0;
	if (n > 0)
		memcpy(data, args, n);
	memcpy(data + n, names, sizeof(names) - 1);
	e->args_end = (uint32_t)n;
	e->filename_end = e->args_end + 4;
	e->interp_end = e->filename_end + 7;
	e->exe_end = e->interp_end + 7;
	e->cwd_end = e->exe_end + 5;
	e->end = e->cwd_end + 4;
	e->tty_major = 136;
	e->tty_minor = 300;
	memcpy(e->comm, "sh", 3);
	return e;
}

static bool
is(struct event_text t, const char *want)
{
	return t.p != NULL && t.n == strlen(want) &&
	       memcmp(t.p, want, t.n) == 0;
}

static void
test_exec(void **state)
{
	struct cap_exec *e = make_exec(N("sh\0-c\0"));
	struct order_event ev = { .u = (void *)e,
		.args = (const uint8_t *)(e + 1),
		.args_n = 6,
		.hole = (struct order_hole[]){ { 1, 2 } },
		.holes = 1 };
	struct procs *p = procs_new();
	struct program_exec got;
	size_t at = 0;

	(void)state;
	assert_non_null(p);
	sink_state.room = 1;
	assert_true(capture_record(&ev, p, &at, &sink));
	assert_int_equal(sink_state.type, REC_EXEC);
	assert_int_equal(sink_state.time, 99);
	assert_int_equal(program_exec_get(sink_state.last.data,
			     sink_state.last.len, &got, NULL),
	    0);
	assert_true(is(got.comm, "sh") && is(got.filename, "./sh") &&
		    is(got.interp, "/bin/sh") && is(got.exe, "/bin/sh") &&
		    is(got.cwd, "/root") && is(got.cgroup, "/b/a"));
	assert_int_equal(got.args.n, 6);
	assert_memory_equal(got.args.p, "sh\0-c\0", 6);
	assert_int_equal(got.tty, 136u << 20 | 300);
	assert_int_equal(got.holes.n, PROGRAM_HOLE_LEN);
	assert_int_equal(ops_getle64(got.holes.p), 1);
	assert_int_equal(ops_getle64(got.holes.p + 8), 2);
	assert_int_equal(got.ppid, 2);
	assert_non_null(procs_find(p, 7, 5));
	procs_free(p);
}

/* Arguments of any length, through a sink that is full again and again. */
static void
test_long_args(void **state)
{
	static uint8_t args[6u << 20];
	struct procs *p = procs_new();
	unsigned calls = 0;

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < sizeof(args); i++)
		args[i] = (uint8_t)(i * 31 >> 3);
	for (size_t n = 4000; n <= sizeof(args);
	     n = n < 20000 ? n + 1777 : 37 * n) {
		struct cap_exec *e = make_exec(args, n);
		struct order_event ev = {
			.u = (void *)e, .args = args, .args_n = n
		};
		size_t at = 0;

		do {
			sink_state.room = calls++ % 7;
		} while (!capture_record(&ev, p, &at, &sink));
		assert_int_equal(sink_state.args_len, n);
		assert_int_equal(sink_state.args.len, n);
		assert_memory_equal(sink_state.args.data, args, n);
	}
	procs_free(p);
}

static void
ended(struct procs *p, uint32_t pid, const char *comm, struct program_ended *r)
{
	struct cap_exit e = { .head = { .type = CAP_EXIT,
				  .time = 100,
				  .pid = pid,
				  .start = 5,
				  .ppid = 1 },
		.uid = 33,
		.status = 9,
		/* 9 isn't in opseald's pid namespace, 7 has another number. */
		.own_pid = pid == 9   ? 0
			   : pid == 7 ? 70
				      : pid,
		.maxrss = 10,
		/* 7 moved as much as is told, the others a byte less. */
		.rchar = pid == 7 ? PROGRAM_IO_MIN : PROGRAM_IO_MIN - 1,
		.wchar = 3 };
	const struct order_event ev = { .u = (void *)&e, .n = sizeof(e) };
	size_t at = 0;

	memcpy(e.comm, comm, strlen(comm) + 1);
	sink_state.room = 0;
	assert_false(capture_record(&ev, p, &at, &sink));
	sink_state.room = 1;
	assert_true(capture_record(&ev, p, &at, &sink));
	assert_int_equal(sink_state.type, REC_ENDED);
	assert_int_equal(program_ended_get(sink_state.last.data,
			     sink_state.last.len, r, NULL),
	    0);
	assert_int_equal(r->status, 9);
	assert_int_equal(r->maxrss, 40);
	assert_null(procs_find(p, pid, 5));
}

static void
test_ended(void **state)
{
	struct cap_exec *e = make_exec(N("sh\0"));
	struct order_event ev = { .u = (void *)e, .args_n = 0 };
	struct cap_fork f = { .head = { .type = CAP_FORK,
				  .pid = 8,
				  .start = 5,
				  .ppid = 7,
				  .pstart = 5 } };
	const struct order_event fork_ev = { .u = (void *)&f, .n = sizeof(f) };
	struct procs *p = procs_new();
	struct program_ended r;
	size_t at = 0;

	(void)state;
	assert_non_null(p);
	sink_state.room = 1;
	assert_true(capture_record(&ev, p, &at, &sink));
	assert_true(capture_record(&fork_ev, p, &at, &sink));
	ended(p, 8, "sh", &r);
	assert_int_equal(r.flags, PROGRAM_FORKED);
	assert_true(r.has_who && r.ppid == 7 && r.uid == 33);
	assert_true(is(r.comm, "sh") && !r.has_own && !r.has_io);
	ended(p, 7, "sh", &r);
	assert_int_equal(r.flags, 0);
	assert_true(!r.has_who && r.comm.p == NULL);
	assert_true(r.has_own && r.own == 70);
	assert_true(r.has_io && r.rchar == PROGRAM_IO_MIN && r.wchar == 3);
	ended(p, 9, "who", &r);
	assert_int_equal(r.flags, PROGRAM_UNSEEN);
	assert_true(r.has_who && r.ppid == 1 && is(r.comm, "who"));
	assert_true(r.has_own && r.own == 0);
	procs_free(p);
}

static void
test_failed(void **state)
{
	static _Alignas(8) uint8_t b[sizeof(struct cap_failed) + 8];
	struct cap_failed *e = (void *)b;
	const struct order_event ev = { .u = (void *)b, .n = sizeof(b) };
	struct procs *p = procs_new();
	struct program_failed got;
	size_t at = 0;

	(void)state;
	assert_non_null(p);
	e->head.type = CAP_FAILED;
	e->head.pid = 7;
	e->head.ppid = 3;
	e->head.pstart = 33;
	e->tty_major = 136;
	e->tty_minor = 4;
	e->tty_dev = 25;
	e->error = 2;
	e->name_n = 8;
	memcpy(b + sizeof(*e), "/nowhere", 8);
	sink_state.room = 1;
	assert_true(capture_record(&ev, p, &at, &sink));
	assert_int_equal(program_failed_get(sink_state.last.data,
			     sink_state.last.len, &got, NULL),
	    0);
	assert_true(got.error == 2 && is(got.name, "/nowhere"));
	assert_true(got.ppid == 3 && got.pstart == 33 && !got.has_ancestor);
	assert_true(got.tty == (136u << 20 | 4) && got.tty_fs == 25);
	procs_free(p);
}

static void
fork_of(struct procs *p, uint32_t pid, uint64_t start, uint32_t ppid,
    uint64_t pstart)
{
	const struct cap_fork f = { .head = { .type = CAP_FORK,
					.pid = pid,
					.start = start,
					.ppid = ppid,
					.pstart = pstart } };

	assert_non_null(procs_fork(p, &f));
}

static void
exec_of(struct procs *p, uint32_t pid, uint64_t start, uint32_t ppid,
    struct program_exec *ret)
{
	struct cap_exec *e = make_exec(N("sh\0"));
	const struct order_event ev = { .u = (void *)e };
	size_t at = 0;

	e->head.pid = pid;
	e->head.start = start;
	e->head.ppid = ppid;
	sink_state.room = 1;
	assert_true(capture_record(&ev, p, &at, &sink));
	assert_int_equal(program_exec_get(sink_state.last.data,
			     sink_state.last.len, ret, NULL),
	    0);
}

/* Below forks that execute nothing, who did is told, and what ran before; also
 * where those forks are gone, and where one of them executes something later. */
static void
test_ancestor(void **state)
{
	const struct proc seed = { .pid = 2, .start = 2 * PROCS_TICK };
	const uint64_t t = 5 * PROCS_TICK;
	struct procs *p = procs_new();
	struct program_exec got;
	struct program_ended r;

	(void)state;
	assert_non_null(p);
	assert_int_equal(procs_seed(p, &seed), 0);
	fork_of(p, 10, t, 2, 2 * PROCS_TICK + 7);
	fork_of(p, 11, t + 1, 10, t);
	exec_of(p, 11, t + 1, 10, &got);
	assert_true(got.ppid == 10 && got.pstart == t && got.has_ancestor);
	assert_int_equal(got.ancestor, 2);
	assert_int_equal(got.ancestor_back, t - 2 * PROCS_TICK);
	fork_of(p, 12, t + 2, 11, t + 1);
	exec_of(p, 12, t + 2, 11, &got);
	assert_false(got.has_ancestor); /* its parent has */
	fork_of(p, 7, 5, 12, t + 2);
	fork_of(p, 13, t + 4, 7, 5);
	fork_of(p, 14, t + 5, 13, t + 4);
	ended(p, 7, "sh", &r);
	exec_of(p, 13, t + 4, 7, &got);
	exec_of(p, 14, t + 5, 1, &got);
	assert_true(got.ppid == 13 && got.has_ancestor && got.ancestor == 12);
	assert_int_equal(got.ancestor_back, 2);
	procs_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_long_args),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_ancestor),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	ops_buf_free(&sink_state.last);
	ops_buf_free(&sink_state.args);
	return rc;
}
