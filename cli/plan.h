/*
 * plan - changes to files of the host, made all or none.
 *
 * They are collected, shown as diffs, and then made in the order they were put in.
 * If one fails, those before it are taken back.
 */
#ifndef OPS_CLI_PLAN_H
#define OPS_CLI_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "hostfile.h"

#define PLAN_MAX 64 /* files */

struct plan_change {
	struct hostfile file; /* as it is now */
	struct ops_buf after;
	bool remove;
	mode_t mode; /* of one that is made */
};

/* { 0 } is empty. */
struct plan {
	struct plan_change change[PLAN_MAX];
	size_t n;
};

/* Take over *file and *after, which are { 0 } then.  A change of nothing is left
 * out, without an error. */
int plan_add(struct plan *p, struct hostfile *file, struct ops_buf *after,
    mode_t mode, struct ops_err *err);
int plan_remove(struct plan *p, struct hostfile *file, struct ops_err *err);
void plan_free(struct plan *p);

/* All of it as one unified diff a file. */
void plan_show(const struct plan *p, struct ops_buf *out);
/* Does each file hold what was shown?  OPS_EBUSY: somebody changed it. */
int plan_unchanged(const struct plan *p, struct ops_err *err);
/* Make the changes.  -1: what was made is taken back, and err says what failed, and
 * if taking back did. */
int plan_apply(const struct plan *p, bool *taken_back, struct ops_err *err);

#endif
