/*
 * pick - the rows of the index that a filter asks for.
 *
 * Nothing but SQL: what a row says is checked by lookup.
 */
#ifndef OPS_INDEX_PICK_H
#define OPS_INDEX_PICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "indexdb.h"
#include "store/programs.h"
#include "whose.h"

struct pick_place {
	int64_t stream; /* id in the index; 0: none */
	uint64_t record;
};

struct pick {
	int64_t row;
	struct pick_place start, end, next;
	struct pick_place hole; /* capture's last record before it */
	/* The reader's: whether that was read, in which boot, and its times. */
	bool has_hole;
	uint8_t hole_boot[4];
	uint64_t hole_from, hole_wall;
	uint64_t time;
	uint32_t number;
	bool failed; /* says the index */
	bool apart;  /* the reader's: lost, but not in the time asked for */
	size_t at;   /* the reader's: place in its list */
};

struct pick_list {
	struct pick *p;
	size_t n, cap;
	/* Were there as many as were asked for, or more?  Then all that are not
	 * older than this are there, and of those of nobody no others. */
	bool cut;
	uint64_t since;
};

/* Can the index tell less than everything? */
bool pick_helps(const struct program_filter *f);

/* All rows that may be among what is asked for: the newest of them, with all of
 * the oldest one's time, and those whose end may still come.  w: of these logins;
 * NULL: of anybody. */
int pick_rows(struct index_db *d, const struct program_filter *f,
    const struct whose *w, struct pick_list *ret, struct ops_err *err);
void pick_free(struct pick_list *l);

#endif
