/*
 * input - a person types and a program writes, in any order and any modes.
 *
 * The input is a script: a byte says what happens, then come a length and
 * bytes.  It is run whole, and again with everything typed or written cut in
 * pieces: the same bytes and facts are kept.  Nothing typed while ECHO was
 * off is kept but what this very piece of output repeats, in its order;
 * nothing at all while a password is awaited, and nothing but ends of lines
 * if that began on the way; and no byte stays in memory that isn't held.
 */
#include "../fuzz.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "record/record.h"
#include "recorder/input.h"

#define KEPT_MAX 65536
#define PIECE_MAX 63

struct run {
	struct input in;
	uint8_t kept[KEPT_MAX]; /* 0, byte: kept; 1, why: a fact */
	size_t n;
	/* what may be kept right now */
	const uint8_t *may;
	size_t n_may;
	bool exact; /* all of it, as it is; else in its order */
	bool ends;  /* nothing but ends of lines */
};

static void
note(struct run *r, uint8_t kind, uint8_t value)
{
	REQUIRE(r->n + 2 <= KEPT_MAX);
	r->kept[r->n++] = kind;
	r->kept[r->n++] = value;
}

static bool
same_key(uint8_t typed, uint8_t shown)
{
	return typed == shown || (typed == '\r' && shown == '\n') ||
	       (typed == '\n' && shown == '\r');
}

static void
keep(void *arg, const uint8_t *p, size_t n)
{
	struct run *r = arg;

	REQUIRE(n > 0 && r->may != NULL);
	if (r->exact)
		REQUIRE(n == r->n_may && memcmp(p, r->may, n) == 0);
	for (size_t i = 0; i < n; i++) {
		while (r->n_may > 0 && !same_key(p[i], *r->may))
			r->may++, r->n_may--;
		REQUIRE(r->n_may > 0 && (!r->ends || same_key(p[i], '\n')));
		r->may++, r->n_may--;
		note(r, 0, p[i]);
	}
}

static void
mask(void *arg, unsigned why)
{
	REQUIRE(why == MASKED_ECHO_OFF || why == MASKED_NO_ECHO);
	note(arg, 1, (uint8_t)why);
}

static bool
is_prompt(unsigned modes)
{
	return modes == INPUT_ICANON;
}

static void
type(struct run *r, const uint8_t *p, size_t n, unsigned modes, unsigned again,
    uint64_t now)
{
	bool echo = modes & again & INPUT_ECHO;

	r->ends = modes & INPUT_ECHO && is_prompt(again);
	r->may = echo || r->ends ? p : NULL;
	r->n_may = n;
	r->exact = !r->ends;
	input_typed(&r->in, p, n, modes, again, now);
	if (is_prompt(modes) || is_prompt(again))
		REQUIRE(r->in.n == 0);
}

static void
show(struct run *r, const uint8_t *p, size_t n, unsigned modes)
{
	r->may = is_prompt(modes) ? NULL : p;
	r->n_may = n;
	r->exact = false;
	r->ends = false;
	input_output(&r->in, p, n, modes);
}

/* One after another in pieces whose lengths come from *seed; 0: whole. */
static size_t
piece(uint32_t *seed, size_t left)
{
	size_t n;

	if (*seed == 0)
		return left;
	*seed = *seed * 1664525 + 1013904223;
	*seed += *seed == 0;
	n = 1 + (*seed >> 24) % 3;
	return n < left ? n : left;
}

static void
step(struct run *r, struct fuzz_in *in, uint64_t *now, uint32_t *seed)
{
	uint8_t op = fuzz_byte(in);
	unsigned modes = op >> 2 & 3, again = op >> 4 & 3;
	uint8_t bytes[PIECE_MAX];
	size_t len = op & 2 ? 0 : fuzz_byte(in) % (PIECE_MAX + 1);
	size_t left = len < in->n ? len : in->n;
	const uint8_t *p = bytes;

	/* Mostly they don't change on the way. */
	again = op & 64 ? again : modes;
	fuzz_take(in, bytes, left);
	if (op & 2) { /* time passes; or the session ends */
		r->may = NULL;
		*now += (uint64_t)(op >> 2) << 26;
		input_tick(&r->in, op == 255 ? UINT64_MAX : *now);
	}
	while (left > 0) {
		size_t n = piece(seed, left);

		if (op & 1)
			type(r, p, n, modes, again, *now);
		else
			show(r, p, n, modes);
		p += n;
		left -= n;
	}
	REQUIRE(r->in.n <= INPUT_MAX);
	REQUIRE((input_due(&r->in) == 0) == (r->in.n == 0));
	REQUIRE(ops_all_zero(r->in.held + r->in.n, INPUT_MAX - r->in.n));
}

static void
run(struct run *r, struct fuzz_in in, uint32_t seed)
{
	uint64_t now = 1;

	memset(r, 0, sizeof(*r));
	r->in.sink = (struct input_sink){ keep, mask, r };
	while (in.n > 0)
		step(r, &in, &now, &seed);
	r->may = NULL;
	input_tick(&r->in, UINT64_MAX);
	REQUIRE(r->in.n == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run whole, cut;

	if (size > 6000)
		return 0;
	run(&whole, (struct fuzz_in){ data, size }, 0);
	for (uint32_t seed = 1; seed <= 3; seed++) {
		run(&cut, (struct fuzz_in){ data, size }, seed * 0x9e3779b9u);
		REQUIRE(whole.n == cut.n);
		REQUIRE(memcmp(whole.kept, cut.kept, cut.n) == 0);
	}
	return 0;
}
