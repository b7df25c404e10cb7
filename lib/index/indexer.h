/*
 * indexer - writes the index of a store, from what is sealed in it.
 *
 * One at a time: it holds a lock on STORE/index/lock.  Each transaction has rows
 * together with the place that they reach to, so a crash at any moment leaves an
 * index that is only behind.  One that does not fit the store is begun anew.
 */
#ifndef OPS_INDEXER_H
#define OPS_INDEXER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "store/vfs.h"

struct indexer;

/* Make STORE/index if it is missing, and lock it.  OPS_EBUSY: somebody else
 * has.  store is borrowed. */
int indexer_new(const char *store, struct indexer **ret, struct ops_err *err);
void indexer_free(struct indexer *x); /* NULL is fine */

/* What it says while it works; each may be NULL. */
struct indexer_calls {
	/* Before each transaction and at the end: records read so far, of how
	 * many; false: stop. */
	bool (*goes_on)(void *arg, uint64_t done, uint64_t of);
	/* It began anew, and why. */
	void (*anew)(void *arg, const char *why);
	void *arg;
};

/* Add what has been sealed since.  -1: OPS_EFORMAT and others, what was done
 * stays. */
int indexer_update(struct indexer *x, struct vfs *v,
    const struct indexer_calls *calls, struct ops_err *err);

/* Is the lock still that of STORE/index?  Not if somebody removed the folder. */
bool indexer_holds(const struct indexer *x);

/* Throw away what there is. */
int indexer_forget(struct indexer *x, struct ops_err *err);

/*
 * A request to begin anew, for whoever holds the lock: a file beside it.  Asking
 * makes it; it vanishes when the index is whole again.
 */
int indexer_ask(const char *store, struct ops_err *err);
bool indexer_is_asked(const char *store);
int indexer_answer(const char *store, struct ops_err *err);

#endif
