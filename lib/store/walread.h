/*
 * walread - the batches of a WAL folder, read back: by recovery, by readers
 * while the writer runs, and by check.
 *
 * Files are wal/<8 digits>.wal in ascending order.  Each starts with one
 * block (512 bytes): "OPSWAL01", u64 number of the file (as in its name), u64
 * number of its first batch, zeros, and CRC32C of bytes 0..507 at 508.  After
 * it, batches (record/walbatch.h) one after another, each starting at a block;
 * the rest of the file is zero or left over from an earlier use (files are
 * recycled under a new name): blocks of lower batch numbers.  A batch does not
 * span files; a file may end with unused blocks.
 *
 * After a failed write or fdatasync the writer gives the file up and writes
 * the same batch, byte for byte, into a new one.  So a batch may stand torn or
 * whole at the end of one file and again at the start of the next: if the next
 * file's first batch is not above the batch expected, reading goes on there,
 * and a batch already seen is skipped.
 *
 * Fuzzed: walread
 */
#ifndef OPS_WALREAD_H
#define OPS_WALREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/walbatch.h"
#include "vfs.h"

#define WAL_FILE_SIZE (4u << 20) /* bytes of a WAL file, preallocated */
#define WAL_FILES_MAX 256

enum wal_end {
	WAL_END_CLEAN,   /* nothing after the last whole batch */
	WAL_END_TORN,    /* the last batch is cut short or lacks whole blocks */
	WAL_END_DAMAGED, /* something else: a bad block, a hole before a batch */
};

struct wal_reader;

/* Open the WAL, to read from batch number `from` (what BOOT or the last SEAL
 * says: earlier batches are sealed and skipped).  No wal/ folder or no files:
 * fine, it is empty (wal_files() == 0). */
int wal_open_read(
    struct vfs *v, uint64_t from, struct wal_reader **ret, struct ops_err *err);
void wal_reader_free(struct wal_reader *r);
unsigned wal_files(const struct wal_reader *r);
/* Is there a file that holds batch `from`, or begins with it?  While a store is
 * not closed there always is, even if it has no batch yet. */
bool wal_has_start(const struct wal_reader *r);
/* Once wal_next() gave 0: there are files, but they end before batch `from`.
 * A closed log may leave such (its last file was removed first); an open one
 * can't. */
bool wal_stops_short(const struct wal_reader *r);

/*
 * 1: the next whole batch, structure and chain value checked, and linked to the
 * one before it (ret->body valid until the next call).  The signature is the
 * caller's to check.  0: the end; see wal_end().  -1: OPS_EIO or OPS_ENOMEM.
 */
int wal_next(struct wal_reader *r, struct wal_batch *ret, struct ops_err *err);

/* Where and how it ended, once wal_next() gave 0: place as "wal/00000001.wal
 * block 17", and one sentence for DAMAGED. */
enum wal_end wal_reader_end(const struct wal_reader *r, const char **where,
    const char **detail, uint64_t *torn_bytes);
/* Number of the batch that would come next; chain value before it (of no use
 * before a batch was read: the caller knows it from the leaf). */
void wal_position(const struct wal_reader *r, uint64_t *batch,
    uint8_t chain[static OPS_HASH_LEN]);
/* Place of the batch last returned. */
const char *wal_where(const struct wal_reader *r);

#endif
