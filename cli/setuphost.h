/*
 * setuphost - what `opseal setup` and `opseal unsetup` share: the state on this host,
 * showing and asking, and making the changes under the lock of the user database.
 */
#ifndef OPS_CLI_SETUPHOST_H
#define OPS_CLI_SETUPHOST_H

#include <stdbool.h>

#include "cli.h"
#include "hostfile.h"
#include "plan.h"
#include "setupstate.h"

struct setuphost {
	struct cli *cli;
	struct hostfile file;    /* of the state */
	struct setupstate state; /* as it is to be */
	struct plan plan;
	struct ops_buf notes; /* lines for stderr */
};

/* The state's file, and the map of shells beside it. */
const char *setuphost_state_path(void);
const char *setuphost_map_path(void);

/* Read the state, if there is one.  OPS_EPERM: not root. */
int setuphost_open(struct cli *cli, struct setuphost *ret, struct ops_err *err);
void setuphost_close(struct setuphost *h);

/* One line more for stderr. */
void setuphost_note(struct setuphost *h, const char *fmt, ...) OPS_PRINTF(2, 3);
void setuphost_print_notes(struct setuphost *h);
/* What a file is without what is ours, by that state; is it there? */
int setuphost_without(const struct setupstate *s, const struct hostfile *f,
    struct ops_buf *out, bool *there, bool *left, struct ops_err *err);

/* Name the files that somebody else changed since they were set up. */
void setuphost_tell_by_hand(struct setuphost *h, bool passwd_too);

/* What names more than is there does no harm, what names less does: so a state that
 * grows is written before the changes, and one that shrinks behind them. */
enum setuphost_order { STATE_FIRST, STATE_LAST, STATE_REMOVED };

/*
 * Show the plan on stdout and the notes, ask unless yes, and make the changes: all of
 * them or none.  The state is written so that an unsetup can take back whatever a kill
 * leaves.  What was left by an earlier kill is removed, too.  0: done.  1: only shown,
 * or not wanted.
 */
int setuphost_carry_out(struct setuphost *h, bool dry_run, bool yes,
    enum setuphost_order order, struct ops_err *err);

/* Have sshd read its configuration, and say so. */
int setuphost_reload(struct ops_err *err);

#endif
