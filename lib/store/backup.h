/*
 * backup - a copy of a store that verifies by itself, also while it is written.
 *
 * The copy is the store as its newest checkpoint has it: that checkpoint, just
 * the leaves under it, and of the segments just the frames that these name.
 * Files that are there and right are not copied again.  Each file appears whole
 * under its name, synced.  keys/, wal/ and index/ are not in it.
 *
 * Checking the copy is check.h's, and the caller's.
 */
#ifndef OPS_BACKUP_H
#define OPS_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "merkle/checkpoint.h"
#include "vfs.h"

struct backup_result {
	struct checkpoint cp; /* what the copy reaches to */
	uint64_t copied, copied_bytes;
	uint64_t kept, kept_bytes; /* were there */
	uint64_t
	    expired;   /* files of the copy that have expired: removed, or, */
	uint64_t left; /* not `expire`, left */
	uint64_t missing; /* segments that the store itself lacks */
};

/*
 * from, to: borrowed.  note: the signed note of the checkpoint is appended.
 * expire: also remove from the copy what has expired since.
 * OPS_ENOENT: nothing is sealed yet.  OPS_EUSAGE: `to` holds another store's
 * copy, or a store.
 */
int backup_make(struct vfs *from, struct vfs *to, bool expire,
    struct ops_buf *note, struct backup_result *ret, struct ops_err *err);

/*
 * Copy a backup, or a snapshot of a store's folder, into an empty folder: log, data
 * and, if there is one, wal; byte for byte, synced.  from and to: borrowed.
 */
int backup_restore(struct vfs *from, struct vfs *to, struct ops_err *err);

#endif
