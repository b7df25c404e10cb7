/*
 * opseal-door: see door.h.
 */
#include "door.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shell.h"

#ifndef OPSEAL_RUN_DIR
#define OPSEAL_RUN_DIR "/run/opseal"
#endif

static const char usage[] =
    "usage: opseal-door [--run DIR] [--shell PATH] [--login]\n"
    "                   [--if-unavailable refuse|run] [--] [COMMAND ARGS...]\n"
    "       opseal-door --forced [--run DIR]\n"
    "Run COMMAND, or a shell, as a recorded session.  As somebody's shell in "
    "the\n"
    "user database it takes what his own would.\n";

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

static int
parse(struct door *d, int argc, char **argv)
{
	static const struct option options[] = {
		{ "run", required_argument, NULL, 'r' },
		{ "shell", required_argument, NULL, 's' },
		{ "login", no_argument, NULL, 'l' },
		{ "if-unavailable", required_argument, NULL, 'u' },
		{ "forced", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'r':
			d->run = optarg;
			break;
		case 's':
			d->shell = optarg;
			break;
		case 'l':
			d->login = true;
			break;
		case 'u':
			if (strcmp(optarg, "run") != 0 &&
			    strcmp(optarg, "refuse") != 0)
				return -1;
			d->run_anyway = strcmp(optarg, "run") == 0;
			break;
		case 'f':
			d->forced = true;
			break;
		case 'h':
			return fputs(usage, stdout) < 0 ? -1 : 1;
		default:
			return -1;
		}
	}
	if (optind < argc)
		d->command = argv + optind;
	return (d->login || d->forced) && d->command != NULL ? -1 : 0;
}

/* What a login asks for, if one started us. */
static int
prepare(struct door *d, char **argv, struct ops_err *err)
{
	d->as_shell = shell_called(argv);
	d->at_login = d->as_shell || d->forced;
	if (!d->at_login)
		return 0;
	d->run_anyway = true;
	return d->as_shell ? shell_words(d, argv, err) : shell_forced(d, err);
}

/*
 * No session: say so, and leave or go on without one, if it is the daemon that
 * is missing.  Whatever else fails may be the user's own doing (all processes
 * used up, no descriptor left), and would be his way around the log.
 */
static int
without_session(struct door *d, const struct ops_err *err)
{
	/* Root is never locked out. */
	bool run =
	    d->run_anyway && (d->missing || (d->at_login && getuid() == 0));
	const char *what = run ? "this is not recorded" : "nothing was run";

	/* What a program reads of a login has no lines of ours. */
	if (run && d->at_login && !isatty(STDERR_FILENO))
		return door_exec(d);
	if (d->missing)
		door_say("opseal-door: %s: no daemon answers at "
			 "%s/session.sock (is opseald running?)",
		    what, d->run);
	else
		door_say("opseal-door: %s: %s", what, err->msg);
	return run ? door_exec(d) : DOOR_EXIT_TROUBLE;
}

int
main(int argc, char **argv)
{
	struct door d = { .run = OPSEAL_RUN_DIR, .sock = -1 };
	struct ops_err err = { 0 };
	int rc = 0;

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || fill_closed_streams() < 0)
		return DOOR_EXIT_TROUBLE;
	if (!shell_called(argv))
		rc = parse(&d, argc, argv);
	if (rc != 0) {
		if (rc < 0)
			fputs(usage, stderr);
		return rc < 0 ? DOOR_EXIT_TROUBLE : 0;
	}
	if (prepare(&d, argv, &err) < 0) {
		door_say("opseal-door: nothing was run: %s", err.msg);
		return DOOR_EXIT_TROUBLE;
	}
	sigprocmask(SIG_SETMASK, NULL, &d.mask);
	sigaction(SIGCHLD, NULL, &d.child_action);
	if (door_has_terminal()) {
		rc = door_terminal(&d, &err);
		return rc >= 0 ? rc : without_session(&d, &err);
	}
	if (door_ask(&d, SESSION_COMMAND, NULL, 0, &err) < 0)
		return without_session(&d, &err);
	close(d.sock);
	return door_exec(&d);
}
