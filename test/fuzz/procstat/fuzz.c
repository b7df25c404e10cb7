/*
 * procstat - a process with any name, state and numbers: its stat is read as
 * it was written, whatever the name holds, and no cut of it gives other
 * numbers.  And any bytes at all: what is refused touches nothing, and a
 * number found is one that stands there.
 */
#include "../fuzz.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/procstat.h"

#define NAME_MAX_LEN 64

static void
check_stat(struct fuzz_in in)
{
	static const char states[] = "RSDTtXZPI";
	char text[512], name[NAME_MAX_LEN];
	struct procstat want = { 0 }, got = { 0 };
	size_t len = fuzz_byte(&in) % (NAME_MAX_LEN + 1), n;
	uint32_t parent;

	want.state = states[fuzz_byte(&in) % (sizeof(states) - 1)];
	fuzz_take(&in, &parent, sizeof(parent));
	fuzz_take(&in, &want.start, sizeof(want.start));
	want.parent = (pid_t)(parent & INT_MAX);
	want.tty_major = 136; /* 34818: the third pty */
	want.tty_minor = 2;
	fuzz_take(&in, name, len);
	n = (size_t)snprintf(text, sizeof(text), "%d (", 4711);
	memcpy(text + n, name, len);
	n += len;
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	    ") %c %d 1 -2 34818 4 5 6 7 8 9 10 11 12 13 14 -15 16 17 %" PRIu64
	    " 23 24\n",
	    want.state, want.parent, want.start);
	for (size_t cut = 0; cut <= n; cut++) {
		int rc = procstat_parse(text, cut, &got, NULL);

		REQUIRE(cut < n || rc == 0);
		/* A cut inside the name may look like another process. */
		if (rc == 0 && memchr(name, ')', len) == NULL)
			REQUIRE(got.state == want.state &&
				got.parent == want.parent &&
				got.start == want.start &&
				got.tty_major == want.tty_major &&
				got.tty_minor == want.tty_minor);
	}
	REQUIRE(got.state == want.state && got.parent == want.parent &&
		got.start == want.start);
}

static void
check_any(const char *p, size_t n)
{
	struct procstat st = { .state = '?', .parent = 7, .start = 9 };
	uint64_t made = 5;
	uint32_t v = 77;
	char digits[16];

	if (procstat_parse(p, n, &st, NULL) < 0)
		REQUIRE(st.state == '?' && st.parent == 7 && st.start == 9);
	else
		REQUIRE(st.parent >= 0 && st.state > ' ' && st.state <= '~');
	if (procstat_line(p, n, "Uid", 0, &v, NULL) < 0)
		REQUIRE(v == 77);
	else
		REQUIRE(memmem(p, n, "Uid:", 4) != NULL);
	if (procstat_made(p, n, &made, NULL) < 0)
		REQUIRE(made == 5);
	else
		REQUIRE(memmem(p, n, "\nprocesses ", 11) != NULL);
	v = 77;
	if (procstat_number(p, n, &v, NULL) < 0) {
		REQUIRE(v == 77);
		return;
	}
	/* The digits are the number, but for zeros in front. */
	(void)snprintf(digits, sizeof(digits), "%" PRIu32, v);
	n -= n > 1 && p[n - 1] == '\n';
	REQUIRE(n >= strlen(digits));
	REQUIRE(memcmp(p + n - strlen(digits), digits, strlen(digits)) == 0);
}

/* Whatever stands in the lines before, the first one of that name counts. */
static void
check_line(struct fuzz_in in)
{
	char text[512];
	uint32_t v, got = 0;
	size_t n = 0;

	fuzz_take(&in, &v, sizeof(v));
	for (; n < 300 && in.n > 0; n++) {
		text[n] = (char)fuzz_byte(&in);
		if (text[n] == 'U')
			text[n] = 'u';
	}
	if (n > 0)
		text[n++] = '\n';
	n += (size_t)snprintf(
	    text + n, sizeof(text) - n, "Uid:\t%" PRIu32 "\t0\n", v);
	REQUIRE(procstat_line(text, n, "Uid", 0, &got, NULL) == 0);
	REQUIRE(got == v);
}

/* An entry is its number, however it is written; a name is what was read. */
static void
check_names(const char *p, size_t n)
{
	char *text = fuzz_string((const uint8_t *)p, n), digits[16];
	char small[8], big[PROCSTAT_TEXT_MAX + 1];
	size_t zeros = strspn(text, "0");
	int v = -7;

	if (procstat_entry(text, &v)) {
		(void)snprintf(digits, sizeof(digits), "%d", v);
		REQUIRE(v >= 0);
		REQUIRE(strcmp(text + zeros - (v == 0), digits) == 0);
	} else {
		REQUIRE(v == -7);
	}
	procstat_comm(p, n, big, sizeof(big));
	procstat_comm(p, n, small, sizeof(small));
	REQUIRE(strncmp(big, small, sizeof(small) - 1) == 0);
	n = strlen(text);
	REQUIRE(strncmp(big, text, strlen(big)) == 0);
	REQUIRE(strlen(big) == n || strcmp(text + strlen(big), "\n") == 0);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > PROCSTAT_TEXT_MAX)
		return 0;
	check_stat((struct fuzz_in){ data, size });
	check_line((struct fuzz_in){ data, size });
	check_any((const char *)data, size);
	check_names((const char *)data, size);
	return 0;
}
