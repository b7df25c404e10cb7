/*
 * link - the connection of who records to the writer: sends what the queue holds,
 * takes acknowledgements, and connects again when the writer was away.
 *
 * The link is open when the writer has said what it holds of this stream and
 * that the log can be written; only then is anything sent.
 *
 * A recorder and the capture role have one each; what is their own is in
 * struct link_owner.
 *
 * Fuzzed: link
 */
#ifndef OPS_IPC_LINK_H
#define OPS_IPC_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"
#include "msg.h"
#include "proto.h"
#include "queue.h"

#define LINK_TEXT 400            /* bytes of a reason that are kept */
#define LINK_RETRY_NS 100000000u /* between attempts to connect */
#define LINK_SLOW_AFTER 50       /* attempts; then ten times as rarely */

/* What an owner of a link says and hears besides.  Each gets link.arg. */
struct link_owner {
	uint16_t hello; /* MSG_REC_HELLO, MSG_CAP_HELLO */
	/* Messages of the writer once it has said what it holds; the state in
	 * a rule is 1 << LINK_OPEN. */
	const struct msg_rule *rules;
	size_t n_rules;
	/* It has said it: link_say() what must come before all else. */
	void (*held)(void *arg, uint64_t now);
	/* It has less than was acknowledged (see queue_behind()): set the
	 * queue to what it has, or -1 to hang up. */
	int (*behind)(void *arg, const struct proto_held *h, uint64_t now,
	    struct ops_err *err);
};
#define LINK_OPEN 1

struct link {
	const char *path;
	uint8_t id[OPS_ID_LEN]; /* of the stream */
	uint64_t start;         /* our start time, for the hello */
	struct queue *queue;
	const struct link_owner *owner;
	void *arg;

	int fd;          /* -1: not connected */
	int bell;        /* came with REC_HELD, see link_ring(); -1: none */
	size_t unrung;   /* bytes sent since it was rung */
	uint64_t ring;   /* BOOTTIME when it is to be rung; 0: not */
	unsigned opened; /* counts connections */
	bool held;       /* REC_HELD came */
	bool log_ok;     /* REC_STATE */
	bool no_screens; /* it said that only little fits, or off: no output */
	bool off;        /* recording is switched off */
	char off_text[LINK_TEXT + 1]; /* by whom, and why */
	bool limited;   /* the user has had his share of it: no output either */
	bool full;      /* the socket took no more: wait for EPOLLOUT */
	uint64_t retry; /* BOOTTIME of the next attempt */
	uint64_t
	    heard; /* BOOTTIME of the last word of a writer that can write */
	unsigned failed; /* attempts in a row */
	uint64_t now;    /* of link_read() */
};

/* Connect if it is time.  Failing is normal. */
void link_connect(struct link *l, uint64_t now);
/* Take what has arrived.  A peer that talks nonsense is disconnected. */
void link_read(struct link *l, uint64_t now);
/* Send a message of the owner's own, and ring for it.  Not while nothing is
 * held: see link_owner.held.  False: it wasn't sent, since the link isn't open (any
 * more), or since the socket takes no more now. */
bool link_say(
    struct link *l, uint16_t type, const void *p, size_t n, uint64_t now);
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
