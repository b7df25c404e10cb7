#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pager {
	pid_t pid;
};

static void
run_pager(const char *command, int in)
{
	if (dup2(in, STDIN_FILENO) < 0)
		_exit(127);
	/* F: leave at once if it fits; R: our own colours; S: don't fold.
	 * Secure mode: the pager of an auditor starts no shell. */
	setenv("LESS", "FRSX", 0);
	setenv("LESSSECURE", "1", 0);
	/* As with git(1) and man(1), PAGER may hold arguments. */
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

struct pager *
pager_start(void)
{
	const char *command = getenv("PAGER");
	struct pager *p;
	int fd[2];

	if (command == NULL)
		command = "less";
	if (!isatty(STDOUT_FILENO) || command[0] == '\0' ||
	    strcmp(command, "cat") == 0)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL || pipe2(fd, O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	p->pid = fork();
	if (p->pid == 0)
		run_pager(command, fd[0]);
	if (p->pid > 0)
		dup2(fd[1], STDOUT_FILENO);
	close(fd[0]);
	close(fd[1]);
	if (p->pid < 0) {
		free(p);
		return NULL;
	}
	return p;
}

void
pager_end(struct pager *p)
{
	int status;

	if (p == NULL)
		return;
	fclose(stdout);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	free(p);
}
