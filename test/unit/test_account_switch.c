/* The kernel's side is played here: a file that each end of a process adds to. */
#include "account_switch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#include "account_file.h"
#include "base/bytes.h"
#include "check.h"

#define S UINT64_C(1000000000)
#define LEN 64 /* of a record */

static struct {
	int fd;              /* it writes there; -1: accounting is off */
	bool full;           /* no process can be made */
	bool tight;          /* little space: it may be paused */
	bool paused;         /* by the kernel */
	char swap[PATH_MAX]; /* "next" is a link to this when it is opened */
	uid_t fsuid;
	gid_t fsgid;
	uid_t opened_uid;
	gid_t opened_gid;
	uint64_t now;
} k;

static char run[] = "/tmp/account_switch.XXXXXX";
static const struct drop_user user = { true, 501, 502 };

int __wrap_acct(const char *path);
pid_t __wrap_fork(void);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_prctl(int what, ...);
int __wrap_fstatvfs(int fd, struct statvfs *ret);
int __wrap_fstatvfs64(int fd, struct statvfs *ret);
int __wrap_setfsuid(uid_t id);
int __wrap_setfsgid(gid_t id);
int __wrap_seteuid(uid_t id);
int __wrap_setegid(gid_t id);
uint64_t __wrap_ops_boottime(void);

static void
path_of(const char *name, char out[static PATH_MAX])
{
	(void)snprintf(out, PATH_MAX, "%s/" ACCOUNT_DIR "/%s", run, name);
}

int
__wrap_acct(const char *path)
{
	char next[PATH_MAX];
	int fd = -1;

	path_of("next", next);
	if (path != NULL && k.swap[0] != '\0' &&
	    (unlink(next) < 0 || symlink(k.swap, next) < 0))
		return -1;
	if (path != NULL) {
		fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
		if (fd < 0)
			return -1;
		k.opened_uid = k.fsuid;
		k.opened_gid = k.fsgid;
	}
	if (k.fd >= 0)
		close(k.fd);
	k.fd = fd;
	return 0;
}

static void
a_process_ends(void)
{
	static const char record[LEN] = "record";

	if (k.fd >= 0 && !k.paused)
		assert_int_equal(write(k.fd, record, LEN), LEN);
}

pid_t
__wrap_fork(void)
{
	if (k.full) {
		errno = EAGAIN;
		return -1;
	}
	a_process_ends();
	return 7;
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	(void)status;
	(void)options;
	return pid;
}

int
__wrap_prctl(int what, ...)
{
	(void)what;
	return 0;
}

int
__wrap_fstatvfs(int fd, struct statvfs *ret)
{
	(void)fd;
	*ret =
	    (struct statvfs){ .f_blocks = 1000, .f_bavail = k.tight ? 49 : 50 };
	return 0;
}

int
__wrap_fstatvfs64(int fd, struct statvfs *ret)
{
	return __wrap_fstatvfs(fd, ret);
}

int
__wrap_setfsuid(uid_t id)
{
	k.fsuid = id;
	return 0;
}

int
__wrap_setfsgid(gid_t id)
{
	k.fsgid = id;
	return 0;
}

int
__wrap_seteuid(uid_t id)
{
	(void)id;
	return 0;
}

int
__wrap_setegid(gid_t id)
{
	(void)id;
	return 0;
}

uint64_t
__wrap_ops_boottime(void)
{
	return k.now;
}

static int
begin(void **state)
{
	(void)state;
	memcpy(run + strlen(run) - 6, "XXXXXX", 6);
	memset(&k, 0, sizeof(k));
	k.fd = -1;
	k.now = 100 * S;
	return mkdtemp(run) != NULL ? 0 : -1;
}

static int
finish(void **state)
{
	const char *names[] = { "next", "state", "theirs", "" };
	char path[PATH_MAX], name[ACCOUNT_NAME_LEN + 1];

	(void)state;
	if (k.fd >= 0)
		close(k.fd);
	for (uint64_t i = 1; i < 20; i++) {
		account_name(i, name);
		path_of(name, path);
		(void)unlink(path);
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(names); i++) {
		path_of(names[i], path);
		(void)remove(path);
	}
	return rmdir(run);
}

static void
switched_on(struct account_switch *a)
{
	*a = (struct account_switch){ .dir = -1, .fd = -1 };
	account_switch_on(a, run, &user);
	assert_true(a->on);
	assert_true(k.fd >= 0);
}

static void
state_is(const char *begins)
{
	char path[PATH_MAX], text[ACCOUNT_STATE_MAX] = "";
	FILE *f;

	path_of(ACCOUNT_STATE, path);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	(void)fclose(f);
	CHECK(strncmp(text, begins, strlen(begins)) == 0, begins, text);
}

/* The accounting of somebody else, into a file of his. */
static int
theirs(void)
{
	char path[PATH_MAX];

	path_of("theirs", path);
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void
test_on_and_off(void **state)
{
	struct account_switch a;

	(void)state;
	switched_on(&a);
	state_is("on");
	assert_int_equal(k.opened_uid, user.uid);
	assert_int_equal(k.opened_gid, user.gid);
	assert_int_equal(k.fsuid, 0);
	assert_int_equal(k.fsgid, 0);
	assert_int_equal(a.number, 1);
	assert_int_equal(ftruncate(a.fd, ACCOUNT_FILE_FULL), 0);
	account_switch_look(&a);
	assert_int_equal(a.number, 2);
	account_switch_off(&a);
	assert_int_equal(k.fd, -1);
	account_switch_close(&a);
}

/* No process can be made, or the kernel has paused: at the end it is switched
 * off, and so it is when nobody reads; until then it is looked at again. */
static void
test_unknown(void **state)
{
	struct account_switch a;

	(void)state;
	for (int tight = 0; tight < 2; tight++) {
		k.full = k.tight = k.paused = false;
		k.now += 100 * S;
		switched_on(&a);
		assert_int_equal(ftruncate(a.fd, ACCOUNT_FILE_FULL), 0);
		k.full = !tight;
		k.tight = k.paused = tight;
		account_switch_look(&a);
		assert_true(a.on);
		account_switch_off(&a);
		assert_int_equal(k.fd, -1);
		account_switch_close(&a);

		k.full = k.tight = k.paused = false;
		switched_on(&a);
		assert_int_equal(ftruncate(a.fd, ACCOUNT_FILE_MAX + LEN), 0);
		k.full = !tight;
		k.tight = k.paused = tight;
		account_switch_look(&a);
		assert_false(a.on);
		assert_int_equal(k.fd, -1);
		state_is("off: nobody reads it");
		account_switch_close(&a);
	}
}

/* There is space again, and the kernel looks only 30 s later; or somebody else
 * has taken it meanwhile, and keeps it. */
static void
test_space_again(void **state)
{
	struct account_switch a;
	int fd;

	(void)state;
	switched_on(&a);
	assert_int_equal(ftruncate(a.fd, ACCOUNT_FILE_FULL), 0);
	k.tight = k.paused = true;
	account_switch_look(&a);
	k.tight = false;
	k.now += 31 * S;
	account_switch_look(&a);
	assert_true(a.on);
	k.paused = false;
	account_switch_look(&a);
	assert_int_equal(a.number, 2);

	fd = dup(k.fd);
	k.now += 100 * S;
	close(k.fd);
	k.fd = theirs();
	assert_int_equal(ftruncate(a.fd, ACCOUNT_FILE_FULL), 0);
	account_switch_look(&a);
	assert_false(a.on);
	state_is("off: it goes into our file no more");
	account_switch_off(&a);
	assert_true(k.fd >= 0);
	close(fd);
	account_switch_close(&a);
}

/* Another file has its name when the kernel opens it: it opens ours. */
static void
test_swapped(void **state)
{
	struct account_switch a;
	struct stat theirs_st, st;

	(void)state;
	(void)snprintf(k.swap, sizeof(k.swap), "%s/theirs", run);
	close(open(k.swap, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	switched_on(&a);
	assert_int_equal(stat(k.swap, &theirs_st), 0);
	assert_int_equal(fstat(k.fd, &st), 0);
	assert_true(st.st_ino != theirs_st.st_ino);
	a_process_ends();
	assert_int_equal(fstat(a.fd, &st), 0);
	assert_int_equal(st.st_size, LEN);
	account_switch_off(&a);
	assert_int_equal(k.fd, -1);
	account_switch_close(&a);
	(void)unlink(k.swap);
}

/* What a killed daemon left on is switched off, and nothing else. */
static void
test_left(void **state)
{
	struct account_switch a;
	int fd;

	(void)state;
	assert_false(account_switch_left(run));
	switched_on(&a);
	close(a.fd);
	close(a.dir);
	assert_true(account_switch_left(run));
	account_switch_end_left(run, &user);
	assert_int_equal(k.fd, -1);

	fd = k.fd = theirs();
	account_switch_end_left(run, &user);
	assert_int_equal(k.fd, fd);
	k.full = true;
	account_switch_end_left(run, &user);
	assert_int_equal(k.fd, fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_on_and_off, begin, finish),
		cmocka_unit_test_setup_teardown(test_unknown, begin, finish),
		cmocka_unit_test_setup_teardown(
		    test_space_again, begin, finish),
		cmocka_unit_test_setup_teardown(test_swapped, begin, finish),
		cmocka_unit_test_setup_teardown(test_left, begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
