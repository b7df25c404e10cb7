/*
 * history - all logs of a store, read leaf by leaf and held against the rules.
 *
 * The common ground of store.h (which shows what is there) and check.h (which
 * names all that is wrong): which logs, streams and frames there are, where
 * seals and boots lie, and which keys may sign what comes next.  Rules about
 * leaves are checked here and told through `found`; segments and the WAL are
 * not touched.
 */
#ifndef OPS_HISTORY_H
#define OPS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "merkle/tree.h"
#include "store.h"

struct history_opts {
	/* Check every BOOT and SEAL signature; else only those that no
	 * checkpoint covers. */
	bool all_signatures;
	unsigned threads;
	void (*found)(void *arg, enum finding_kind k, const char *where,
	    const char *detail);
	/* NULL, or called for each leaf (also one with a bad CRC); `after` is
	 * the tree with it. */
	void (*leaf)(void *arg, size_t log, const uint8_t *p, size_t n,
	    const uint8_t *hash, const struct tree *after);
	/* NULL, or called before (`first`) and after the leaves of a log. */
	void (*log)(void *arg, size_t log, bool first);
	void *arg;
};

/* A BOOT or SEAL: where a period begins. */
struct history_mark {
	uint32_t log; /* index into log[] */
	size_t run;   /* the writer's run: the BOOT's place in mark[] */
	uint64_t index;
	uint64_t realtime; /* of its clock */
	int64_t wall;      /* REALTIME - BOOTTIME of its clock */
	uint8_t boot_id[16];
};

struct history_log {
	struct store_log pub;
	struct tree tree;           /* over all whole leaves */
	uint64_t bytes;             /* of the leaves file, as it was read */
	uint64_t first_mark, marks; /* in mark[] */
	bool sealed_ok;             /* its checkpoint fits */
};

struct history_stream {
	uint8_t id[OPS_ID_LEN];
	uint8_t class;
	bool has_boot;
	bool closed; /* it has a CLOSE, in any log */
	uint8_t boot_id[16];
	struct store_frame *frame;
	size_t n, cap;
	uint64_t next_frame, next_record;
	/* check's: what the WAL holds of it behind its frames */
	bool in_wal;
	uint64_t wal_next, wal_records, wal_bytes;
	uint32_t segments; /* check's: that its frames lie in */
	/* in the log that is read */
	size_t log;
	uint64_t log_frames;
	uint8_t last[OPS_HASH_LEN]; /* leaf hash of its last frame there */
};

struct history_close {
	struct leaf_close leaf;
	uint32_t log;
	uint64_t index;
	bool sealed;
};

struct history_tombstone {
	struct leaf_tombstone leaf;
	uint32_t log;
	uint64_t index;
	bool sealed;
};

#define WAL_PERIODS 63 /* before the newest, that batches may be signed in */

/* Who may sign WAL batches. */
struct history_key {
	uint64_t period;
	uint8_t pub[OPS_PUB_LEN];
};

struct history {
	struct history_log *log;
	size_t logs;
	struct history_stream *stream;
	size_t streams;
	struct history_mark *mark;
	size_t marks, mark_cap;
	struct history_close *close;
	size_t closes, close_cap;
	/* Once all is read: those that are sealed, by stream and number; what
	 * lay over another became one with it. */
	struct history_tombstone *tombstone;
	size_t tombstones, tombstone_cap;
	struct history_key *key;
	size_t keys, key_cap;
	struct leaf_wal wal;      /* where the unsealed tail begins */
	struct leaf_wal replayed; /* and the records of the frames behind the
				   * last SEAL or BOOT: before `wal` if the
				   * newest log has no SEAL yet */
	bool clean;               /* the newest log ended with a final SEAL */
	bool unfinished;          /* frames stand behind the last SEAL */
	bool next_begun;     /* a log without a leaf yet stood behind them */
	uint8_t boot_id[16]; /* of the newest BOOT */
	uint64_t leaves;

	uint32_t *table; /* streams by id; index + 1, 0: empty */
	size_t table_size;
	uint64_t hash_key[6]; /* whoever chose the ids doesn't know it */
};

/*
 * Read all logs.  -1: there is none (OPS_ENOENT), a format is too new
 * (OPS_ENEWER), or no memory, or the folder can't be read; anything else goes
 * to found().  history_free() in any case.
 */
int history_read(struct vfs *v, const struct history_opts *o,
    struct history *ret, struct ops_err *err);
void history_free(struct history *h);

/* Room for one more in an array that doubles; false: no memory. */
bool history_grow(void *array, size_t n, size_t *cap, size_t size);
/* The stream of this id, made if it is new (pointers to others may move);
 * NULL: no memory. */
struct history_stream *history_stream_get(
    struct history *h, const uint8_t *id, uint8_t class);
/* Has the newest log other leaves by now than were read?  Then what follows
 * them in the WAL and in segments is not what follows those that were read. */
bool history_moved_on(struct vfs *v, const struct history *h);
/* NULL if unknown. */
struct history_stream *history_find(
    const struct history *h, const uint8_t id[static OPS_ID_LEN]);
/* The place of its first frame whose number is not below this; s->n: none is. */
size_t history_frame_at(const struct history_stream *s, uint64_t number);
/* The BOOT or SEAL that began the period in which a leaf stands. */
const struct history_mark *history_mark_before(
    const struct history *h, uint32_t log, uint64_t index);
/* How many leaves the last BOOT or SEAL of a log ends: what stands behind is
 * signed by nothing. */
uint64_t history_signed(const struct history *h, size_t log);
/* The sealed TOMBSTONE that covers this frame; NULL: none. */
const struct leaf_tombstone *history_tombstone(const struct history *h,
    const uint8_t stream[static OPS_ID_LEN], uint64_t number);
bool history_expired(const struct history *h,
    const uint8_t stream[static OPS_ID_LEN], uint64_t number);
/* Is batch b signed by a key that may? */
struct wal_batch;
bool history_batch_signed(const struct history *h, const struct wal_batch *b);

#endif
