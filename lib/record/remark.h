/*
 * remark - the body of NOTE, a record of the events stream: words about a session,
 * by somebody in it.
 *
 * As in event.h; the id in front is that session's, so its CLOSE leaf counts them.
 *
 * Provenance: who wrote it (keys 2 to 5) is the kernel's word, of the door where it
 * is a reason.  The text is claimed.
 *
 * Fuzzed: remark
 */
#ifndef OPS_REMARK_H
#define OPS_REMARK_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "event.h"

#define REMARK_TEXT_MAX 1000 /* bytes of it */

enum remark_kind {
	REMARK_REASON = 1, /* asked for when the session began (reason = ask) */
	REMARK_NOTE = 2,   /* opseal note */
};

/* REC_NOTE */
struct remark {
	uint32_t kind;     /* 1 enum remark_kind */
	uint32_t uid;      /* 2 */
	uint32_t auid;     /* 3 /proc/PID/loginuid */
	uint32_t pid;      /* 4 */
	uint64_t start;    /* 5 its start time, clock ticks since boot */
	uint64_t realtime; /* 6 CLOCK_REALTIME, ns */
	/* 7 claimed; absent: a reason was asked for, and none given */
	struct event_text text;
};

/* Encode and decode, as the others of event.h.  An empty text, or none where it is
 * no reason, is no NOTE; nor is another kind. */
void remark_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct remark *r);
int remark_get(
    const uint8_t *p, size_t n, struct remark *ret, struct ops_err *err);

#endif
