/*
 * rows - what a program that the walk gives becomes in the tables of the index: a
 * row of its own, its names, the sessions that show its terminal, and later how it
 * ended (doc/design/index.md).
 */
#ifndef OPS_INDEX_ROWS_H
#define OPS_INDEX_ROWS_H

#include <stdint.h>

#include "base/err.h"
#include "indexdb.h"
#include "store/program_walk.h"

struct rows;

/* Borrows db, which is open for writing.  streams: how many the store has.
 * Errors: ENOMEM, and those of index_prepare(). */
int rows_new(struct index_db *db, size_t streams, struct rows **ret,
    struct ops_err *err);
void rows_free(struct rows *r);

/* The walk that gives them; borrowed.  Before the first program. */
void rows_of(struct rows *r, struct program_walk *walk);
/* The id of a stream in the index, by its place in the store; before its first
 * program.  0: none was said. */
void rows_stream(struct rows *r, size_t stream, int64_t id);
int64_t rows_stream_id(const struct rows *r, size_t stream);

/* For program_walk_new(), with the rows as its argument; within a transaction of
 * the caller's.  Errors: those of index_run(). */
extern const struct program_sink rows_sink;

#endif
