/*
 * A writer with its threads, while the file system under it fails: it says so,
 * keeps what it was given, and when the fault is gone goes on by itself, with
 * a record of the span.
 *
 * Then the n-th call of each kind and the n-th allocation fail, once or from
 * there on, for n = 0, 1, 2, ... until none does.  Each is a process, some at
 * once, since most of their time is the writer's second before it tries again.
 *
 * timeout: 600
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "driver.h"
#include "nomem.h"
#include "record/event.h"
#include "store/store.h"
#include "store/writer.h"

#define SEC 1000000000ull
#define OP(name) (1u << MEMFS_##name)
#define ALL_OPS ((1u << MEMFS_OPS) - 1)

/* -- memfs is for one thread: a lock around each call -- */

static const struct vfs_ops *inner;
static pthread_mutex_t fs_lock = PTHREAD_MUTEX_INITIALIZER;

#define LOCKED(type, call)                                                     \
	do {                                                                   \
		type rc_;                                                      \
                                                                               \
		pthread_mutex_lock(&fs_lock);                                  \
		rc_ = (call);                                                  \
		pthread_mutex_unlock(&fs_lock);                                \
		return rc_;                                                    \
	} while (0)

static int
l_open(struct vfs *v, const char *path, unsigned flags, struct vfs_file **ret,
    struct ops_err *err)
{
	LOCKED(int, inner->open(v, path, flags, ret, err));
}

static ssize_t
l_pread(
    struct vfs_file *f, void *p, size_t n, uint64_t off, struct ops_err *err)
{
	LOCKED(ssize_t, inner->pread(f, p, n, off, err));
}

static int
l_pwrite(struct vfs_file *f, const void *p, size_t n, uint64_t off,
    struct ops_err *err)
{
	LOCKED(int, inner->pwrite(f, p, n, off, err));
}

static int
l_sync(struct vfs_file *f, struct ops_err *err)
{
	LOCKED(int, inner->sync(f, err));
}

static int
l_truncate(struct vfs_file *f, uint64_t len, struct ops_err *err)
{
	LOCKED(int, inner->truncate(f, len, err));
}

static int
l_size(struct vfs_file *f, uint64_t *ret, struct ops_err *err)
{
	LOCKED(int, inner->size(f, ret, err));
}

static int
l_rename(struct vfs *v, const char *from, const char *to, struct ops_err *err)
{
	LOCKED(int, inner->rename(v, from, to, err));
}

static int
l_unlink(struct vfs *v, const char *path, struct ops_err *err)
{
	LOCKED(int, inner->unlink(v, path, err));
}

static int
l_mkdir(struct vfs *v, const char *path, struct ops_err *err)
{
	LOCKED(int, inner->mkdir(v, path, err));
}

static int
l_rmdir(struct vfs *v, const char *path, struct ops_err *err)
{
	LOCKED(int, inner->rmdir(v, path, err));
}

static int
l_sync_dir(struct vfs *v, const char *path, struct ops_err *err)
{
	LOCKED(int, inner->sync_dir(v, path, err));
}

static int
l_list(
    struct vfs *v, const char *path, struct vfs_names *ret, struct ops_err *err)
{
	LOCKED(int, inner->list(v, path, ret, err));
}

static struct memfs *
new_disk(void)
{
	static struct vfs_ops locked;
	struct memfs *m = nomem_disk();

	inner = m->vfs.ops;
	locked = *inner;
	locked.open = l_open;
	locked.pread = l_pread;
	locked.pwrite = l_pwrite;
	locked.sync = l_sync;
	locked.truncate = l_truncate;
	locked.size = l_size;
	locked.rename = l_rename;
	locked.unlink = l_unlink;
	locked.mkdir = l_mkdir;
	locked.rmdir = l_rmdir;
	locked.sync_dir = l_sync_dir;
	locked.list = l_list;
	m->vfs.ops = &locked;
	return m;
}

/* -- one writer -- */

static struct {
	struct memfs *m;
	struct writer *w;
	struct driver_session *s;
	struct driver d; /* what was put, for driver_compare() */
	uint64_t ticket;
	atomic_uint wakes;
	const char *bad;
} t;

static void
wrong(const char *what, const char *why)
{
	if (t.bad == NULL)
		printf("# %s: %s\n", what, why);
	t.bad = what;
}

static void
nap(void)
{
	const struct timespec ms = { 0, 1000000 };

	(void)nanosleep(&ms, NULL);
}

static void
wake(void *arg)
{
	(void)arg;
	t.wakes++;
}

#define TRIES 3 /* as a peer that connects again, where memory was short */

static void
put_event(uint8_t type, struct ops_buf *b)
{
	struct ops_err err = { 0 };

	for (unsigned i = 0; i < TRIES; i++) {
		if (writer_put_event(t.w, type, t.s->put_events, b->data,
			b->len, &t.ticket, &err) == 0)
			break;
		if (err.code != OPS_ENOMEM || i + 1 == TRIES)
			wrong("event", err.msg);
	}
	t.s->put_events++;
}

static void
begin_session(void)
{
	uint8_t bytes[256];
	struct ops_buf b = OPS_BUF_FIXED(bytes);
	struct event_open o = { .kind = SESSION_TERMINAL };

	t.s = &t.d.s[t.d.n++];
	memset(t.s, 0, sizeof(*t.s));
	t.s->id[0] = (uint8_t)t.d.n;
	event_open_put(&b, t.s->id, &o);
	put_event(REC_SESSION_OPEN, &b);
}

static void
put_screen(unsigned n)
{
	while (n-- > 0) {
		struct ops_err err = { 0 };
		uint8_t payload[RECORD_MAX], bytes[RECORD_MAX];
		struct record r = { .type = REC_OUTPUT,
			.time = t.s->put,
			.payload = payload,
			.len = driver_content(t.s->id, t.s->put, payload) };
		size_t len = record_encode(&r, bytes);

		for (unsigned i = 0; i < TRIES; i++) {
			if (writer_put_records(t.w, t.s->id, t.s->put, bytes,
				len, &t.ticket, &err) == 0)
				break;
			if (err.code != OPS_ENOMEM || i + 1 == TRIES)
				wrong("put", err.msg);
		}
		t.s->put++;
	}
}

/* Within `ns` everything put is acknowledged. */
static bool
all_durable(uint64_t ns)
{
	uint64_t until = ops_boottime() + ns;

	while (writer_durable(t.w) < t.ticket) {
		if (ops_boottime() > until)
			return false;
		nap();
	}
	t.s->acked = t.s->put;
	t.s->acked_events = t.s->put_events;
	return true;
}

static bool
reaches(enum writer_state state, uint64_t ns, struct writer_status *st)
{
	uint64_t until = ops_boottime() + ns;

	do {
		writer_status(t.w, st);
		if (st->state == state)
			return true;
		nap();
	} while (ops_boottime() < until);
	return false;
}

static void
set_fault(unsigned mask, int error, uint64_t times)
{
	pthread_mutex_lock(&fs_lock);
	t.m->fail_mask = mask;
	t.m->fail_errno = error;
	t.m->fail_times = times;
	t.m->fail_after = mask != 0 ? 0 : -1;
	pthread_mutex_unlock(&fs_lock);
}

/* Is there a record of the outage? */
static bool
told_of_it(void)
{
	const struct store_stream *streams;
	struct store *st;
	size_t n;
	bool found = false;

	if (store_open(&t.m->vfs, 0, &st, NULL) < 0)
		return false;
	n = store_streams(st, &streams);
	for (size_t i = 0; i < n; i++) {
		struct stream_reader *r;
		struct stream_pos pos;
		struct record rec;
		struct event_daemon d;

		if (streams[i].class != CLASS_EVENTS ||
		    stream_open(st, streams[i].id, 0, &r, NULL) < 0)
			continue;
		while (stream_next(r, &rec, &pos, NULL) > 0) {
			if (rec.type == REC_DAEMON &&
			    event_daemon_get(rec.payload, rec.len, &d, NULL) ==
				0 &&
			    d.what == DAEMON_LOG_BACK && d.since > 0 &&
			    d.text.n > 0)
				found = true;
		}
		stream_free(r);
	}
	store_free(st);
	return found;
}

/* clang-format off */
static const struct {
	const char *name;
	unsigned mask;
	int error;
	uint64_t times;   /* 0: until it is put right */
	const char *says; /* in the reason */
	const char *names; /* the thing, one of two */
	const char *or;
	bool acks;	  /* records still become durable */
} rows[] = {
	{ "disk full",		OP(WRITE) | OP(CREATE), ENOSPC, 0, "No space",	"WAL", "frames", false },
	{ "no inodes",		OP(CREATE) | OP(MKDIR),	ENOSPC, 0, "No space",	"data", "checkpoint", true },
	{ "read-only",		ALL_OPS,		EROFS,	0, "Read-only",	"WAL", "frames", false },
	{ "one failed sync",	OP(SYNC),		EIO,	1, "output error", "WAL", "frames", true },
	{ "no sync works",	OP(SYNC) | OP(SYNC_DIR), EIO,	0, "output error", "WAL", "frames", false },
	{ "no rename works",	OP(RENAME),		EIO,	0, "output error", "checkpoint", "rename", true },
};
/* clang-format on */

static void
outage(size_t row)
{
	struct writer_status st;
	uint64_t since;

	begin_session();
	put_screen(20);
	if (!all_durable(5 * SEC))
		wrong("before", "not durable");
	set_fault(rows[row].mask, rows[row].error, rows[row].times);
	begin_session(); /* wants a new segment, so inodes */
	put_screen(20);
	if (!reaches(WRITER_FAILED, 3 * SEC, &st)) {
		wrong("outage", "not noticed");
		return;
	}
	if (strstr(st.reason, rows[row].says) == NULL ||
	    (strstr(st.reason, rows[row].names) == NULL &&
		strstr(st.reason, rows[row].or) == NULL))
		wrong("reason", st.reason);
	if (rows[row].acks && !all_durable(3 * SEC))
		wrong("outage", "the WAL should still work");
	if (!rows[row].acks && writer_durable(t.w) >= t.ticket)
		wrong("outage", "acknowledged what can't be written");
	set_fault(0, 0, 0);
	since = ops_boottime();
	if (!reaches(WRITER_OK, 3 * SEC, &st) || !all_durable(3 * SEC))
		wrong("after", "does not come back");
	printf("# back after %.1f s\n", (double)(ops_boottime() - since) / 1e9);
	put_screen(20);
	if (!all_durable(3 * SEC))
		wrong("after", "does not go on");
}

static void
run_row(size_t row)
{
	struct writer_opts o = {
		.machine_id = "m", .seal_after = 50000000, .wake = wake
	};
	struct ops_err err = { 0 };
	struct memfs *c;
	const char *bad;

	memset(&t, 0, sizeof(t));
	t.m = new_disk();
	if (writer_open(&t.m->vfs, &o, &t.w, &err) < 0) {
		wrong("open", err.msg);
	} else {
		outage(row);
		for (unsigned i = 0; i < t.d.n; i++) {
			t.d.s[i].acked = t.d.s[i].put;
			t.d.s[i].acked_events = t.d.s[i].put_events;
		}
		if (writer_close(t.w, &err) < 0)
			wrong("close", err.msg);
	}
	c = memfs_durable(t.m);
	if ((bad = driver_check(c, false, NULL)) != NULL)
		wrong("verify", bad);
	else if ((bad = driver_compare(&t.d, c)) != NULL)
		wrong("read back", bad);
	else if (!told_of_it())
		wrong("the log", "says nothing of the outage");
	vfs_free(&c->vfs);
	vfs_free(&t.m->vfs);
	printf("%s %zu - %s\n", t.bad == NULL ? "ok" : "not ok", row + 1,
	    rows[row].name);
	fflush(stdout);
}

/* Closing while nothing can be written ends, and says so; what was
 * acknowledged is there at the next start. */
static void
close_in_outage(void)
{
	struct writer_opts o = { .machine_id = "m" };
	struct ops_err err = { 0 };
	uint64_t before;
	const char *bad;
	struct memfs *c;

	memset(&t, 0, sizeof(t));
	t.m = new_disk();
	if (writer_open(&t.m->vfs, &o, &t.w, &err) < 0)
		wrong("open", err.msg);
	begin_session();
	put_screen(30);
	if (!all_durable(3 * SEC))
		wrong("before", "not durable");
	set_fault(ALL_OPS, EROFS, 0);
	put_screen(30);
	before = ops_boottime();
	if (writer_close(t.w, &err) == 0)
		wrong("close", "says that all is well");
	else if (err.msg[0] == '\0')
		wrong("close", "gives no reason");
	if (ops_boottime() - before > 5 * SEC)
		wrong("close", "takes for ever");
	set_fault(0, 0, 0);
	c = memfs_durable(t.m);
	if (writer_open(&c->vfs, &o, &t.w, &err) < 0)
		wrong("open again", err.msg);
	else if (writer_close(t.w, &err) < 0)
		wrong("close again", err.msg);
	if ((bad = driver_check(c, false, NULL)) != NULL ||
	    (bad = driver_compare(&t.d, c)) != NULL)
		wrong("after", bad);
	vfs_free(&c->vfs);
	vfs_free(&t.m->vfs);
	printf("%s %zu - closing while nothing can be written\n",
	    t.bad == NULL ? "ok" : "not ok", OPS_ARRAY_LEN(rows) + 1);
}

/* What can't be written is kept up to a limit, then refused, then taken. */
static void
queue_full(void)
{
	static const uint8_t payload[RECORD_PAYLOAD_MAX];
	struct writer_opts o = { .machine_id = "m" };
	struct record r = {
		.type = REC_OUTPUT, .payload = payload, .len = sizeof(payload)
	};
	struct ops_err err = { 0 };
	uint8_t bytes[RECORD_MAX];
	size_t len = record_encode(&r, bytes);
	uint64_t n = 0;

	memset(&t, 0, sizeof(t));
	t.m = new_disk();
	if (writer_open(&t.m->vfs, &o, &t.w, &err) < 0)
		wrong("open", err.msg);
	begin_session();
	if (!all_durable(3 * SEC))
		wrong("before", "not durable");
	set_fault(OP(SYNC), EIO, 0);
	while (n < 10000 && writer_put_records(t.w, t.s->id, n, bytes, len,
				&t.ticket, &err) == 0)
		n++;
	if (err.code != OPS_EBUSY || n * len < WRITER_QUEUE_MAX - (2u << 20) ||
	    n * len > WRITER_QUEUE_MAX + (2u << 20))
		wrong("full queue", err.msg);
	set_fault(0, 0, 0);
	t.s->put = n;
	if (!all_durable(20 * SEC))
		wrong("after", "not durable");
	if (writer_put_records(t.w, t.s->id, n, bytes, len, &t.ticket, &err) <
		0 &&
	    err.code != OPS_EBUSY)
		wrong("after", err.msg);
	if (writer_close(t.w, &err) < 0)
		wrong("close", err.msg);
	vfs_free(&t.m->vfs);
	printf("%s %zu - the queue has a limit\n",
	    t.bad == NULL ? "ok" : "not ok", OPS_ARRAY_LEN(rows) + 2);
}

/* -- the n-th call -- */

#define NTH_MEMORY 0 /* instead of a mask of operations */
#define NTH_AT_ONCE 16
#define NTH_MAX 10000

/* clang-format off */
static const struct {
	const char *name;
	unsigned mask;
	int error;
	uint64_t times;   /* 0: until it was noticed */
	unsigned step;	  /* where many would be the same try again */
} nth[] = {
	{ "a write fails",		OP(WRITE),	EIO,	1, 1 },
	{ "a sync fails",		OP(SYNC),	EIO,	1, 1 },
	{ "a truncate fails",		OP(TRUNCATE),	EIO,	1, 1 },
	{ "a file can't be made",	OP(CREATE),	ENOSPC,	1, 1 },
	{ "a rename fails",		OP(RENAME),	EIO,	1, 1 },
	{ "a folder can't be made",	OP(MKDIR),	ENOSPC,	1, 1 },
	{ "a folder can't be synced",	OP(SYNC_DIR),	EIO,	1, 1 },
	{ "writes fail from here on",	OP(WRITE),	ENOSPC,	0, 2 },
	{ "syncs fail from here on",	OP(SYNC) | OP(SYNC_DIR), EIO, 0, 2 },
	{ "read-only from here on",	ALL_OPS & ~OP(RMDIR), EROFS, 0, 4 },
	{ "an allocation fails",	NTH_MEMORY,	ENOMEM,	1, 1 },
};
/* clang-format on */

static bool nth_noticed;

static uint64_t
nth_failed(void)
{
	uint64_t n;

	pthread_mutex_lock(&fs_lock);
	n = t.m->failed + nomem.failed;
	pthread_mutex_unlock(&fs_lock);
	return n;
}

static void
nth_heal(void)
{
	set_fault(0, 0, 0);
	nomem.after = -1;
}

/* Until all that was put is durable and sealed.  A lasting fault lasts until
 * the writer says so. */
static bool
nth_settles(size_t row)
{
	uint64_t until = ops_boottime() + 30 * SEC;
	struct writer_status st;

	do {
		writer_status(t.w, &st);
		if (st.state == WRITER_FAILED && st.reason[0] == '\0')
			wrong("outage", "no reason");
		if (st.state == WRITER_FAILED && nth[row].times == 0) {
			nth_noticed = true;
			nth_heal();
		}
		if (st.state == WRITER_OK && st.unsealed == 0 &&
		    writer_durable(t.w) >= t.ticket)
			return true;
		nap();
	} while (ops_boottime() < until);
	return false;
}

static bool
nth_open(size_t row)
{
	struct writer_opts o = {
		.machine_id = "m", .seal_after = 20000000, .wake = wake
	};
	struct ops_err err = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		if (writer_open(&t.m->vfs, &o, &t.w, &err) == 0)
			return true;
		if (nth_failed() == 0 || err.msg[0] == '\0')
			break;
		if (nth[row].times == 0)
			nth_heal();
		t.m->locked = false;
	}
	wrong("open", err.msg);
	return false;
}

/* As a stop of the daemon, and the next start where it couldn't be finished. */
static void
nth_close(size_t row)
{
	struct ops_err err = { 0 };
	uint64_t before = nth_failed();

	if (writer_close(t.w, &err) == 0)
		return;
	if (nth_failed() == before || err.msg[0] == '\0')
		wrong("close", err.msg);
	nth_heal();
	t.m->locked = false;
	if (nth_open(row) && writer_close(t.w, &err) < 0)
		wrong("close again", err.msg);
}

/* 0: well, with a call that failed; 1: not well; 2: none failed. */
static int
nth_life(size_t row, uint64_t n)
{
	const char *bad;
	struct memfs *c;

	memset(&t, 0, sizeof(t));
	t.m = new_disk();
	if (nth[row].mask != NTH_MEMORY) {
		set_fault(nth[row].mask, nth[row].error, nth[row].times);
		t.m->fail_after = (int64_t)n;
	} else {
		nomem.after = (int64_t)n;
		nomem.armed = true;
	}
	if (!nth_open(row))
		return 1;
	for (unsigned i = 0; i < 2; i++) {
		begin_session();
		put_screen(10);
		if (!nth_settles(row))
			wrong("session", "is not sealed");
		t.s->acked = t.s->put;
		t.s->acked_events = t.s->put_events;
	}
	nth_close(row);
	nomem.armed = false;
	c = memfs_durable(t.m);
	if ((bad = driver_check(c, false, NULL)) != NULL)
		wrong("verify", bad);
	else if ((bad = driver_compare(&t.d, c)) != NULL)
		wrong("read back", bad);
	else if (nth_noticed && !told_of_it())
		wrong("the log", "says nothing of the outage");
	if (t.bad != NULL)
		return 1;
	return nth_failed() > 0 ? 0 : 2;
}

static pid_t
nth_start(size_t row, uint64_t n)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int rc = nth_life(row, n);

		if (rc == 1)
			printf("# %s, number %" PRIu64 "\n", nth[row].name, n);
		fflush(stdout);
		_exit(rc);
	}
	return pid;
}

/* All n of a row; how many calls failed, or -1. */
static int
run_nth(size_t row)
{
	/* Sanitizers look at the code, which a part of them reaches as well. */
	const unsigned step =
	    nth[row].step * (getenv("OPSEAL_SANITIZE") != NULL ? 5 : 1);
	uint64_t n = 0;
	int places = 0;
	bool end = false, ok = true;

	while (ok && !end && n < NTH_MAX) {
		pid_t pid[NTH_AT_ONCE];

		for (size_t i = 0; i < NTH_AT_ONCE; i++, n += step)
			pid[i] = nth_start(row, n);
		for (size_t i = 0; i < NTH_AT_ONCE; i++) {
			int st = -1;

			if (pid[i] < 0 || waitpid(pid[i], &st, 0) < 0 ||
			    !WIFEXITED(st) || WEXITSTATUS(st) == 1)
				ok = false;
			else if (WEXITSTATUS(st) == 2)
				end = true;
			else
				places++;
		}
	}
	return ok && end && places > 0 ? places : -1;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		if (argc > 1 && strtoul(argv[1], NULL, 10) != i)
			continue;
		run_row(i);
		failed |= t.bad != NULL;
	}
	close_in_outage();
	failed |= t.bad != NULL;
	queue_full();
	failed |= t.bad != NULL;
	for (size_t i = 0; i < OPS_ARRAY_LEN(nth); i++) {
		int places;

		if (argc > 1 && strtoul(argv[1], NULL, 10) != 100 + i)
			continue;
		places = run_nth(i);
		printf("%s %zu - %s: %d places\n", places < 0 ? "not ok" : "ok",
		    OPS_ARRAY_LEN(rows) + 3 + i, nth[i].name, places);
		failed |= places < 0;
	}
	printf("1..%zu\n", OPS_ARRAY_LEN(rows) + 2 + OPS_ARRAY_LEN(nth));
	return failed;
}
