#include "account_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"

#define ZEROS 4096

uint64_t
account_number(const char *name)
{
	uint64_t n = 0;

	if (strlen(name) != ACCOUNT_NAME_LEN)
		return 0;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p < '0' || *p > '9')
			return 0;
		n = 10 * n + (uint64_t)(*p - '0');
	}
	return n;
}

void
account_name(uint64_t number, char out[static ACCOUNT_NAME_LEN + 1])
{
	(void)snprintf(out, ACCOUNT_NAME_LEN + 1, "%010" PRIu64,
	    number % UINT64_C(10000000000));
}

void
account_numbers(int dir, uint64_t *lowest, uint64_t *highest)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	*lowest = *highest = 0;
	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		uint64_t n = account_number(e->d_name);

		if (n == 0)
			continue;
		if (*lowest == 0 || n < *lowest)
			*lowest = n;
		if (n > *highest)
			*highest = n;
	}
	closedir(d);
}

int
account_file_open(
    const char *run, struct account_file *ret, struct ops_err *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/" ACCOUNT_DIR, run), fd;

	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "RUN: too long");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ops_fail_errno(err, "%s", path);
	*ret = (struct account_file){ .dir = fd, .fd = -1 };
	return 0;
}

void
account_file_close(struct account_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	f->fd = f->dir = -1;
}

void
account_file_state(
    const struct account_file *f, char out[static ACCOUNT_STATE_MAX])
{
	int fd = openat(f->dir, ACCOUNT_STATE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, out, ACCOUNT_STATE_MAX - 1) : 0;

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
}

/* Go on to the next file, if this one is done with and complete. */
static void
go_on(struct account_file *f)
{
	char name[ACCOUNT_NAME_LEN + 1];
	uint64_t lowest, highest;

	account_numbers(f->dir, &lowest, &highest);
	if (f->fd >= 0) {
		if (f->number >= highest || f->zeroed < f->at)
			return;
		/* It was written to until the next one had its name. */
		if (lseek(f->fd, 0, SEEK_END) >= f->at + ACCT_RECORD_LEN)
			return;
		account_name(f->number, name);
		(void)unlinkat(f->dir, name, 0);
		close(f->fd);
		f->fd = -1;
		account_numbers(f->dir, &lowest, &highest);
	}
	if (lowest == 0)
		return;
	account_name(lowest, name);
	f->fd = openat(f->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	f->number = lowest;
	f->at = f->done = f->zeroed = 0;
}

int
account_file_next(
    struct account_file *f, struct acct_record *ret, struct ops_err *err)
{
	uint8_t p[ACCT_RECORD_LEN];
	ssize_t n = 0;

	for (;;) {
		if (f->fd >= 0)
			n = pread(f->fd, p, sizeof(p), f->at);
		if (f->fd < 0 || n != (ssize_t)sizeof(p))
			return 0;
		f->at += (off_t)sizeof(p);
		if (!ops_all_zero(p, sizeof(p)))
			break;
		/* Done with by an earlier run: these are all in front. */
		f->done = f->zeroed = f->at;
	}
	if (acct_decode(p, sizeof(p), ret, err) < 0)
		return -1;
	return 1;
}

void
account_file_done(struct account_file *f, bool all)
{
	f->done = all ? f->at : f->done + ACCT_RECORD_LEN;
}

void
account_file_forget(struct account_file *f, off_t upto)
{
	static const uint8_t zeros[ZEROS];

	while (f->fd >= 0 && f->zeroed < upto) {
		off_t left = upto - f->zeroed;
		ssize_t n = pwrite(f->fd, zeros,
		    left < ZEROS ? (size_t)left : ZEROS, f->zeroed);

		if (n <= 0)
			return;
		f->zeroed += n;
	}
	go_on(f);
}

bool
account_file_is_last(const struct account_file *f)
{
	uint64_t lowest, highest;

	account_numbers(f->dir, &lowest, &highest);
	return f->number >= highest;
}
