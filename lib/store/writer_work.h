/*
 * writer_work - the inside of a struct writer; between writer.c (open, close,
 * ask), intake.c (the callers' side), notices.c (events of its own), syncer.c,
 * sealer.c and expirer.c (the threads) and outage.c (when the log can't be written).
 */
#ifndef OPS_WRITER_WORK_H
#define OPS_WRITER_WORK_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine.h"
#include "latency.h"
#include "streamtab.h"
#include "writer.h"

#define MS 1000000ull
#define SEC 1000000000ull

/* Records on their way: queued, made durable by the sync thread, then framed. */
struct batch {
	struct ops_buf b;
	uint64_t last_ticket;
	uint64_t first_arrival;
	uint64_t first_stated; /* when it was sent, by its own time */
	uint32_t records;
	struct batch *next;
};

struct batches {
	struct batch *head, **end;
};

struct writer {
	struct engine *e;
	uint64_t seal_after, seal_idle;
	void (*wake)(void *arg);
	void *arg;
	pthread_t sync_thread, frame_thread;
	bool sync_running, frame_running;

	pthread_mutex_t lock; /* all below, but the atomics */
	pthread_cond_t sync_cv, frame_cv;
	struct batches queue;   /* not durable; the tail is being filled */
	struct batches durable; /* not framed */
	struct batches pool;
	size_t pooled;
	uint64_t in_flight;  /* bytes of batches queued or not framed */
	uint64_t waiting;    /* bytes not durable */
	uint64_t sync_wants; /* waiting >= this wakes the sync thread */
	uint64_t ticket, last_arrival;
	uint64_t oldest; /* arrival of the oldest record not durable; 0: none */
	bool urgent, stop, seal_soon;
	bool sync_done;          /* nothing queued now would become durable */
	struct streamtab *known; /* sessions, as of what was queued */
	uint64_t next_event;     /* number in the events stream */
	/* sessions closed and forgotten */
	uint8_t gone[ENGINE_CLOSED][OPS_ID_LEN];
	size_t n_gone;
	uint64_t open;
	bool failed[2]; /* sync side, framing side */
	char reason[2][240];
	uint64_t since;
	uint64_t records, bytes;
	uint64_t unsealed, stored, sealed_size;
	uint64_t unwritten;     /* memory of frames that aren't sealed */
	uint64_t sync_unframed; /* records durable, not framed */
	struct ops_buf note;
	struct latency durable_time, sealed_time;

	/* expirer.c */
	pthread_t expire_thread;
	bool expire_running, expire_now, expire_left;
	pthread_cond_t expire_cv;
	struct leaf_tombstone *stones; /* on their way to the framing side */
	size_t n_stones;
	bool stones_out; /* not under a checkpoint yet */
	struct writer_retention_status retention;

	atomic_uint_fast64_t done; /* highest durable ticket */
};

enum side { SYNC_SIDE, FRAME_SIDE };

/* -- intake.c -- */
void batches_init(struct batches *l);
void batches_push(struct batches *l, struct batch *b);
struct batch *batches_pop(struct batches *l); /* NULL: empty */
void batches_free(struct batches *l);
void batch_free(struct batch *b);
/* An event of the writer itself, or a caller's; the queue's limit is not
 * looked at.  Lock held. */
int writer_queue_event(struct writer *w, uint8_t type, uint64_t time,
    const uint8_t *payload, size_t n, uint64_t *ticket, struct ops_err *err);

/* Is it a session that was closed not long ago?  Lock held. */
bool writer_is_gone(
    const struct writer *w, const uint8_t id[static OPS_ID_LEN]);

/* -- notices.c: the events of the writer itself -- */
/* DAEMON_START, and the CLOSE of sessions that a reboot ended. */
int writer_say_started(struct writer *w, const char *note, struct ops_err *err);
void writer_say_stopped(struct writer *w); /* Lock held. */
/* The span in which nothing could be written is itself a record.  Lock held. */
void writer_say_back(struct writer *w, const char *reason);

/* -- syncer.c, sealer.c: the threads -- */
void *writer_sync_main(void *arg);
void *writer_frame_main(void *arg); /* NULL: there is no final SEAL */

/* -- expirer.c -- */
/* Before a seal that isn't final, by the framing side: what it is to cover. */
void writer_stones_take(struct writer *w);
/* After it. */
void writer_stones_done(struct writer *w);

/* -- outage.c -- */
void writer_wake(const struct writer *w);
/* One side can't write (err), or can (NULL). */
void writer_report(struct writer *w, enum side side, const struct ops_err *err);
/* Wait on cv until `until` (BOOTTIME) at most.  Lock held. */
void writer_wait_until(struct writer *w, pthread_cond_t *cv, uint64_t until);
/* After a failure: true when it is time to try again; false once the writer is
 * closing and has tried often enough. */
bool writer_pause(struct writer *w, pthread_cond_t *cv, unsigned *tries);

#endif
