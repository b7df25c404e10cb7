/*
 * past - what the leaves of a store's newest log say about how it goes on.
 *
 * The first half of recovery (recover.c): go through the leaves, feed the
 * framer, remember the keys and places that were named last.  Writes nothing.
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

struct past {
	bool any;              /* there is a log with a leaf in it */
	uint32_t n;            /* its number */
	uint64_t torn;         /* bytes behind its last whole leaf */
	bool ends_in_seal;     /* that leaf is a SEAL */
	bool whole;            /* all its predecessors could be read */
	struct engine *e;      /* being built */
	struct leaf_boot boot; /* the last one */
	bool has_seal;
	struct leaf_seal seal; /* the last one */
	bool seal_after_boot;
	uint64_t seals;
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
		uint64_t first;
	} events[PAST_EVENT_STREAMS];
	size_t n_events;
};

/* Read the newest log that has a leaf (e->log is it then) into p and e; of the
 * logs before it the framer is told which frames they hold. */
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
