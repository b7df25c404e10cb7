/*
 * capture_order - what the kernel's side says, whole and in order.
 *
 * Records of two rings go in as they are read (bpf/capture.h), events come out
 * by their times.  A ring has its records nearly in order: a CPU may be a little
 * behind another.  So an event comes out only when `until` is past its time; the
 * caller lets that follow the clock by ORDER_WAIT_NS.
 *
 * An exec whose arguments came in pieces waits for the last of them, for
 * ORDER_ARGS_NS at most, and so do the events behind it.  Read the ring of the
 * pieces first, then that of the heads, and call order_read() after both.  Pieces
 * that still belong to nothing wait as long: a record that isn't finished yet
 * hides those behind it.  Then their event was lost.
 *
 * Lost: a record has a number on its CPU and ring.
 *
 * Pure: no I/O, no clock.
 *
 * Fuzzed: capture_order
 */
#ifndef OPS_DAEMON_CAPTURE_ORDER_H
#define OPS_DAEMON_CAPTURE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "capture.h"

#define ORDER_WAIT_NS 50000000u  /* of an event, for one of another CPU */
#define ORDER_ARGS_NS 500000000u /* of an exec, for its arguments */
#define ORDER_ARGS_MAX ((size_t)CAP_CHUNKS_MAX * CAP_CHUNK)
#define ORDER_MEMORY ((size_t)32 << 20) /* bytes of pieces, all together */
#define ORDER_CPUS_MAX 4096
#define ORDER_HOLES 64 /* at most; where there are more, the last is longer */

struct order_hole {
	uint64_t offset, length;
};

struct order_event {
	/* The record as the ring had it, aligned; u.head.type says which. */
	union {
		struct cap_head head;
		struct cap_fork fork;
		struct cap_exec exec;
		struct cap_exit exit;
		struct cap_failed failed;
	} * u;
	size_t n; /* bytes of it */
	/* CAP_EXEC: its arguments, wherever they were.  What is missing is
	 * zero, and named in hole[]. */
	const uint8_t *args;
	size_t args_n;
	/* And its environment, if the kernel's side was told to copy it; what
	 * there is of it. */
	const uint8_t *env;
	size_t env_n;
	bool env_cut;
	bool masked; /* not the order's: secrets in args were replaced */
	struct order_hole *hole;
	unsigned holes;
};

struct order;

struct order *order_new(void); /* NULL: no memory */
void order_free(struct order *o);

enum order_ring { ORDER_HEADS, ORDER_BULK };
/* Take one record.  OPS_EFORMAT: the kernel's side can't have said that (it is
 * left out); OPS_ENOMEM: no memory, it counts as lost. */
int order_take(struct order *o, enum order_ring ring, const uint8_t *p,
    size_t n, struct ops_err *err);
/* Both rings have been read at that time. */
void order_read(struct order *o, uint64_t now);

/* The next event, if its time is before until; it stays the order's until
 * order_done(), and the next one: what comes later with an earlier time comes
 * after it.  NULL: none yet. */
const struct order_event *order_next(struct order *o, uint64_t until);
void order_done(struct order *o);

/*
 * Is the next event a step of a search through PATH (execvp(3)): an exec that
 * failed because there is no such file, of a process that soon after executes
 * one of that name?  Says nothing of its own; false if in doubt.
 */
bool order_is_search(const struct order *o);
#define ORDER_SEARCH_MAX 256 /* events that are looked through */

/* How many are waiting; their own bytes; and the bytes of pieces, at most
 * ORDER_MEMORY. */
size_t order_count(const struct order *o);
size_t order_heads(const struct order *o);
size_t order_memory(const struct order *o);
/* Since the begin: numbers that were skipped, in both rings; and records that
 * came but couldn't be kept. */
uint64_t order_skipped(const struct order *o);
void order_refused(const struct order *o, uint64_t ret[static CAP_TYPES]);

#endif
