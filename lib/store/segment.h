/*
 * segment - the files that hold frames, from the writer's side.
 *
 *	data/<screen|events>/<YYYY-MM-DD>/<stream>-<NNNN>.seg
 *
 * A segment is a header (record/frame.h) and frames of one stream.  The day is
 * that of the wall clock in the BOOT or SEAL leaf that began the period of its
 * first frame.  A stream goes on in a new segment (numbered on) when the day
 * changes, when SEGMENT_MAX would be passed, and after each start of a writer.
 *
 * Fuzzed: query_path, recover
 */
#ifndef OPS_SEGMENT_H
#define OPS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "vfs.h"

#define SEGMENT_PATH_MAX 80
#define SEGMENT_MAX (64u << 20) /* bytes; a longer stream goes on in the next */

struct streamtab;

/* Where a stream's next frame goes. */
struct segment_tail {
	bool open;
	uint32_t next; /* number of the next new segment */
	uint64_t len; /* of the open one, with what is placed but not written */
	char day[11];
	char path[SEGMENT_PATH_MAX];
};

/* Where one frame goes. */
struct segment_place {
	char path[SEGMENT_PATH_MAX];
	uint64_t offset;
	bool starts; /* it is the first frame: the header is written with it */
	uint8_t header[48];
};

/* "data/screen/2026-11-23" and a segment in it. */
void segment_dir(uint8_t class, const char day[static 11],
    char out[static SEGMENT_PATH_MAX]);
void segment_path(uint8_t class, const char day[static 11],
    const uint8_t id[static OPS_ID_LEN], uint32_t number,
    char out[static SEGMENT_PATH_MAX]);
/* The file name's parts; -1 if it is not a segment's name. */
int segment_name_parse(
    const char *name, uint8_t id[static OPS_ID_LEN], uint32_t *number);

/* Choose the place of frame `number`, stored_len bytes; tail moves on. */
void segment_place(struct segment_tail *tail,
    const uint8_t id[static OPS_ID_LEN], uint8_t class,
    const char day[static 11], uint64_t number, size_t stored_len,
    struct segment_place *ret);

/* Writing several frames and syncing them together. */
struct segment_sync {
	struct vfs *v;
	struct vfs_file *f; /* the one written last */
	char path[SEGMENT_PATH_MAX];
	char (*touched)[SEGMENT_PATH_MAX];
	size_t n, cap;
	bool created; /* some folder gained a name */
};
int segment_write(struct segment_sync *s, const struct segment_place *place,
    const uint8_t *stored, size_t n, struct ops_err *err);
int segment_sync_all(struct segment_sync *s, struct ops_err *err);
void segment_sync_free(struct segment_sync *s);

/*
 * After a crash: cut from the segments of open streams the frames that have no
 * leaf but stand in the WAL, whose records are about to be framed anew (the
 * table says what the leaves know of a stream and what the WAL brought).
 * Nothing else is removed: a segment that neither leaves nor WAL explain stays,
 * for check to name; but where the writer would want its name it is renamed to
 * *.bad.  *cut counts the segments shortened or removed.
 */
int segment_recover(
    struct vfs *v, struct streamtab *tab, uint64_t *cut, struct ops_err *err);

#endif
