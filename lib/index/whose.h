/*
 * whose - what is of the persons that a filter lets through, in words that the
 * index knows.
 *
 * The index knows no persons: who somebody was may be learnt only after what he
 * ran.  But it knows the session of a program, and where that doesn't tell, its
 * audit session.  Which of those fit the store's logins say: those of one
 * person; or, where it also fits of whom nothing is known, all but those of others.
 */
#ifndef OPS_INDEX_WHOSE_H
#define OPS_INDEX_WHOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "indexdb.h"
#include "store/programs.h"
#include "store/session.h"

/* Sessions that are gone through by themselves: their rows are each in another page. */
#define WHOSE_FEW 8

/* As an audit session: it is nobody's, whatever its session says.  No key is 0. */
#define WHOSE_NOBODY 0

/* Ids of the index or keys, in order, none twice. */
struct whose_ids {
	int64_t *id;
	size_t n;
};

struct whose {
	bool others; /* `known` and `ses` don't fit, and all else does */
	struct whose_ids known; /* sessions whose login is known */
	struct whose_ids ses;   /* logins_key() */
	/* What to ask for: sessions, 0 for none, then audit sessions; all that
	 * may fit is in one or in both. */
	struct whose_ids asked, asked_ses;
	/* Those are at most WHOSE_FEW: all in which anything ran that the
	 * filter may ask for, by login, owner and rights. */
	bool few;
};

/* all: the sessions there are; f->me is known.  Then statements may call
 * whose(program.session, program.ses), true of what may fit, until whose_free();
 * ret must not move meanwhile. */
int whose_find(struct whose *ret, struct index_db *d,
    const struct session_list *all, const struct program_filter *f,
    struct ops_err *err);
void whose_free(struct whose *w, struct index_db *d);

#endif
