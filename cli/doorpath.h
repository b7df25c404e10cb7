/* doorpath - where the door is, and what may stand at everybody's login. */
#ifndef OPS_CLI_DOORPATH_H
#define OPS_CLI_DOORPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "setupstate.h"

#define DOORPATH_MAX 4200

/* Program name (opseal-door, opseal-shell) beside this program (a build, a private
 * copy), in libexec beside its prefix, or where it was installed. */
int doorpath_find(
    const char *name, char *path, size_t size, struct ops_err *err);

/*
 * What logins are to go by, opseal-shell or (forced) opseal-door, without links: it
 * and all folders above are root's alone, everybody may enter and execute, it runs,
 * and its path can stand in passwd(5).
 */
int doorpath_login(char *path, size_t size, bool forced, struct ops_err *err);

/* What the program is, to be known again. */
int doorpath_hash(
    const char *path, struct setup_hash *ret, struct ops_err *err);

/* Is it as the package has it that brought it?  1: yes.  0: no.  -1: no package did, or
 * none can be asked. */
int doorpath_as_packaged(const char *path);

/* Are the file and all folders above root's alone, and may everybody enter those?
 * path has no links.  OPS_EUSAGE: not, and err says which. */
int doorpath_is_roots(const char *path, bool executable, struct ops_err *err);

#endif
