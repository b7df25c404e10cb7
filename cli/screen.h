/*
 * screen - the screen records of one session in order, sealed and unsealed,
 * with parts joined: what play, cat, show and export read.
 */
#ifndef OPS_CLI_SCREEN_H
#define OPS_CLI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "record/record.h"
#include "sessionarg.h"
#include "source.h"
#include "store/session.h"

struct screen;

struct screen_record {
	struct record rec;
	uint64_t number; /* of it (of its last part) in the stream */
	uint64_t offset; /* ns since the session began */
	bool sealed;
};

/* Find the session that arg names.  The list owns *ret; no such session is
 * OPS_ENOENT.  *place is what stood after the name; of :N the offset is where
 * that command began, and until where it ended, if it has. */
int screen_find(struct cli *cli, const char *arg, struct session_list *list,
    const struct session **ret, struct sessionarg *place, struct ops_err *err);

/* Frames that a session's programs may lie in can't be read: a line on stderr says
 * so, and what that means.  screen_find() does, if it looked for a command. */
void screen_programs_missing(struct cli *cli, const struct program_list *l);

/* Where in s to begin, ns from its start: 0 if place names no moment.  One after
 * the end of an ended session is OPS_EUSAGE. */
int screen_from(const struct session *s, const struct sessionarg *place,
    uint64_t *ret, struct ops_err *err);

/* s must outlive it.  Of a session without a terminal a line on stderr says that
 * it has no screen. */
int screen_open(struct cli *cli, const struct session *s, struct screen **ret,
    struct ops_err *err);
void screen_free(struct screen *sc); /* NULL is fine */
/* Start again at the first record. */
int screen_rewind(struct screen *sc, struct ops_err *err);

/* 1: the next one, valid until the next call.  0: the end.  -1: a part is
 * missing or doesn't match its proof; err says which, and reading goes on
 * after it. */
int screen_next(
    struct screen *sc, struct screen_record *ret, struct ops_err *err);

/* As screen_next(), but what is missing is told on stderr (the first few) and
 * counted, and never given back. */
bool screen_next_noted(struct screen *sc, struct screen_record *ret);

/* Records [from, to) are in the log, but not to be had. */
struct screen_hole {
	uint64_t from, to;
	/* By what rule they went; NULL: they are missing.  The screen's. */
	const struct leaf_tombstone *expired;
};
/* Is there one right before what screen_next() gave last (after the end: behind
 * all of it)?  Each is told once. */
bool screen_take_hole(struct screen *sc, struct screen_hole *ret);

/* CLI_FINE, or CLI_PARTIAL after a line that sums up what was missing: parts
 * that screen_next_noted() met, those that have expired, and gaps in the recording itself, also those
 * that lie behind what was read. */
int screen_status(struct screen *sc);

/* The store behind it, for where its frames lie. */
struct store *screen_store(struct screen *sc);

#endif
