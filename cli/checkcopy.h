/*
 * checkcopy - a copy of a store is checked as a whole, and what it was checked
 * against is said; what backup and restore end with.
 */
#ifndef OPS_CLI_CHECKCOPY_H
#define OPS_CLI_CHECKCOPY_H

#include "base/buf.h"
#include "cli.h"
#include "store/vfs.h"

/* note: the signed note that the copy must contain, or empty.  Prints findings that
 * fail, and one line.  CLI_FINE or CLI_TAMPER; -1: it could not be checked. */
int checkcopy(struct cli *cli, struct vfs *v, const struct ops_buf *note,
    struct ops_err *err);

#endif
