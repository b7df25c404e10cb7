/* doorpath - where the door is, and what may stand at everybody's login. */
#ifndef OPS_CLI_DOORPATH_H
#define OPS_CLI_DOORPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DOORPATH_MAX 4200

/* The door beside this program (a build, a private copy), in libexec beside its
 * prefix, or where it was installed. */
int doorpath_find(char *path, size_t size, struct ops_err *err);

/*
 * The same without links, if it may be a login shell: it and all folders above are
 * root's alone, everybody may enter and execute, it runs, and its path can stand in
 * passwd(5).  word: an option that it must know ("--help"), NULL: none.
 */
int doorpath_login(
    char *path, size_t size, const char *word, struct ops_err *err);

/* Are the file and all folders above root's alone, and may everybody enter those?
 * path has no links.  OPS_EUSAGE: not, and err says which. */
int doorpath_is_roots(const char *path, bool executable, struct ops_err *err);

#endif
