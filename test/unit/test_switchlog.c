#include "check.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/event.h"
#include "record/record.h"
#include "store/switchlog.h"
#include "store/writer.h"

static const struct offswitch off = { .off = true,
	.realtime = 12,
	.has_who = true,
	.auid = EVENT_UNSET,
	.user = "root",
	.reason = "the disk is being replaced" };
static const struct offswitch later = { .off = true,
	.realtime = 13,
	.has_who = true,
	.auid = EVENT_UNSET,
	.user = "root",
	.reason = "the disk is being replaced" };
static const struct offswitch on = { .realtime = 14 };

static struct {
	char dir[64];
	struct vfs *v;
	struct writer *w;
} t;

/* A run of the daemon begins, as a kernel's boot-th. */
static void
begin(uint8_t boot)
{
	const struct writer_opts o = {
		.machine_id = "m", .boot_id = { boot }, .note = "test"
	};
	struct ops_err err = { 0 };

	CHECK(vfs_dir_new(t.dir, &t.v, &err) == 0, t.dir, err.msg);
	CHECK(writer_open(t.v, &o, &t.w, &err) == 0, t.dir, err.msg);
}

static void
end(void)
{
	struct ops_err err = { 0 };

	CHECK(writer_close(t.w, &err) == 0, "close", err.msg);
	vfs_free(t.v);
}

static void
put(uint8_t type, const struct ops_buf *b)
{
	struct ops_err err = { 0 };
	uint64_t ticket;

	CHECK(!b->failed, "payload", "no memory");
	CHECK(writer_put_event(t.w, type, ops_boottime(), b->data, b->len,
		  &ticket, &err) == 0,
	    "event", err.msg);
}

static void
put_switch(const struct offswitch *s)
{
	struct ops_buf b = { .max = OFFSWITCH_MAX };

	offswitch_put(&b, s, 5);
	put(REC_DAEMON, &b);
	ops_buf_free(&b);
}

static void
put_config(void)
{
	const struct event_daemon e = { .what = DAEMON_CONFIG,
		.text = { (const uint8_t *)"x", 1 } };
	struct ops_buf b = { .max = 256 };

	event_daemon_put(&b, &e);
	put(REC_DAEMON, &b);
	ops_buf_free(&b);
}

/* What only a run says that goes on. */
static void
put_access(void)
{
	const struct event_access e = { .what = { (const uint8_t *)"ls", 2 } };
	struct ops_buf b = { .max = 256 };

	event_access_put(&b, &e);
	put(REC_ACCESS, &b);
	ops_buf_free(&b);
}

/* As a writer finds it that has just begun. */
static void
check(const char *row, const struct offswitch *want)
{
	struct ops_err err = { 0 };
	struct offswitch got = { .uid = 77 };

	CHECK(switchlog_find(t.v, &got, &err) == 0, row, err.msg);
	CHECK(got.off == (want != NULL), row, "off");
	if (want != NULL)
		CHECK(offswitch_same(&got, want), row, got.reason);
	else
		CHECK(got.realtime == 0, row, "more than: it is on");
}

/* What the runs of one store say: a letter each, and a blank between two. */
static void
say(const char *runs)
{
	uint8_t boot = 1;

	begin(boot);
	for (const char *p = runs; *p != '\0'; p++) {
		if (*p == 'c')
			put_config();
		else if (*p == 'a')
			put_access();
		else if (*p == '0')
			put_switch(&off);
		else if (*p == '2')
			put_switch(&later);
		else if (*p == '1')
			put_switch(&on);
		else {
			end();
			begin(*p == '/' ? ++boot : boot);
		}
	}
	end();
}

static void
setup_store(void)
{
	(void)snprintf(t.dir, sizeof(t.dir), "/tmp/opseal-switchlog-XXXXXX");
	assert_non_null(mkdtemp(t.dir));
}

static void
remove_store(void)
{
	char line[100];
	pid_t pid = fork();

	(void)snprintf(line, sizeof(line), "%s", t.dir);
	if (pid == 0) {
		(void)execl("/bin/rm", "rm", "-r", line, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Each run ends with DAEMON_STOP, which a run says that went on. */
static const struct {
	const char *row;
	const char *runs;
	const struct offswitch *want;
} rows[] = {
	{ "an empty log", "", NULL },
	{ "nothing of it", "cacc", NULL },
	{ "off", "c0", &off },
	{ "off, and it went on", "c0aaa", &off },
	{ "off, then on", "c0a1a", NULL },
	{ "on, then off again", "c0a1a2a", &later },
	{ "said again by the next run", "c0a c0a c0a", &off },
	{ "and after a reboot", "c0a/c0a/c0", &off },
	{ "a run that doesn't say it", "c0a ca", NULL },
	{ "after a reboot", "c0a/ca", NULL },
	{ "and one that says another", "c0a ca c2", &later },
	{ "on in the next run", "c0a c0a1", NULL },
	{ "and in one after a reboot", "c0a/c1", NULL },
};

static void
test_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup_store();
		say(rows[i].runs);
		begin(99);
		check(rows[i].row, rows[i].want);
		end();
		remove_store();
	}
}

/* The machine's power went just as it had begun: the next one goes by what was. */
static void
test_killed_at_its_start(void **state)
{
	(void)state;
	setup_store();
	say("c0a");
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		/* As a power cut: no end, no seal. */
		if (pid == 0) {
			begin((uint8_t)(2 + i));
			put_config();
			(void)usleep(1500000);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	begin(9);
	check("killed twice", &off);
	put_access();
	end();
	begin(10);
	check("one that went on", NULL);
	end();
	remove_store();
}

static void
damage(const char *day, const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(
	    path, sizeof(path), "%s/data/events/%s/%s", t.dir, day, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(
	    pwrite(fd, "????????", 8, lseek(fd, 0, SEEK_END) - 9), 8);
	close(fd);
}

/* Who damages the event that says on gets no off back. */
static void
test_damaged(void **state)
{
	struct vfs_names days, segs;
	struct ops_err err = { 0 };
	struct offswitch got = { .uid = 77 };
	char path[64];

	(void)state;
	setup_store();
	say("c0a c1a");
	begin(1);
	assert_int_equal(vfs_list(t.v, "data/events", &days, &err), 0);
	for (size_t i = 0; i < days.n; i++) {
		(void)snprintf(
		    path, sizeof(path), "data/events/%.20s", days.name[i]);
		assert_int_equal(vfs_list(t.v, path, &segs, &err), 0);
		for (size_t k = 0; k < segs.n; k++)
			damage(days.name[i], segs.name[k]);
		vfs_names_free(&segs);
	}
	vfs_names_free(&days);
	assert_int_equal(switchlog_find(t.v, &got, &err), -1);
	assert_int_equal(got.uid, 77);
	assert_int_equal(err.code, OPS_ETAMPER);
	end();
	remove_store();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_killed_at_its_start),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("switchlog", tests, NULL, NULL);
}
