/*
 * door - opseal-door and opseal-shell: the user's side of a recorded session.
 *
 * It runs with the user's rights and does little: it asks the daemon for a
 * session, then either becomes the command (no terminal: not a byte is
 * touched) or runs the shell on an inner terminal, whose bytes all flow through
 * opseal-rec.  It is linked statically, installed unreadable, and reads
 * nothing of its environment but SHELL, LOGNAME, PATH, TERM, SSH_CONNECTION,
 * SSH_TTY and SSH_ORIGINAL_COMMAND; besides, of root's files /etc/opseal/shells and
 * /etc/opseal/door (shell.h, policy.h).
 */
#ifndef OPS_DOOR_H
#define OPS_DOOR_H

#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

#include "base/err.h"
#include "heard.h"
#include "ipc/msg.h"
#include "ipc/proto.h"

#define DOOR_ANSWER_MS 30000 /* longest wait for the answer to a request */
#define DOOR_RESTART_MS 5000 /* for a daemon that is started again meanwhile */
#define DOOR_AGAIN_MS 100    /* between two times that it is asked */
#define DOOR_LEAVE_MS 2000   /* for the shell's end after a hang-up */

enum door_exit {
	DOOR_EXIT_TROUBLE = 2, /* nothing was run, or recording ended early */
	DOOR_EXIT_NOEXEC = 126,
	DOOR_EXIT_NOTFOUND = 127,
};

struct door {
	/* what was asked for */
	const char *run;   /* directory of session.sock */
	const char *shell; /* NULL: shell_own() */
	bool login;
	bool run_anyway; /* without a daemon, or switched off: unrecorded */
	bool at_login;   /* a login started it: then policy.h says so */
	bool as_shell;   /* as the account's shell: SHELL says nothing */
	char **command;  /* NULL: the shell */
	char **args; /* of the shell, its name first; NULL: its name alone */

	/* what was inherited, for the command to inherit */
	sigset_t mask;
	struct sigaction child_action;

	int sock;                     /* to the recorder, -1: none */
	bool missing;                 /* there is no daemon */
	bool broke_off;               /* it let go of us without an answer */
	bool no_answer;               /* or there was none in time */
	bool off;                     /* recording is switched off, */
	char off_text[HEARD_WHY + 1]; /* by whom and why */
};

/* Nothing that comes later takes the place of a closed standard stream, nobody
 * can look into us; then d is as nothing was asked for.  -1: it can't be had. */
int door_begin(struct door *d);

/* Do what d says; the exit status to leave with. */
int door_run(struct door *d);

/* Become what was asked for.  Returns only on failure, with the exit status
 * to leave with; it has said why on stderr. */
int door_exec(struct door *d);

/* Connect to the daemon and ask for a session; the descriptors stay the
 * caller's.  0: go; -1: see err; d->missing is set if there is no daemon, d->off if
 * nothing is recorded as root wants it.
 * d->sock is open only after 0. */
int door_ask(struct door *d, enum session_kind kind, const int *fds,
    unsigned n_fds, struct ops_err *err);

/* Are stdin and stdout one terminal, which a session can be recorded on? */
bool door_has_terminal(const struct door *d);

/* Run it on an inner terminal and return the exit status; ends by a signal if
 * the command did.  -1: it was not started, see err. */
int door_terminal(struct door *d, struct ops_err *err);

/* One line on stderr. */
void door_say(const char *fmt, ...) OPS_PRINTF(1, 2);

#endif
