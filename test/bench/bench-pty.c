/*
 * bench-pty - be the terminal around a recorder, and measure.
 *
 * usage: bench-pty drain FILE COMMAND...
 *	Run COMMAND on a terminal and read it dry.  FILE gets every byte that
 *	came ("-": nothing is kept).  Prints: wall time in ns, the CPU time of
 *	the children that were waited for in ns, the bytes that came, the exit
 *	status.
 *
 * usage: bench-pty echo COUNT PAUSE_US COMMAND...
 *	COMMAND, in the end, runs bench-echo on a terminal.  Once that is
 *	ready, send one byte, wait until it is back, pause; COUNT times.
 *	Prints the time each took in ns, one a line.
 *
 * The terminal is in raw mode from the start, as behind ssh: what a recorder
 * writes is what is counted.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define READY 0x06 /* what bench-echo says first */
#define WAIT_MS 10000
#define MAX_COUNT 1000000

static uint64_t
now(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) != 0)
		err(2, "clock_gettime");
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Start argv on a new terminal of 24 x 80; *ret is its other side. */
static pid_t
start(char **argv, int *ret)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	struct termios modes = { 0 };
	int master;
	pid_t pid;

	cfmakeraw(&modes);
	modes.c_cflag |= CREAD;
	cfsetspeed(&modes, B38400);
	modes.c_cc[VMIN] = 1;
	pid = forkpty(&master, NULL, &modes, &size);
	if (pid < 0)
		err(2, "forkpty");
	if (pid == 0) {
		execvp(argv[0], argv);
		warn("%s", argv[0]);
		_exit(127);
	}
	if (fcntl(master, F_SETFD, FD_CLOEXEC) != 0)
		err(2, "fcntl");
	*ret = master;
	return pid;
}

/* Read what there is, within WAIT_MS.  0: the other side is gone. */
static size_t
take(int master, uint8_t *buf, size_t size)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	ssize_t n;

	do {
		int ready = poll(&p, 1, WAIT_MS);

		if (ready == 0) {
			errno = ETIMEDOUT;
			err(2, "terminal");
		}
		if (ready < 0 && errno != EINTR)
			err(2, "poll");
		n = read(master, buf, size);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EIO)
		err(2, "read");
	return n > 0 ? (size_t)n : 0;
}

static uint64_t
usage_ns(const struct rusage *ru)
{
	return ((uint64_t)ru->ru_utime.tv_sec + (uint64_t)ru->ru_stime.tv_sec) *
		   1000000000 +
	       ((uint64_t)ru->ru_utime.tv_usec +
		   (uint64_t)ru->ru_stime.tv_usec) *
		   1000;
}

static int
exit_status(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
drain(const char *file, char **argv)
{
	static uint8_t buf[65536];
	uint64_t bytes = 0, begin = now();
	struct rusage ru;
	int master, status;
	pid_t pid = start(argv, &master);
	FILE *out = NULL;
	size_t n;

	if (strcmp(file, "-") != 0 && (out = fopen(file, "wbe")) == NULL)
		err(2, "%s", file);
	while ((n = take(master, buf, sizeof(buf))) > 0) {
		bytes += n;
		if (out != NULL && fwrite(buf, 1, n, out) != n)
			err(2, "%s", file);
	}
	if (out != NULL && fclose(out) != 0)
		err(2, "%s", file);
	if (wait4(pid, &status, 0, &ru) != pid)
		err(2, "wait4");
	printf("%llu %llu %llu %d\n", (unsigned long long)(now() - begin),
	    (unsigned long long)usage_ns(&ru), (unsigned long long)bytes,
	    exit_status(status));
	close(master);
	return 0;
}

/* Read until the byte wanted came; everything before it is dropped. */
static void
await(int master, uint8_t wanted)
{
	uint8_t buf[4096];
	size_t n;

	do {
		n = take(master, buf, sizeof(buf));
		if (n == 0) {
			errno = ECONNRESET;
			err(2, "terminal");
		}
	} while (memchr(buf, wanted, n) == NULL);
}

static void
nap(unsigned long usec)
{
	struct timespec ts = { .tv_sec = (time_t)(usec / 1000000),
		.tv_nsec = (long)(usec % 1000000) * 1000 };

	while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
		continue;
}

static int
echo(unsigned long count, unsigned long pause_us, char **argv)
{
	uint64_t *took = calloc(count, sizeof(*took));
	int master, status;
	pid_t pid;

	if (took == NULL)
		err(2, "memory");
	pid = start(argv, &master);
	await(master, READY);
	for (unsigned long i = 0; i < count; i++) {
		/* The next letter, so that a late echo is not taken for it. */
		uint8_t c = (uint8_t)('a' + i % 26);
		uint64_t begin;

		nap(pause_us);
		begin = now();
		if (write(master, &c, 1) != 1)
			err(2, "write");
		await(master, c);
		took[i] = now() - begin;
	}
	if (write(master, "\x04", 1) != 1)
		err(2, "write");
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		uint8_t buf[4096];

		/* Drained to the end, or a recorder could wait for us. */
		if (poll(&p, 1, 10) > 0 && read(master, buf, sizeof(buf)) < 0)
			nap(1000);
	}
	for (unsigned long i = 0; i < count; i++)
		printf("%llu\n", (unsigned long long)took[i]);
	free(took);
	close(master);
	return exit_status(status);
}

static unsigned long
number(const char *text)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value > MAX_COUNT) {
		errno = EINVAL;
		err(2, "%s", text);
	}
	return value;
}

int
main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "drain") == 0)
		return drain(argv[2], argv + 3);
	if (argc >= 5 && strcmp(argv[1], "echo") == 0)
		return echo(number(argv[2]), number(argv[3]), argv + 4);
	fprintf(stderr, "usage: bench-pty drain FILE COMMAND...\n"
			"       bench-pty echo COUNT PAUSE_US COMMAND...\n");
	return 2;
}
