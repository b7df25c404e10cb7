/*
 * bench-spawn - start /bin/true N times, one after the other, with arguments that
 * differ; print the ns it took.
 *
 * usage: bench-spawn N [PER-SECOND]
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define NS UINT64_C(1000000000)

static uint64_t
now(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		abort();
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static int
spawn(unsigned i, char **env)
{
	char option[64], path[64];
	char *argv[] = { (char[]){ "true" }, option, path, NULL };
	int status, rc;
	pid_t pid;

	(void)snprintf(option, sizeof(option), "--number=%u", i);
	(void)snprintf(path, sizeof(path), "/srv/data/set-%u/file-%u.txt",
	    i % 17, i * 7919u);
	rc = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, env);
	if (rc != 0) {
		fprintf(stderr, "bench-spawn: %s\n", strerror(rc));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status == 0 ? 0 : -1;
}

static void
wait_until(uint64_t when)
{
	const struct timespec t = { (time_t)(when / NS), (long)(when % NS) };

	while (
	    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

int
main(int argc, char **argv, char **env)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long rate = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t start = now();

	if (n == 0) {
		fputs("usage: bench-spawn N [PER-SECOND]\n", stderr);
		return 2;
	}
	for (unsigned long i = 0; i < n; i++) {
		if (rate > 0)
			wait_until(start + i * (NS / rate));
		if (spawn((unsigned)i, env) < 0)
			return 1;
	}
	printf("%" PRIu64 "\n", now() - start);
	return 0;
}
