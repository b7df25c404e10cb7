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
struct import;
struct import_opts;

/* Connect, and put what was read; then print the id of what is in the log whole,
 * or say that it isn't whole.  Where a session in the log is of this very file (and
 * timing file) already, whole: OPS_EUSAGE, which names it, unless it is to be imported
 * once more. */
int import_hand_over(struct cli *cli, const struct import_opts *o,
    const struct import *info,
    int (*put)(void *file, struct importer *im, struct ops_err *err),
    void *file, struct ops_err *err);

/* FILE [TIMING]: what script(1) wrote, as a session. */
int import_typescript(struct cli *cli, const struct import_opts *o, int argc,
    char **argv, struct ops_err *err);

/* FILE: what the kernel's process accounting wrote, as a session of programs. */
int import_acct(struct cli *cli, const struct import_opts *o, int argc,
    char **argv, struct ops_err *err);

#endif
