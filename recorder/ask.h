/*
 * ask - what a session on a terminal begins with, before its shell: the notice, and
 * the question for a reason (opseal.conf(5); doc/design/notes.md).
 *
 * Both are the recorder's, so that they can't be passed by, and both are recorded
 * before they are shown, with the answer as it was typed.  Nothing of them is there in a
 * session without a terminal.
 */
#ifndef OPS_ASK_H
#define OPS_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineedit.h"

struct rec;
struct event_open;

#define ASK_NOTICE_MAX 2000       /* bytes of the notice */
#define ASK_TIME_NS 120000000000u /* for the answer, all tries in one */
#define ASK_TRIES 3               /* to leave it empty, where it is required */

enum ask_mode { ASK_OFF, ASK_MAYBE, ASK_REQUIRED };

struct ask {
	/* as the acceptor said */
	enum ask_mode mode;
	uint8_t notice[ASK_NOTICE_MAX];
	size_t notice_len;
	/* whose session it is, by its OPEN event */
	uint32_t uid, auid, pid;
	uint64_t start;

	struct lineedit line;
	unsigned tries;
	bool answered; /* there is an answer, or there needn't be one */
	bool timed;    /* it has a time until which it must be on its way */
	bool queued;   /* its event is in the queue */
};

/* Remember whose session it is. */
void ask_whose(struct ask *a, const struct event_open *o);

/* Show the notice, if there is one.  The outer terminal is raw. */
void ask_notice(struct rec *r);

/* Put the question, if there is one: then true, and what comes is of the phase ASKING. */
bool ask_begin(struct rec *r);
/* Is the keyboard ours? */
bool ask_wants_typed(const struct rec *r);
void ask_typed(struct rec *r); /* the outer terminal is readable */

enum ask_end {
	ASK_GOES_ON,
	ASK_READY,   /* answered, and the answer is on its way */
	ASK_REFUSED, /* there is none, and one is required */
	ASK_FAILED,  /* the answer does not get into the log */
};
/* Once a turn: how it stands. */
enum ask_end ask_turn(struct rec *r);

#endif
