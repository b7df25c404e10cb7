/* Covers: ending */
#include "check.h"

#include "ending.h"
#include "record/record.h"
#include "store_build.h"

#define TICK 10000000u

static struct build b;
static struct store *s;

static void
put(size_t stream, uint8_t type, struct ops_buf *body)
{
	assert_false(body->failed);
	build_record(&b, stream, type, body->data, body->len);
	ops_buf_free(body);
}

static void
end_of(size_t stream, size_t session, uint32_t pid, uint64_t start,
    uint32_t status)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	const struct program_exec x = { .pid = pid, .start = start };
	const struct program_ended e = {
		.pid = pid, .start = start, .status = status
	};

	program_exec_put(&body, b.stream[session].id, &x);
	put(stream, REC_EXEC, &body);
	program_ended_put(&body, b.stream[session].id, &e);
	put(stream, REC_ENDED, &body);
}

/* A command without a terminal, whose CLOSE has no status: as it comes from a
 * kernel that doesn't tell a recorder of others' children. */
static int
setup(void **state)
{
	struct ops_buf body = { .max = RECORD_PAYLOAD_MAX };
	struct event_open o = { .kind = SESSION_COMMAND,
		.pid = 70,
		.start = 500,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET };
	size_t session, stream;

	(void)state;
	build_init(&b);
	build_boot(&b, BOOT_FIRST, NULL);
	build_seal(&b, false, false);
	session = build_stream(&b, CLASS_SCREEN);
	stream = build_stream(&b, CLASS_PROGRAMS);
	o.realtime = b.now + b.wall;
	event_open_put(&body, b.stream[session].id, &o);
	put(b.events, REC_SESSION_OPEN, &body);
	end_of(stream, session, 70, 500 * (uint64_t)TICK + 77, 3 << 8);
	/* Later the same pid, and another process of the session. */
	end_of(stream, session, 70, 501 * (uint64_t)TICK, 4 << 8);
	end_of(stream, session, 71, 500 * (uint64_t)TICK, 5 << 8);
	build_close(&b, session, CLOSE_CLOSED);
	build_seal(&b, false, false);
	return store_open(&b.mem.vfs, 0, &s, NULL);
}

static int
teardown(void **state)
{
	(void)state;
	store_free(s);
	build_free(&b);
	return 0;
}

static void
test_own_process(void **state)
{
	const struct program_filter f = { .forks = true };
	struct session_list sessions;
	struct program_list programs;
	uint64_t since;

	(void)state;
	assert_int_equal(session_list_load(s, NULL, &sessions, NULL), 0);
	assert_int_equal(program_list_load(s, &f, &programs, NULL), 0);
	assert_int_equal(sessions.n, 1);
	assert_true(sessions.s[0].has_close);
	assert_true(ending_wanted(sessions.s, 1, &since));
	assert_true(since > 0 && since < programs.p[0].time);
	ending_fill(sessions.s, 1, &programs);
	assert_true(sessions.s[0].close.has_status);
	assert_int_equal(sessions.s[0].close.status, 3 << 8);
	/* What CLOSE says stands. */
	sessions.s[0].close.status = 7;
	ending_fill(sessions.s, 1, &programs);
	assert_int_equal(sessions.s[0].close.status, 7);
	assert_false(ending_wanted(sessions.s, 1, &since));
	/* On a terminal the recorder itself knows. */
	sessions.s[0].open.kind = SESSION_TERMINAL;
	sessions.s[0].close.has_status = false;
	assert_false(ending_wanted(sessions.s, 1, &since));
	program_list_free(&programs);
	session_list_free(&sessions);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_process),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
