/*
 * wal - the write-ahead log's files, from the writer's side.
 *
 * Keeps one file open, preallocated and zero-filled, so that making a batch
 * durable is one write and one fdatasync(2) without metadata.  A file whose
 * batches are all sealed is recycled under a new name; the format is in
 * walread.h and record/walbatch.h.
 *
 * One thread at a time; who shares it brings the lock.
 */
#ifndef OPS_WAL_H
#define OPS_WAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "vfs.h"
#include "walread.h"

struct wal;

/*
 * Start a WAL whose next batch is `batch`, in a new file numbered above all
 * that are there.  On return that file is durable.  Older files stay until
 * wal_release(), which removes them; or, if keep_old, renames them to *.bad:
 * they hold something that no crash explains, and check must be able to name
 * it.
 */
int wal_create(struct vfs *v, uint64_t batch, bool keep_old, struct wal **ret,
    struct ops_err *err);
void wal_free(struct wal *w);

/*
 * Write the blocks of batch number `batch` and make them durable.  On failure
 * the file is given up: the next call, which must bring the same batch, goes
 * to a new file.  OPS_EBUSY: WAL_FILES_MAX files hold unsealed batches.
 */
int wal_write(struct wal *w, uint64_t batch, const struct ops_buf *blocks,
    struct ops_err *err);

/* Batches below `batch` are sealed: recycle or remove the files that hold
 * nothing else. */
int wal_release(struct wal *w, uint64_t batch, struct ops_err *err);

/* Clean stop: everything is sealed; remove all files. */
int wal_clear(struct wal *w, struct ops_err *err);

/* Bytes of batches not yet released. */
uint64_t wal_held(const struct wal *w);

#endif
