/*
 * ahead - frames that will soon be asked for, read, held against their leaves and
 * unpacked on several cores.
 *
 * A thousand rows of a list may lie in a thousand frames, and of each all bytes are
 * hashed and a part unpacked: most of what such a list takes.
 */
#ifndef OPS_AHEAD_H
#define OPS_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/frame.h"
#include "store.h"
#include "vfs.h"

#define AHEAD_FRAMES 64
/* Of all of them, stored and unpacked; but one there may always be. */
#define AHEAD_BYTES (24u << 20)
#define AHEAD_THREADS 4 /* for 0.1 ms a frame; others want their cores, too */

struct ahead;

struct ahead_want {
	const struct store_frame *frame;
	uint64_t offset; /* in the file */
	uint64_t record; /* the first that will be asked for */
};

/* A frame as ahead_check() has it, and the chunk with the record that was asked
 * for; raw is empty if that could not be opened.  Its caller frees both. */
struct ahead_frame {
	uint8_t *stored;
	struct frame_header h;
	unsigned chunk;
	struct ops_buf raw;
};

/* NULL: no memory. */
struct ahead *ahead_new(void);
void ahead_free(struct ahead *a);

/* Read these, at most AHEAD_FRAMES, of one file.  What was read before and not
 * taken is forgotten.  What can't be read isn't there: its reader finds out why. */
void ahead_read(struct ahead *a, struct vfs_file *f,
    const struct ahead_want *want, size_t n);

/* True: *ret is this frame.  False: it isn't there. */
bool ahead_take(
    struct ahead *a, const struct store_frame *f, struct ahead_frame *ret);

/* The chunk of a frame with this record, h->chunks if it has none; *first: its first
 * record. */
unsigned ahead_chunk(
    const struct frame_header *h, uint64_t record, uint64_t *first);

/* Are these leaf.stored_len bytes the frame of this leaf?  Then *h is its header.
 * Errors: OPS_ETAMPER, and those of frame_header_whole(). */
int ahead_check(const struct store_frame *f, const uint8_t *stored,
    struct frame_header *h, struct ops_err *err);

#endif
