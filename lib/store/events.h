/*
 * events - all records of a store's events streams, one after the other.
 *
 * What can't be read is passed over and counted: check names it.
 */
#ifndef OPS_EVENTS_H
#define OPS_EVENTS_H

#include <stdint.h>

#include "base/err.h"
#include "store.h"

/* boot: the boot that it is of, 16 bytes; NULL: not known.  A record that is part of a
 * larger thing isn't given.  -1 ends the walk. */
typedef int events_take(void *arg, const struct record *r,
    const struct stream_pos *pos, const uint8_t *boot, struct ops_err *err);

/* *missing grows by the frames that can't be read and haven't expired; may be NULL. */
int events_walk(struct store *s, events_take *take, void *arg,
    uint64_t *missing, struct ops_err *err);

#endif
