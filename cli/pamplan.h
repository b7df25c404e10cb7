/*
 * pamplan - pam_opseal.so in the files of /etc/pam.d, where it is installed and not in
 * them already.
 *
 * On Debian that is the end of common-account, common-session and
 * common-session-noninteractive, which pam-auth-update(8) leaves to the administrator;
 * a profile of the package puts it there by itself, and then there is nothing to do.
 * Elsewhere it is the files of the services that people log in by.
 */
#ifndef OPS_CLI_PAMPLAN_H
#define OPS_CLI_PAMPLAN_H

#include <stddef.h>

#include "setuphost.h"

#define PAMPLAN_FILES 8

#define PAMPLAN_MODULE 256 /* bytes of its name or path and NUL */

/* How the module is named in a line: alone, or by its path where it was installed.
 * -1: it can't be, and why. */
int pamplan_module(char name[static PAMPLAN_MODULE], struct ops_err *err);

struct pamplan_file {
	struct hostfile file;
	struct ops_buf after;
};

/* The files to change, *n of them, which the caller frees, also on failure.  Their
 * lines are in h->state, and h->notes says what is left out. */
int pamplan_make(struct setuphost *h, struct pamplan_file files[PAMPLAN_FILES],
    size_t *n, struct ops_err *err);

#endif
