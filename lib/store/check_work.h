/*
 * check_work - the inside of a running check; between check.c (what is found,
 * and how it is told) and check_*.c, one for each part of a store.
 */
#ifndef OPS_CHECK_WORK_H
#define OPS_CHECK_WORK_H

#include <pthread.h>

#include "check.h"
#include "history.h"
#include "layout.h"
#include "record/record.h"
#include "record/walbatch.h"

#define CHECK_FINDINGS_MAX 100000 /* kept; more are only counted */
#define CHECK_WHERE 128

struct check_finding {
	enum finding_kind kind;
	char *where, *detail;
};

/* A segment that the leaves call for. */
struct check_segment {
	struct layout_segment l;
	size_t stream; /* index into h.stream[] */
	bool there;
};

/* What went by one rule. */
struct check_expired {
	uint8_t class;
	struct leaf_tombstone rule; /* one of those that name it, the newest */
	uint64_t frames, segments;
	uint64_t there; /* of these files are still there */
};

struct check_tiles;
struct check_tail;

struct check {
	struct vfs *v;
	const struct check_opts *o;
	struct check_result *r;
	unsigned threads;
	struct history h;
	struct check_tiles *tiles; /* of the log that is read */
	struct check_tail *tail;   /* behind the last signature */
	bool one;                  /* only one session is wanted */
	struct history sessions;   /* its stream table only: those that a
				     * leaf, a frame or the WAL tells of */

	struct check_segment *segment; /* sorted by stream and number */
	size_t segments, segment_cap;

	struct check_expired *expired;
	size_t n_expired, expired_cap;

	pthread_mutex_t lock; /* of the findings and r's counts */
	struct check_finding *found;
	size_t n_found, found_cap;
	uint64_t lost_findings;
	bool no_memory;
	bool wal_damaged;
	bool wal_moved;   /* the writer went on, the WAL was not checked */
	bool wal_unread;  /* it could not be read */
	bool copy;        /* a store without it and without keys */
	uint64_t wal_end; /* the batch that would have come next */

	size_t *anchor; /* indexes of o->anchors, by size */
	size_t anchor_at;
	bool *anchor_good, *anchor_met;
};

/* From any thread. */
void check_say(struct check *c, enum finding_kind k, const char *where,
    const char *fmt, ...) OPS_PRINTF(4, 5);
/* A vfs error: MISSING or UNREADABLE. */
void check_say_err(
    struct check *c, const char *where, const struct ops_err *err);
int check_no_memory(struct ops_err *err);

/* Is it the session that is wanted, or are all? */
bool check_wants(const struct check *c, const uint8_t id[static OPS_ID_LEN]);
/* Something tells of this session.  From the calling thread. */
void check_met_session(struct check *c, const uint8_t id[static OPS_ID_LEN]);
/* How much was found up to now; and forget what came after that. */
struct check_mark {
	size_t n_found;
	uint64_t fails, explained, lost;
};
struct check_mark check_mark(const struct check *c);
void check_take_back(struct check *c, const struct check_mark *m);

/* check_tiles.c: around the leaves of a log. */
int check_tiles_begin(struct check *c, size_t log);
void check_tiles_leaf(
    struct check *c, const uint8_t *leaf, size_t n, const uint8_t *hash);
void check_tiles_end(struct check *c, size_t log);
void check_tiles_free(struct check_tiles *t);

/* check_wal.c */
int check_wal(struct check *c, struct ops_err *err);

/* Was a batch written, or a leaf, since they were read? */
bool check_moved_on(struct check *c);

/*
 * check_tail.c: leaves behind the last BOOT or SEAL.  Nothing signs them, so
 * they must say what the signed batches of the WAL say.
 */
int check_tail_begin(struct check *c, struct ops_err *err);
/* The next entry of a batch that is signed. */
void check_tail_entry(struct check *c, const struct wal_entry *e);
/* Once the segments are known. */
int check_tail_end(struct check *c, struct ops_err *err);
void check_tail_free(struct check_tail *t);

/* A file that the writer makes beside one that it is about to replace. */
void check_tmp(struct check *c, const char *path);

/* check_data.c: folders, segments; fills segment[]. */
int check_data(struct check *c, struct ops_err *err);

/* check_frames.c: what is in the segments. */
int check_frames(struct check *c, struct ops_err *err);
struct check_reader;
struct check_reader *check_reader_new(void); /* NULL: no memory */
void check_reader_free(struct check_reader *r);
/* Read frame i of a segment, at this offset, and hold it against its leaf.
 * raw: NULL, or gets its records, checked against the root.  False: a finding
 * was made (or it has expired). */
bool check_one_frame(struct check *c, struct check_reader *r,
    const struct check_segment *s, size_t i, uint64_t offset,
    struct ops_buf *raw);

/* check_sessions.c: events streams with the accounts of sessions. */
int check_sessions(struct check *c, struct ops_err *err);

#endif
