/*
 * coverage - `opseal status --coverage`: what capture and the kernel's own
 * accounting saw of the processes that ended, and what capture missed; and the logins
 * that have no session.
 */
#ifndef OPS_CLI_COVERAGE_H
#define OPS_CLI_COVERAGE_H

#include "cli.h"

/* Prints it, of the times in o; gives the exit status. */
int coverage_status(struct cli *cli, const struct status_opts *o);

#endif
