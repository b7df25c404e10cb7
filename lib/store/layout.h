/*
 * layout - which segments a stream has, told from the leaves alone.
 *
 * The writer begins a segment at the start of a stream, of a day, after a
 * restart, and where it would become too long (segment.h).  All of this stands
 * in the leaves, so a reader needs to list no folder, and check can say of
 * each file whether it belongs there.  Opens nothing.
 */
#ifndef OPS_LAYOUT_H
#define OPS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "history.h"
#include "segment.h"

struct layout_segment {
	char path[SEGMENT_PATH_MAX];
	char day[11]; /* "": its BOOT can't be read; the path is none then */
	uint32_t number;
	uint64_t first_frame; /* its number */
	size_t first;         /* index in the stream's frame[] */
	size_t n;             /* frames */
	uint64_t len;         /* of the file, with the header */
};

/* *ret is the caller's, free(3). */
int layout_segments(const struct history *h, const struct history_stream *s,
    struct layout_segment **ret, size_t *ret_n, struct ops_err *err);

#endif
