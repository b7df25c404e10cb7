/*
 * indexdb - the file of the index, and the few calls of SQLite that are used.
 *
 * STORE/index/programs.sqlite is derived and never trusted: removing it is
 * always safe.  A file whose tables aren't exactly ours is not used, so that no
 * view, trigger or function that somebody put into it is ever run.
 *
 * Text in SQL is ours alone; what comes from outside is bound.  Numbers are
 * signed 64 bits there; times are stored so that their order stays (index_time).
 *
 * Damage can look like any number of rows: pages of a tree may be children of many.
 * So rows come in the order of their ids, no more of them than there are records,
 * and the work has a budget.  What exceeds it is damaged, OPS_EFORMAT.
 *
 * Fuzzed: index
 */
#ifndef OPS_INDEXDB_H
#define OPS_INDEXDB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"
#include "guard.h"
#include "record/event.h"

#define INDEX_VERSION 10
#define INDEX_NAME_MAX 63 /* a longer name is kept as its hash */
#define INDEX_UNKNOWN                                                          \
	(-1) /* commands of a session whose OPEN wasn't there yet */

struct index_db;

/*
 * Open the file below a store's folder.  write: make it if it is missing; else
 * a transaction is open, so that all that is read is of one moment.
 * OPS_ENOENT: there is none.  OPS_EFORMAT: damaged, or not ours.  OPS_EBUSY.
 */
int index_db_open(
    const char *store, bool write, struct index_db **ret, struct ops_err *err);
void index_db_free(struct index_db *d); /* NULL is fine; rolls back */

/* Remove the file and what belongs to it.  Fine if there is none. */
int index_db_remove(const char *store, struct ops_err *err);

/* The store has so many records: rows and work may be as many as that takes.  Until
 * then it is little more than what opening takes. */
void index_db_allow(struct index_db *d, uint64_t records);
/* How many programs may be picked, then. */
uint64_t index_db_rows(const struct index_db *d);

int index_exec(struct index_db *d, const char *sql, struct ops_err *err);
/* *ret is the caller's, for sqlite3_finalize(). */
int index_prepare(struct index_db *d, const char *sql, sqlite3_stmt **ret,
    struct ops_err *err);
/* What statements may call from now on, with integers; f NULL: not any more. */
typedef void index_call(sqlite3_context *c, int n, sqlite3_value **v);
int index_function(struct index_db *d, const char *name, int n, index_call *f,
    void *arg, struct ops_err *err);
/* 1: a row.  0: no more; it is reset then.  -1: err, reset as well. */
int index_step(struct index_db *d, sqlite3_stmt *st, struct ops_err *err);
/* The same for rows in the order of their ids, which come first; *seen is theirs,
 * zero at first. */
struct index_rows {
	int64_t last;
	uint64_t n;
};
int index_next(struct index_db *d, sqlite3_stmt *st, struct index_rows *seen,
    struct ops_err *err);
/* The same where no row is to come; it and index_exec() have a budget each. */
int index_run(struct index_db *d, sqlite3_stmt *st, struct ops_err *err);
/* One number; 0 if there is no row. */
int index_number(
    struct index_db *d, const char *sql, int64_t *ret, struct ops_err *err);

/* The kernel's boot id as text, or "" where it can't be read. */
#define INDEX_BOOT 64
void index_kernel_boot(char ret[static INDEX_BOOT]);
/* All that was written reaches the disk.  Between transactions only: it lets go
 * of this process's locks on the file, fcntl(2). */
int index_sync(const char *store, struct ops_err *err);

/* Order is kept. */
int64_t index_time(uint64_t t);
uint64_t index_time_back(int64_t t);

/* What a name is kept as; room has INDEX_NAME_MAX bytes.  Its length. */
size_t index_name(struct event_text name, uint8_t room[static INDEX_NAME_MAX]);

#endif
