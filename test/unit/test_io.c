#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

static char dir[] = "/tmp/opseal-io-XXXXXX";
static int dirfd_;

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ < 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = { "file", "link", "fifo" };

	(void)state;
	for (size_t i = 0; i < 3; i++)
		unlinkat(dirfd_, names[i], 0);
	close(dirfd_);
	return rmdir(dir);
}

/* A file called "file" with n bytes 0, 1, 2 ...; opened for both. */
static int
make_file(size_t n)
{
	int fd = openat(
	    dirfd_, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t byte;

	assert_true(fd >= 0);
	for (size_t i = 0; i < n; i++) {
		byte = (uint8_t)i;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
	}
	return fd;
}

static void
test_files(void **state)
{
	struct ops_err err = { 0 };
	uint8_t got[20];
	int fd = make_file(10);

	(void)state;
	assert_int_equal(ops_read_full(fd, got, 4, &err), 4);
	assert_int_equal(got[3], 3);
	assert_int_equal(ops_read_full(fd, got, 20, &err), 6);
	assert_int_equal(got[5], 9);
	assert_int_equal(ops_read_full(fd, got, 20, &err), 0);
	assert_int_equal(ops_pread_full(fd, got, 4, 8, &err), 2);
	assert_int_equal(got[0], 8);
	assert_int_equal(ops_pread_full(fd, got, 4, 100, &err), 0);
	assert_int_equal(ops_pwrite_full(fd, "abc", 3, 9, &err), 0);
	assert_int_equal(ops_write_full(fd, "xyz", 3, &err), 0);
	assert_int_equal(ops_pread_full(fd, got, 20, 7, &err), 6);
	assert_memory_equal(got,
	    "\x07\x08"
	    "axyz",
	    6);

	assert_int_equal(ops_pread_full(fd, got, 1, UINT64_MAX, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(ops_pwrite_full(fd, got, 1, INT64_MAX, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	close(fd);
	assert_int_equal(ops_read_full(fd, got, 1, &err), -1);
	assert_int_equal(err.sys, EBADF);
	assert_int_equal(ops_write_full(fd, got, 1, &err), -1);
	assert_int_equal(err.sys, EBADF);
}

static void
ignore(int sig)
{
	(void)sig;
}

struct pump {
	int fd;
	pthread_t target;
};

#define PUMPED 300000

/* Feed the pipe in small pieces, with signals in between. */
static void *
feed(void *arg)
{
	const struct pump *p = arg;
	uint8_t piece[997];

	for (size_t at = 0; at < PUMPED; at += sizeof(piece)) {
		size_t n = PUMPED - at;

		if (n > sizeof(piece))
			n = sizeof(piece);
		for (size_t i = 0; i < n; i++)
			piece[i] = (uint8_t)((at + i) * 7);
		pthread_kill(p->target, SIGUSR1);
		if (ops_write_full(p->fd, piece, n, NULL) < 0)
			abort();
	}
	close(p->fd);
	return NULL;
}

static void
test_pipe(void **state)
{
	struct sigaction sa = { .sa_handler = ignore }; /* no SA_RESTART */
	uint8_t *got = malloc(PUMPED + 1);
	struct ops_err err = { 0 };
	struct pump p;
	pthread_t t;
	int fds[2];

	(void)state;
	assert_non_null(got);
	assert_int_equal(sigaction(SIGUSR1, &sa, NULL), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	p.fd = fds[1];
	p.target = pthread_self();
	assert_int_equal(pthread_create(&t, NULL, feed, &p), 0);
	assert_int_equal(ops_read_full(fds[0], got, PUMPED + 1, &err), PUMPED);
	pthread_join(t, NULL);
	for (size_t i = 0; i < PUMPED; i++)
		if (got[i] != (uint8_t)(i * 7))
			fail_msg("byte %zu", i);
	close(fds[0]);
	free(got);
}

/* The other way round: a writer that is interrupted while the pipe is full. */
static void *
drain(void *arg)
{
	const struct pump *p = arg;
	uint8_t piece[991];
	size_t sum = 0;
	ssize_t n;

	while ((n = ops_read_full(p->fd, piece, sizeof(piece), NULL)) > 0) {
		for (ssize_t i = 0; i < n; i++, sum++)
			if (piece[i] != (uint8_t)(sum * 7))
				abort();
		pthread_kill(p->target, SIGUSR1);
	}
	return sum == PUMPED ? arg : NULL;
}

static void
test_pipe_write(void **state)
{
	uint8_t *data = malloc(PUMPED);
	struct ops_err err = { 0 };
	struct pump p;
	void *result;
	pthread_t t;
	int fds[2];

	(void)state;
	assert_non_null(data);
	for (size_t i = 0; i < PUMPED; i++)
		data[i] = (uint8_t)(i * 7);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	p.fd = fds[0];
	p.target = pthread_self();
	assert_int_equal(pthread_create(&t, NULL, drain, &p), 0);
	assert_int_equal(ops_write_full(fds[1], data, PUMPED, &err), 0);
	close(fds[1]);
	pthread_join(t, &result);
	assert_non_null(result);
	close(fds[0]);
	free(data);
}

static void
test_would_block(void **state)
{
	struct ops_err err = { 0 };
	int fds[2];
	uint8_t c;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(ops_read_full(fds[0], &c, 1, &err), -1);
	assert_int_equal(err.sys, EAGAIN);
	close(fds[0]);
	close(fds[1]);
}

/* Around the limit and around the size of one step. */
static void
test_read_file(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 16385, 40000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = sizes[i];
		struct ops_err err = { 0 };
		struct ops_buf b = { .max = n + 3 };

		close(make_file(n));
		ops_buf_puts(&b, "abc");
		assert_int_equal(ops_read_file(dirfd_, "file", 0, &b, &err), 0);
		assert_int_equal(b.len, n + 3);
		assert_memory_equal(b.data, "abc", 3);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(b.data[3 + k], (uint8_t)k);
		if (n > 0) {
			b.len = 3;
			b.max = n + 2;
			assert_int_equal(
			    ops_read_file(dirfd_, "file", 0, &b, &err), -1);
			assert_int_equal(err.code, OPS_EFORMAT);
			assert_int_equal(b.len, 3);
			assert_false(b.failed);
			assert_memory_equal(err.msg, "file: larger", 12);
		}
		ops_buf_free(&b);
	}
}

static void
test_read_file_refuses(void **state)
{
	struct ops_buf b = { .max = 100 };
	struct ops_err err = { 0 };

	(void)state;
	close(make_file(5));
	assert_int_equal(symlinkat("file", dirfd_, "link"), 0);
	assert_int_equal(mkfifoat(dirfd_, "fifo", 0600), 0);

	assert_int_equal(ops_read_file(dirfd_, "link", 0, &b, &err), -1);
	assert_int_equal(err.sys, ELOOP);
	assert_int_equal(
	    ops_read_file(dirfd_, "link", OPS_IO_FOLLOW, &b, &err), 0);
	assert_int_equal(b.len, 5);
	assert_int_equal(ops_read_file(dirfd_, "fifo", 0, &b, &err), -1);
	assert_string_equal(err.msg, "fifo: not a regular file");
	assert_int_equal(ops_read_file(dirfd_, ".", 0, &b, &err), -1);
	assert_string_equal(err.msg, ".: not a regular file");
	assert_int_equal(ops_read_file(dirfd_, "none", 0, &b, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(b.len, 5);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_pipe_write),
		cmocka_unit_test(test_would_block),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_read_file_refuses),
	};

	return cmocka_run_group_tests_name("io", tests, set_up, tear_down);
}
