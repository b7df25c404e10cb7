/*
 * expire - what of a store may go, by the rules on how long it is kept.
 *
 * Says which segments are old enough, and removes files.  That a TOMBSTONE is
 * sealed before is the caller's work (expirer.c); so is the lock.  Reads the
 * leaves of all logs as any reader does, also while the writer is at work.
 *
 * Rules (doc/design/retention.md):
 * - Whole segments go.  Nothing goes of a session that is open, and no event of
 *   a session before its screen.
 * - keep_screens, keep_events: what is older goes; what is younger never does.
 * - max_size, keep_free: only what has no rule of the first kind goes, the
 *   oldest first, screens before all else, and nothing younger than at_least.
 */
#ifndef OPS_EXPIRE_H
#define OPS_EXPIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "record/leaf.h"
#include "segment.h"
#include "vfs.h"

/* 0: no such rule. */
struct expire_rules {
	uint64_t keep_screens; /* ns */
	uint64_t keep_events;  /* ns; of programs, too */
	uint64_t max_size;     /* bytes of all segments */
	uint64_t keep_free;    /* bytes free where the store is */
	uint64_t at_least;     /* ns; with the two before it */
};
bool expire_rules_any(const struct expire_rules *r);

/* What the writer knows. */
struct expire_now {
	uint64_t realtime;
	uint8_t boot_id[16];
	/* BOOTTIME of the SESSION-OPEN of the oldest open session; UINT64_MAX:
	 * none is open. */
	uint64_t open_since;
};

/* One segment that is to go. */
struct expire_segment {
	struct leaf_tombstone t;
	uint64_t oldest; /* REALTIME of its first record */
	uint64_t newest; /* and of the newest; UINT64_MAX: it is in use */
	uint64_t bytes;
	char path[SEGMENT_PATH_MAX];
};

struct expire_plan {
	struct expire_segment *old; /* in the order in which they are to go */
	size_t n;
	struct expire_segment
	    *left; /* they have a TOMBSTONE, and a file still */
	size_t n_left;
	uint64_t bytes;   /* of all segments that no TOMBSTONE covers */
	uint64_t screens; /* REALTIME of the oldest screen kept; 0: none */
	uint64_t events;  /* and of the oldest event or program */
	uint64_t leaves;  /* bytes of the leaves, which stay */
	uint64_t expired; /* frames that TOMBSTONEs cover */
	bool has_last;
	struct leaf_tombstone last; /* the newest TOMBSTONE */
	/* A size limit would need what is to be kept: so many bytes. */
	uint64_t over;
	/* The clock jumped, or nothing was written for long: wait a day. */
	bool clock_waits;
	bool damaged; /* leaves don't verify: nothing may go */
};

/*
 * May anything be old enough that wasn't at the look before (0: there was none),
 * by the names of the folders alone?  Cheap.  Where a size limit is set, always;
 * of what is kept for days once a day.
 */
bool expire_due(struct vfs *v, const struct expire_rules *r, uint64_t realtime,
    uint64_t before);

/* left: look for files that a TOMBSTONE names as well.  *ret is the caller's,
 * expire_plan_free(). */
int expire_look(struct vfs *v, const struct expire_rules *r,
    const struct expire_now *now, bool left, struct expire_plan *ret,
    struct ops_err *err);
void expire_plan_free(struct expire_plan *p);

/* Remove n files whose TOMBSTONE a checkpoint covers, and folders of days that
 * are empty then; durable on return.  One that is gone is fine. */
int expire_remove(struct vfs *v, const struct expire_segment *s, size_t n,
    struct ops_err *err);

/* "2026-11-28 by keep_screens = 90d" */
#define EXPIRE_TEXT 96
void expire_text(const struct leaf_tombstone *t, char out[static EXPIRE_TEXT]);
/* "keep_screens = 90d"; a limit of ns, as opseal.conf(5) has it, or of bytes. */
void expire_rule_text(
    uint32_t why, uint64_t limit, char out[static EXPIRE_TEXT]);

#endif
