/*
 * past - what the leaves of a store say about how it goes on.
 *
 * The first half of recovery (recover.c): go through the leaves of all logs,
 * oldest first, feed the framer, remember the keys and places that were named
 * last.  All logs, because a stream may go on from one into the next, and
 * because a segment is never touched by a writer that does not know what the
 * leaves say of it.  Writes nothing.
 *
 * Fuzzed: recover
 */
#ifndef OPS_PAST_H
#define OPS_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

#define PAST_PERIODS                                                           \
	64 /* period keys remembered; the WAL spans a few at most */
#define PAST_EVENT_STREAMS 1024

/* But for `events` all of it is about the newest log that has a leaf. */
struct past {
	bool any;              /* there is one */
	uint32_t n;            /* its number */
	uint32_t reading;      /* the one that is being read */
	bool begun;            /* a leaf of it was seen */
	bool damaged;          /* it, or one before it: see log.h */
	struct engine *e;      /* being built */
	struct leaf_boot boot; /* the last one */
	bool has_seal;
	struct leaf_seal seal; /* the last one */
	bool seal_after_boot;
	uint8_t resume_pub[OPS_PUB_LEN]; /* named last */
	struct leaf_wal wal;             /* where the WAL goes on */
	struct leaf_clock clock;         /* of the last BOOT or SEAL */
	struct {
		uint64_t period;
		uint8_t pub[OPS_PUB_LEN];
	} key[PAST_PERIODS];
	size_t n_keys;
	/* Event frames since the last SEAL with no session open. */
	struct {
		uint8_t id[OPS_ID_LEN];
		uint32_t log;
		uint64_t first;
	} events[PAST_EVENT_STREAMS];
	size_t n_events;
};

/* Read all logs into p and e; e->log is the newest that has a leaf then, NULL
 * if none has. */
int past_read(
    struct past *p, struct vfs *v, struct engine *e, struct ops_err *err);
/* Was the log closed: is its last leaf a final SEAL? */
bool past_clean(const struct past *p);
/* The key that signs the batches of a period, or NULL. */
const uint8_t *past_key(const struct past *p, uint64_t period);
/* Rebuild the accounts of open sessions from events that are framed. */
int past_replay_events(
    const struct past *p, struct vfs *v, struct ops_err *err);

#endif
