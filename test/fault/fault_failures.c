/*
 * Failing calls: the n-th write, sync, rename, ... of a writer's life fails,
 * once or from there on, for n = 0, 1, 2, ... until none is left to fail; and
 * the n-th allocation.  At every failure the store must verify, also after a
 * power cut at that moment; when the fault is gone the same call succeeds, and
 * at the end nothing that was acknowledged is lost.
 *
 * usage: fault-failures [PART]
 *
 * timeout: 900
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "driver.h"
#include "nomem.h"

/* -- one life of a writer, with a fault in it -- */

static struct {
	struct driver d;
	const char *bad;  /* the first thing wrong */
	const char *step; /* that failed */
	uint64_t failures;
	bool die; /* at the first failure, instead of trying again */
	bool died;
	bool look; /* verify and recover what each failure leaves */
} t;

static void
heal(void)
{
	t.d.m->fail_after = -1;
	t.d.m->space = UINT64_MAX;
	nomem.after = -1;
}

static void
wrong(const char *what, const char *why)
{
	if (t.bad != NULL)
		return;
	printf("# %s: %s (step %s)\n", what, why, t.step);
	t.bad = what;
}

/* Recover a copy, and read it back. */
static void
try_copy(struct memfs *c, const char *what)
{
	struct driver r = { .m = c };
	struct ops_err err = { 0 };
	const char *bad;

	memcpy(r.boot_id, t.d.boot_id, sizeof(r.boot_id));
	bad = driver_check(c, true, NULL);
	if (bad != NULL && vfs_exists(&c->vfs, "log/0/checkpoint"))
		wrong(what, bad);
	if (driver_open(&r, &err) < 0) {
		wrong(what, err.msg);
	} else {
		if (r.e->log->n != 0)
			wrong(what, "a successor log was opened");
		if (driver_close(&r, &err) < 0)
			wrong(what, err.msg);
		else if ((bad = driver_check(c, false, NULL)) != NULL ||
			 (bad = driver_compare(&t.d, c)) != NULL)
			wrong(what, bad);
	}
	driver_free(&r);
	vfs_free(&c->vfs);
}

/* A call failed.  true: try it again. */
static bool
failed(const char *step, const struct ops_err *err)
{
	t.step = step;
	t.failures++;
	nomem.armed = false;
	if (err->msg[0] == '\0')
		wrong("a failure without a reason", step);
	if (t.failures > 100)
		wrong("it goes on failing", err->msg);
	if (t.look) {
		try_copy(memfs_clone(t.d.m), "killed at the failure");
		try_copy(memfs_durable(t.d.m), "power cut at the failure");
	}
	heal();
	if (t.die)
		t.died = true;
	return !t.die && t.bad == NULL;
}

#define TRY(step, call)                                                        \
	do {                                                                   \
		struct ops_err err_ = { 0 };                                   \
		int rc_;                                                       \
                                                                               \
		nomem.armed = true;                                            \
		rc_ = (call);                                                  \
		nomem.armed = false;                                           \
		if (rc_ == 0)                                                  \
			break;                                                 \
		if (!failed(step, &err_))                                      \
			return false;                                          \
	} while (1)
#define E (&err_)

static bool
start(void)
{
	for (;;) {
		struct ops_err err = { 0 };
		int rc;

		t.d.m->locked = false;
		nomem.armed = true;
		rc = driver_open(&t.d, &err);
		nomem.armed = false;
		if (rc == 0)
			return true;
		t.d.e = NULL;
		if (!failed("open", &err))
			return false;
	}
}

static bool
flush(void)
{
	struct driver *d = &t.d;
	size_t at = 0;

	if (!d->batch_open)
		return true;
	TRY("batch end", engine_batch_end(d->e, &d->batch, E));
	TRY("WAL write", engine_wal_write(d->e, &d->batch, &d->blocks, E));
	for (unsigned i = 0; i < d->n; i++) {
		d->s[i].acked = d->s[i].put;
		d->s[i].acked_events = d->s[i].put_events;
	}
	d->batch_open = false;
	TRY("consume", engine_consume(d->e, &d->batch, &at, E));
	return true;
}

static bool
seal(bool final)
{
	TRY("seal", engine_seal(t.d.e, final, E));
	return true;
}

static bool
stop(void)
{
	if (!seal(true))
		return false;
	TRY("finish", engine_finish(t.d.e, E));
	driver_drop(&t.d);
	return true;
}

static bool
live(unsigned rounds)
{
	struct driver *d = &t.d;

	if (!start())
		return false;
	for (unsigned round = 0; round < rounds; round++) {
		struct driver_session *s;

		s = driver_session(d);
		driver_output(d, s, 1 + round * 7);
		driver_event(d, s);
		if (!flush())
			return false;
		if (round % 2 == 1)
			driver_end(d, &d->s[round / 2]);
		driver_output(d, s, 3);
		if (!flush() || !seal(false))
			return false;
		if (round == 1) {
			driver_drop(d); /* killed */
			if (!start())
				return false;
		}
		if (round == 3) {
			if (!stop() || !start())
				return false;
		}
	}
	return stop();
}

/* Start a fault's life; what is left must be whole. */
static bool
one_life(unsigned rounds)
{
	const char *bad;
	struct memfs *m = t.d.m;

	if (live(rounds)) {
		heal();
		if ((bad = driver_check(m, false, NULL)) != NULL)
			wrong("verify at the end", bad);
		else if ((bad = driver_compare(&t.d, m)) != NULL)
			wrong("read back at the end", bad);
		try_copy(memfs_durable(m), "power cut at the end");
	} else if (t.died) {
		/* As killed there: the next start must do it. */
		try_copy(memfs_clone(m), "the start after");
	}
	return t.bad == NULL;
}

static void
new_life(void)
{
	memset(&t, 0, sizeof(t));
	t.d.seed = 4711;
	t.d.m = nomem_disk();
	memset(t.d.boot_id, 7, sizeof(t.d.boot_id));
	nomem.after = -1;
	nomem.failed = 0;
}

static void
end_life(void)
{
	struct memfs *m = t.d.m;

	driver_free(&t.d);
	vfs_free(&m->vfs);
}

/* -- the rows -- */

#define OP(name) (1u << MEMFS_##name)
/* A new folder whose parent can't be synced is removed again, so that the next
 * try syncs it; a fault that forbids this too is left out. */
#define ALL_OPS (((1u << MEMFS_OPS) - 1) & ~OP(RMDIR))

/* clang-format off */
static const struct {
	const char *name;
	unsigned mask;
	int error;
	uint64_t times; /* 0: for ever */
} rows[] = {
	{ "a write fails",			OP(WRITE),	EIO,	1 },
	{ "a sync fails",			OP(SYNC),	EIO,	1 },
	{ "two syncs fail",			OP(SYNC),	EIO,	2 },
	{ "a truncate fails",			OP(TRUNCATE),	EIO,	1 },
	{ "a file can't be made",		OP(CREATE),	ENOSPC, 1 },
	{ "a rename fails",			OP(RENAME),	EIO,	1 },
	{ "a file can't be removed",		OP(UNLINK),	EIO,	1 },
	{ "a folder can't be made",		OP(MKDIR),	ENOSPC, 1 },
	{ "a folder can't be synced",		OP(SYNC_DIR),	EIO,	1 },
	{ "no inodes from here on",		OP(CREATE) | OP(MKDIR), ENOSPC, 0 },
	{ "syncs fail from here on",		OP(SYNC) | OP(SYNC_DIR), EIO, 0 },
	{ "read-only from here on",		ALL_OPS,	EROFS,	0 },
};
/* clang-format on */

static unsigned count;
static bool all_ok = true;

static void
say(bool ok, const char *name, const char *how, uint64_t n)
{
	printf("%s %u - %s, %s: %" PRIu64 " places\n", ok ? "ok" : "not ok",
	    ++count, name, how, n);
	fflush(stdout);
	all_ok &= ok;
}

/* Of the places where a call fails each, or each fifth. */
static uint64_t stride;

static void
run_row(size_t row, bool die)
{
	uint64_t n = 0;
	bool ok = true;

	for (; ok; n += stride) {
		uint64_t hit;

		new_life();
		t.die = die;
		/* What is left at each failure is looked at once. */
		t.look = !die;
		t.d.m->fail_mask = rows[row].mask;
		t.d.m->fail_errno = rows[row].error;
		t.d.m->fail_times = rows[row].times;
		t.d.m->fail_after = (int64_t)n;
		ok = one_life(5);
		hit = t.d.m->failed;
		if (!ok)
			printf("# %s, number %" PRIu64 "\n", rows[row].name, n);
		end_life();
		if (hit == 0)
			break;
	}
	say(ok && n > 0, rows[row].name,
	    die ? "and the writer dies" : "and is tried again", n);
}

/* The disk is full at every kilobyte. */
static void
run_full(bool die)
{
	uint64_t n = 0, step = 512, hit = 1;
	bool ok = true;

	for (uint64_t room = 0; ok && hit > 0; room += step, n++) {
		new_life();
		t.die = die;
		t.look = n % 8 == 0;
		t.d.m->space = room;
		ok = one_life(3);
		hit = t.failures;
		if (!ok)
			printf("# room for %" PRIu64 " bytes\n", room);
		end_life();
		/* Most of it is preallocation: few tries in that, many
		 * where the rest is written. */
		step = room % WAL_FILE_SIZE < 65536 ? 1024 : WAL_FILE_SIZE / 4;
		if (room % WAL_FILE_SIZE + step > WAL_FILE_SIZE)
			step = WAL_FILE_SIZE - room % WAL_FILE_SIZE;
	}
	say(ok && n > 30, "the disk is full",
	    die ? "and the writer dies" : "and has room again", n);
}

static void
run_memory(bool die)
{
	uint64_t n = 0;
	bool ok = true;

	for (; ok; n += stride) {
		uint64_t hit;

		new_life();
		t.die = die;
		nomem.after = (int64_t)n;
		ok = one_life(3);
		hit = nomem.failed;
		if (!ok)
			printf("# allocation %" PRIu64 "\n", n);
		end_life();
		if (hit == 0)
			break;
	}
	say(ok && n > 50, "an allocation fails",
	    die ? "and the writer dies" : "and is tried again", n);
}

/* A batch whose fdatasync failed is acknowledged only from a new file. */
static void
wal_goes_on_in_new_file(void)
{
	struct ops_err err = { 0 };
	struct driver_session *s;
	uint64_t before, after;
	bool ok;

	new_life();
	ok = start();
	s = driver_session(&t.d);
	driver_output(&t.d, s, 5);
	ok = ok && flush();
	driver_output(&t.d, s, 5);
	before = memfs_peek(t.d.m, "wal/00000001.wal", 16);
	ok = ok && engine_batch_end(t.d.e, &t.d.batch, &err) == 0;
	t.d.m->fail_mask = OP(SYNC);
	t.d.m->fail_errno = EIO;
	t.d.m->fail_times = 1;
	t.d.m->fail_after = 0;
	ok = ok && !vfs_exists(&t.d.m->vfs, "wal/00000002.wal");
	ok = ok && engine_wal_write(t.d.e, &t.d.batch, &t.d.blocks, &err) < 0 &&
	     engine_wal_write(t.d.e, &t.d.batch, &t.d.blocks, &err) == 0;
	ok = ok && vfs_exists(&t.d.m->vfs, "wal/00000002.wal");
	/* Its header says that it begins with this very batch. */
	after = ok ? memfs_peek(t.d.m, "wal/00000002.wal", 16) : 0;
	ok = ok && before == 1 && after == 2;
	if (ok) {
		t.d.s[0].acked = t.d.s[0].put;
		t.d.s[0].acked_events = t.d.s[0].put_events;
		try_copy(memfs_durable(t.d.m), "power cut after the retry");
		ok = t.bad == NULL;
	}
	driver_drop(&t.d);
	end_life();
	printf("%s %u - after a failed sync the batch goes to a new file\n",
	    ok ? "ok" : "not ok", ++count);
	all_ok &= ok;
}

int
main(int argc, char **argv)
{
	uint64_t start_time = ops_boottime();
	char *end = NULL;
	long part = argc > 1 ? strtol(argv[1], &end, 10) : -1;

	if (argc > 1 && (end == argv[1] || *end != '\0' || part < 0)) {
		(void)fprintf(stderr, "usage: fault-failures [PART]\n");
		return 2;
	}
	/* Sanitizers look at the code, which a part of them reaches as well. */
	stride = getenv("OPSEAL_SANITIZE") != NULL ? 11 : 1;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		if (part >= 0 && (size_t)part != i)
			continue;
		run_row(i, false);
		run_row(i, true);
	}
	if (part < 0 || part == 100) {
		wal_goes_on_in_new_file();
		run_full(false);
		run_full(true);
	}
	if (part < 0 || part == 101) {
		run_memory(false);
		run_memory(true);
	}
	printf("# %.1f s\n", (double)(ops_boottime() - start_time) / 1e9);
	printf("1..%u\n", count);
	return all_ok ? 0 : 1;
}
