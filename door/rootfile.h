/*
 * rootfile - a small file that the door goes by, which nobody but root can have
 * written: regular, root's, writable by no group and nobody else, and no link.
 */
#ifndef OPS_DOOR_ROOTFILE_H
#define OPS_DOOR_ROOTFILE_H

#include "base/buf.h"
#include "base/err.h"

/* Append it; it has at most out->max bytes.  OPS_ENOENT: there is none. */
int rootfile_read(const char *path, struct ops_buf *out, struct ops_err *err);

#endif
