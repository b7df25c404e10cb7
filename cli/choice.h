/* choice - of the rows of a list that is sorted by time, those to print: the newest so
 * many, in either order. */
#ifndef OPS_CLI_CHOICE_H
#define OPS_CLI_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

struct choice {
	size_t first, n;
	bool reverse;
};

/* count 0: all n of the list. */
static inline struct choice
choice_of(size_t n, size_t count, bool reverse)
{
	size_t kept = count > 0 && count < n ? count : n;

	return (struct choice){ n - kept, kept, reverse };
}

/* Place in the list of the i-th of them. */
static inline size_t
choice_at(const struct choice *c, size_t i)
{
	return c->reverse ? c->first + c->n - 1 - i : c->first + i;
}

#endif
