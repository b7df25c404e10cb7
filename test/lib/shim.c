/*
 * shim - stands in front of libc (LD_PRELOAD) and makes calls of opseald or
 * opseal-rec fail, as the shared memory $FAULT_SHM says at any moment; faults.py writes
 * that file.  Built by the tests, not by meson.
 *
 * The file is mapped by every process and has the struct below.  Calls of its
 * kinds are counted down in all processes of its role together; at zero they
 * fail, `times` times (0: for ever); where the error is 0 the process is killed.  Nothing here allocates, or uses memory
 * of a thread's own: malloc(3) is among what fails.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum {
	PWRITE = 1,
	SYNC = 2,
	RENAME = 4,
	UNLINK = 8,
	OPEN = 16,  /* for writing */
	WRITE = 32, /* to files and terminals */
	MEMORY = 64,
	SLOW = 128, /* each sync of the WAL takes 4 s */
	LAZY = 256, /* each sync of anything else takes 0.4 s */
};

struct control {
	_Atomic uint32_t kinds;
	_Atomic int32_t error;
	_Atomic int64_t after;
	_Atomic int64_t times;
	_Atomic uint64_t failed;
	char role[32]; /* "writer": opseald's role; "rec"; "": all */
	_Atomic int64_t
	    clock; /* seconds that CLOCK_REALTIME is wrong by, in all */
};

static struct control *ctl;
static char role[32]; /* ours */

static void
find_role(void)
{
	static char args[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, args, sizeof(args) - 1);
	const char *name;

	close(fd);
	if (n <= 0)
		return;
	name = strrchr(args, '/');
	if (strcmp(name == NULL ? args : name + 1, "opseal-rec") == 0)
		snprintf(role, sizeof(role), "rec");
	for (char *p = args; p < args + n; p += strlen(p) + 1)
		if (strncmp(p, "--role=", 7) == 0)
			snprintf(role, sizeof(role), "%s", p + 7);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *number = getenv("FAULT_SHM");
	void *p;

	if (number == NULL)
		return;
	find_role();
	p = shmat((int)strtol(number, NULL, 10), NULL, 0);
	if (p != (void *)-1)
		ctl = p;
}

static bool
is_on(uint32_t kind)
{
	return ctl != NULL && (ctl->kinds & kind) != 0 &&
	       (ctl->role[0] == '\0' || strcmp(ctl->role, role) == 0);
}

static bool
fails(uint32_t kind)
{
	int64_t n;

	if (!is_on(kind))
		return false;
	n = ctl->after--;
	if (n > 0 || (ctl->times != 0 && n <= -ctl->times))
		return false;
	ctl->failed++;
	if (ctl->error == 0)
		kill(getpid(), SIGKILL);
	errno = ctl->error;
	return true;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* -- time -- */

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	if (syscall(SYS_clock_gettime, id, ts) < 0)
		return -1;
	if (ctl != NULL && id == CLOCK_REALTIME)
		ts->tv_sec += ctl->clock;
	return 0;
}

/* -- memory -- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

void *
malloc(size_t n)
{
	return fails(MEMORY) ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails(MEMORY) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails(MEMORY) ? NULL : __libc_realloc(p, n);
}

/* -- files -- */

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t off)
{
	return fails(PWRITE) ? -1 : NEXT(pwrite64)(fd, p, n, off);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t off)
{
	return fails(PWRITE) ? -1 : NEXT(pwrite)(fd, p, n, off);
}

/* Not to an eventfd, a pipe or a socket: what wakes a loop can't fail. */
ssize_t
write(int fd, const void *p, size_t n)
{
	struct stat st;

	if (is_on(WRITE) && fstat(fd, &st) == 0 &&
	    (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)) && fails(WRITE))
		return -1;
	return NEXT(write)(fd, p, n);
}

static void
slow(int fd)
{
	char link[64], path[4096];
	ssize_t n;
	bool wal;

	if (!is_on(SLOW | LAZY))
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	wal = strstr(path, "/wal/") != NULL;
	if (wal && is_on(SLOW))
		sleep(4);
	else if (!wal && is_on(LAZY))
		usleep(400000);
}

int
fdatasync(int fd)
{
	slow(fd);
	return fails(SYNC) ? -1 : NEXT(fdatasync)(fd);
}

int
fsync(int fd)
{
	return fails(SYNC) ? -1 : NEXT(fsync)(fd);
}

int
renameat(int a, const char *from, int b, const char *to)
{
	return fails(RENAME) ? -1 : NEXT(renameat)(a, from, b, to);
}

int
unlinkat(int fd, const char *path, int flags)
{
	return fails(UNLINK) ? -1 : NEXT(unlinkat)(fd, path, flags);
}

static int
open_at(int fd, const char *path, int flags, int mode)
{
	if ((flags & O_ACCMODE) != O_RDONLY && strncmp(path, "/dev/", 5) != 0 &&
	    fails(OPEN))
		return -1;
	return NEXT(openat)(fd, path, flags, mode);
}

int
openat(int fd, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	return open_at(fd, path, flags, mode);
}

int
openat64(int fd, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	return open_at(fd, path, flags, mode);
}
