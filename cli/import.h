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
#include "importer.h"

struct cli;

/* Connect, and put what was read; then print the id of what is in the log whole,
 * or say that it isn't whole. */
int import_hand_over(const struct cli *cli,
    int (*put)(void *file, struct importer *im, struct ops_err *err),
    void *file, struct ops_err *err);

/* FILE [TIMING]: what script(1) wrote, as a session. */
int import_typescript(
    struct cli *cli, int argc, char **argv, struct ops_err *err);

/* FILE: what the kernel's process accounting wrote, as a session of programs. */
int import_acct(struct cli *cli, int argc, char **argv, struct ops_err *err);

#endif
