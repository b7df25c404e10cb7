/*
 * descent - who started whom: the programs of a list as a tree, from the top.
 *
 * An exec hangs below the program that its parent was when it was forked; one
 * whose parent executed nothing itself, below the nearest ancestor that did.
 * What ran before capture did (PROGRAM_SEEDED) comes only where it started
 * something of the list, or where the list has its end, which it stands for.  All else comes once, also where a list was made by
 * somebody who means harm.
 *
 * Pure: no I/O.
 */
#ifndef OPS_CLI_DESCENT_H
#define OPS_CLI_DESCENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/programs.h"

struct descent;

struct descent_step {
	size_t at;      /* place in the list */
	unsigned depth; /* 0: nothing of the list started it */
	bool forked;    /* by a fork of the one above, which executed nothing */
	uint32_t cut;   /* depth 0: pid of who did, who isn't there; 0: none */
};

/* l is borrowed, and must outlive it. */
int descent_new(
    const struct program_list *l, struct descent **ret, struct ops_err *err);
void descent_free(struct descent *d); /* NULL is fine */
/* The next one; false: that was all. */
bool descent_next(struct descent *d, struct descent_step *ret);

#endif
