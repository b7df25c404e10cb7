/*
 * link - the connection to the writer: sends what the queue holds, takes
 * acknowledgements, and connects again when the writer was away.
 *
 * The link is open when the writer has said what it holds of this session and
 * that the log can be written; only then is anything sent.
 *
 * Fuzzed: link
 */
#ifndef OPS_LINK_H
#define OPS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "ipc/proto.h"
#include "queue.h"

#define LINK_RETRY_NS 100000000u /* between attempts to connect */
#define LINK_SLOW_AFTER 50       /* attempts; then ten times as rarely */

struct link {
	const char *path;
	uint8_t id[OPS_ID_LEN];
	uint64_t start; /* our start time, for REC_HELLO */
	struct queue *queue;
	struct proto_outer outer; /* for REC_OUTER; door 0: no terminal */
	/* Somebody else has it open; f is valid during the call. */
	void (*found)(void *arg, const struct proto_found *f);
	void *arg;

	int fd;          /* -1: not connected */
	int bell;        /* came with REC_HELD, see link_ring(); -1: none */
	size_t unrung;   /* bytes sent since it was rung */
	uint64_t ring;   /* BOOTTIME when it is to be rung; 0: not */
	unsigned opened; /* counts connections */
	bool held;       /* REC_HELD came */
	bool log_ok;     /* REC_STATE */
	bool full;       /* the socket took no more: wait for EPOLLOUT */
	uint64_t retry;  /* BOOTTIME of the next attempt */
	uint64_t
	    heard; /* BOOTTIME of the last word of a writer that can write */
	unsigned failed; /* attempts in a row */
	uint64_t now;    /* of link_read() */
};

/* Connect if it is time.  Failing is normal. */
void link_connect(struct link *l, uint64_t now);
/* Take what has arrived.  A peer that talks nonsense is disconnected. */
void link_read(struct link *l, uint64_t now);
/* Have it looked for who else has the terminal open, from now on anew. */
void link_outer(struct link *l, uint64_t now);
/* Send all there is.  True if nothing is left unsent. */
bool link_flush(struct link *l, uint64_t now);
/*
 * What is sent wakes nobody: it lies in the socket, out of our hands.  Once it is
 * shown, call this; it rings if it is time: at once for an event or for much,
 * else LINK_RING_NS after what came first (l->ring), so that a person's key
 * doesn't wait until another process is awake.  now UINT64_MAX: it is time.
 */
#define LINK_RING_NS 4000000u
#define LINK_RING_BYTES 16384
void link_ring(struct link *l, uint64_t now);
/* Can records be sent? */
bool link_open(const struct link *l);
void link_close(struct link *l, uint64_t now);

#endif
