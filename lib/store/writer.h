/*
 * writer - the one who writes a store (design section 4).
 *
 * Opening takes the lock, recovers what a crash left, and appends a BOOT leaf.
 * Then two threads run: the sync thread makes records durable in the WAL and
 * acknowledges them; the framing thread compresses them into frames, seals
 * periods, writes checkpoints.  The callers' thread only queues.
 *
 * Tickets: each put returns a number; when writer_durable() reaches it, that
 * record and all before it survive a power cut.  `wake` is called (from the
 * sync thread, keep it short: write to an eventfd) whenever writer_durable()
 * or the state changed.
 *
 * When the log can't be written the writer keeps what it was given (up to
 * WRITER_QUEUE_MAX), says so in writer_status(), and tries again every second.
 */
#ifndef OPS_WRITER_H
#define OPS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "expire.h"
#include "record/leaf.h"
#include "record/record.h"
#include "vfs.h"

#define WRITER_QUEUE_MAX (64u << 20) /* bytes queued, not yet durable */
#define WRITER_SESSIONS_MAX 65536    /* open at once */

struct writer_opts {
	const char *machine_id; /* text of /etc/machine-id, or "" */
	uint8_t boot_id[16];
	uint64_t
	    seal_after; /* ns from a period's first record to its seal; 0: 1 s */
	uint64_t seal_idle;    /* ns between seals of an idle log; 0: 60 s */
	uint64_t resume_every; /* ns between new resume keys; 0: 60 s */
	const char *note;      /* text of the DAEMON_START event: the version */
	void (*wake)(void *arg);
	void *arg;
};

struct writer;

/* Open (or create) the store for writing.  OPS_EBUSY: another writer has it.
 * The vfs stays the caller's and must outlive the writer. */
int writer_open(struct vfs *v, const struct writer_opts *o, struct writer **ret,
    struct ops_err *err);

/* Seal finally (the WAL is empty afterwards), stop the threads, free.  -1 if
 * the final seal could not be written; the writer is freed all the same. */
int writer_close(struct writer *w, struct ops_err *err);

/* Records of a run of capture will come, as stream id.  Once more for the same
 * stream is nothing new. */
int writer_programs(
    struct writer *w, const uint8_t id[static OPS_ID_LEN], struct ops_err *err);

/* Queue `n` bytes of encoded records of stream id, an open session's screen or
 * that of writer_programs(), the first being number `first`.  Records the writer has already (below next_record) are
 * dropped; a number above it is OPS_EUSAGE.  On success *ticket is set.
 * OPS_EBUSY: the queue is full, try again after a wake. */
int writer_put_records(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    uint64_t first, const uint8_t *records, size_t n, uint64_t *ticket,
    struct ops_err *err);

/* Queue one event; payload as event.h makes it.  Its number in the boot's
 * events stream is given by the writer.  time: BOOTTIME of the happening. */
int writer_put_event(struct writer *w, uint8_t type, uint64_t time,
    const uint8_t *payload, size_t n, uint64_t *ticket, struct ops_err *err);

/* The highest durable ticket. */
uint64_t writer_durable(const struct writer *w);
/* The newest ticket: once it is durable, so is all that was taken before, also
 * by a put that failed at a later record. */
uint64_t writer_newest(struct writer *w);

#define WRITER_SECRET 32
/* A secret of this log's, for one purpose: derived from the log key, so it is the
 * same as long as that is.  purpose: a text of our own, short. */
void writer_secret(const struct writer *w, const char *purpose,
    uint8_t ret[static WRITER_SECRET]);

/* What the writer knows of a session of this kernel boot; of a programs stream
 * next_record alone. */
struct writer_session {
	bool known;           /* its SESSION-OPEN is here */
	bool closed;          /* and its SESSION-CLOSE */
	uint64_t next_record; /* the next screen record number it takes */
	uint64_t
	    next_event; /* OPEN, CLOSE, GAP, BYPASS events and reasons it has */
	uint64_t recorder_pid, recorder_start; /* from SESSION-OPEN */
	bool imported;                         /* from it, too, */
	uint32_t auid;   /* of who was in it; EVENT_UNSET: none */
	uint32_t charge; /* and to whom it counts */
};
void writer_session(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    struct writer_session *ret);
/* The open sessions: for the daemon to close those whose recorder is gone.
 * Calls fn for each; fn must not call back into the writer. */
void writer_open_sessions(struct writer *w,
    void (*fn)(void *arg, const uint8_t *id, const struct writer_session *s),
    void *arg);

enum writer_state {
	WRITER_OK,
	WRITER_FAILED, /* the log can't be written; `reason`, `since` */
};
struct writer_status {
	enum writer_state state;
	char reason[240];
	uint64_t since;       /* BOOTTIME of entering the state */
	uint64_t records;     /* made durable since the start */
	uint64_t bytes;       /* of them, raw */
	uint64_t queued;      /* bytes waiting to become durable */
	uint64_t unsealed;    /* records durable, not yet sealed */
	uint64_t lag;         /* ns the oldest queued record has waited */
	uint64_t sessions;    /* open */
	uint64_t sealed_size; /* leaves under the newest checkpoint */
	uint32_t log;         /* number of the log being written */
	uint64_t stored;      /* bytes of frames written since the start */
	/* Times from arrival to durable / to sealed, ns, over the last ~4096
	 * batches / seals. */
	uint64_t durable_p50, durable_p99, sealed_p50, sealed_p99;
};
void writer_status(struct writer *w, struct writer_status *ret);

/* Bytes of the disk that what it was given may still take, at most: it is queued, or
 * in frames that aren't under a SEAL.  A new file of the WAL isn't counted. */
uint64_t writer_to_write(struct writer *w);

/* From the next period on; see struct writer_opts. */
void writer_set_seal_after(struct writer *w, uint64_t ns);
/*
 * How long what is kept.  From the first call with a rule on (or where an expiry
 * of an earlier run may be unfinished) a third thread looks once an hour, or ten
 * times in the shortest time that a rule names: TOMBSTONEs go into the next SEAL,
 * then files are removed, so many at a time that records need not wait.  May be
 * called again: the thread looks at once.
 */
void writer_retention(struct writer *w, const struct expire_rules *r);

struct writer_retention_status {
	struct expire_rules rules;
	bool looked;            /* what follows is known */
	uint64_t at;            /* REALTIME of that look; 0: it waits */
	uint64_t bytes, leaves; /* as in struct expire_plan */
	uint64_t screens, events;
	uint64_t expired, over;
	bool clock_waits, damaged;
	bool has_last;
	struct leaf_tombstone last;
	uint64_t removed;  /* files, since the start */
	char trouble[240]; /* why the last try ended early; "": it didn't */
};
void writer_retention_status(
    struct writer *w, struct writer_retention_status *ret);

/* Ask for a seal now (privilege gained, session ended, shutdown is near). */
void writer_seal_soon(struct writer *w);

/* The newest signed checkpoint (a note), appended to out; size 0 before the
 * first.  And the log's public key as a vkey. */
int writer_checkpoint(struct writer *w, struct ops_buf *note,
    struct ops_buf *vkey, uint64_t *size, struct ops_err *err);

#endif
