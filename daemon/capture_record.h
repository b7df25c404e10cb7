/*
 * capture_record - records (record/program.h) of what capture saw.
 *
 * Pure but for the table of processes, which it keeps up to date.
 */
#ifndef OPS_DAEMON_CAPTURE_RECORD_H
#define OPS_DAEMON_CAPTURE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture_order.h"
#include "capture_procs.h"

/* Where records go.  False: no room now. */
struct capture_sink {
	bool (*put)(
	    void *arg, uint8_t type, uint64_t time, const uint8_t *p, size_t n);
	void *arg;
};

/*
 * Put the records of one event: none of a fork, of an exec one and as many more
 * as its arguments take.  *at is 0 at first and the function's own.  True: all
 * of it was put.  False: there was no room, call again with the same event.
 */
bool capture_record(const struct order_event *ev, struct procs *p, size_t *at,
    const struct capture_sink *sink);

/* A path from the names that it has from the inside out, each with its NUL, into
 * out[size] (not terminated); longer ones lose their begin.  Its length. */
size_t capture_path(
    const uint8_t *names, size_t n, bool cut, uint8_t *out, size_t size);

#endif
