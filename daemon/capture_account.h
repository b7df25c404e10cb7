/*
 * capture_account - the capture role's second source: the kernel's accounting,
 * read (account_file), compared with what capture saw (account), and what it
 * alone tells of put as records, with counts of both.
 *
 * It needs no kernel capture: without it everything is missed.
 */
#ifndef OPS_DAEMON_CAPTURE_ACCOUNT_H
#define OPS_DAEMON_CAPTURE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "account.h"
#include "account_file.h"
#include "capture.h"
#include "capture_record.h"
#include "record/program.h"

#define CAPTURE_ACCOUNT_EVERY UINT64_C(1000000000) /* ns between looks */

struct capture_account {
	struct account *ends; /* NULL: there is no accounting */
	struct account_file file;
	uint32_t parent; /* the supervisor: see capture_account_read() */
	uint64_t due;    /* BOOTTIME of the next look; UINT64_MAX: none */
	char state[ACCOUNT_STATE_MAX];  /* as it was read last */
	struct program_coverage counts; /* since .from */
	/* What couldn't be put yet. */
	bool waits;
	struct program_accounted record;
	char comm[ACCT_NAME_MAX];
	uint64_t record_time;
	bool caught_up; /* nothing more was there when it was read last */
	/* The file is done with until `pending` when the log has all records
	 * below `mark`. */
	bool marked;
	uint64_t mark;
	off_t pending;
};

/* Starts nothing, and says so in state, where the supervisor made no folder. */
int capture_account_open(struct capture_account *c, const char *run,
    uint32_t parent, struct ops_err *err);
void capture_account_close(struct capture_account *c);

/* Capture saw this end. */
void capture_account_ended(struct capture_account *c, const struct cap_exit *e);

/* Read what is there; before the rings are, so that no record comes in front
 * of its event. */
void capture_account_read(struct capture_account *c);
/* Put what is known when capture has told of all until `told`.  True: the
 * supervisor says something else than before. */
bool capture_account_put(struct capture_account *c, uint64_t now, uint64_t told,
    const struct capture_sink *sink);
/* Accounting is off and capture has told of all: put the rest.  False: there is
 * more, in a file behind this one or for want of room; call again when .due. */
bool capture_account_end(
    struct capture_account *c, uint64_t now, const struct capture_sink *sink);
/* Records are put from number `tail` on, those below `head` are in the log.
 * look: whether there is another file, too. */
void capture_account_safe(
    struct capture_account *c, uint64_t head, uint64_t tail, bool look);
/* Their numbers begin anew. */
void capture_account_anew(struct capture_account *c);
/* Nothing waits to be put. */
bool capture_account_idle(const struct capture_account *c);

#endif
