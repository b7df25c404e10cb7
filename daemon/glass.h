/*
 * glass - the group break_glass of the configuration: its members are let in where
 * nothing can be recorded, though on_log_failure is refuse.
 *
 * Who is a member is said by the kernel, of a process as it connects; the name is
 * looked up when the configuration is read, and not as somebody logs in.
 */
#ifndef OPS_DAEMON_GLASS_H
#define OPS_DAEMON_GLASS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* The group's number.  OPS_ENOENT: there is none of this name. */
int glass_find(const char *name, gid_t *ret, struct ops_err *err);

/* Is the process at the other end of this connection in the group?  Where that
 * can't be known, it isn't. */
bool glass_member(int conn, gid_t group);

#endif
