#include "base/bytes.h"
#include "check.h"
#include "record/acct.h"

/* A record of Linux 6.18: `sh -c 'kill -SEGV $$'` of uid 1000 on pts/2. */
/* clang-format off */
static const uint8_t segv[ACCT_RECORD_LEN] = {
	0x18, 0x03, 0x02, 0x88, 0x8b, 0x00, 0x00, 0x00,
	0xe8, 0x03, 0x00, 0x00, 0xe9, 0x03, 0x00, 0x00,
	0x92, 0x10, 0x00, 0x00, 0x68, 0x10, 0x00, 0x00,
	0x80, 0x43, 0x6d, 0x38, 0x00, 0x00, 0x38, 0x42,
	0x05, 0x00, 0x02, 0x20, 0x34, 0x0a, 0x1d, 0x00,
	0x00, 0x00, 0x6b, 0x00, 0x03, 0x00, 0x00, 0x00,
	's', 'h', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
/* clang-format on */

static void
test_fields(void **state)
{
	struct acct_record r = { 0 };
	struct ops_err err = { 0 };

	(void)state;
	CHECK(acct_decode(segv, sizeof(segv), &r, &err) == 0, "segv", err.msg);
	assert_int_equal(r.flags, ACCT_CORE | ACCT_SIGNAL);
	assert_int_equal(r.tty, 136 << 20 | 2);
	assert_int_equal(r.status, 0x8b);
	assert_int_equal(r.uid, 1000);
	assert_int_equal(r.gid, 1001);
	assert_int_equal(r.pid, 4242);
	assert_int_equal(r.ppid, 4200);
	assert_int_equal(r.began, 0x386d4380);
	assert_int_equal(r.etime, 46 * ACCT_TICK_NS);
	assert_int_equal(r.utime, 5 * ACCT_TICK_NS);
	assert_int_equal(r.stime, 16 * ACCT_TICK_NS);
	assert_int_equal(r.mem, 0xa34);
	assert_int_equal(r.io, 0x1d);
	assert_int_equal(r.rw, 0);
	assert_int_equal(r.minflt, 107);
	assert_int_equal(r.majflt, 3);
	assert_int_equal(r.swaps, 0);
	assert_int_equal(r.comm_len, 2);
	assert_string_equal(r.comm, "sh");
}

static void
test_comp(void **state)
{
	/* clang-format off */
	static const struct {
		uint16_t c;
		uint64_t v;
	} rows[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 0x1fff, 8191 },
		{ 0x2000, 0 },
		{ 0x2400, 8192 },
		{ 0x3fff, 8191 * 8 },
		{ 0xe001, 1u << 21 },
		{ 0xffff, UINT64_C(8191) << 21 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++)
		assert_int_equal(acct_comp(rows[i].c), rows[i].v);
}

/* One change to the record above, and what it gives. */
static void
test_changed(void **state)
{
	/* clang-format off */
	static const struct {
		const char *row;
		size_t at;
		const char *bytes;
		size_t n;
		const char *says; /* NULL: taken */
		uint64_t etime;   /* ticks */
	} rows[] = {
#define B(s) s, sizeof(s) - 1
		{ "version 1", 1, B("\x01"), "version 1", 0 },
		{ "version 2", 1, B("\x02"), "version 2", 0 },
		{ "version 0", 1, B("\x00"), "no record", 0 },
		{ "version 4", 1, B("\x04"), "no record", 0 },
		{ "version 3, big-endian", 1, B("\x83"), "big-endian", 0 },
		{ "version 2, big-endian", 1, B("\x82"), "version 2", 0 },
		{ "etime negative", 28, B("\x00\x00\x80\xbf"), "elapsed", 0 },
		{ "etime minus nothing", 28, B("\x00\x00\x00\x80"), "elapsed", 0 },
		{ "etime no number", 28, B("\x00\x00\xc0\x7f"), "elapsed", 0 },
		{ "etime infinite", 28, B("\x00\x00\x80\x7f"), "elapsed", 0 },
		{ "etime of 585 years", 28, B("\x95\xbf\xd6\x53"), "elapsed", 0 },
		{ "etime a little less", 28, B("\x00\x00\xd6\x53"), NULL, UINT64_C(0x1ac00000000) },
		{ "etime of a day", 28, B("\x00\xd6\x03\x4b"), NULL, 8640000 },
		{ "etime below a tick", 28, B("\x00\x00\x00\x3f"), NULL, 0 },
		{ "every flag", 0, B("\xff"), NULL, 46 },
		{ "name of 16 bytes", 48, B("0123456789abcdef"), NULL, 46 },
#undef B
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t *p = heap_copy(segv, sizeof(segv));
		struct acct_record r = { .pid = 7 };
		struct ops_err err = { 0 };
		int rc;

		memcpy(p + rows[i].at, rows[i].bytes, rows[i].n);
		rc = acct_decode(p, sizeof(segv), &r, &err);
		if (rows[i].says != NULL) {
			CHECK(rc == -1 && err.code == OPS_EFORMAT, rows[i].row,
			    "taken");
			CHECK(strstr(err.msg, rows[i].says) != NULL,
			    rows[i].row, err.msg);
			CHECK(r.pid == 7, rows[i].row, "touched");
		} else {
			CHECK(rc == 0, rows[i].row, err.msg);
			CHECK(r.etime == rows[i].etime * ACCT_TICK_NS,
			    rows[i].row, "etime");
			CHECK(r.comm_len == (rows[i].at == 48 ? 16 : 2),
			    rows[i].row, "name");
		}
		free(p);
	}
}

static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(segv); n++) {
		uint8_t *p = heap_copy(segv, n);
		struct acct_record r = { .pid = 7 };
		struct ops_err err = { 0 };

		assert_int_equal(acct_decode(p, n, &r, &err), -1);
		assert_int_equal(err.code, OPS_ETRUNC);
		assert_int_equal(r.pid, 7);
		free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_comp),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
