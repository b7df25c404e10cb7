#include "role_start.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"

/* Put each of from[] at its place in to[], whatever overlaps. */
static void
place_fds(const int *from, const int *to, size_t n)
{
	int high[9];

	assert(n <= OPS_ARRAY_LEN(high));
	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, ROLE_FD_END);
		if (high[i] < 0)
			_exit(127);
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(high[i], to[i]) < 0)
			_exit(127);
}

static int
or_null(const struct role_start *r, int fd)
{
	return fd >= 0 ? fd : r->null;
}

static void
take_fds(const struct role_start *r)
{
	const int from[] = { r->null, r->ready, or_null(r, r->listener),
		r->config, or_null(r, r->trouble), or_null(r, r->alerts),
		or_null(r, r->scopes), or_null(r, r->switches), r->null };
	const int to[] = { STDIN_FILENO, ROLE_FD_READY, ROLE_FD_LISTEN,
		ROLE_FD_CONFIG, ROLE_FD_TROUBLE, ROLE_FD_ALERTS, ROLE_FD_SCOPES,
		ROLE_FD_SWITCH, STDERR_FILENO };

	/* Without syslog its lines go where ours do. */
	place_fds(from, to, OPS_ARRAY_LEN(to) - !r->to_syslog);
}

void
role_start(const struct role_start *r)
{
	char role[32], pid[16], execve[32], execveat[32], user[48];
	const char *argv[15] = { "opseald", role, "--parent", pid, "--store",
		r->store, "--run", r->run };
	size_t n = 8;
	sigset_t none;

	(void)snprintf(role, sizeof(role), "--role=%s", role_table[r->id].name);
	(void)snprintf(pid, sizeof(pid), "%d", (int)r->parent);
	if (r->no_drop)
		argv[n++] = "--no-drop";
	if (r->user.change) {
		(void)snprintf(user, sizeof(user), "--become=%u:%u",
		    (unsigned)r->user.uid, (unsigned)r->user.gid);
		argv[n++] = user;
	}
	if (r->no_capture)
		argv[n++] = "--no-capture";
	if (r->to_syslog)
		argv[n++] = "--syslog";
	if (r->id == ROLE_CAPTURE) {
		(void)snprintf(execve, sizeof(execve), "--execve=%" PRIu32,
		    r->failed.execve);
		(void)snprintf(execveat, sizeof(execveat),
		    "--execveat=%" PRIu32, r->failed.execveat);
		argv[n++] = execve;
		argv[n++] = execveat;
	}
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)unsetenv("NOTIFY_SOCKET");
	(void)setpriority(PRIO_PROCESS, 0, role_table[r->id].nice);
	take_fds(r);
	if (r->to_syslog && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return;
	(void)execv("/proc/self/exe", (char *const *)(void *)argv);
}
