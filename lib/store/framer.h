/*
 * framer - records in, frames in segments and their FRAME and CLOSE leaves out.
 *
 * Keeps one open frame a stream and the account of every open session (the
 * count and hash chain that its CLOSE leaf states, design 4.4).  Frames are
 * compressed when full or when the period is cut, and held in memory until
 * their payload is synced, so that a failed write can be repeated whole.
 *
 * Knows nothing of the WAL, keys, threads or time; one thread at a time.
 */
#ifndef OPS_FRAMER_H
#define OPS_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/frame.h"
#include "record/leaf.h"
#include "record/walbatch.h"
#include "vfs.h"

struct framer;

int framer_new(struct vfs *v, struct framer **ret, struct ops_err *err);
void framer_free(struct framer *f);

/* -- rebuilding the state at start, from the leaves in order -- */
int framer_seen_frame(struct framer *f, const struct leaf_frame *l,
    const uint8_t hash[static OPS_HASH_LEN], struct ops_err *err);
void framer_seen_close(struct framer *f, const struct leaf_close *l);
/* An event that stands in a frame already: only the account is kept. */
int framer_seen_event(struct framer *f, const struct record *r,
    const uint8_t *encoded, size_t n, struct ops_err *err);
/* What was seen was a predecessor log: open streams and their numbers go on in
 * a new one, where chains and counts start again. */
void framer_successor(struct framer *f);
/* The same for the accounts alone: the events seen were a predecessor's. */
void framer_accounts_successor(struct framer *f);
/* Leaves are missing among those seen: until framer_settle() a stream's records
 * from the WAL need not follow the last that is known. */
void framer_allow_holes(struct framer *f);
/* All leaves were seen; what is put from here on is from the WAL. */
void framer_seen_all(struct framer *f);
/*
 * All of the WAL was put: cut from the segments what a crash left there of it.
 * *cut counts the segments that lost something.
 */
int framer_recover(struct framer *f, uint64_t *cut, struct ops_err *err);
/* The state is complete: forget closed streams. */
void framer_settle(struct framer *f);

/* -- where frames go: also while leaves are seen -- */
/* A BOOT: each stream goes on in a new segment, in data/<class>/<day>/. */
void framer_run(struct framer *f, const char day[static 11]);
/* A SEAL: frames from now on go to data/<class>/<day>/. */
void framer_day(struct framer *f, const char day[static 11]);

/* -- running -- */
/* Take one record.  One that is framed already is skipped; a hole in the
 * numbers is OPS_EFORMAT. */
int framer_put(
    struct framer *f, const struct wal_entry *e, struct ops_err *err);
/* Close all open frames: what was put so far can be sealed. */
int framer_cut(struct framer *f, struct ops_err *err);
/* Write all cut frames to their segments, durable on return.  May be repeated
 * after a failure. */
int framer_write(struct framer *f, struct ops_err *err);
/* Append the leaves of all cut frames, and CLOSE of sessions that ended, as
 * encoded leaves: fn is called for each. */
int framer_leaves(struct framer *f,
    int (*fn)(void *arg, const uint8_t *leaf, size_t n, struct ops_err *err),
    void *arg, struct ops_err *err);
/* Those leaves are durable: forget the frames and the ended sessions. */
void framer_sealed(struct framer *f);

uint64_t framer_pending(const struct framer *f); /* records not yet sealed */
uint64_t framer_pending_bytes(const struct framer *f); /* memory they take */
uint64_t framer_stored(
    const struct framer *f); /* bytes of frames sealed since the start */
uint64_t framer_open_sessions(const struct framer *f);

/* What is known of a stream; false if it is not known. */
struct framer_stream {
	uint8_t id[OPS_ID_LEN];
	uint8_t class;
	uint64_t next_frame, next_record;
	bool opened;              /* a SESSION-OPEN was seen */
	bool closing;             /* and its SESSION-CLOSE */
	uint64_t recorder_events; /* OPEN, CLOSE, GAP, BYPASS, reasons */
	uint64_t recorder_pid, recorder_start;
	bool imported;      /* says its SESSION-OPEN, */
	uint32_t auid;      /* of who was in it, */
	uint32_t charge;    /* and to whom it counts */
	uint64_t opened_at; /* BOOTTIME that it states */
};
bool framer_stream(const struct framer *f, const uint8_t id[static OPS_ID_LEN],
    struct framer_stream *ret);
/* Each stream in the table (order undefined). */
void framer_each(const struct framer *f,
    void (*fn)(void *arg, const struct framer_stream *s), void *arg);

#endif
