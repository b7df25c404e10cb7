/*
 * loop - epoll with a callback a descriptor.
 *
 * A watch is embedded in what it belongs to and must stay where it is while it
 * is added.  It may be removed, and freed, from any callback.
 */
#ifndef OPS_DAEMON_LOOP_H
#define OPS_DAEMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"

#define LOOP_BATCH 64

struct watch {
	int fd;
	void (*ready)(struct watch *w, uint32_t events); /* EPOLLIN ... */
	uint32_t events; /* the loop's own: what it waits for */
};

struct loop {
	int epfd;
	bool stop;
	/* Set by a callback: how long (ns) to sleep before looking what is
	 * ready, so that a stream of messages is taken many at a time and not
	 * each with a wake-up of its own.  Once. */
	long nap;
	int n, at; /* of the batch being handled */
	struct epoll_event batch[LOOP_BATCH];
};

int loop_init(struct loop *l, struct ops_err *err);
int loop_add(
    struct loop *l, struct watch *w, uint32_t events, struct ops_err *err);
/* Change what an added watch waits for. */
void loop_change(struct loop *l, struct watch *w, uint32_t events);
/* Take it out; the descriptor stays open. */
void loop_remove(struct loop *l, struct watch *w);
/* Until stop is set.  -1 only if epoll itself fails. */
int loop_run(struct loop *l, struct ops_err *err);
void loop_close(struct loop *l);

/* Make fd a descriptor for these signals, blocked from here on (0-ended). */
int loop_signalfd(const int *signals, int *ret, struct ops_err *err);

/* A timer: first after `after` ns, then each `every` ns (0: once).  after 0
 * disarms it. */
int loop_timer_new(int *ret, struct ops_err *err);
void loop_timer_set(int fd, uint64_t after, uint64_t every);
/* Have an eventfd count one more; if it can't, it is ready already. */
void loop_ring(int fd);
/* Take what an eventfd or timerfd counted. */
void loop_drain(int fd);

#endif
