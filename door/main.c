/* opseal-door: what `opseal record` becomes, and sshd's ForceCommand; see door.h. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "door.h"
#include "shell.h"

static const char usage[] =
    "usage: opseal-door [--run DIR] [--shell PATH] [--login]\n"
    "                   [--if-unavailable refuse|run] [--] [COMMAND ARGS...]\n"
    "       opseal-door --forced [--run DIR]\n"
    "Run COMMAND, or a shell, as a recorded session.  As somebody's shell in "
    "the\n"
    "user database it takes what his own would.\n";

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
			d->at_login = true;
			break;
		case 'h':
			return fputs(usage, stdout) < 0 ? -1 : 1;
		default:
			return -1;
		}
	}
	if (optind < argc)
		d->command = argv + optind;
	return (d->login || d->at_login) && d->command != NULL ? -1 : 0;
}

int
main(int argc, char **argv)
{
	static struct door d;
	struct ops_err err = { 0 };
	int rc;

	if (door_begin(&d) < 0)
		return DOOR_EXIT_TROUBLE;
	rc = parse(&d, argc, argv);
	if (rc != 0) {
		if (rc < 0)
			fputs(usage, stderr);
		return rc < 0 ? DOOR_EXIT_TROUBLE : 0;
	}
	if (d.at_login && shell_forced(&d, &err) < 0) {
		door_say("opseal-door: nothing was run: %s", err.msg);
		return DOOR_EXIT_TROUBLE;
	}
	return door_run(&d);
}
