#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/procstat.h"
#include "check.h"

#define BEFORE_START "11814 29295 0 -1 4194304 102 0 0 0 0 0 0 0 20 -5 1 0 "
#define S(name, state, parent, start)                                          \
	"4242 (" name ") " state " " parent " " BEFORE_START start

static void
test_stat(void **state)
{
	/* clang-format off */
	static const struct {
		const char *row, *text;
		char state; /* 0: refused */
		int parent;
		uint64_t start;
	} rows[] = {
		{ "plain",          S("cat", "R", "1", "200888 3133440\n"), 'R', 1, 200888 },
		{ "no parent",      S("init", "S", "0", "1 "), 'S', 0, 1 },
		{ "ended",          S("cat", "Z", "7", "5 0\n"), 'Z', 7, 5 },
		{ "largest",        S("a", "T", "2147483647", "18446744073709551615 "), 'T', INT_MAX, UINT64_MAX },
		{ "name is empty",  S("", "S", "1", "5 "), 'S', 1, 5 },
		{ "name is fields", S("x) R 9 9 9 9", "S", "1", "5 "), 'S', 1, 5 },
		{ "name is all of it", S("1 (b) Z 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 ", "S", "1", "5 "), 'S', 1, 5 },
		{ "newline in it",  S("a\nb", "S", "1", "5 "), 'S', 1, 5 },
		{ "parentheses",    S("((()))", "S", "1", "5 "), 'S', 1, 5 },
		{ "number cut",     S("cat", "R", "1", "2008"), 0, 0, 0 },
		{ "too few",        "4242 (cat) R 1 2 3 4 5\n", 0, 0, 0 },
		{ "no name",        "4242 cat R 1 2 3 4 5\n", 0, 0, 0 },
		{ "empty",          "", 0, 0, 0 },
		{ "parenthesis",    ")", 0, 0, 0 },
		{ "start too big",  S("cat", "R", "1", "18446744073709551616 "), 0, 0, 0 },
		{ "parent too big", S("cat", "R", "2147483648", "5 "), 0, 0, 0 },
		{ "parent negative", S("cat", "R", "-1", "5 "), 0, 0, 0 },
		{ "two blanks",     S("cat", "R ", "1", "5 "), 0, 0, 0 },
		{ "no state",       S("cat", "", "1", "5 "), 0, 0, 0 },
		{ "start negative", S("cat", "R", "1", "-5 "), 0, 0, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].text);
		uint8_t *text = heap_copy(rows[i].text, n);
		struct procstat st = { .state = '?' };
		struct ops_err err = { 0 };
		int rc = procstat_parse((char *)text, n, &st, &err);

		free(text);
		if (rows[i].state == 0) {
			CHECK(rc == -1 && err.code == OPS_EFORMAT, rows[i].row,
			    "taken");
			CHECK(st.state == '?', rows[i].row, "touched");
			continue;
		}
		CHECK(rc == 0, rows[i].row, err.msg);
		CHECK(st.state == rows[i].state, rows[i].row, "state");
		CHECK(st.parent == rows[i].parent, rows[i].row, "parent");
		CHECK(st.start == rows[i].start, rows[i].row, "start");
	}
}

/* As new_encode_dev() makes it: minor 0xfff00fff, major 0xfff in between. */
static void
test_tty(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		bool taken;
		uint32_t major, minor;
	} rows[] = {
		{ "0",           true, 0, 0 },
		{ "34816",       true, 136, 0 },         /* pts/0 */
		{ "34827",       true, 136, 11 },
		{ "1083393",     true, 136, 257 },       /* pts/257: 1 << 20 | 136 << 8 | 1 */
		{ "1025",        true, 4, 1 },           /* tty1 */
		{ "-1",          true, 0xfff, 0xfffff }, /* the largest: printed as an int */
		{ "4294967295",  true, 0xfff, 0xfffff },
		{ "-2147483648", true, 0, 0x80000 },
		{ "4294967296",  false, 0, 0 },
		{ "-",           false, 0, 0 },
		{ "",            false, 0, 0 },
		{ "x",           false, 0, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		struct procstat st = { .tty_major = 77 };
		char text[256];
		int n = snprintf(text, sizeof(text),
		    "4242 (sh) S 1 11814 29295 %s -1 4194304 102 0 0 0 0 0 0 "
		    "0 20 -5 1 0 5 ",
		    rows[i].text);
		int rc = procstat_parse(text, (size_t)n, &st, NULL);

		CHECK((rc == 0) == rows[i].taken, rows[i].text, "taken?");
		CHECK(rc == 0 || st.tty_major == 77, rows[i].text, "touched");
		if (rc < 0)
			continue;
		CHECK(st.tty_major == rows[i].major, rows[i].text, "major");
		CHECK(st.tty_minor == rows[i].minor, rows[i].text, "minor");
	}
}

static void
test_line(void **state)
{
	/* clang-format off */
	static const struct { const char *row, *text; uint32_t want; /* 0: refused */ } rows[] = {
		{ "later",        "Name:\tx\nUid:\t1000\t1000\n", 1000 },
		{ "first",        "Uid:\t7\n", 7 },
		{ "blank",        "Uid: 7\n", 7 },
		{ "in a name",    "Name:\tUid:\t9\nUid:\t7\n", 7 },
		{ "escaped",      "Name:\tx\\nUid:\t9\nUid:\t7\n", 7 },
		{ "longer name",  "FsUid:\t9\nUidx:\t8\nUid:\t7\n", 7 },
		{ "first counts", "Uid:\t7\nUid:\t9\n", 7 },
		{ "largest",      "Uid:\t4294967295\n", UINT32_MAX },
		{ "too big",      "Uid:\t4294967296\n", 0 },
		{ "cut",          "Uid:\t7", 0 },
		{ "no number",    "Uid:\t\n", 0 },
		{ "next line's",  "Uid:\n7\n", 0 },
		{ "signed",       "Uid:\t-7\n", 0 },
		{ "not there",    "Name:\tx\n", 0 },
		{ "empty",        "", 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].text);
		uint8_t *text = heap_copy(rows[i].text, n);
		struct ops_err err = { 0 };
		uint32_t v = 0;
		int rc = procstat_line((char *)text, n, "Uid", 0, &v, &err);

		free(text);
		CHECK(
		    (rc == 0) == (rows[i].want != 0), rows[i].row, "accepted?");
		CHECK(v == rows[i].want, rows[i].row, "number");
		CHECK(rc == 0 || err.code == OPS_EFORMAT, rows[i].row, "code");
	}
}

/* Not the first number of the line. */
static void
test_word(void **state)
{
	/* clang-format off */
	static const struct { const char *text; unsigned word; uint32_t want; /* 0: refused */ } rows[] = {
		{ "Uid:\t1\t2\t3\t4\n",  0, 1 },
		{ "Uid:\t1\t2\t3\t4\n",  1, 2 },
		{ "Uid:\t1\t2\t3\t4\n",  3, 4 },
		{ "Uid: 1  2\n",          1, 2 },
		{ "Uid:\t1\t2\n",         2, 0 },
		{ "Uid:\t1\n2\n",         1, 0 },
		{ "Uid:\t1\t2",           1, 0 },
		{ "Uid:\t-1\t2\n",        1, 0 },
		{ "Uid:\tx\t2\n",         1, 0 },
		{ "Uid:\t1x\t2\n",        1, 0 },
		{ "Uid:\t4294967296\t2\n", 1, 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].text);
		uint8_t *text = heap_copy(rows[i].text, n);
		uint32_t v = 0;
		int rc = procstat_line(
		    (char *)text, n, "Uid", rows[i].word, &v, NULL);

		free(text);
		CHECK((rc == 0) == (rows[i].want != 0), rows[i].text, "taken?");
		CHECK(v == rows[i].want, rows[i].text, "number");
	}
}

static void
test_number(void **state)
{
	uint32_t v = 1;

	(void)state;
	assert_int_equal(procstat_number("4294967295", 10, &v, NULL), 0);
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(procstat_number("1000\n", 5, &v, NULL), 0);
	assert_int_equal(v, 1000);
	assert_int_equal(procstat_number("4294967296", 10, &v, NULL), -1);
	assert_int_equal(procstat_number("", 0, &v, NULL), -1);
	assert_int_equal(procstat_number("-1", 2, &v, NULL), -1);
	assert_int_equal(procstat_number("1 2", 3, &v, NULL), -1);
	assert_int_equal(v, 1000);
}

/* What this kernel says of ourselves. */
static void
test_real(void **state)
{
	static char text[PROCSTAT_TEXT_MAX];
	struct procstat st = { 0 };
	struct ops_err err = { 0 };
	uint32_t v = 0;
	size_t n;
	FILE *f;

	(void)state;
	f = fopen("/proc/self/stat", "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	CHECK(procstat_parse(text, n, &st, &err) == 0, "stat", err.msg);
	assert_int_equal(st.parent, getppid());
	assert_int_equal(st.state, 'R');
	assert_true(st.start > 0);
	f = fopen("/proc/self/status", "re");
	assert_non_null(f);
	n = fread(text, 1, sizeof(text), f);
	fclose(f);
	CHECK(
	    procstat_line(text, n, "PPid", 0, &v, &err) == 0, "PPid", err.msg);
	assert_int_equal(v, getppid());
	CHECK(procstat_line(text, n, "Uid", 0, &v, &err) == 0, "Uid", err.msg);
	assert_int_equal(v, getuid());
}

static void
test_entry(void **state)
{
	static const struct {
		const char *name;
		int n; /* -1: none */
	} rows[] = {
		{ "1", 1 },
		{ "0", 0 },
		{ "2147483647", 2147483647 },
		{ "2147483648", -1 },
		{ "99999999999999999999999", -1 },
		{ "", -1 },
		{ ".", -1 },
		{ "self", -1 },
		{ "12x", -1 },
		{ " 12", -1 },
		{ "+12", -1 },
		{ "-1", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int v = -1;

		CHECK(procstat_entry(rows[i].name, &v) == (rows[i].n >= 0),
		    rows[i].name, "is one");
		CHECK(v == rows[i].n, rows[i].name, "number");
	}
}

static void
test_comm(void **state)
{
	static const struct {
		const char *text, *name;
		size_t size;
	} rows[] = {
		{ "bash\n", "bash", 65 },
		{ "bash", "bash", 65 },
		{ "a\nb\n\n", "a\nb\n", 65 },
		{ "bash\n", "bas", 4 },
		{ "\n", "", 65 },
		{ "", "", 65 },
	};
	char out[65];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		procstat_comm(
		    rows[i].text, strlen(rows[i].text), out, rows[i].size);
		CHECK(strcmp(out, rows[i].name) == 0, rows[i].name, "name");
	}
}

static void
test_made(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		uint64_t made; /* 0: refused */
	} rows[] = {
		{ "cpu  1 2 3\nctxt 5\nbtime 7\nprocesses 4711\nprocs_running 3\n", 4711 },
		{ "cpu 1\nprocesses 18446744073709551615\n", UINT64_MAX },
		{ "cpu 1\nprocesses 18446744073709551616\n", 0 },
		{ "cpu 1\nprocesses 47", 0 }, /* there may be more digits */
		{ "cpu 1\nprocesses \n", 0 },
		{ "cpu 1\nprocesses -1\n", 0 },
		{ "cpu 1\nprocesses", 0 },
		{ "cpu 1\nmyprocesses 5\n", 0 },
		{ "", 0 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].text);
		uint8_t *text = heap_copy(rows[i].text, n);
		uint64_t made = 0;
		struct ops_err err = { 0 };
		int rc = procstat_made((char *)text, n, &made, &err);

		free(text);
		CHECK((rc == 0) == (rows[i].made != 0), rows[i].text, err.msg);
		CHECK(made == rows[i].made, rows[i].text, "number");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_word),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_comm),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests_name("procstat", tests, NULL, NULL);
}
