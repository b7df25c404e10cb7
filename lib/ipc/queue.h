/*
 * queue - what the writer hasn't acknowledged as durable yet.
 *
 * Two rows, each numbered from 0: the records of the screen, encoded back to
 * back as they are sent, and the events.  A record goes from "new" to "sent"
 * to "acknowledged", when it leaves; after a reconnect the marks go back to
 * what the writer holds.  Nothing here is dropped otherwise.
 *
 * Memory: the first queue_room() takes all that the records will ever need, and
 * small events have theirs in the struct, so that a queue that has begun can
 * only be full; it can't run out of memory in the middle of a session.  What
 * was never used is never touched, and so costs nothing.
 *
 * Fuzzed: link
 */
#ifndef OPS_IPC_QUEUE_H
#define OPS_IPC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/record.h"

#define QUEUE_MAX ((size_t)4 << 20)  /* bytes of records */
#define QUEUE_MEMORY (2 * QUEUE_MAX) /* room to move them seldom */
#define QUEUE_EVENTS_MAX 128
#define QUEUE_EVENTS_KEPT 8   /* of them only for queue_event(urgent) */
#define QUEUE_GAP_LEN 24      /* payload of a GAP record */
#define QUEUE_EVENT_SMALL 256 /* bytes of an event that needs no memory */

struct queue_event {
	uint64_t after; /* goes when the records below this number are sent */
	uint64_t time;
	uint8_t type;
	uint8_t *p; /* small, or its own memory */
	size_t n;
	uint8_t small[QUEUE_EVENT_SMALL];
};

struct queue {
	uint8_t *data; /* QUEUE_MEMORY bytes */
	size_t cap;    /* of them in use, so that few pages are touched */
	size_t head, sent, tail; /* bytes: oldest kept, first unsent, end */
	uint64_t head_no, sent_no, tail_no;

	struct queue_event event[QUEUE_EVENTS_MAX]; /* by number, modulo */
	uint64_t event_head, event_sent, event_tail;

	/* Of the screen acknowledged: bytes of output, and those that GAPs
	 * stand for. */
	uint64_t acked, acked_gaps;
	uint64_t
	    missing; /* bytes of output that queue_restart() took as lost */
	struct queue_event first; /* event 0, kept for queue_restart() */
};

/* Room for a record with n bytes of payload: where the payload goes.  NULL if
 * QUEUE_MAX is reached or, the first time only, memory is short; nothing has
 * changed then.  Else fill in at most n and queue_add(). */
uint8_t *queue_room(struct queue *q, size_t n);
/* The record in that room is of this type, time and length. */
void queue_add(struct queue *q, uint8_t type, uint64_t time, size_t n);
/* Both at once.  0 or -1. */
int queue_put(
    struct queue *q, uint8_t type, uint64_t time, const void *p, size_t n);

/* Is there a place for one more event?  Some are kept for urgent ones. */
int queue_event_room(const struct queue *q, int urgent);
/* Append an event (p: payload, copied), to be sent behind all records there
 * are.  0 or -1: no place, or no memory for one over QUEUE_EVENT_SMALL. */
int queue_event(struct queue *q, uint8_t type, uint64_t time, const void *p,
    size_t n, int urgent);

/*
 * What to send next.  QUEUE_RECORDS: whole records of at most max bytes at
 * *p, the first has number *no; QUEUE_EVENT: *ev with number *no.  Valid until
 * the next call.  Then queue_sent().
 */
enum queue_next { QUEUE_NOTHING, QUEUE_RECORDS, QUEUE_EVENT };
enum queue_next queue_next(const struct queue *q, size_t max, const uint8_t **p,
    size_t *n, const struct queue_event **ev, uint64_t *no);
/* It was sent: n bytes of records, or (n = 0) the event. */
void queue_sent(struct queue *q, size_t n);

/* Everything below these numbers is durable.  -1: OPS_EFORMAT, not sent yet. */
int queue_ack(
    struct queue *q, uint64_t record, uint64_t event, struct ops_err *err);
/* The peer has everything below these: go on from there.  -1: OPS_EFORMAT, it
 * has more than there is, or less than was acknowledged. */
int queue_rewind(
    struct queue *q, uint64_t record, uint64_t event, struct ops_err *err);

/* Has the peer less than was acknowledged?  Its log is then not the one that
 * the rest is in, or was damaged. */
bool queue_behind(const struct queue *q, uint64_t record, uint64_t event);
/* What such a peer lacks of the screen, from the session's begin until the time
 * of the first record that it can get (now: there is none yet). */
struct queue_gap {
	uint64_t bytes, from, until;
};
void queue_gap(const struct queue *q, uint64_t record, uint64_t now,
    struct queue_gap *ret);
/*
 * Go on there: what is kept gets the numbers from these on.  In front goes a GAP
 * in each row, the record with this payload at the place of what is missing,
 * also into a full queue; and event 0 once more if the peer lacks even that.
 * Payloads are copied.  -1: no memory or no room; try later.
 */
int queue_restart(struct queue *q, uint64_t record, uint64_t event,
    const struct queue_event *gap, const uint8_t payload[static QUEUE_GAP_LEN]);

/* Without events: what is kept becomes another stream, from number 0 on, with
 * this record in front of it.  -1: no memory or no room. */
int queue_anew(
    struct queue *q, uint8_t type, uint64_t time, const void *p, size_t n);

int queue_all_sent(const struct queue *q);
/* All was sent, and the last of it was a SESSION-CLOSE. */
int queue_closed(const struct queue *q);
int queue_empty(const struct queue *q); /* everything was acknowledged */
size_t queue_bytes(const struct queue *q);
void queue_free(struct queue *q);

#endif
