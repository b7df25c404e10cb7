/*
 * anchor - hands the newest checkpoint to places outside the store: the
 * journal or syslog, and a file.
 *
 * The places may be slow or hang (a file on a network), so each anchoring runs
 * in a thread of its own, one at a time; recording never waits for it.
 */
#ifndef OPS_DAEMON_ANCHOR_H
#define OPS_DAEMON_ANCHOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/config.h"
#include "store/writer.h"

#define ANCHOR_TEXT_MAX 256

struct anchor;

/* wake_fd: an eventfd, written when an anchoring is done. */
int anchor_new(const struct config *c, int wake_fd, struct anchor **ret,
    struct ops_err *err);

/* Another configuration, for what is anchored from now on. */
void anchor_set(struct anchor *a, const struct config *c);

/* Anchor the writer's checkpoint, if it grew and no anchoring is under way. */
void anchor_start(struct anchor *a, struct writer *w);

/* After a wake: true if an anchoring succeeded somewhere; `what` says where
 * and which size, for the DAEMON_ANCHOR event.  Failures are logged once. */
bool anchor_done(struct anchor *a, char what[static ANCHOR_TEXT_MAX]);

/* The newest anchor and the newest failure, for status; "" if there is none.
 * NULL is allowed. */
void anchor_text(const struct anchor *a, char out[static ANCHOR_TEXT_MAX]);

/* CLOCK_REALTIME of the newest that worked, 0: none.  NULL is allowed. */
uint64_t anchor_time(const struct anchor *a);

/* An anchoring that hangs is left behind: the process ends anyway. */
void anchor_free(struct anchor *a);

#endif
