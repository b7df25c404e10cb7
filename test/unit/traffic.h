/*
 * traffic - programs that begin and end in a store, thrown with a dice.
 *
 * What of many kinds of records can follow on each other, right or not: execs of few
 * pids, ends with no begin, sessions nobody knows, losses, accounting, further runs of
 * capture and boots.  The same number thrown first makes the same store.
 */
#ifndef OPS_TEST_TRAFFIC_H
#define OPS_TEST_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/event.h"
#include "store_build.h"

#define TRAFFIC_RUNNING 40 /* pids, from 10 on */
#define TRAFFIC_SESSIONS 14
#define TRAFFIC_NO_STREAM SIZE_MAX

struct traffic {
	struct build *b;                  /* the caller's, begun */
	uint64_t dice;                    /* as it lies; set it first */
	size_t session[TRAFFIC_SESSIONS]; /* streams of b, */
	uint32_t sessions;                /* that there are */
	size_t stream;                    /* where programs are told */
	size_t imports; /* the stream of what is imported, or NO_STREAM */
	struct {
		uint32_t pid;
		uint64_t start;
	} running[TRAFFIC_RUNNING];
};

/* 0 to sides - 1. */
uint32_t traffic_throw(struct traffic *t, uint32_t sides);

/* The id of one of the sessions, or of none: zeroes. */
const uint8_t *traffic_any_session(struct traffic *t);

struct event_text traffic_text(const char *s);

/* A record of t->stream; body is freed. */
void traffic_put(struct traffic *t, uint8_t type, struct ops_buf *body);

/* An exec, or an end, of the pid 10 + i; who: an end that says whose it is. */
void traffic_exec(struct traffic *t, uint32_t i);
void traffic_end(struct traffic *t, uint32_t i, bool who);

/* What accounting tells; imported: in a stream of its own, of a session. */
void traffic_accounted(struct traffic *t, bool imported);

/* Capture began, with this pid. */
void traffic_capture(struct traffic *t, uint32_t pid);

/* A session in the audit session ses. */
void traffic_open_session(struct traffic *t, uint32_t ses);

/* n records of any kind; so many periods of them, each sealed, and a part that isn't. */
void traffic_happen(struct traffic *t, int n);
void traffic_grow(struct traffic *t, int periods);

/* Capture begins again, in a new stream; the machine does, with its logins. */
void traffic_next_run(struct traffic *t);
void traffic_next_boot(struct traffic *t);

#endif
