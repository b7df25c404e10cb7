/*
 * arguments - what stands behind the module in a PAM configuration.
 *
 *	session optional pam_opseal.so timeout=5
 */
#ifndef OPS_PAM_ARGUMENTS_H
#define OPS_PAM_ARGUMENTS_H

#include <stdbool.h>

#include "base/err.h"

#define ARGUMENTS_TIMEOUT 3 /* seconds */
#define ARGUMENTS_TIMEOUT_MAX 60

struct arguments {
	const char *run;    /* run=DIR */
	const char *people; /* people=FILE */
	unsigned timeout;   /* timeout=SECONDS, for all that is asked at once */
	bool required;      /* required: no login while the log can't be
			     * written */
};

/* One that isn't known or holds nonsense is left out, and the last of them is
 * told: -1 with err, and *ret is filled in all the same.  Borrows argv. */
int arguments_read(
    int argc, const char **argv, struct arguments *ret, struct ops_err *err);

#endif
