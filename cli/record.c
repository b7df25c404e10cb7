/* opseal record - record a shell or a command, by becoming the door. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "doorpath.h"

/* The door asks the same, and executes the command in place where it is not so;
 * it says nothing, since at a login nobody may notice it. */
static bool
on_a_terminal(void)
{
	unsigned in, out;

	return ioctl(STDIN_FILENO, TIOCGDEV, &in) == 0 &&
	       ioctl(STDOUT_FILENO, TIOCGDEV, &out) == 0 && in == out;
}

int
cmd_record(struct cli *cli, const void *opts, int argc, char **argv)
{
	/* execv() takes no const, and changes nothing. */
	static char door[] = "opseal-door", run[] = "--run", dashes[] = "--";
	static char run_dir[4096];
	struct ops_err err = { 0 };
	char path[4200];
	char **args;
	int n = 0;

	(void)opts;
	if (doorpath_find(door, path, sizeof(path), &err) < 0)
		return cli_fail(cli, &err);
	args = calloc((size_t)argc + 5, sizeof(*args));
	if (args == NULL || strlen(cli->run_dir) >= sizeof(run_dir)) {
		free(args);
		ops_fail(&err, OPS_ENOMEM, "arguments: no memory");
		return cli_fail(cli, &err);
	}
	memcpy(run_dir, cli->run_dir, strlen(cli->run_dir) + 1);
	args[n++] = door;
	args[n++] = run;
	args[n++] = run_dir;
	if (argc > 0)
		args[n++] = dashes;
	for (int i = 0; i < argc; i++)
		args[n++] = argv[i];
	if (!on_a_terminal() && isatty(STDERR_FILENO))
		cli_note(cli,
		    "stdin and stdout are not one terminal: what it prints "
		    "will not be in the log, only that it ran");
	execv(path, args);
	ops_fail_errno(&err, "%.150s", path);
	free(args);
	return cli_fail(cli, &err);
}
