/*
 * probe - a short session of doctor's own through a door, on a terminal that nobody
 * looks at, and what the log has of it.
 *
 * Each is told from all others by its word, which it shows and which stands in the
 * words of its commands.  A thing that shows WORD-NAME. and executes a program with that
 * argument can be looked for afterwards: on the terminal, in the session, among the
 * programs.
 */
#ifndef OPS_CLI_PROBE_H
#define OPS_CLI_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "remote.h"
#include "store/programs.h"
#include "store/session.h"

#define PROBE_WORD 32      /* bytes of the word and NUL */
#define PROBE_SHOWN 262144 /* bytes of its terminal that are looked at */

struct probe {
	char word[PROBE_WORD];
	pid_t pid;            /* of the door; 0: it has ended */
	pid_t door;           /* what that was */
	uid_t uid;            /* as which it ran */
	char tty[32];         /* path of its outer terminal; "": it has none */
	struct ops_buf shown; /* there, or on its standard output */
	bool answered;        /* it asked for a reason */
	bool found;           /* the log has a session of it: */
	char id[OPS_ID_TEXT_LEN + 1];
	bool has_close;
	struct event_close close;
	uint32_t kind;         /* enum session_kind */
	struct ops_buf logged; /* what that session shows */
};

struct probe_how {
	const char *const *argv; /* [0] is a path; NULL at the end */
	bool change;             /* run it as this user: */
	uid_t uid;
	gid_t gid;
	const char *user; /* LOGNAME */
	bool terminal;
	const char *input; /* without a terminal: its standard input */
	unsigned seconds;  /* it is killed after these */
	/* Called when shown has grown; may kill p->pid.  NULL: nobody is. */
	void (*shows)(struct probe *p, void *arg);
	void *arg;
};

/* A word of its own. */
int probe_begin(struct probe *p, struct ops_err *err);
/* Run it to its end. */
int probe_run(
    struct probe *p, const struct probe_how *how, struct ops_err *err);
/* Look for its session and read it; waits a moment for its end.  0 also if there
 * is none.  Others can write its word, too: it is the one of its door and user. */
int probe_look(struct probe *p, struct remote *r, struct ops_err *err);
void probe_end(struct probe *p);

/* Was WORD-NAME. shown; is it in the session? */
bool probe_shown(const struct probe *p, const char *name);
bool probe_logged(const struct probe *p, const char *name);
/* Has the list a program with the argument WORD-NAME.? */
bool probe_ran(const struct probe *p, const char *name,
    const struct program_list *programs);

#endif
