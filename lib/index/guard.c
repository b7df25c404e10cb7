#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Caches have 64 MiB at most; a key in a hostile file may say it has gigabytes. */
#define MEMORY_MAX (INT64_C(192) << 20)

/* As the kinds of struct unix_syscall in SQLite's os_unix.c are. */
typedef int open_call(const char *, int, int);
typedef int unlink_call(const char *);

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && strcmp(name + n - m, end) == 0;
}

/* What it opens without an index: for random numbers, and to fill 0 to 2. */
static bool
is_device(const char *path)
{
	return strcmp(path, "/dev/urandom") == 0 ||
	       strcmp(path, "/dev/null") == 0;
}

/* errno for what mustn't be opened; 0: it may. */
static int
refuse(const struct stat *st, int flags)
{
	if (S_ISDIR(st->st_mode))
		return 0;
	if (!S_ISREG(st->st_mode))
		return ENXIO;
	/* What is written would be written elsewhere, too. */
	if ((flags & O_ACCMODE) != O_RDONLY && st->st_nlink > 1)
		return EMLINK;
	return 0;
}

static int
open_only(const char *path, int flags, int mode)
{
	struct stat st;
	int fd, wrong;

	if (ends_with(path, "-wal") || ends_with(path, "-shm")) {
		errno = ENXIO;
		return -1;
	}
	flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;
	fd = open(path, flags, (mode_t)mode);
	if (fd < 0 || is_device(path))
		return fd;
	wrong = fstat(fd, &st) < 0 ? errno : refuse(&st, flags);
	if (wrong == 0)
		return fd;
	close(fd);
	errno = wrong;
	return -1;
}

static int
unlink_only(const char *path)
{
	if (ends_with(path, "/" INDEX_DIR "/" INDEX_FILE "-journal"))
		return unlink(path);
	errno = EACCES;
	return -1;
}

static int
set_call(sqlite3_vfs *unix_vfs, const char *name, sqlite3_syscall_ptr call)
{
	return unix_vfs->iVersion >= 3 && unix_vfs->xSetSystemCall(
					      unix_vfs, name, call) == SQLITE_OK
		   ? 0
		   : -1;
}

static int installed = -1;

static void
install(void)
{
	sqlite3_vfs *v = sqlite3_vfs_find("unix"); /* it initialises */
	open_call *const o = open_only;
	unlink_call *const u = unlink_only;

	(void)sqlite3_hard_heap_limit64(MEMORY_MAX);
	if (v != NULL && set_call(v, "open", (sqlite3_syscall_ptr)o) == 0 &&
	    set_call(v, "unlink", (sqlite3_syscall_ptr)u) == 0)
		installed = 0;
}

int
guard_install(struct ops_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, install);
	if (installed < 0)
		return ops_fail(
		    err, OPS_EIO, "index: this SQLite can't be guarded");
	return 0;
}

/* -- before a write -- */

static int
not_ours(struct ops_err *err, const char *what)
{
	return ops_fail(err, OPS_EFORMAT, "index: %s", what);
}

/*
 * SQLite ends a journal like this where a transaction is one over several files;
 * in front of it is the name of another file, which is opened and removed with it.
 */
static int
check_journal(int fd, struct ops_err *err)
{
	static const uint8_t names_another[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20,
		0xa1, 0x63, 0xd7 };
	uint8_t last[sizeof(names_another)];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ops_fail_errno(err, "index: its journal");
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return not_ours(err, "its journal is no file of its own");
	if (st.st_size >= (off_t)sizeof(last) &&
	    pread(fd, last, sizeof(last), st.st_size - (off_t)sizeof(last)) ==
		(ssize_t)sizeof(last) &&
	    memcmp(last, names_another, sizeof(last)) == 0)
		return not_ours(err, "its journal names another file");
	return 0;
}

int
guard_look(const char *path, struct ops_err *err)
{
	char journal[PATH_MAX];
	struct stat st;
	int fd, rc, n;

	if (lstat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_nlink > 1))
		return not_ours(err, "it is no file of its own");
	n = snprintf(journal, sizeof(journal), "%s-journal", path);
	if (n < 0 || (size_t)n >= sizeof(journal))
		return ops_fail(err, OPS_EUSAGE, "index: its path is too long");
	fd = open(
	    journal, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return not_ours(err, "its journal is no file of its own");
	if (fd < 0)
		return ops_fail_errno(err, "index: its journal");
	rc = check_journal(fd, err);
	close(fd);
	return rc;
}
