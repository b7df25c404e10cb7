/*
 * bench-slowsync - a slower disk: LD_PRELOAD this, and fdatasync and fsync
 * take OPSEAL_SLOWSYNC_US microseconds longer (5000 where it isn't set).
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static void
delay(void)
{
	const char *text = getenv("OPSEAL_SLOWSYNC_US");
	unsigned long usec = text != NULL ? strtoul(text, NULL, 10) : 5000;
	struct timespec ts = { .tv_sec = (time_t)(usec / 1000000),
		.tv_nsec = (long)(usec % 1000000) * 1000 };

	nanosleep(&ts, NULL);
}

EXPORT int
fdatasync(int fd)
{
	delay();
	return (int)syscall(SYS_fdatasync, fd);
}

EXPORT int
fsync(int fd)
{
	delay();
	return (int)syscall(SYS_fsync, fd);
}
