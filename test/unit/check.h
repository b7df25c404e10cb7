/*
 * check - what unit tests share: cmocka, and a check that names its row.
 */
#ifndef OPS_TEST_CHECK_H
#define OPS_TEST_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Fail the test, saying which row of a table and what about it. */
#define CHECK(cond, row, what)                                                 \
	do {                                                                   \
		if (!(cond))                                                   \
			fail_msg("%s:%d: %s: %s (%s)", __FILE__, __LINE__,     \
			    (row), (what), #cond);                             \
	} while (0)

/* An exact-size heap copy, so that ASan sees any read past the end. */
static inline uint8_t *
heap_copy(const void *p, size_t n)
{
	uint8_t *q = malloc(n + (n == 0));

	if (q == NULL)
		abort();
	if (n > 0)
		memcpy(q, p, n);
	return q;
}

#endif
