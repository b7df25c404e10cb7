/*
 * import - the kinds of files that opseal import takes, a file each.
 *
 * Each reads and checks its files whole before the daemon hears of them, so
 * that what is refused leaves nothing in the log.  argv: what stands behind the
 * kind on the command line.  On success what was made is said on stdout.
 */
#ifndef OPS_CLI_IMPORT_H
#define OPS_CLI_IMPORT_H

#include "base/err.h"

struct cli;

/* FILE [TIMING]: what script(1) wrote, as a session. */
int import_typescript(
    struct cli *cli, int argc, char **argv, struct ops_err *err);

#endif
