/* Covers: capture_order */
#include "check.h"

#include <errno.h>

#include "capture_order.h"

static struct order *o;
static uint64_t seq[2][4];

static struct cap_head
head(uint16_t type, uint16_t cpu, uint64_t time, uint32_t pid)
{
	return (struct cap_head){ .type = type,
		.cpu = cpu,
		.seq = seq[type == CAP_CHUNK_DATA][cpu]++,
		.time = time,
		.pid = pid,
		.start = 7 };
}

static int
take(enum order_ring ring, const void *p, size_t n, struct ops_err *err)
{
	uint8_t *copy = heap_copy(p, n);
	int rc = order_take(o, ring, copy, n, err);

	free(copy);
	return rc;
}

static void
fork_at(uint16_t cpu, uint64_t time, uint32_t pid)
{
	struct cap_fork f = { .head = head(CAP_FORK, cpu, time, pid) };

	f.head.size = sizeof(f);
	assert_int_equal(take(ORDER_HEADS, &f, sizeof(f), NULL), 0);
}

/* An exec with inline arguments, or a promise of args_len in pieces. */
static void
exec_at(uint64_t time, uint32_t pid, const char *args, uint64_t args_len)
{
	uint8_t b[sizeof(struct cap_exec) + 100] = { 0 };
	struct cap_exec e = { .head = head(CAP_EXEC, 0, time, pid) };
	uint32_t n = args == NULL ? 0 : (uint32_t)args_len;

	e.args_len = args_len;
	e.flags = args == NULL ? CAP_ARGS_BULK : 0;
	e.args_end = e.filename_end = e.interp_end = e.exe_end = e.cwd_end =
	    e.end = n;
	e.head.size = (uint32_t)sizeof(e) + n;
	memcpy(b, &e, sizeof(e));
	if (n > 0)
		memcpy(b + sizeof(e), args, n);
	/* The ring gives more than is used. */
	assert_int_equal(take(ORDER_HEADS, b, sizeof(b), NULL), 0);
}

static void
piece(uint64_t time, uint32_t pid, uint64_t left, uint32_t n, uint32_t faults)
{
	static uint8_t b[sizeof(struct cap_chunk) + CAP_CHUNK];
	struct cap_chunk k = { .head = head(CAP_CHUNK_DATA, 0, time, pid) };

	k.left = left;
	k.n = n;
	k.faults = faults;
	k.head.size = (uint32_t)sizeof(k) + n;
	memcpy(b, &k, sizeof(k));
	memset(b + sizeof(k), (int)('a' + left / CAP_CHUNK), n);
	assert_int_equal(take(ORDER_BULK, b, sizeof(k) + n, NULL), 0);
}

static void
begin(void)
{
	o = order_new();
	assert_non_null(o);
	memset(seq, 0, sizeof(seq));
}

static void
test_order(void **state)
{
	static const uint32_t want[] = { 3, 1, 2, 4 };

	(void)state;
	begin();
	fork_at(0, 100, 1);
	fork_at(1, 200, 2);
	fork_at(2, 50, 3);
	fork_at(0, 200, 4);
	order_read(o, 0);
	assert_null(order_next(o, 50));
	for (size_t i = 0; i < 4; i++) {
		const struct order_event *ev = order_next(o, 201);

		assert_non_null(ev);
		assert_ptr_equal(order_next(o, 201), ev);
		assert_int_equal(ev->u->head.pid, want[i]);
		order_done(o);
	}
	assert_null(order_next(o, UINT64_MAX));
	assert_int_equal(order_count(o), 0);
	assert_int_equal(order_skipped(o), 0);
	order_free(o);
}

/* What is being told is not left half told for one that comes late. */
static void
test_given_out(void **state)
{
	const struct order_event *ev;

	(void)state;
	begin();
	fork_at(0, 100, 1);
	fork_at(0, 300, 2);
	ev = order_next(o, 101);
	assert_int_equal(ev->u->head.pid, 1);
	fork_at(1, 50, 3);
	assert_ptr_equal(order_next(o, 101), ev);
	order_done(o);
	assert_int_equal(order_next(o, 101)->u->head.pid, 3);
	order_done(o);
	assert_int_equal(order_next(o, 301)->u->head.pid, 2);
	order_free(o);
}

static void
test_many(void **state)
{
	uint64_t last = 0;
	size_t n = 0;

	(void)state;
	begin();
	for (unsigned i = 0; i < 30000; i++) {
		const struct order_event *ev;

		fork_at((uint16_t)(i % 4), i * 10 + (i * 7919) % 31, i);
		while (i % 100 == 0 &&
		       (ev = order_next(o, i * 10 - 400)) != NULL) {
			assert_true(ev->u->head.time >= last);
			last = ev->u->head.time;
			n++;
			order_done(o);
		}
	}
	for (const struct order_event *ev;
	     (ev = order_next(o, UINT64_MAX)) != NULL; n++) {
		assert_true(ev->u->head.time >= last);
		last = ev->u->head.time;
		order_done(o);
	}
	assert_int_equal(n, 30000);
	order_free(o);
}

static void
test_args(void **state)
{
	const struct order_event *ev;

	(void)state;
	begin();
	exec_at(10, 1, "ls\0-l", 6);
	order_read(o, 0);
	ev = order_next(o, 11);
	assert_int_equal(ev->args_n, 6);
	assert_memory_equal(ev->args, "ls\0-l", 6);
	assert_int_equal(ev->holes, 0);
	order_done(o);
	/* In pieces, which may be read before their exec. */
	piece(20, 1, CAP_CHUNK + 5, CAP_CHUNK, 0);
	exec_at(20, 1, NULL, CAP_CHUNK + 5);
	order_read(o, 0);
	fork_at(1, 21, 2);
	assert_null(order_next(o, 22)); /* it waits, and what is behind it */
	piece(20, 1, 5, 5, 0);
	order_read(o, 0);
	ev = order_next(o, 22);
	assert_non_null(ev);
	assert_int_equal(ev->args_n, CAP_CHUNK + 5);
	assert_int_equal(ev->args[CAP_CHUNK - 1], 'b');
	assert_int_equal(ev->args[CAP_CHUNK], 'a');
	assert_int_equal(ev->holes, 0);
	order_done(o);
	assert_non_null(order_next(o, 22));
	order_free(o);
}

static void
test_holes(void **state)
{
	const struct order_event *ev;

	(void)state;
	begin();
	exec_at(20, 1, NULL, 3 * CAP_CHUNK);
	piece(20, 1, 3 * CAP_CHUNK, CAP_CHUNK, 1u << 1 | 1u << 2);
	seq[1][0]++;           /* the second was lost, */
	piece(20, 9, 5, 5, 0); /* and somebody else's exec */
	order_read(o, 0);
	assert_null(order_next(o, 21));
	ev = order_next(o, 20 + ORDER_ARGS_NS);
	assert_non_null(ev);
	assert_int_equal(ev->holes, 2);
	assert_int_equal(ev->hole[0].offset, CAP_PAGE);
	assert_int_equal(ev->hole[0].length, 2 * CAP_PAGE);
	assert_int_equal(ev->hole[1].offset, CAP_CHUNK);
	assert_int_equal(ev->hole[1].length, 2 * CAP_CHUNK);
	assert_int_equal(ev->args[CAP_PAGE], 0);
	assert_int_equal(ev->args[0], 'd');
	/* What comes now comes too late. */
	piece(20, 1, CAP_CHUNK, CAP_CHUNK, 0);
	order_read(o, 0);
	assert_ptr_equal(order_next(o, UINT64_MAX), ev);
	assert_int_equal(ev->holes, 2);
	order_done(o);
	assert_int_equal(order_skipped(o), 1);
	/* None came at all. */
	exec_at(30, 1, NULL, 9000);
	order_read(o, 0);
	ev = order_next(o, UINT64_MAX);
	assert_int_equal(ev->args_n, 0);
	assert_int_equal(ev->holes, 1);
	assert_int_equal(ev->hole[0].length, 9000);
	order_free(o);
}

/* The environment of the newest exec of pid 1: n of left bytes. */
static void
environment(uint64_t time, uint64_t left, uint32_t n)
{
	piece(time, 1, left, n, CAP_CHUNK_ENV);
}

static void
exec_with_env(uint64_t time)
{
	uint8_t b[sizeof(struct cap_exec)] = { 0 };
	struct cap_exec e = { .head = head(CAP_EXEC, 0, time, 1) };

	e.flags = CAP_ENV;
	e.head.size = sizeof(e);
	memcpy(b, &e, sizeof(e));
	assert_int_equal(take(ORDER_HEADS, b, sizeof(b), NULL), 0);
}

/* All of it, a part of it, none of it, and one that doesn't come. */
static void
test_env(void **state)
{
	const struct {
		uint64_t left;
		uint32_t n;
		bool comes, cut;
	} rows[] = { { 10, 10, true, false },
		{ CAP_CHUNK + 1, CAP_CHUNK, true, true }, { 10, 0, true, true },
		{ 10, 10, false, true } };

	(void)state;
	begin();
	for (size_t i = 0; i < 4; i++) {
		uint64_t time = 10 + i;
		const struct order_event *ev;

		exec_with_env(time);
		assert_null(order_next(o, time + 1));
		if (rows[i].comes)
			environment(time, rows[i].left, rows[i].n);
		order_read(o, time);
		if (!rows[i].comes)
			assert_null(order_next(o, time + 1));
		ev = order_next(o, time + (rows[i].comes ? 1 : ORDER_ARGS_NS));
		assert_non_null(ev);
		assert_int_equal(ev->env_n, rows[i].comes ? rows[i].n : 0);
		assert_int_equal(ev->env_cut, rows[i].cut);
		order_done(o);
	}
	assert_int_equal(order_memory(o), 0);
	assert_int_equal(order_heads(o), 0);
	order_free(o);
}

static void
failed_at(uint64_t time, uint32_t pid, int error, const char *name)
{
	uint8_t bytes[sizeof(struct cap_failed) + 64] = { 0 };
	struct cap_failed f = { .head = head(CAP_FAILED, 0, time, pid) };

	f.error = error;
	f.name_n = (uint32_t)strlen(name);
	f.head.size = (uint32_t)(sizeof(f) + f.name_n);
	memcpy(bytes, &f, sizeof(f));
	memcpy(bytes + sizeof(f), name, f.name_n);
	assert_int_equal(take(ORDER_HEADS, bytes, f.head.size, NULL), 0);
}

static void
executed_at(uint64_t time, uint32_t pid, const char *name)
{
	uint8_t bytes[sizeof(struct cap_exec) + 64] = { 0 };
	struct cap_exec e = { .head = head(CAP_EXEC, 0, time, pid) };
	uint32_t n = (uint32_t)strlen(name);

	e.filename_end = e.interp_end = e.exe_end = e.cwd_end = e.end = n;
	e.head.size = (uint32_t)sizeof(e) + n;
	memcpy(bytes, &e, sizeof(e));
	memcpy(bytes + sizeof(e), name, n);
	assert_int_equal(take(ORDER_HEADS, bytes, e.head.size, NULL), 0);
}

/* execvp(3) asks in each folder of PATH; what it finds nowhere is told. */
static void
test_search(void **state)
{
	static const bool want[] = { true, true, false, false, false, false };

	(void)state;
	begin();
	failed_at(1, 7, ENOENT, "/usr/local/bin/ls");
	failed_at(2, 7, EACCES, "/opt/ls");
	failed_at(3, 8, ENOENT, "/bin/ls");        /* another process */
	failed_at(4, 9, ENOENT, "/usr/bin/other"); /* another name */
	executed_at(5, 7, "ls");
	executed_at(6, 9, "/bin/ls");
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		assert_non_null(order_next(o, UINT64_MAX));
		assert_int_equal(order_is_search(o), want[i]);
		order_done(o);
	}
	assert_false(order_is_search(o));
	failed_at(7, 7, ENOEXEC, "/bin/ls"); /* it was there */
	executed_at(8, 7, "/bin/ls");
	assert_non_null(order_next(o, UINT64_MAX));
	assert_false(order_is_search(o));
	order_free(o);
}

static void
test_lost(void **state)
{
	(void)state;
	begin();
	fork_at(0, 1, 1);
	seq[0][0] += 5;
	fork_at(0, 2, 2);
	seq[0][0] -= 3; /* one of them was only late */
	fork_at(0, 3, 3);
	assert_int_equal(order_skipped(o), 4);
	order_free(o);
}

static void
test_refused(void **state)
{
	struct cap_fork f = { .head = head(CAP_FORK, 0, 1, 1) };
	struct cap_exec e = { .head = head(CAP_EXEC, 0, 1, 1) };
	struct cap_chunk k = { .head = head(CAP_CHUNK_DATA, 0, 1, 1) };

	(void)state;
	begin();
	for (size_t n = 0; n < sizeof(f); n++) {
		f.head.size = (uint32_t)n;
		assert_int_equal(take(ORDER_HEADS, &f, n, NULL), -1);
	}
	f.head.size = sizeof(f) + 1;
	assert_int_equal(take(ORDER_HEADS, &f, sizeof(f), NULL), -1);
	f.head.size = sizeof(f);
	f.head.cpu = ORDER_CPUS_MAX;
	assert_int_equal(take(ORDER_HEADS, &f, sizeof(f), NULL), -1);
	e.head.size = sizeof(e);
	e.cwd_end = 1;
	assert_int_equal(take(ORDER_HEADS, &e, sizeof(e), NULL), -1);
	e.end = 1;
	assert_int_equal(take(ORDER_HEADS, &e, sizeof(e), NULL), -1);
	k.head.size = sizeof(k);
	k.n = 1;
	k.left = 1;
	assert_int_equal(take(ORDER_BULK, &k, sizeof(k), NULL), -1);
	k.n = 0;
	k.left = 0;
	k.head.type = CAP_EXIT;
	assert_int_equal(take(ORDER_BULK, &k, sizeof(k), NULL), -1);
	assert_int_equal(order_count(o), 0);
	order_free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_given_out),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
