/*
 * coverage - `opseal status --coverage`: what capture and the kernel's own
 * accounting saw of the processes that ended, and what capture missed.
 */
#ifndef OPS_CLI_COVERAGE_H
#define OPS_CLI_COVERAGE_H

#include <stdbool.h>

struct cli;

/* Prints it; gives the exit status. */
int coverage_status(struct cli *cli, bool json);

#endif
