#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "cli.h"

/* What sh(1) ends with where there is no such command, or it may not be executed. */
#define NOT_FOUND 127
#define NOT_EXECUTED 126

#define DEFAULT_PAGER "less"
#define DEFAULT_PATH "/usr/bin:/bin"

struct pager {
	pid_t pid;
	int terminal; /* what stdout was */
};

/* For the handler of SIGPIPE, which may make nothing of its own. */
static struct {
	pid_t pid;
	char text[200];
} going;

static void
run_pager(const char *command, int in)
{
	if (dup2(in, STDIN_FILENO) < 0)
		_exit(NOT_FOUND);
	/* F: leave at once if it fits; R: our own colours; S: don't fold.
	 * Secure mode: the pager of an auditor starts no shell. */
	setenv("LESS", "FRSX", 0);
	setenv("LESSSECURE", "1", 0);
	/* As with git(1) and man(1), PAGER may hold arguments. */
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(NOT_FOUND);
}

static bool
has_run(int status)
{
	return !WIFEXITED(status) || (WEXITSTATUS(status) != NOT_FOUND &&
					 WEXITSTATUS(status) != NOT_EXECUTED);
}

/* Nobody reads any more.  Who quits his pager has seen enough, and that ends this
 * program as in any pipe; but a pager that never ran has shown nothing. */
static void
on_sigpipe(int sig)
{
	int status;

	close(STDOUT_FILENO);
	if (waitpid(going.pid, &status, 0) == going.pid && !has_run(status)) {
		(void)!write(STDERR_FILENO, going.text, strlen(going.text));
		_exit(CLI_TROUBLE);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static bool
is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];
	size_t n;

	if (path == NULL)
		path = DEFAULT_PATH;
	for (; *path != '\0'; path += n + (path[n] == ':')) {
		n = strcspn(path, ":");
		if (n == 0 || n + strlen(name) + 2 > sizeof(file))
			continue;
		snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

/* NULL: none. */
static const char *
choose_pager(void)
{
	const char *command = getenv("PAGER");

	if (!isatty(STDOUT_FILENO))
		return NULL;
	if (command == NULL)
		return is_in_path(DEFAULT_PAGER) ? DEFAULT_PAGER : NULL;
	return command[0] == '\0' || strcmp(command, "cat") == 0 ? NULL
								 : command;
}

static void
prepare_message(const char *command)
{
	struct ops_buf b = { .max = 4096 };

	ops_escape(&b, command, strnlen(command, 60));
	snprintf(going.text, sizeof(going.text),
	    "opseal: the pager \"%.*s\" can't be run, so nothing was shown; "
	    "--no-pager does without\n",
	    b.len < 80 ? (int)b.len : 80,
	    b.len > 0 ? (const char *)b.data : "");
	ops_buf_free(&b);
}

struct pager *
pager_start(void)
{
	const char *command = choose_pager();
	struct pager *p;
	int fd[2];

	if (command == NULL)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (p == NULL || pipe2(fd, O_CLOEXEC) < 0) {
		free(p);
		return NULL;
	}
	p->terminal = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	p->pid = p->terminal < 0 ? -1 : fork();
	if (p->pid == 0)
		run_pager(command, fd[0]);
	if (p->pid > 0) {
		prepare_message(command);
		going.pid = p->pid;
		signal(SIGPIPE, on_sigpipe);
		dup2(fd[1], STDOUT_FILENO);
	}
	close(fd[0]);
	close(fd[1]);
	if (p->pid < 0) {
		if (p->terminal >= 0)
			close(p->terminal);
		free(p);
		return NULL;
	}
	return p;
}

int
pager_end(struct pager *p)
{
	int status;
	pid_t pid;
	bool ran;

	if (p == NULL)
		return 0;
	fflush(stdout);
	dup2(p->terminal, STDOUT_FILENO);
	close(p->terminal);
	while ((pid = waitpid(p->pid, &status, 0)) < 0 && errno == EINTR)
		continue;
	ran = pid < 0 || has_run(status);
	signal(SIGPIPE, SIG_DFL);
	if (!ran)
		fputs(going.text, stderr);
	free(p);
	return ran ? 0 : -1;
}
