/*
 * verdict - what opseal doctor says of one thing: how it stands, how that is known,
 * and how to mend it.
 */
#ifndef OPS_CLI_VERDICT_H
#define OPS_CLI_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define VERDICTS_MAX 5000
#define VERDICTS_ROWS 50 /* of one check in text: lacks, and as many others */
#define VERDICT_TEXT 320 /* bytes of each text and NUL; what is longer is cut */

enum verdict_kind {
	/* of a door, or of a way around one */
	VERDICT_RECORDED,  /* what it shows is in the log */
	VERDICT_EVENTS,    /* that it was, and its programs; as it is meant */
	VERDICT_UNCOVERED, /* less than is meant */
	/* of the set-up */
	VERDICT_FINE,
	VERDICT_NOTE, /* fine, and worth knowing */
	VERDICT_WRONG,
	/* of both */
	VERDICT_UNKNOWN, /* it could not be looked at */
	VERDICT_ABSENT,  /* there is no such thing here */
	VERDICT_KINDS
};

struct verdict {
	enum verdict_kind kind;
	const char *check;      /* the row's name: static */
	bool door;              /* wrong: a door was changed (verdict_door()) */
	char how[VERDICT_TEXT]; /* "tried", "judged from FILE:LINE"; or "" */
	char why[VERDICT_TEXT];
	char mend[VERDICT_TEXT]; /* or "" */
};

/* { 0 } has none, and nothing to free. */
struct verdicts {
	struct verdict *v;
	size_t n;
	bool failed; /* some found no room, or no memory */
};

/* One more.  how and mend may be NULL.  why is what fmt gives. */
void verdict_add(struct verdicts *all, const char *check,
    enum verdict_kind kind, const char *how, const char *mend, const char *fmt,
    ...) OPS_PRINTF(6, 7);
/* The one added last is of a door that somebody changed: opseald is to tell it. */
void verdict_door(struct verdicts *all);
void verdicts_free(struct verdicts *all);

/* "recorded", "events", ...: as JSON names it. */
const char *verdict_name(enum verdict_kind kind);
/* Is it a lack, for the exit status? */
bool verdict_lacks(enum verdict_kind kind);

/* Append them as lines, of a check that has more than VERDICTS_ROWS how many more there
 * are; or all as JSON, one object a line. */
void verdicts_put(const struct verdicts *all, bool colour, struct ops_buf *out);
void verdicts_put_json(const struct verdicts *all, struct ops_buf *out);

#endif
