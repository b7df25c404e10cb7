/*
 * doorpolicy - what the door is to do where no daemon answers (/etc/opseal/door,
 * opseal-door(8)).
 *
 *	on_log_failure = refuse
 *	break_glass = 1001 admins
 *	off = by root: the disk is being replaced
 *
 * opseald writes it from its configuration, as it takes that over: so it is what was in
 * force last, whatever became of the configuration and of the daemon since, and the
 * door needs neither a name service nor the many files of a configuration.  The group
 * is there by its number.  A line that begins with '#' is a comment.  Pure.
 *
 * Fuzzed: doorpolicy
 */
#ifndef OPS_DOORPOLICY_H
#define OPS_DOORPOLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define DOORPOLICY_MAX 4096 /* bytes of the file */
#define DOORPOLICY_NAME 32  /* bytes of a group's name */
#define DOORPOLICY_OFF 400  /* bytes of by whom and why it is off */

struct doorpolicy {
	bool refuse;    /* on_log_failure = refuse */
	bool has_group; /* break_glass */
	uint32_t gid;
	char group[DOORPOLICY_NAME + 1];
	char off[DOORPOLICY_OFF + 1]; /* "": it isn't */
};

/* OPS_EFORMAT, *ret untouched: it isn't whole (on_log_failure comes first, and every
 * line has its end), or a line of it can't be.  What a newer opseald says besides is
 * no fault. */
int doorpolicy_parse(
    const char *p, size_t n, struct doorpolicy *ret, struct ops_err *err);
/* Append the file.  No text of p has a newline. */
void doorpolicy_put(struct ops_buf *out, const struct doorpolicy *p);

#endif
