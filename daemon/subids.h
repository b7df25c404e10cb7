/*
 * subids - the uids that users may have in user namespaces, by /etc/subuid
 * (subuid(5)): ranges, which are root's to give.
 *
 * A range counts as one: all that matters here is in which a uid is, not whose that
 * is (the name may be the directory service's, which may take its time).
 *
 * Pure; the bytes are the caller's to read.
 *
 * Fuzzed: subids
 */
#ifndef OPS_DAEMON_SUBIDS_H
#define OPS_DAEMON_SUBIDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SUBIDS_FILE_MAX 4194304 /* bytes of the file */
#define SUBIDS_MAX 65536        /* ranges */

struct subids {
	struct subids_range {
		uint32_t first, last;
	} * range; /* in order; none meets another */
	size_t n;
};

/* The n bytes at p are the file.  A line that is none counts for nothing, nor one
 * that has uid 0 in it; ranges that meet are one.  *ret is the caller's, who frees
 * it.  -1: OPS_ENOMEM, or there are more than SUBIDS_MAX. */
int subids_parse(
    const char *p, size_t n, struct subids *ret, struct ops_err *err);
/* The first uid of the range that it is in; itself, if it is in none. */
uint32_t subids_first(const struct subids *s, uint32_t uid);
void subids_free(struct subids *s);

#endif
