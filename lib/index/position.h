/*
 * position - how far an index reaches in a store, and what it knew there.
 *
 * Streams of programs are walked one after the other, so an index is a place in
 * that order, with the state of the walk at that place.  What was imported has no
 * part in that state, so it may be read at any time.
 */
#ifndef OPS_INDEX_POSITION_H
#define OPS_INDEX_POSITION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "indexdb.h"
#include "store/program_walk.h"
#include "store/store.h"

/* A stream of programs. */
struct position_stream {
	size_t stream;   /* in store_streams() */
	int64_t id;      /* in the index; 0: not there */
	bool imported;   /* a file's, which hangs on no other stream */
	uint64_t next;   /* record to go on with */
	uint64_t sealed; /* records that are */
	uint64_t all;    /* with those that aren't */
};

struct position {
	struct position_stream *s; /* in the order of the walk */
	size_t n;
};

/* The ends of a pid that the index knows last become what g hasn't; st is that
 * statement. */
#define POSITION_GONE                                                          \
	"SELECT pid, start, ended, began, elapsed, over, program FROM gone "   \
	"WHERE pid = ?1"
int position_gone(struct index_db *d, sqlite3_stmt *st, struct program_gone *g,
    struct ops_err *err);

/*
 * Read it.  OPS_EFORMAT: it doesn't fit this store, it is another's, or of a
 * later time, or the order was broken since.  The state is given to w, whose
 * processes are then those of the index: at is a row's id.
 */
int position_load(struct index_db *d, struct store *s, struct program_walk *w,
    struct position *ret, struct ops_err *err);
/* As that takes the kernel's boot id to be, for who can't read it later. */
int position_load_in(const char *boot, struct index_db *d, struct store *s,
    struct program_walk *w, struct position *ret, struct ops_err *err);
/* The one in front of all. */
int position_begin(struct store *s, struct position *ret, struct ops_err *err);
void position_free(struct position *p);

/* Which log an index belongs to: a hash of the first one's origin and key. */
void position_origin(struct store *s, uint8_t ret[static OPS_HASH_LEN]);

#endif
