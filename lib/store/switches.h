/*
 * switches - when recording was switched off, and on again, told from the events
 * streams: `opseal off` and `opseal on`.
 *
 * Each run of the daemon that is off says so once more, which is no new one.  An off
 * lasts until the next on; or until a daemon begins that isn't off: who brought that
 * about, nobody knows.
 *
 * Fuzzed: switches
 */
#ifndef OPS_SWITCHES_H
#define OPS_SWITCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/event.h"
#include "store.h"

struct switched {
	/* what: DAEMON_OFF; DAEMON_ON; or DAEMON_START, of a daemon that is on though
	 * it was off before.  Its texts are the list's. */
	struct event_daemon e;
	uint64_t time; /* BOOTTIME */
	uint64_t wall; /* CLOCK_REALTIME, ns */
	bool sealed;
};

/* Zero-initialised it is empty. */
struct switches {
	struct switched *s; /* in the order of the log */
	size_t n, cap;
	uint64_t missing; /* frames of events that can't be read, and should */
	struct arena *arena;
};

/* All of the store. */
int switches_load(struct store *s, struct switches *ret, struct ops_err *err);
void switches_free(struct switches *all);

/* The off that was in force at that time of CLOCK_REALTIME.  NULL: recording was on,
 * as far as is known. */
const struct switched *switches_at(const struct switches *all, uint64_t wall);

/* "root", "root (anna)" who logged in as anna, "uid 0" without a name,
 * "somebody" of whom nothing is known.  Appended, escaped. */
void switched_by(struct ops_buf *out, const struct switched *s);

/* One as bytes and back, for query's answers: u8 sealed, u64 BOOTTIME, u64 REALTIME,
 * then the payload of its record.  get: it is appended to the list. */
void switched_put(struct ops_buf *b, const struct switched *s);
int switched_get(
    const uint8_t *p, size_t n, struct switches *all, struct ops_err *err);

#endif
