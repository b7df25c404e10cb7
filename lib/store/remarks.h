/*
 * remarks - the notes of one session, told from the events streams: the reason that
 * was given for it, and what was said in it.
 *
 * Fuzzed: remarks
 */
#ifndef OPS_REMARKS_H
#define OPS_REMARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "record/remark.h"
#include "store.h"

struct remark_seen {
	struct remark r; /* its text is the list's */
	uint64_t time;   /* BOOTTIME */
	uint64_t wall;   /* CLOCK_REALTIME, ns */
	bool sealed;
};

/* Zero-initialised it is empty. */
struct remark_list {
	struct remark_seen *r; /* in the order of the log */
	size_t n, cap;
	uint64_t missing; /* frames of events that can't be read, and should */
	struct arena *arena;
};

/* All of this session. */
int remark_list_load(struct store *s, const uint8_t id[static OPS_ID_LEN],
    struct remark_list *ret, struct ops_err *err);
void remark_list_free(struct remark_list *l);

/* One as bytes and back, for query's answers: u8 sealed, u64 BOOTTIME, u64
 * REALTIME, then the payload of its record.  get: it is appended to the list. */
void remark_seen_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct remark_seen *r);
int remark_seen_get(
    const uint8_t *p, size_t n, struct remark_list *l, struct ops_err *err);

#endif
