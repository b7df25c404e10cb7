/*
 * follow - what is new in a list of programs that is asked for again and again.
 *
 * Pure: no I/O, no clock.
 */
#ifndef OPS_CLI_FOLLOW_H
#define OPS_CLI_FOLLOW_H

#include "store/programs.h"

struct follow;

struct follow *follow_new(void); /* NULL: no memory */
void follow_free(struct follow *f);

/* Take those out of l that were in the list before.  A program that has ended
 * since is none that is new.  -1: no memory, and l is as it was. */
int follow_sift(struct follow *f, struct program_list *l, struct ops_err *err);

#endif
