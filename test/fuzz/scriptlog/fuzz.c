/*
 * scriptlog - any bytes as each of what script(1) writes.  What is found lies
 * inside them.  A first line and a last one are the same whatever stands behind
 * and before them, and a timing file is the same in any pieces.
 */
#include "../fuzz.h"

#include <stdbool.h>

#include "scriptlog.h"

static bool
inside(struct event_text t, const uint8_t *p, size_t n)
{
	return t.p == NULL || (t.p >= p && t.p + t.n <= p + n);
}

static bool
same(struct event_text a, struct event_text b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void
check_head(const uint8_t *p, size_t n)
{
	struct scriptlog_head h, again;
	struct ops_err err = { 0 };
	uint8_t *line;

	if (scriptlog_head(p, n, &h, &err) < 0) {
		REQUIRE(err.code == OPS_EFORMAT);
		return;
	}
	REQUIRE(h.len > 0 && h.len <= n && h.len <= SCRIPTLOG_LINE_MAX);
	REQUIRE(memchr(p, '\n', n) == p + h.len - 1);
	REQUIRE(inside(h.term, p, h.len) && inside(h.tty, p, h.len) &&
		inside(h.command, p, h.len));
	/* Alone, in memory of its very size. */
	line = malloc(h.len);
	REQUIRE(line != NULL);
	memcpy(line, p, h.len);
	REQUIRE(scriptlog_head(line, h.len, &again, NULL) == 0);
	REQUIRE(again.len == h.len && again.has_start == h.has_start &&
		(!h.has_start || again.start == h.start));
	REQUIRE(same(again.term, h.term) && same(again.tty, h.tty) &&
		same(again.command, h.command));
	REQUIRE(again.cols == h.cols && again.rows == h.rows);
	/* A line cut short is none. */
	REQUIRE(scriptlog_head(line, h.len - 1, &again, NULL) < 0);
	free(line);
}

static void
check_tail(const uint8_t *p, size_t n)
{
	struct scriptlog_tail t, again;

	scriptlog_tail(p, n, &t);
	REQUIRE(t.len <= n);
	if (t.len == 0)
		return;
	REQUIRE(p[n - t.len] == '\n' && p[n - 1] == '\n');
	REQUIRE(memchr(p + n - t.len + 1, '\n', t.len - 1) == p + n - 1);
	scriptlog_tail(p + n - t.len, t.len, &again);
	REQUIRE(again.len == t.len && again.has_end == t.has_end &&
		again.has_exit == t.has_exit && again.exit == t.exit &&
		(!t.has_end || again.end == t.end));
}

struct sum {
	struct scriptlog_timing t;
	uint64_t entries, digest;
	bool bad;
};

static void
add(struct sum *s, const struct scriptlog_entry *e, const uint8_t *p, size_t n)
{
	REQUIRE(strchr("OISH", e->stream) != NULL);
	REQUIRE(inside(e->name, p, n) && inside(e->value, p, n));
	REQUIRE(!e->has_size || e->stream == 'S');
	s->entries++;
	s->digest = s->digest * 31 + (uint8_t)e->stream + e->bytes * 7 +
		    e->cols * 3u + e->rows + e->name.n + e->value.n;
}

/* In pieces of at most `piece` bytes: what is no whole line waits for more. */
static struct sum
read_all(const uint8_t *p, size_t n, size_t piece)
{
	struct sum s = { .entries = 0 };
	size_t at = 0, have = 0;

	while (!s.bad) {
		struct scriptlog_timing before = s.t;
		struct scriptlog_entry e;
		struct ops_err err = { 0 };
		uint8_t *some = malloc(have + 1);
		long used;

		REQUIRE(some != NULL);
		memcpy(some, p + at, have);
		used = scriptlog_timing(&s.t, some, have, &e, &err);
		REQUIRE(used <= (long)have);
		if (used <= 0)
			REQUIRE(memcmp(&before, &s.t, sizeof(before)) == 0);
		if (used < 0) {
			REQUIRE(err.code == OPS_EFORMAT);
			s.bad = true;
		} else if (used > 0) {
			REQUIRE(some[used - 1] == '\n');
			REQUIRE(s.t.time >= before.time);
			add(&s, &e, some, (size_t)used);
			at += (size_t)used;
			have -= (size_t)used;
		}
		free(some);
		if (used == 0 && at + have == n)
			break;
		if (used == 0)
			have += n - at - have < piece ? n - at - have : piece;
	}
	return s;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole, cut;

	if (size == 0 || size > 8192)
		return 0;
	check_head(data, size);
	check_tail(data, size);
	whole = read_all(data, size, size);
	cut = read_all(data, size, 1 + data[0] % 7u);
	REQUIRE(whole.entries == cut.entries && whole.digest == cut.digest);
	REQUIRE(whole.bad == cut.bad);
	REQUIRE(memcmp(&whole.t, &cut.t, sizeof(cut.t)) == 0);
	return 0;
}
