/*
 * player - the auditor's terminal while a recording is played on it.
 *
 * Everything goes through the filter (filter.h).  On the way out, by any exit
 * and by any signal that can be caught, the terminal is as it was before.
 */
#ifndef OPS_CLI_PLAYER_H
#define OPS_CLI_PLAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct player;

struct player_opts {
	bool keys;         /* the keyboard steers: space + - . q */
	double speed;      /* 1 as it was; 0: no waiting at all */
	uint64_t max_idle; /* ns; pauses are cut to this */
	bool has_max_idle;
};

/* Take the terminal.  One at a time. */
int player_new(
    const struct player_opts *o, struct player **ret, struct ops_err *err);
/* Give it back.  NULL is fine. */
void player_free(struct player *p);

enum player_result {
	PLAYER_GO_ON,
	PLAYER_QUIT,   /* q, or a signal: see player_signal() */
	PLAYER_FAILED, /* stdout can't be written; err says why */
};
/* Wait until the moment offset (ns since the start) has come, listening to
 * keys and signals meanwhile. */
enum player_result player_wait(struct player *p, uint64_t offset);
/* From here on offset is now: after a jump. */
void player_set(struct player *p, uint64_t offset);
/* Show n recorded bytes. */
enum player_result player_show(
    struct player *p, const uint8_t *bytes, size_t n, struct ops_err *err);
/* Write what was shown while `speed` was 0 or a jump went on. */
enum player_result player_flush(struct player *p, struct ops_err *err);
/* The signal that ended it, 0 if none. */
int player_signal(const struct player *p);

#endif
