#include "child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 30

static int64_t
now_ms(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
become(const char *const *argv, int out)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C";
	char *const env[] = { path, locale, NULL };
	char *args[CHILD_ARGS + 1] = { NULL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert(argv[0] != NULL);
	/* execve() takes no const, and changes nothing. */
	for (size_t i = 0; i < CHILD_ARGS && argv[i] != NULL; i++)
		memcpy(&args[i], &argv[i], sizeof(args[i]));
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
		(void)execve(argv[0], args, env);
	_exit(127);
}

/* Until it closes its end.  False: the time is over. */
static bool
hear(int fd, struct ops_buf *out)
{
	int64_t end = now_ms() + SECONDS * 1000;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - now_ms();
		uint8_t bytes[4096];
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = read(fd, bytes, sizeof(bytes));
		if (n == 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		/* The beginning of a long answer does. */
		if (n > 0 && (size_t)n <= out->max - out->len)
			ops_buf_put(out, bytes, (size_t)n);
	}
}

int
child_run(const char *const *argv, struct ops_buf *out, struct ops_err *err)
{
	int ends[2], status = 0;
	bool ended;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return ops_fail_errno(err, "%.100s", argv[0]);
	pid = fork();
	if (pid == 0)
		become(argv, ends[1]);
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return ops_fail_errno(err, "%.100s", argv[0]);
	}
	ended = hear(ends[0], out);
	(void)close(ends[0]);
	if (!ended)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return ops_fail_errno(err, "%.100s", argv[0]);
	if (!ended)
		return ops_fail(err, OPS_EUNAVAIL,
		    "%.100s: no end after %d seconds", argv[0], SECONDS);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
