/*
 * fuzz - what fuzz targets share: the entry point, a check that stays on, and
 * a way to take pieces off the input.
 */
#ifndef OPS_TEST_FUZZ_H
#define OPS_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond)                                                          \
	do {                                                                   \
		if (!(cond))                                                   \
			abort();                                               \
	} while (0)

/* The input, eaten from the front. */
struct fuzz_in {
	const uint8_t *p;
	size_t n;
};

/* Up to n bytes into out, zeros where the input has ended. */
static inline void
fuzz_take(struct fuzz_in *in, void *out, size_t n)
{
	size_t some = in->n < n ? in->n : n;

	memset(out, 0, n);
	if (some > 0)
		memcpy(out, in->p, some);
	in->p += some;
	in->n -= some;
}

/* The next piece, behind a u16 of its length, cut where the input ends.  False: there is
 * no more. */
static inline bool
fuzz_piece(struct fuzz_in *in, const uint8_t **p, size_t *n)
{
	if (in->n < 2)
		return false;
	*n = (size_t)in->p[0] | (size_t)in->p[1] << 8;
	in->p += 2;
	in->n -= 2;
	if (*n > in->n)
		*n = in->n;
	*p = in->p;
	in->p += *n;
	in->n -= *n;
	return true;
}

static inline uint8_t
fuzz_byte(struct fuzz_in *in)
{
	uint8_t v;

	fuzz_take(in, &v, 1);
	return v;
}

/* The input as a string of its own; free() it. */
static inline char *
fuzz_string(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	REQUIRE(s != NULL);
	if (size > 0)
		memcpy(s, data, size);
	s[size] = '\0';
	return s;
}

#endif
