#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "door.h"
#include "shell.h"

#define LAST_SHELL "/bin/sh"

static void
exec_shell(const struct door *d, const char *shell)
{
	const char *slash = strrchr(shell, '/');
	const char *base = slash == NULL ? shell : slash + 1;
	char *name;

	if (d->args != NULL) {
		execv(shell, d->args);
		return;
	}
	/* "-bash" is what login(1) and sshd(8) call a login shell. */
	if (asprintf(&name, "%s%s", d->login ? "-" : "", base) < 0) {
		errno = ENOMEM;
		return;
	}
	execv(shell, (char *[]){ name, NULL });
}

int
door_exec(struct door *d)
{
	const char *what;
	int why;

	sigaction(SIGCHLD, &d->child_action, NULL);
	sigprocmask(SIG_SETMASK, &d->mask, NULL);
	if (d->command != NULL) {
		what = d->command[0];
		execvp(what, d->command);
	} else {
		what = d->shell != NULL ? d->shell : shell_own(d);
		exec_shell(d, what);
	}
	why = errno;
	door_say("opseal-door: %s: %s", what,
	    why == ENOENT && strchr(what, '/') == NULL ? "command not found"
						       : strerror(why));
	/* Root is never locked out, also not by the map. */
	if (d->as_shell && getuid() == 0)
		execv(LAST_SHELL, d->args);
	return why == ENOENT || why == ENOTDIR ? DOOR_EXIT_NOTFOUND
					       : DOOR_EXIT_NOEXEC;
}
