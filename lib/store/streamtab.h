/*
 * streamtab - the streams a writer has in hand, found by id.
 *
 * A stream is a session's (its screen, and the account of its events) or a
 * boot's events.  Streams are owned by the table.  "Touched" is the list of
 * those that the current period has something of.  One thread at a time.
 */
#ifndef OPS_STREAMTAB_H
#define OPS_STREAMTAB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/text.h"
#include "framer.h"
#include "record/record.h"
#include "segment.h"

struct stream {
	struct framer_stream pub;
	bool numbered; /* next_record is known */
	bool has_prev; /* it has a FRAME leaf in this log */
	bool closed;   /* it has its CLOSE leaf (kept only during recovery) */
	uint64_t first_frame;       /* its first frame in this log */
	uint8_t prev[OPS_HASH_LEN]; /* hash of its last FRAME leaf */

	struct ops_buf raw; /* records of the open frame */
	uint32_t count;
	uint64_t arrived_first, arrived_last;
	struct segment_tail seg;
	uint64_t run; /* the writer's, that it was last written in */
	/* At a start, what the leaves say of it: what lies behind that in its
	 * segments a crash left. */
	struct {
		uint64_t frame, record; /* the next ones */
		uint32_t segments;
		char path[SEGMENT_PATH_MAX]; /* of the last */
	} sealed;

	uint64_t events; /* account for the CLOSE leaf */
	uint8_t chain[OPS_HASH_LEN];
	uint32_t close_state;

	struct stream *next; /* in its bucket */
	struct stream *next_touched;
	bool touched;
};

struct streamtab;

struct streamtab *streamtab_new(void); /* NULL: no memory */
void streamtab_free(struct streamtab *t);
struct stream *streamtab_find(
    const struct streamtab *t, const uint8_t id[static OPS_ID_LEN]);
/* Find or make; NULL: no memory, or STREAMTAB_MAX reached. */
#define STREAMTAB_MAX 1000000
struct stream *streamtab_get(
    struct streamtab *t, const uint8_t id[static OPS_ID_LEN], uint8_t class);
/* Its CLOSE leaf is there.  Until streamtab_settle() it is only marked. */
void streamtab_close(struct streamtab *t, const uint8_t id[static OPS_ID_LEN]);
bool streamtab_closed(
    const struct streamtab *t, const uint8_t id[static OPS_ID_LEN]);
/* Recovery is over: forget closed streams, now and from here on. */
void streamtab_settle(struct streamtab *t);
void streamtab_each(
    struct streamtab *t, void (*fn)(void *arg, struct stream *s), void *arg);

/* Note in s what this event of its session says. */
void stream_note_event(struct stream *s, const struct record *r);

void streamtab_touch(struct streamtab *t, struct stream *s);
struct stream *streamtab_touched(
    struct streamtab *t); /* in order of touching */
void streamtab_untouch_all(struct streamtab *t);

#endif
