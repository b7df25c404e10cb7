/*
 * store - a store opened read-only, as any number of readers may at any time.
 *
 * Opening reads the leaves and the checkpoint of every log, checks signatures
 * and recomputes the root, so that what is handed out afterwards is what was
 * sealed (design 4.7).  Frames are checked against their leaf when they are
 * read; a frame that does not match is an error, never shown.  What lies in
 * the WAL and is not sealed yet is handed out with `sealed` false.
 *
 * Opening fails only where nothing could be trusted or shown (no log, a newer
 * format, an unreadable folder).  Damage to a part is noted (store_problem)
 * and the rest stays readable; saying all of it is check.h's work.
 *
 * A struct store is a snapshot: reopen it to see more.  It may be used by one
 * thread at a time.  Pointers it gives live until store_free().
 *
 * Fuzzed: store
 */
#ifndef OPS_STORE_H
#define OPS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "merkle/checkpoint.h"
#include "merkle/tree.h"
#include "record/frame.h"
#include "record/leaf.h"
#include "record/record.h"
#include "vfs.h"

#define STORE_LOGS_MAX 10000
#define STORE_LEAVES_MAX (1ull << 40) /* bytes of one leaves file */

struct store;

enum store_flags {
	STORE_NO_WAL =
	    1, /* sealed records only (the WAL may not be readable) */
};

int store_open(
    struct vfs *v, unsigned flags, struct store **ret, struct ops_err *err);
void store_free(struct store *s);

/* One log, by its place in the list (log/<n>, ascending). */
struct store_log {
	uint32_t n;               /* the number in its path */
	struct note_key key;      /* of its checkpoints; from its first BOOT */
	struct checkpoint sealed; /* newest checkpoint; size 0 if none */
	uint64_t size;            /* leaves there are, >= sealed.size */
	bool clean;               /* its last SEAL is final */
};
size_t store_logs(const struct store *s, const struct store_log **ret);

/* First thing found wrong while opening, or NULL: for a warning line. */
const char *store_problem(const struct store *s);

/* A frame of a stream, in stream order through all logs. */
struct store_frame {
	struct leaf_frame leaf;
	uint32_t log;   /* index into store_logs() */
	uint64_t index; /* of its leaf in that log */
	bool sealed;    /* index < sealed.size */
	int64_t
	    wall; /* add to BOOTTIME for wall time (ns), from the SEAL over it */
	uint8_t boot
	    [4]; /* first bytes of the boot id: frames of one boot share it */
};
size_t store_frames(const struct store *s,
    const uint8_t stream[static OPS_ID_LEN], const struct store_frame **ret);

/* The streams that have frames or WAL records. */
struct store_stream {
	uint8_t id[OPS_ID_LEN];
	uint8_t class;
	uint64_t frames;
	uint64_t unsealed; /* records in the WAL only */
};
size_t store_streams(const struct store *s, const struct store_stream **ret);

/* CLOSE leaf of a session (the newest), or NULL. */
const struct leaf_close *store_close_leaf(
    const struct store *s, const uint8_t id[static OPS_ID_LEN], bool *sealed);

/* -- records of a stream in order -- */
struct stream_reader;
struct stream_pos {
	uint64_t number; /* of the record in its stream */
	bool sealed;
	uint64_t
	    wall; /* CLOCK_REALTIME ns by the sealed offset (or, unsealed, the newest known) */
	const struct store_frame *frame; /* NULL: from the WAL */
};

/* Start at record number `from` (or the first kept one after it). */
int stream_open(struct store *s, const uint8_t id[static OPS_ID_LEN],
    uint64_t from, struct stream_reader **ret, struct ops_err *err);
void stream_free(struct stream_reader *r);
/* Go on at that record instead, as if opened there; forward in the frame that was
 * read last this reads nothing again. */
void stream_seek(struct stream_reader *r, uint64_t from);
/* Records that will be asked for next, each by stream_seek(), ascending: read the
 * frames that they are in now, on all cores.  Gives for how many of them that was
 * done, at least 1; the others, once those were read.  What can't be read is told
 * when it is asked for. */
size_t stream_ahead(struct stream_reader *r, const uint64_t *record, size_t n);
/* 1: *ret and *pos (payload valid until the next call).  0: end.  -1: a frame
 * is missing or does not match (OPS_ETAMPER, OPS_ENOENT, ...); err names it,
 * and the next call goes on after it. */
int stream_next(struct stream_reader *r, struct record *ret,
    struct stream_pos *pos, struct ops_err *err);

/* The frame that could not be read when stream_next() failed last; NULL: it was
 * something else. */
const struct store_frame *stream_failed(const struct stream_reader *r);

/* The rule that a frame went by; NULL: it is to be there. */
const struct leaf_tombstone *store_expired(
    const struct store *s, const struct store_frame *f);

/* Frames of events and programs that went by a rule: the more, the older is what
 * was derived from them. */
uint64_t store_expired_events(const struct store *s);

/* REALTIME of the newest record of this class that went by a rule; 0: none did. */
uint64_t store_expired_until(const struct store *s, uint8_t class);

/* Where a stored frame lies: path of its segment and offset.  Found by walking
 * the stream's segments once; cached. */
int store_locate(struct store *s, const struct store_frame *f,
    const char **path, uint64_t *offset, struct ops_err *err);

#endif
