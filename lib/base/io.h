/*
 * io - whole reads and writes.
 *
 * read(2) and write(2) may do less than asked or be interrupted; these go on
 * until all is done.  A descriptor that would block is an error (OPS_EIO with
 * sys == EAGAIN), after which an unknown part is done: they are for files and
 * blocking descriptors.
 */
#ifndef OPS_IO_H
#define OPS_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"

/* Read up to n bytes; returns how many (fewer only at the end), or -1. */
ssize_t ops_read_full(int fd, void *p, size_t n, struct ops_err *err);
ssize_t ops_pread_full(
    int fd, void *p, size_t n, uint64_t offset, struct ops_err *err);
/* Write all n bytes.  0 or -1. */
int ops_write_full(int fd, const void *p, size_t n, struct ops_err *err);
int ops_pwrite_full(
    int fd, const void *p, size_t n, uint64_t offset, struct ops_err *err);

/*
 * Append the file's content to out; it must fit into out->max (a bigger file
 * is OPS_EFORMAT).  path is relative to dirfd (AT_FDCWD: to the working
 * directory).  Only regular files, and without OPS_IO_FOLLOW no symbolic link
 * as the last part of path.  0, or -1 and out holds what it held before.
 */
#define OPS_IO_FOLLOW 1u
int ops_read_file(int dirfd, const char *path, unsigned flags,
    struct ops_buf *out, struct ops_err *err);

#endif
