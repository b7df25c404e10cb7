/*
 * hostfile - a file of the host that is looked at, and replaced as a whole.
 *
 * Replacing is atomic: a new file beside the old one (".NAME.opseal-new"), with its
 * owner, mode and extended attributes (ACL, SELinux), synced, takes its name.  Who
 * reads it meanwhile sees the old bytes or the new ones.  A symbolic link stays; what
 * it leads to is replaced.
 */
#ifndef OPS_CLI_HOSTFILE_H
#define OPS_CLI_HOSTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* { 0 } has nothing to free. */
struct hostfile {
	char *path; /* as it was named */
	char *real; /* without links; NULL: there is no such file */
	struct ops_buf bytes;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/* Read it, at most max bytes.  One that isn't there is no error. */
int hostfile_read(
    const char *path, size_t max, struct hostfile *ret, struct ops_err *err);
void hostfile_free(struct hostfile *f);

/* Is it still as f has it?  OPS_EBUSY: no. */
int hostfile_unchanged(const struct hostfile *f, struct ops_err *err);

/* Write bytes in place of f, or make it: then it is root's, with that mode. */
int hostfile_replace(const struct hostfile *f, const void *p, size_t n,
    mode_t new_mode, struct ops_err *err);
int hostfile_remove(const struct hostfile *f, struct ops_err *err);
/* What a replacement that was killed left behind. */
void hostfile_clean(const char *path);

#endif
