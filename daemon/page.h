/*
 * page - memory that one process fills in and others read.
 *
 * The supervisor makes one before it starts a role, which inherits its
 * descriptor.  It is sealed: who has only the descriptor can neither write it
 * nor change its size.  Nothing keeps a reader from finding it half written;
 * what stands in it has to tell.
 */
#ifndef OPS_DAEMON_PAGE_H
#define OPS_DAEMON_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct page {
	uint8_t *p; /* mapped, for its maker to write */
	int fd;     /* for others to inherit */
};

/* All zeros.  name is what /proc/PID/fd calls it; size in bytes.  It is left to
 * exit(). */
int page_new(
    struct page *ret, const char *name, size_t size, struct ops_err *err);

#endif
