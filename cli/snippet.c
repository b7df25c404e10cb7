#include "snippet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doorpath.h"

/* POSIX sh.  The variable ends it where the recorded shell is a login shell, too. */
static const char profile[] =
    "# opseal: record this shell. For /etc/profile.d/opseal.sh, and only where "
    "the\n"
    "# account's shell can't be the door: who doesn't read this file isn't "
    "recorded.\n"
    "if [ -z \"${OPSEAL_PROFILE-}\" ] && [ -t 0 ] && [ -t 1 ] && [ -x %s ]; "
    "then\n"
    "\tcase $- in\n"
    "\t*i*)\n"
    "\t\tOPSEAL_PROFILE=1\n"
    "\t\texport OPSEAL_PROFILE\n"
    "\t\texec %s --run %s --if-unavailable run -- \"${SHELL:-/bin/sh}\" -l\n"
    "\t\t;;\n"
    "\tesac\n"
    "fi\n";

/* Session Manager types it into the shell that it starts. */
static const char ssm[] =
    "exec %s --run %s --if-unavailable run -- /bin/bash -l\n";

int
snippet_print(struct cli *cli, const char *which)
{
	struct ops_err err = { 0 };
	char door[DOORPATH_MAX], *real;

	if (strcmp(which, "profile") != 0 && strcmp(which, "ssm") != 0) {
		ops_fail(&err, OPS_EUSAGE,
		    "--print: \"%.40s\" is none of profile and ssm", which);
		return cli_fail(cli, &err);
	}
	if (doorpath_find("opseal-door", door, sizeof(door), &err) < 0)
		return cli_fail(cli, &err);
	real = realpath(door, NULL);
	if (real == NULL || strpbrk(real, " \t\n\"'\\$`;&|<>()*?") != NULL ||
	    strpbrk(cli->run_dir, " \t\n\"'\\$`;&|<>()*?") != NULL) {
		ops_fail(&err, OPS_EUSAGE,
		    "%.100s can't stand in a script as it is", door);
		free(real);
		return cli_fail(cli, &err);
	}
	if (strcmp(which, "ssm") == 0) {
		printf(ssm, real, cli->run_dir);
		cli_note(cli,
		    "for shellProfile.linux of the document "
		    "SSM-SessionManagerRunShell; who may start sessions with "
		    "another document isn't recorded");
	} else {
		printf(profile, real, real, cli->run_dir);
	}
	free(real);
	return CLI_FINE;
}
