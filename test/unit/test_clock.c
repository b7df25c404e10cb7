/* Covers: clock, timeparse */
#include "check.h"

#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"

#define NS UINT64_C(1000000000)

static void
set_zone(const char *tz)
{
	setenv("TZ", tz, 1);
	tzset();
}

/* Zones as rules, so that no test needs the zone database. */
#define TOKYO "JST-9"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"
#define KOLKATA "IST-5:30"
#define SANTIAGO "<-04>4<-03>,M9.1.6/24,M4.1.6/24"

static void
fixed(struct ops_clock *ret)
{
	*ret = (struct ops_clock){ 1, 2, 3, 4 };
}

static void
test_read(void **state)
{
	struct ops_clock a, b;
	uint64_t boot;

	(void)state;
	ops_clock_read(&a);
	boot = ops_boottime();
	ops_clock_read(&b);
	assert_true(a.boottime <= boot && boot <= b.boottime);
	assert_true(a.monotonic <= b.monotonic);
	assert_true(a.monotonic <= a.boottime + NS);
	assert_true(a.realtime > 1700000000 * NS);

	ops_clock_set(fixed);
	ops_clock_read(&a);
	assert_int_equal(a.boottime, 1);
	assert_int_equal(a.realtime, 3);
	assert_int_equal(a.state, 4);
	assert_int_equal(ops_boottime(), 1);
	ops_clock_set(NULL);
	assert_true(ops_boottime() >= boot);
}

static void
test_boot_id(void **state)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 };
	struct ops_err err = { 0 };
	char text[40], want[40] = "";
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	(void)state;
	if (f == NULL)
		skip();
	assert_non_null(fgets(want, sizeof(want), f));
	fclose(f);
	assert_int_equal(ops_boot_id(a, &err), 0);
	assert_int_equal(ops_boot_id(b, &err), 0);
	assert_memory_equal(a, b, sizeof(a));
	snprintf(text, sizeof(text),
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x\n",
	    a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10],
	    a[11], a[12], a[13], a[14], a[15]);
	assert_string_equal(text, want);
}

/* One line of text, whatever stands there; "" where there is none. */
static void
test_machine_id(void **state)
{
	struct ops_buf id = { 0 };
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(ops_machine_id(&id, &err), 0);
	assert_true(id.len > 0);
	assert_int_equal(id.data[id.len - 1], '\0');
	assert_int_equal(strlen((const char *)id.data), id.len - 1);
	for (size_t i = 0; i + 1 < id.len; i++)
		assert_true(id.data[i] > ' ');
	ops_buf_free(&id);
}

static void
test_print(void **state)
{
	/* 2026-11-23T08:14:07.123456789Z */
	const uint64_t t = UINT64_C(1795421647123456789);
	static const struct {
		const char *tz, *rfc3339, *text;
	} rows[] = {
		{ TOKYO, "2026-11-23T17:14:07.123456789+09:00",
		    "2026-11-23 17:14:07" },
		{ NEW_YORK, "2026-11-23T03:14:07.123456789-05:00",
		    "2026-11-23 03:14:07" },
		{ KOLKATA, "2026-11-23T13:44:07.123456789+05:30",
		    "2026-11-23 13:44:07" },
		{ "CET-1", "2026-11-23T09:14:07.123456789+01:00",
		    "2026-11-23 09:14:07" },
		{ "UTC", "2026-11-23T08:14:07.123456789+00:00",
		    "2026-11-23 08:14:07" },
		/* An offset that RFC 3339 can't say. */
		{ "LMT0:44:30", "2026-11-23T08:14:07.123456789+00:00",
		    "2026-11-23 08:14:07" },
	};
	char out[OPS_TIME_TEXT];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		set_zone(rows[i].tz);
		ops_time_rfc3339(t, 0, out);
		CHECK(strcmp(out, rows[i].rfc3339) == 0, rows[i].tz, out);
		ops_time_short(t, 0, out);
		CHECK(strcmp(out, rows[i].text) == 0, rows[i].tz, out);
		ops_time_rfc3339(t, 1, out);
		assert_string_equal(out, "2026-11-23T08:14:07.123456789Z");
		ops_time_short(t, 1, out);
		assert_string_equal(out, "2026-11-23 08:14:07");
		ops_time_day(UINT64_C(1795478399999999999), out);
		assert_string_equal(out, "2026-11-23");
		ops_time_day(UINT64_C(1795478400000000000), out);
		assert_string_equal(out, "2026-11-24");
	}
	ops_time_rfc3339(0, 1, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000000000Z");
	ops_time_rfc3339(UINT64_MAX, 1, out);
	assert_string_equal(out, "2554-07-21T23:34:33.709551615Z");
}

/* now: 2026-11-23T08:14:07.5Z, which is 17:14 in Tokyo, 03:14 in New York.
 * want is UTC, "" where the text must be refused. */
/* clang-format off */
static const struct {
	const char *tz, *text, *want;
} times[] = {
	{ TOKYO, "now",				"2026-11-23T08:14:07.500000000Z" },
	{ TOKYO, "today",			"2026-11-22T15:00:00.000000000Z" },
	{ TOKYO, "yesterday",			"2026-11-21T15:00:00.000000000Z" },
	{ TOKYO, "tomorrow",			"2026-11-23T15:00:00.000000000Z" },
	{ TOKYO, " tomorrow ",			"2026-11-23T15:00:00.000000000Z" },
	{ TOKYO, "2026-11-23 09:14",		"2026-11-23T00:14:00.000000000Z" },
	{ TOKYO, "2026-11-23 09:14:07",		"2026-11-23T00:14:07.000000000Z" },
	{ TOKYO, "2026-11-23 09:14:07.25",	"2026-11-23T00:14:07.250000000Z" },
	{ TOKYO, "2026-11-23T09:14:07",		"2026-11-23T00:14:07.000000000Z" },
	{ TOKYO, "2026-11-23",			"2026-11-22T15:00:00.000000000Z" },
	{ TOKYO, "09:14",			"2026-11-23T00:14:00.000000000Z" },
	{ TOKYO, "23:59:59.999999999",		"2026-11-23T14:59:59.999999999Z" },
	{ TOKYO, "00:00",			"2026-11-22T15:00:00.000000000Z" },
	{ TOKYO, "2026-11-23T09:14:07Z",	"2026-11-23T09:14:07.000000000Z" },
	{ TOKYO, "2026-11-23t09:14:07z",	"2026-11-23T09:14:07.000000000Z" },
	{ TOKYO, "2026-11-23 09:14:07 UTC",	"2026-11-23T09:14:07.000000000Z" },
	{ TOKYO, "2026-11-23T09:14:07.123456789+01:00",
						"2026-11-23T08:14:07.123456789Z" },
	{ TOKYO, "2026-11-23T09:14:07-0330",	"2026-11-23T12:44:07.000000000Z" },
	{ TOKYO, "@1795421647",			"2026-11-23T08:14:07.000000000Z" },
	{ TOKYO, "@1795421647.000000001",	"2026-11-23T08:14:07.000000001Z" },
	{ TOKYO, "@0",				"1970-01-01T00:00:00.000000000Z" },
	{ TOKYO, "@18446744073.709551615",	"2554-07-21T23:34:33.709551615Z" },
	{ TOKYO, "-2h",				"2026-11-23T06:14:07.500000000Z" },
	{ TOKYO, "+5min",			"2026-11-23T08:19:07.500000000Z" },
	{ TOKYO, "2 days ago",			"2026-11-21T08:14:07.500000000Z" },
	{ TOKYO, "1h 30min ago",		"2026-11-23T06:44:07.500000000Z" },
	{ TOKYO, "1h30min ago",			"2026-11-23T06:44:07.500000000Z" },
	{ TOKYO, "-1.5s",			"2026-11-23T08:14:06.000000000Z" },
	{ TOKYO, "-90",				"2026-11-23T08:12:37.500000000Z" },
	{ TOKYO, "1 week ago",			"2026-11-16T08:14:07.500000000Z" },
	{ TOKYO, "1 month ago",			"2026-10-23T21:44:07.500000000Z" },
	{ TOKYO, "1 year ago",			"2025-11-23T02:14:07.500000000Z" },
	{ TOKYO, "-1M",				"2026-10-23T21:44:07.500000000Z" },
	{ TOKYO, "-1m",				"2026-11-23T08:13:07.500000000Z" },
	{ TOKYO, "2028-02-29",			"2028-02-28T15:00:00.000000000Z" },
	{ TOKYO, "2500-12-31 23:59",		"2500-12-31T14:59:00.000000000Z" },
	{ TOKYO, "1970-01-01 09:00",		"1970-01-01T00:00:00.000000000Z" },

	{ NEW_YORK, "today",			"2026-11-23T05:00:00.000000000Z" },
	{ NEW_YORK, "yesterday",		"2026-11-22T05:00:00.000000000Z" },
	{ NEW_YORK, "09:14",			"2026-11-23T14:14:00.000000000Z" },
	{ NEW_YORK, "2026-07-01 12:00",		"2026-07-01T16:00:00.000000000Z" },
	/* Clocks go from 01:59 EST to 03:00 EDT: 02:30 never comes. */
	{ NEW_YORK, "2026-03-08 01:59:59",	"2026-03-08T06:59:59.000000000Z" },
	{ NEW_YORK, "2026-03-08 02:00",		"2026-03-08T07:00:00.000000000Z" },
	{ NEW_YORK, "2026-03-08 02:30",		"2026-03-08T07:30:00.000000000Z" },
	{ NEW_YORK, "2026-03-08 03:00",		"2026-03-08T07:00:00.000000000Z" },
	{ NEW_YORK, "2026-03-08 03:30",		"2026-03-08T07:30:00.000000000Z" },
	{ NEW_YORK, "2026-03-09",		"2026-03-09T04:00:00.000000000Z" },
	/* From 01:59 EDT to 01:00 EST: 01:30 comes twice, the first is meant. */
	{ NEW_YORK, "2026-11-01 00:59",		"2026-11-01T04:59:00.000000000Z" },
	{ NEW_YORK, "2026-11-01 01:30",		"2026-11-01T05:30:00.000000000Z" },
	{ NEW_YORK, "2026-11-01 02:00",		"2026-11-01T07:00:00.000000000Z" },
	{ NEW_YORK, "2026-11-01 01:30 -0500",	"2026-11-01T06:30:00.000000000Z" },
	/* Here the midnight itself may not come. */
	{ SANTIAGO, "2026-09-06",		"2026-09-06T04:00:00.000000000Z" },
	{ SANTIAGO, "2026-09-06 01:00",		"2026-09-06T04:00:00.000000000Z" },
	{ SANTIAGO, "2026-09-05",		"2026-09-05T04:00:00.000000000Z" },

	{ NEW_YORK, "1969-12-31 19:00",		"1970-01-01T00:00:00.000000000Z" },
	{ NEW_YORK, "1969-12-31 18:59:59", "" },

	{ TOKYO, "", "" },			{ TOKYO, "   ", "" },
	{ TOKYO, "nowhere", "" },		{ TOKYO, "now 09:00", "" },
	{ TOKYO, "2026-11-23 09:14 x", "" },	{ TOKYO, "2026-11-23T", "" },
	{ TOKYO, "2026-13-01", "" },		{ TOKYO, "2026-00-01", "" },
	{ TOKYO, "2026-02-29", "" },		{ TOKYO, "2100-02-29", "" },
	{ TOKYO, "2026-04-31", "" },		{ TOKYO, "2026-11-00", "" },
	{ TOKYO, "2026-1-01", "" },		{ TOKYO, "02026-11-01", "" },
	{ TOKYO, "2501-01-01", "" },		{ TOKYO, "1969-12-31", "" },
	{ TOKYO, "1970-01-01", "" },		/* 15:00 the day before in UTC */
	{ TOKYO, "24:00", "" },			{ TOKYO, "23:60", "" },
	{ TOKYO, "23:59:60", "" },		{ TOKYO, "9:14", "" },
	{ TOKYO, "09:14:", "" },		{ TOKYO, "09:14:07.", "" },
	{ TOKYO, "09:14:07.1234567890", "" },	{ TOKYO, "@", "" },
	{ TOKYO, "@x", "" },			{ TOKYO, "@-1", "" },
	{ TOKYO, "@18446744073.709551616", "" },{ TOKYO, "@18446744074", "" },
	{ TOKYO, "2h", "" },			{ TOKYO, "2 days", "" },
	{ TOKYO, "ago", "" },			{ TOKYO, "-2h ago", "" },
	{ TOKYO, "-", "" },			{ TOKYO, "-2 parsecs", "" },
	{ TOKYO, "-100 years", "" },		{ TOKYO, "+600 years", "" },
	{ TOKYO, "2026-11-23 09:14 +25:00", "" },
	{ TOKYO, "2026-11-23 09:14 +0960", "" },
	{ TOKYO, "2026-11-23 09:14 +09:0", "" },
};
/* clang-format on */

static void
test_parse(void **state)
{
	const uint64_t now = UINT64_C(1795421647500000000);

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(times); i++) {
		const char *text = times[i].text;
		char out[OPS_TIME_TEXT] = "";
		struct ops_err err = { 0 };
		uint64_t t = 42;
		int rc;

		set_zone(times[i].tz);
		rc = ops_time_parse(text, now, &t, &err);
		if (times[i].want[0] == '\0') {
			CHECK(rc == -1, text, "accepted");
			CHECK(err.code == OPS_EUSAGE, text, "code");
			CHECK(t == 42, text, "output touched");
			continue;
		}
		CHECK(rc == 0, text, err.msg);
		ops_time_rfc3339(t, 1, out);
		CHECK(strcmp(out, times[i].want) == 0, text, out);
	}
}

/* What is printed is read back, every 7 hours 13 minutes of three years. */
static void
test_parse_printed(void **state)
{
	static const char *const zones[] = { TOKYO, NEW_YORK, KOLKATA,
		SANTIAGO };
	char out[OPS_TIME_TEXT];
	uint64_t back;

	(void)state;
	for (size_t z = 0; z < OPS_ARRAY_LEN(zones); z++) {
		set_zone(zones[z]);
		for (uint64_t t = 1767225600; t < 1861920000; t += 25987) {
			ops_time_rfc3339(t * NS + 1, 0, out);
			CHECK(
			    ops_time_parse(out, 0, &back, NULL) == 0, out, "");
			CHECK(back == t * NS + 1, out, "differs");
			ops_time_short(t * NS, 0, out);
			CHECK(
			    ops_time_parse(out, 0, &back, NULL) == 0, out, "");
			/* The second of two equal times can't be said. */
			CHECK(back == t * NS || back == (t - 3600) * NS, out,
			    "differs");
		}
	}
}

/* The zone database, where there is one, gives the same. */
static void
test_parse_tzdata(void **state)
{
	uint64_t t;

	(void)state;
	if (access("/usr/share/zoneinfo/America/New_York", R_OK) != 0 ||
	    access("/usr/share/zoneinfo/Pacific/Apia", R_OK) != 0)
		skip();
	set_zone("America/New_York");
	assert_int_equal(ops_time_parse("2026-03-08 02:30", 0, &t, NULL), 0);
	assert_int_equal(t / NS, 1772955000);
	set_zone("Asia/Tokyo");
	assert_int_equal(ops_time_parse("2026-03-08 02:30", 0, &t, NULL), 0);
	assert_int_equal(t / NS, 1772904600);
	/* A whole day that never came. */
	set_zone("Pacific/Apia");
	assert_int_equal(ops_time_parse("2011-12-30 12:00", 0, &t, NULL), 0);
	assert_int_equal(t / NS, 1325282400);
}

/* clang-format off */
static const struct {
	const char *text;
	uint64_t ns;
	int rc;
} durations[] = {
	{ "3s",			3 * NS,				0 },
	{ "250ms",		250000000,			0 },
	{ "1min",		60 * NS,			0 },
	{ "1h 30min",		5400 * NS,			0 },
	{ "1h30m",		5400 * NS,			0 },
	{ "60",			60 * NS,			0 },
	{ "0",			0,				0 },
	{ "0.5",		NS / 2,				0 },
	{ "1.5h",		5400 * NS,			0 },
	{ " 2 days ",		172800 * NS,			0 },
	{ "1w",			604800 * NS,			0 },
	{ "1y",			31557600 * NS,			0 },
	{ "1 month",		2629800 * NS,			0 },
	{ "7ns",		7,				0 },
	{ "7us",		7000,				0 },
	{ "7\xc2\xb5s",		7000,				0 },
	{ "18446744073709551615ns", UINT64_MAX,			0 },
	{ "0.000000001",	1,				0 },
	{ "18446744073709551615ns 1ns", 42,			-1 },
	{ "18446744073709551616ns", 42,				-1 },
	{ "600y",		42,				-1 },
	{ "",			42,				-1 },
	{ "s",			42,				-1 },
	{ "-3s",		42,				-1 },
	{ "1h 30",		42,				-1 },
	{ "3 x",		42,				-1 },
	{ "3s x",		42,				-1 },
	{ "3.s",		42,				-1 },
	{ "3.1.2s",		42,				-1 },
	{ "1,5h",		42,				-1 },
	{ "5 ss",		42,				-1 },
}, offsets[] = {
	{ "83",			83 * NS,			0 },
	{ "1:23",		83 * NS,			0 },
	{ "0:00",		0,				0 },
	{ "1:02:03",		3723 * NS,			0 },
	{ "1:02:03.5",		3723 * NS + NS / 2,		0 },
	{ "90:00",		5400 * NS,			0 },
	{ "83.25",		83 * NS + NS / 4,		0 },
	{ "18446744073.709551615", UINT64_MAX,			0 },
	{ "18446744073.709551616", 42,				-1 },
	{ "18446744074",	42,				-1 },
	{ "99999999999999999:00:00", 42,			-1 },
	{ "",			42,				-1 },
	{ "1:2",		42,				-1 },
	{ "1:60",		42,				-1 },
	{ "1:60:00",		42,				-1 },
	{ ":23",		42,				-1 },
	{ "1:",			42,				-1 },
	{ "1:02:03:04",		42,				-1 },
	{ "-1",			42,				-1 },
	{ "1:23 ",		42,				-1 },
	{ "1:23.",		42,				-1 },
};
/* clang-format on */

static void
test_durations(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(durations); i++) {
		uint64_t ns = 42;
		int rc = ops_duration_parse(durations[i].text, &ns, NULL);

		CHECK(rc == durations[i].rc, durations[i].text, "result");
		CHECK(ns == durations[i].ns, durations[i].text, "value");
	}
}

static void
test_offsets(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "0:00" },
		{ 83 * NS, "1:23" },
		{ 83 * NS + NS - 1, "1:23" },
		{ 3599 * NS, "59:59" },
		{ 3723 * NS, "1:02:03" },
		{ UINT64_MAX, "5124095:34:33" },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(offsets); i++) {
		uint64_t ns = 42;
		int rc = ops_offset_parse(offsets[i].text, &ns, NULL);

		CHECK(rc == offsets[i].rc, offsets[i].text, "result");
		CHECK(ns == offsets[i].ns, offsets[i].text, "value");
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint64_t back;
		char out[24];

		ops_offset_text(rows[i].ns, out);
		CHECK(strcmp(out, rows[i].text) == 0, rows[i].text, out);
		assert_int_equal(ops_offset_parse(out, &back, NULL), 0);
		assert_int_equal(back, rows[i].ns / NS * NS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_boot_id),
		cmocka_unit_test(test_machine_id),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_printed),
		cmocka_unit_test(test_parse_tzdata),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_offsets),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
