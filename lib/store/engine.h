/*
 * engine - everything that writing a store is, without threads or timers.
 *
 * Two sides that may run in different threads:
 *
 *	sync side	engine_batch_end(), engine_wal_write(): make a batch durable
 *	framing side	engine_consume(), engine_seal(): frames, leaves, checkpoint
 *
 * The sides share only the seal key and the WAL's list of files, each behind
 * its own lock.  writer.h puts threads on top; the power-cut test drives the
 * sides itself, step by step.
 */
#ifndef OPS_ENGINE_H
#define OPS_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "framer.h"
#include "keys.h"
#include "log.h"
#include "record/leaf.h"
#include "record/walbatch.h"
#include "vfs.h"
#include "wal.h"

struct engine_opts {
	const char *machine_id; /* text, or "" */
	uint8_t boot_id[16];
	uint64_t resume_every; /* ns between resume keys; 0: 60 s */
};

#define ENGINE_CLOSED 4096

/* How far a seal has come; it goes on there after a failure. */
enum seal_step { SEAL_IDLE, SEAL_PAYLOAD, SEAL_LEAVES, SEAL_CHECKPOINT };

struct engine {
	struct vfs *v;
	struct log *log;
	struct framer *framer;
	uint8_t boot_id[16];
	uint8_t events[OPS_ID_LEN]; /* this boot's events stream */
	bool tombstones;            /* the logs had some at this start */
	bool
	    rebooted; /* the kernel was started since the log was last written */
	/* Sessions closed last before this start: their recorders may not have
	 * heard of it. */
	uint8_t closed[ENGINE_CLOSED][OPS_ID_LEN];
	size_t n_closed; /* ever; the newest ENGINE_CLOSED are kept */

	/* sync side */
	struct wal *wal;
	pthread_mutex_t wal_lock;
	uint64_t next_batch;
	uint8_t chain[OPS_HASH_LEN];

	/* both: who signs */
	pthread_mutex_t key_lock;
	struct ops_signer *seal_key;
	uint64_t period;
	uint64_t period_batch; /* the first batch that it signs */

	/* framing side */
	struct leaf_wal consumed; /* position behind the batches consumed */
	uint64_t from, until;     /* arrivals of the period: (from, until] */
	struct resume_keys resume;
	int resume_slot;
	uint64_t resume_at, resume_every; /* BOOTTIME ns */
	bool resume_staged;
	enum seal_step step;
	struct log_append append;
	struct leaf_seal seal;
	struct ops_signer *next_key;
	/* TOMBSTONEs that the next SEAL is to cover; owned.  NULL once a
	 * checkpoint does. */
	struct leaf_tombstone *stones;
	size_t n_stones;
	bool stones_in; /* the append has them */
};

/* Lock, recover, append BOOT (and what recovery replays) and a first SEAL. */
int engine_open(struct vfs *v, const struct engine_opts *o, struct engine **ret,
    struct ops_err *err);
void engine_free(struct engine *e);

/* -- sync side -- */
/* Complete the batch in b (begun by wal_batch_begin(b, 0, 0, zeros)) with its
 * number, the current period and key. */
int engine_batch_end(struct engine *e, struct ops_buf *b, struct ops_err *err);
/* Make the finished batch durable; blocks is working space.  After a failure
 * call it again with the same batch. */
int engine_wal_write(struct engine *e, const struct ops_buf *b,
    struct ops_buf *blocks, struct ops_err *err);

/* -- framing side -- */
/* Take a durable batch into frames, from entry offset *at on (0 at first);
 * after a failure call again with the same *at.  Not between a failed
 * engine_seal() and its success. */
int engine_consume(
    struct engine *e, const struct ops_buf *b, size_t *at, struct ops_err *err);
/*
 * May a seal be begun?  Not before all batches signed with earlier periods'
 * keys are consumed: so a batch is at most one SEAL late, however slow the disk
 * or the framing is, and readers need only remember the last two keys.
 */
bool engine_may_seal(struct engine *e);
/* Seal all that was consumed, and `stones` unless final.  After a failure call
 * it again. */
int engine_seal(struct engine *e, bool final, struct ops_err *err);
/* After a final seal: empty the WAL, write partial tiles. */
int engine_finish(struct engine *e, struct ops_err *err);

/* -- for recover.c and past.c -- */
/* Start, fill in and write the append that ends in a SEAL: `prepare` may put
 * leaves before the frames' (BOOT). */
int engine_seal_begin(struct engine *e, bool final,
    int (*prepare)(struct engine *e, void *arg, struct ops_err *err), void *arg,
    struct ops_err *err);
int engine_seal_go(struct engine *e, struct ops_err *err);
/* Session id has its CLOSE leaf, or gets it now. */
void engine_remember_closed(
    struct engine *e, const uint8_t id[static OPS_ID_LEN]);
/* A fresh seal key; NULL: no memory. */
struct ops_signer *engine_new_key(void);

#endif
