/*
 * ahead - frames that will be asked for soon, opened on all cores at once.
 *
 * Between stream.c, which reads their stored bytes and takes them, and
 * parallel.h.  What is wrong with one is told when it is taken.
 */
#ifndef OPS_AHEAD_H
#define OPS_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/frame.h"
#include "store.h"

#define AHEAD_MAX 32 /* frames, each up to FRAME_RAW_MAX in memory */

/* Do these stored bytes match the leaf of f?  Then its records, back to back, are
 * in raw (reset first).  OPS_ETAMPER, OPS_EFORMAT, OPS_ENOMEM. */
int ahead_check(struct frame_opener *o, const struct store_frame *f,
    const uint8_t *stored, struct ops_buf *raw, struct ops_err *err);

struct ahead;

struct ahead *ahead_new(void);    /* NULL: no memory */
void ahead_free(struct ahead *a); /* NULL is fine */

/* Forget all, and begin anew. */
void ahead_begin(struct ahead *a);
/* Where the leaf.stored_len bytes of f go, which is counted in by ahead_add().
 * NULL: no room. */
uint8_t *ahead_room(struct ahead *a, const struct store_frame *f);
void ahead_add(struct ahead *a, const struct store_frame *f);
/* Open those that were added; without memory, fewer or none. */
void ahead_open(struct ahead *a);
/* Is f among them?  Then *rc is what ahead_check() said, with err; if that is 0, raw
 * has been exchanged for its records. */
bool ahead_take(struct ahead *a, const struct store_frame *f,
    struct ops_buf *raw, int *rc, struct ops_err *err);

#endif
