/* Each role's sandbox, entered by a child that then does what the role must not. */
#include "rolebox.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char store[64], run[64];

static const char *
in(const char *folder, const char *name)
{
	static char path[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", folder, name);
	return path[i];
}

static int
closed(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* -- what is tried; 0: it was done -- */

static int
make_switch(void)
{
	return closed(
	    open(in(store, "switch"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
make_switch_reading(void)
{
	return closed(
	    open(in(store, "switch"), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
make_switch_openat2(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { O_WRONLY | O_CREAT | O_CLOEXEC, 0600, 0 };

	return closed((int)syscall(437 /* openat2 */, AT_FDCWD,
	    in(store, "switch"), &how, sizeof(how)));
}

static int
write_format(void)
{
	return closed(open(in(store, "format"), O_WRONLY | O_CLOEXEC));
}

static int
empty_format(void)
{
	return closed(
	    open(in(store, "format"), O_RDONLY | O_TRUNC | O_CLOEXEC));
}

static int
truncate_format(void)
{
	return truncate(in(store, "format"), 1);
}

static int
rename_format(void)
{
	return rename(in(store, "format"), in(store, "switch"));
}

static int
rename_from_elsewhere(void)
{
	return rename(in(run, "file"), in(store, "switch"));
}

static int
link_from_elsewhere(void)
{
	return link(in(run, "file"), in(store, "switch"));
}

static int
symlink_switch(void)
{
	return symlink("/etc/passwd", in(store, "switch"));
}

static int
remove_format(void)
{
	return unlink(in(store, "format"));
}

static int
make_folder(void)
{
	return mkdir(in(store, "folder"), 0700);
}

static int
make_fifo(void)
{
	return mkfifo(in(store, "switch"), 0600);
}

/* Another's place at the writer's socket. */
static int
make_socket(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -1;
	(void)snprintf(
	    sun.sun_path, sizeof(sun.sun_path), "%s", in(run, "record.sock"));
	rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	close(fd);
	return rc;
}

static int
remove_in_run(void)
{
	return unlink(in(run, "file"));
}

/* Its child, and what that executes, are no way out. */
static int
execute(void)
{
	const char *path = in(store, "switch");
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)close_range(STDERR_FILENO, STDERR_FILENO, 0);
		(void)execl("/bin/touch", "touch", path, (char *)NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		errno = EACCES;
		return -1;
	}
	return 0;
}

/* -- what each may do -- */

static int
read_format(void)
{
	return closed(open(in(store, "format"), O_RDONLY | O_CLOEXEC));
}

static int
write_null(void)
{
	return closed(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int
write_index(void)
{
	return closed(
	    open(in(store, "index/x"), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int
read_data(void)
{
	return closed(open(in(store, "data"), O_RDONLY | O_CLOEXEC));
}

static int
look_at_parent(void)
{
	char path[64], c;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)getppid());
	return readlink(path, &c, 1) < 0 ? -1 : 0;
}

/* clang-format off */
static const struct {
	const char *name;
	int (*fn)(void);
} bad[] = {
	{ "open, to make and write",	make_switch },
	{ "open, to make and read",	make_switch_reading },
	{ "openat2",			make_switch_openat2 },
	{ "write what is there",	write_format },
	{ "empty it",			empty_format },
	{ "truncate",			truncate_format },
	{ "rename in the store",	rename_format },
	{ "rename into it",		rename_from_elsewhere },
	{ "link",			link_from_elsewhere },
	{ "symlink",			symlink_switch },
	{ "unlink",			remove_format },
	{ "mkdir",			make_folder },
	{ "mkfifo",			make_fifo },
	{ "a socket in RUN",		make_socket },
	{ "unlink in RUN",		remove_in_run },
	{ "execute",			execute },
};
static const struct {
	enum role_id role;
	const char *name;
	int (*fn)(void);
} good[] = {
	{ ROLE_SESSION,	"session reads",		read_format },
	{ ROLE_SESSION,	"session has /dev/null",	write_null },
	{ ROLE_QUERY,	"query reads",			read_format },
	{ ROLE_SCAN,	"scan reads",			read_format },
	{ ROLE_SCAN,	"scan looks into others",	look_at_parent },
	{ ROLE_INDEX,	"index writes its folder",	write_index },
	{ ROLE_INDEX,	"index reads the data",		read_data },
};
/* clang-format on */

/* In a child in that role's sandbox: 0, errno, or 255 where the kernel has none. */
static int
tried(enum role_id role, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		const char *lacks;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    rolebox_enter(role, store, &lacks, NULL) < 0)
			_exit(254);
		if (lacks != NULL)
			_exit(255);
		errno = 0;
		_exit(fn() == 0 ? 0 : errno);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
}

static int
setup(void **state)
{
	static const char *const folders[] = { "log", "data", "index" };

	(void)state;
	(void)snprintf(store, sizeof(store), "/tmp/opseal-rolebox-XXXXXX");
	(void)snprintf(run, sizeof(run), "/tmp/opseal-rolebox-XXXXXX");
	assert_non_null(mkdtemp(store));
	assert_non_null(mkdtemp(run));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mkdir(in(store, folders[i]), 0700), 0);
	make_file(in(store, "format"));
	make_file(in(run, "file"));
	return 0;
}

static int
cleanup(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		(void)execl("/bin/rm", "rm", "-r", store, run, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return 0;
}

static void
test_kept_out(void **state)
{
	static const enum role_id roles[] = { ROLE_SESSION, ROLE_QUERY,
		ROLE_SCAN, ROLE_INDEX };
	struct stat st;

	(void)state;
	for (size_t r = 0; r < sizeof(roles) / sizeof(roles[0]); r++)
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			int rc = tried(roles[r], bad[i].fn);

			if (rc == 255)
				skip();
			CHECK(rc == EACCES || rc == EPERM || rc == EXDEV,
			    bad[i].name, strerror(rc));
			CHECK(lstat(in(store, "switch"), &st) < 0, bad[i].name,
			    "STORE/switch is there");
			CHECK(stat(in(store, "format"), &st) == 0 &&
				  st.st_size == 4,
			    bad[i].name, "STORE/format was changed");
		}
}

/* Else the test above would pass with anything. */
static void
test_without(void **state)
{
	(void)state;
	assert_int_equal(tried(ROLE_WRITER, make_switch), 0);
	assert_int_equal(unlink(in(store, "switch")), 0);
	assert_int_equal(tried(ROLE_WRITER, execute), 0);
	assert_int_equal(unlink(in(store, "switch")), 0);
}

static void
test_let(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int rc = tried(good[i].role, good[i].fn);

		if (rc == 255)
			skip();
		CHECK(rc == 0, good[i].name, strerror(rc));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kept_out, setup, cleanup),
		cmocka_unit_test_setup_teardown(test_without, setup, cleanup),
		cmocka_unit_test_setup_teardown(test_let, setup, cleanup),
	};

	return cmocka_run_group_tests_name("rolebox", tests, NULL, NULL);
}
