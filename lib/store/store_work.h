/*
 * store_work - the inside of a struct store; between store.c (opening), locate.c
 * (where frames lie) and stream.c (reading).
 */
#ifndef OPS_STORE_WORK_H
#define OPS_STORE_WORK_H

#include "base/buf.h"
#include "history.h"
#include "layout.h"
#include "store.h"

/* What a store knows of a stream beyond its leaves. */
struct store_extra {
	uint64_t wal_next; /* the record number that may come next in the WAL */
	uint64_t unsealed;
	struct layout_segment
	    *segment; /* ascending; NULL: not looked for yet */
	size_t segments;
	bool listed; /* found in the folders, not worked out from the leaves */
	const struct layout_segment *checked; /* its header was seen */
	const struct layout_segment
	    *last;         /* where the last frame was looked for */
	size_t last_index; /* it, in frame[] */
	uint64_t last_at;
};

/* A record that lies in the WAL only. */
struct store_unsealed {
	uint32_t stream;
	uint32_t len;
	uint64_t number;
	size_t at; /* in wal_bytes */
};

struct store_close {
	const struct history_close *in;
};

struct store {
	struct vfs *v;
	struct history h;
	struct store_log *logs;
	struct store_stream *streams;
	size_t n_streams;
	struct store_close *close; /* by session, then as they came */
	struct store_extra *extra; /* one for each h.stream[] */
	size_t extras, extra_cap;
	struct store_unsealed *unsealed;
	size_t n_unsealed, unsealed_cap;
	struct ops_buf wal_bytes;
	int64_t wall; /* newest known */
	bool again;   /* WAL of later leaves, or damaged: open once more */
	bool has_problem;
	char problem[400];
};

#endif
