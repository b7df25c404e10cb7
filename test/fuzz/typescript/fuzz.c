/*
 * typescript - a recording in any pieces, and what the user's processes chose
 * for its first line.  The log is the bytes that were shown between its own
 * two lines, the same for each way of cutting it; the timing's sizes add up to
 * them and its delays to the last time; and no value ends its line.
 */
#include "../fuzz.h"

#include <stdbool.h>
#include <stdio.h>

#include "typescript.h"

#define OUT_MAX (1u << 22)

struct files {
	struct ops_buf log, timing;
	uint64_t end; /* ns of the last output */
};

static void
make(const struct typescript_meta *m, enum typescript_timing timing,
    const uint8_t *data, size_t size, uint32_t seed, struct files *f)
{
	struct typescript t = { .timing = timing };
	uint64_t now = 0;

	*f = (struct files){ .log.max = OUT_MAX, .timing.max = OUT_MAX };
	typescript_begin(&t, m, &f->log, &f->timing);
	for (size_t at = 0; at < size;) {
		size_t n = size - at;

		if (seed != 0) {
			seed = seed * 1664525 + 1013904223;
			n = (seed >> 24) % 6 < n ? (seed >> 24) % 6 : n;
			now += seed % 50000000;
		}
		typescript_output(&t, now, data + at, n, &f->log, &f->timing);
		f->end = n > 0 ? now : f->end;
		if (seed % 7 == 3) {
			typescript_resize(&t, now, 80, seed % 100, &f->timing);
			f->end = timing == TIMING_ADVANCED ? now : f->end;
		}
		at += n;
	}
	typescript_end(&t, m, &f->log, &f->timing);
	REQUIRE(!f->log.failed && !f->timing.failed);
	ops_buf_put8(&f->timing, 0);
}

static void
files_free(struct files *f)
{
	ops_buf_free(&f->log);
	ops_buf_free(&f->timing);
}

/* The sizes and delays of all lines; heads hold nothing that acts. */
static void
check_timing(const struct files *f, size_t size)
{
	const char *line = (const char *)f->timing.data, *end;
	uint64_t us = 0, bytes = 0;

	for (; *line != '\0'; line = end + 1) {
		unsigned long long whole, part, n, rows, cols;
		bool output;
		int used = 0;

		end = strchr(line, '\n');
		REQUIRE(end != NULL);
		for (const char *c = line; c < end; c++)
			REQUIRE((uint8_t)*c >= 0x20 && *c != 0x7f);
		if (strncmp(line, "H 0.000000 ", 11) == 0)
			continue;
		if (strncmp(line, "S ", 2) == 0) {
			REQUIRE(sscanf(line,
				    "S %llu.%6llu SIGWINCH ROWS=%llu "
				    "COLS=%llu\n%n",
				    &whole, &part, &rows, &cols, &used) == 4);
			us += whole * 1000000 + part;
			continue;
		}
		output = strncmp(line, "O ", 2) == 0;
		REQUIRE(sscanf(line + (output ? 2 : 0), "%llu.%6llu %llu",
			    &whole, &part, &n) == 3);
		REQUIRE(n > 0);
		us += whole * 1000000 + part;
		bytes += n;
	}
	REQUIRE(bytes == size && us == f->end / 1000);
}

/* First line, the bytes, an empty line's end, last line. */
static void
check_log(const struct files *f, const uint8_t *data, size_t size)
{
	const uint8_t *first = memchr(f->log.data, '\n', f->log.len);
	size_t head, i;

	REQUIRE(first != NULL);
	head = (size_t)(first + 1 - f->log.data);
	for (i = 0; i < head - 1; i++)
		REQUIRE(f->log.data[i] >= 0x20 && f->log.data[i] != 0x7f);
	REQUIRE(f->log.len >= head + size);
	REQUIRE(size == 0 || memcmp(f->log.data + head, data, size) == 0);
	REQUIRE(f->log.len > head + size + 13);
	REQUIRE(memcmp(f->log.data + head + size, "\nScript done ", 13) == 0);
	REQUIRE(
	    memchr(f->log.data + head + size + 1, '\n',
		f->log.len - head - size - 1) == f->log.data + f->log.len - 1);
}

/* COMMAND="..." and its like: quotes stand only where they belong. */
static void
check_quotes(const struct files *f, const struct typescript_meta *m)
{
	size_t quotes = 0, want = 2 * (m->cols > 0 ? 5 : 1);

	for (size_t i = 0; f->log.data[i] != '\n'; i++)
		quotes += f->log.data[i] == '"';
	REQUIRE(quotes == want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size > 0 ? data[0] % 64u : 0;
	struct typescript_meta m = { .start = "2026-11-23 06:38:58+00:00",
		.end = "2026-11-23 06:39:58+00:00",
		.rows = 24 };
	struct files whole, cut;

	if (size > 4096 || size < 1 + 3 * n + 1)
		return 0;
	m.command = data + 1;
	m.term = data + 1 + n;
	m.tty = data + 1 + 2 * n;
	m.command_len = m.term_len = m.tty_len = n;
	data += 1 + 3 * n;
	size -= 1 + 3 * n;
	m.cols = data[0] % 2 ? 80 : 0;
	m.has_exit = data[0] % 4 > 1;
	for (int timing = TIMING_CLASSIC; timing <= TIMING_ADVANCED; timing++) {
		make(&m, (enum typescript_timing)timing, data, size, 0, &whole);
		for (uint32_t seed = 0; seed <= 3; seed++) {
			make(&m, (enum typescript_timing)timing, data, size,
			    seed * 0x9e3779b9u, &cut);
			REQUIRE(cut.log.len == whole.log.len);
			REQUIRE(memcmp(cut.log.data, whole.log.data,
				    cut.log.len) == 0);
			check_log(&cut, data, size);
			check_timing(&cut, size);
			check_quotes(&cut, &m);
			files_free(&cut);
		}
		files_free(&whole);
	}
	return 0;
}
