/*
 * check - verify a whole store, naming each finding with kind and place.
 *
 * An allow-list: what is not positively accounted for is a finding.  Findings
 * are told apart by what they mean (design 4.5, P4): a crash, a gap and an
 * expiry are explained by the log itself and don't fail the check; tampering
 * and damage do.
 *
 * Fuzzed: store, recover
 */
#ifndef OPS_CHECK_H
#define OPS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "merkle/checkpoint.h"
#include "store.h"

enum finding_kind {
	/* explained: the check still passes */
	FIND_CRASH, /* a shape that a crash may leave, or a BOOT that reports one */
	FIND_GAP,      /* bytes or events that could not be recorded, counted */
	FIND_LOST,     /* a session whose end is missing */
	FIND_EXPIRED,  /* deleted under a TOMBSTONE */
	FIND_UNSEALED, /* durable, not yet sealed (the newest second) */
	FIND_CLOCK,    /* the clocks of a boot were set back between two runs */
	FIND_SUCCESSOR,    /* the log was continued in a new one, and why */
	FIND_TILE_MISSING, /* derived; the writer makes it again */
	/* not explained: the check fails, exit 3 */
	FIND_TAMPER,  /* bytes that don't match their proof */
	FIND_MISSING, /* a frame, segment, leaf, batch or file is not there */
	FIND_FORGED_SEAL, /* a BOOT or SEAL not signed by the key named before */
	FIND_UNKNOWN,     /* a file or bytes nobody accounts for */
	FIND_INCOMPLETE,  /* a session's records don't add up to its CLOSE */
	FIND_TIME,   /* times outside their period, clocks running backwards */
	FIND_EARLY,  /* deleted before the rule that it names allowed it */
	FIND_ANCHOR, /* the log does not contain a remembered checkpoint */
	FIND_UNREADABLE, /* could not be read, so not checked */
};
/* Printed name ("CRASH", "TAMPER", "FORGED-SEAL", ...) and whether it fails. */
const char *finding_name(enum finding_kind k);
bool finding_fails(enum finding_kind k);

struct finding {
	enum finding_kind kind;
	const char *
	    where; /* "data/screen/2026-11-23/abc…-0000.seg offset 4711 (frame 3)" */
	const char *detail; /* one sentence */
};

struct check_opts {
	/* Stored bytes only: no decompression, no record roots.  (One session
	 * without a screen is nothing but events: those are opened.) */
	bool quick;
	unsigned threads;       /* 0: all cores */
	const uint8_t *session; /* only this one (NULL: everything) */
	/* Remembered checkpoints (from notes or anchor lines) to check against. */
	const struct checkpoint_anchor *anchors;
	size_t n_anchors;
	/* Called for each finding, from the calling thread, in order of place. */
	void (*found)(void *arg, const struct finding *f);
	void *arg;
};

struct check_result {
	uint64_t fails;     /* findings that fail */
	uint64_t explained; /* findings that don't */
	uint64_t logs, leaves, frames, records;
	/* All that the log and the WAL tell of, with a screen or without one;
	 * if `quick`, not those that only frames of events tell of. */
	uint64_t sessions;
	/* Of one session: it has no screen record, and that many events. */
	bool no_screen;
	uint64_t events;
	uint64_t stored_bytes, raw_bytes;
	uint64_t expired; /* frames that went by a rule */
	/* The newest remembered checkpoint, if the logs contain all of them. */
	bool anchored;
	struct checkpoint anchor;
};

/* -1 only where nothing could be checked (no store, newer format). */
int check_store(struct vfs *v, const struct check_opts *o,
    struct check_result *ret, struct ops_err *err);

#endif
