/*
 * whose - what is of one person, in words that the index knows.
 *
 * The index knows no persons: who somebody was may be learnt only after what he
 * ran.  But it knows the session of a program, and where that doesn't tell, its
 * audit session.  Which of those are one person's, the store's logins say.
 */
#ifndef OPS_INDEX_WHOSE_H
#define OPS_INDEX_WHOSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "indexdb.h"
#include "store/session.h"

struct whose {
	const struct session **session; /* of the list it was made from */
	size_t sessions;
	uint64_t *ses; /* logins_key(), none twice */
	size_t n;
	int64_t *row; /* the index's ids of those sessions, in order */
	size_t rows;
};

/* SQL: whose(program.session, program.ses) is true of what may be theirs, until it is
 * withdrawn; w must not move meanwhile. */
int whose_offer(struct whose *w, struct index_db *d, struct ops_err *err);
void whose_withdraw(struct index_db *d);

/* Of all sessions there are, those of a person that is known by this name. */
int whose_find(const struct session_list *all, const char *person,
    struct whose *ret, struct ops_err *err);
void whose_free(struct whose *w);

#endif
