/* What both programs do, whatever they were asked for: see door.h. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "door.h"
#include "policy.h"

#ifndef OPSEAL_RUN_DIR
#define OPSEAL_RUN_DIR "/run/opseal"
#endif

void
door_say(const char *fmt, ...)
{
	char line[600];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	/* Nothing is to be done if stderr is no more. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

/*
 * A file opened later must not become a standard stream by accident.  These
 * are closed again when the command is executed, which sees them closed as
 * they were.
 */
static int
fill_closed_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
			return -1;
	return 0;
}

int
door_begin(struct door *d)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || fill_closed_streams() < 0)
		return -1;
	*d = (struct door){ .run = OPSEAL_RUN_DIR, .sock = -1 };
	sigprocmask(SIG_SETMASK, NULL, &d->mask);
	sigaction(SIGCHLD, NULL, &d->child_action);
	return 0;
}

/*
 * No session: say so, and leave or go on without one, if it is the daemon that
 * is missing.  Whatever else fails may be the user's own doing (all processes
 * used up, no descriptor left), and would be his way around the log.
 */
static int
without_session(struct door *d, const struct ops_err *err)
{
	struct policy p;

	policy_decide(d, err, &p);
	if (d->at_login)
		policy_note(&p);
	/* What a program reads of a login has no lines of ours. */
	if (!p.run || !d->at_login || isatty(STDERR_FILENO))
		door_say("opseal-door: %s: %s%s",
		    p.run ? "this is not recorded" : "nothing was run",
		    p.trouble, p.why);
	return p.run ? door_exec(d) : DOOR_EXIT_TROUBLE;
}

int
door_run(struct door *d)
{
	struct ops_err err = { 0 };
	int rc;

	if (door_has_terminal(d)) {
		rc = door_terminal(d, &err);
		return rc >= 0 ? rc : without_session(d, &err);
	}
	if (door_ask(d, SESSION_COMMAND, NULL, 0, &err) < 0)
		return without_session(d, &err);
	close(d->sock);
	return door_exec(d);
}
