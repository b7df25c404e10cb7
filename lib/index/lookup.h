/*
 * lookup - programs and counts by way of the index, where that is sure to say the
 * same as all records do; else from all records.
 *
 * The index names records; each is read from its frame, which is checked against
 * its leaf, and held against the filter again.  What the index doesn't reach to
 * yet is read as without it.  If any of it doesn't hold, the index is left alone
 * and everything is read.  What no reader of an index can see is a row that it
 * leaves out: see doc/design/index.md.
 */
#ifndef OPS_LOOKUP_H
#define OPS_LOOKUP_H

#include "base/err.h"
#include "store/program_walk.h"
#include "store/programs.h"
#include "store/session.h"
#include "store/store.h"

/* As program_list_load(), of the store in v, which is the folder of this path.
 * By way of the index if *used becomes true (NULL: never mind); else why says
 * why not (NULL as well). */
int lookup_programs(const char *store, struct vfs *v,
    const struct program_filter *f, struct program_list *ret, bool *used,
    struct ops_err *why, struct ops_err *err);

/* As session_list_load(), with f->commands, too: exact numbers; unknown where the
 * index doesn't reach near enough, and where capture saw none. */
int lookup_sessions(const char *store, struct vfs *v,
    const struct session_filter *f, struct session_list *ret,
    struct ops_err *err);

/* How far the index reaches.  1: told.  0: there is none that fits, why says why.
 * -1: err. */
struct lookup_reach {
	uint64_t programs;          /* in it */
	uint64_t done, sealed, all; /* records of programs streams */
	uint64_t bytes;             /* of the file */
};
int lookup_reach(const char *store, struct vfs *v, struct lookup_reach *ret,
    struct ops_err *why, struct ops_err *err);

#endif
