#include "check.h"

#include "typescript.h"

#define MS UINT64_C(1000000)
#define BYTES(s) (const uint8_t *)(s)

static const struct typescript_meta meta = {
	.start = "2026-11-23 06:38:58+00:00",
	.end = "2026-11-23 06:39:00+00:00",
	.command = BYTES("sh\0-c\0echo \"a\nb\""),
	.command_len = 16,
	.term = BYTES("xterm"),
	.term_len = 5,
	.tty = BYTES("/dev/pts/3"),
	.tty_len = 10,
	.cols = 80,
	.rows = 24,
	.duration = 1500 * MS + 1234,
	.has_exit = true,
	.exit = 3,
};

static void
write_all(struct typescript *t, struct ops_buf *log, struct ops_buf *timing)
{
	typescript_begin(t, &meta, log, timing);
	typescript_output(t, 10 * MS, "hi\r\n", 4, log, timing);
	typescript_output(t, 11 * MS, "", 0, log, timing);
	typescript_resize(t, 20 * MS, 100, 30, timing);
	typescript_output(t, 1010 * MS + 999, "\xff", 1, log, timing);
	typescript_output(t, 1010 * MS, "x", 1, log, timing);
	typescript_end(t, &meta, log, timing);
	ops_buf_put8(log, 0);
	ops_buf_put8(timing, 0);
	assert_false(log->failed || timing->failed);
}

/* Nothing the user claims ends a line or a quote. */
static void
test_log(void **state)
{
	struct ops_buf log = { .max = 4096 }, timing = { .max = 4096 };
	struct typescript t = { .timing = TIMING_CLASSIC };

	(void)state;
	write_all(&t, &log, &timing);
	assert_string_equal((char *)log.data,
	    "Script started on 2026-11-23 06:38:58+00:00 "
	    "[COMMAND=\"sh -c echo 'a\\nb'\" TERM=\"xterm\" "
	    "TTY=\"/dev/pts/3\" COLUMNS=\"80\" LINES=\"24\"]\n"
	    "hi\r\n\xffx"
	    "\nScript done on 2026-11-23 06:39:00+00:00 "
	    "[COMMAND_EXIT_CODE=\"3\"]\n");
	assert_string_equal(
	    (char *)timing.data, "0.010000 4\n1.000000 1\n0.000000 1\n");
	ops_buf_free(&log);
	ops_buf_free(&timing);
}

static void
test_advanced(void **state)
{
	struct ops_buf log = { .max = 4096 }, timing = { .max = 4096 };
	struct typescript t = { .timing = TIMING_ADVANCED };

	(void)state;
	write_all(&t, &log, &timing);
	assert_string_equal((char *)timing.data,
	    "H 0.000000 START_TIME 2026-11-23 06:38:58+00:00\n"
	    "H 0.000000 TERM xterm\n"
	    "H 0.000000 TTY /dev/pts/3\n"
	    "H 0.000000 COLUMNS 80\n"
	    "H 0.000000 LINES 24\n"
	    "H 0.000000 COMMAND sh -c echo 'a\\nb'\n"
	    "O 0.010000 4\n"
	    "S 0.010000 SIGWINCH ROWS=30 COLS=100\n"
	    "O 0.990000 1\n"
	    "O 0.000000 1\n"
	    "H 0.000000 DURATION 1.500001\n"
	    "H 0.000000 EXIT_CODE 3\n");
	ops_buf_free(&log);
	ops_buf_free(&timing);
}

static void
test_no_terminal(void **state)
{
	const struct typescript_meta m = { .start = "S", .end = "E" };
	struct ops_buf log = { .max = 4096 }, timing = { .max = 4096 };
	struct typescript t = { .timing = TIMING_CLASSIC };

	(void)state;
	typescript_begin(&t, &m, &log, &timing);
	typescript_end(&t, &m, &log, &timing);
	ops_buf_put8(&log, 0);
	assert_string_equal((char *)log.data,
	    "Script started on S [<not executed on terminal>]\n"
	    "\nScript done on E [<no exit status>]\n");
	ops_buf_free(&log);
	ops_buf_free(&timing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_advanced),
		cmocka_unit_test(test_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
