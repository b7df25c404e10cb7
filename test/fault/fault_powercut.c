/*
 * Power cuts: the writer's last megabyte of writes, syncs and renames, cut at
 * every call with any subset of what was not synced, and inside the last
 * batch, append and checkpoint at every byte.  Each state must recover, keep
 * all that was acknowledged, and verify as clean or as a crash.
 *
 * usage: fault-powercut [SEED [VARIANTS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "driver.h"

#define ZEROS (1u << 20) /* a piece of preallocation */
#define PARTS 2          /* processes, each with every second state */

static struct {
	struct driver d;
	uint64_t seed;
	unsigned variants;
	unsigned part;
	uint64_t states, calls, crashes;
	bool every_byte; /* of the writes to come */
	bool failed;
} t;

/* The reason in the newest BOOT, for a message. */
static unsigned
boot_why(const struct driver *r)
{
	char path[LOG_PATH + 8];
	struct ops_buf b = { .max = 1u << 20 };
	struct leaf l = { 0 };
	const uint8_t *leaf;
	size_t n;

	snprintf(path, sizeof(path), "%s/leaves", r->e->log->dir);
	if (vfs_read_file(&r->m->vfs, path, b.max, &b, NULL) == 0 &&
	    leaf_file_next(b.data, b.len, &leaf, &n, NULL) > 0)
		leaf_decode(leaf, n, &l, NULL);
	ops_buf_free(&b);
	return l.type == LEAF_BOOT ? l.u.boot.why : 0;
}

/* One state of the disk: it is checked, recovered, checked, and read back. */
static void
try_state(struct memfs *c, const char *how, uint64_t detail)
{
	struct driver r = { .m = c };
	struct ops_err err = { 0 };
	uint64_t explained = 0;
	const char *bad;

	t.states++;
	memcpy(r.boot_id, t.d.boot_id, sizeof(r.boot_id));
	/* Half of the time the machine comes up again. */
	if (t.states % 2 == 0)
		r.boot_id[0] ^= 0xff;
	bad = driver_check(c, false, &explained);
	if (bad != NULL && strstr(bad, "not checked") != NULL &&
	    !vfs_exists(&c->vfs, "log/0/leaves"))
		bad = NULL; /* nothing was ever durable */
	if (bad != NULL) {
		printf("# before recovery: %s\n", bad);
	} else if (driver_open(&r, &err) < 0) {
		printf("# recovery: %s\n", bad = err.msg);
	} else if (r.e->log->n != 0) {
		printf("# %s\n", bad = "a successor log was opened");
		printf("# why %u\n", boot_why(&r));
	} else if (driver_close(&r, &err) < 0) {
		printf("# closing: %s\n", bad = err.msg);
	} else if ((bad = driver_check(c, false, &explained)) != NULL) {
		printf("# after recovery: %s\n", bad);
	} else if ((bad = driver_compare(&t.d, c)) != NULL) {
		printf("# read back: %s\n", bad);
	}
	t.crashes += explained > 0;
	if (bad != NULL) {
		printf("# state: %s %" PRIu64 ", call %" PRIu64
		       ", seed %" PRIu64 "\n",
		    how, detail, t.calls, t.seed);
		t.failed = true;
	}
	driver_free(&r);
	vfs_free(&c->vfs);
}

static void
after_call(void *arg, struct memfs *m, enum memfs_op op, const char *path)
{
	(void)arg;
	(void)path;
	if (t.failed || t.calls++ % PARTS != t.part)
		return;
	try_state(memfs_durable(m), "durable", 0);
	try_state(memfs_clone(m), "everything", 0);
	for (unsigned i = 0; i < t.variants && !t.failed; i++) {
		uint64_t seed = t.seed ^ (t.calls << 16) ^ i;

		try_state(memfs_crash(m, &seed), "subset", i);
	}
	if (op != MEMFS_WRITE)
		return;
	for (uint64_t n = 0; n < m->last_len && !t.failed; n++) {
		/* Every byte where asked for, else every sector; of the
		 * megabytes of zeros in a new WAL file the ends will do. */
		if (!t.every_byte && n % 512 != 0)
			continue;
		if (m->last_len >= ZEROS && n >= 1024 && n < m->last_len - 1024)
			continue;
		try_state(memfs_cut_last(m, n), "cut at byte", n);
	}
}

/* A day in the life of a writer: sessions, batches, seals, restarts. */
static int
workload(struct ops_err *err)
{
	struct driver *d = &t.d;
	unsigned round, open = 0;

	for (round = 0; round < 24; round++) {
		struct driver_session *s;

		if (open == d->n || memfs_random(&d->seed) % 3 == 0)
			driver_session(d);
		s = &d->s[open + memfs_random(&d->seed) % (d->n - open)];
		driver_output(
		    d, s, 1 + (unsigned)(memfs_random(&d->seed) % 20));
		if (memfs_random(&d->seed) % 2 == 0)
			driver_event(d, s);
		if (round % 5 == 4)
			driver_end(d, &d->s[open++]);
		if (driver_flush(d, err) < 0)
			return -1;
		if (round % 3 == 2 && driver_seal(d, false, err) < 0)
			return -1;
		if (round == 8) {
			/* killed, and started again */
			driver_drop(d);
			d->m->locked = false;
			if (driver_open(d, err) < 0)
				return -1;
		}
		if (round == 16) {
			/* stopped, and started again */
			if (driver_close(d, err) < 0)
				return -1;
			d->m->locked = false;
			if (driver_open(d, err) < 0)
				return -1;
		}
	}
	/* The last batch, append and checkpoint, small ones. */
	t.every_byte = true;
	driver_output(d, &d->s[open], 1);
	if (driver_flush(d, err) < 0 || driver_seal(d, false, err) < 0)
		return -1;
	t.every_byte = false;
	return driver_close(d, err);
}

static int
run_part(unsigned part)
{
	struct ops_err err = { 0 };

	t.part = part;
	t.d.seed = t.seed;
	t.d.m = memfs_new();
	memset(t.d.boot_id, 7, sizeof(t.d.boot_id));
	t.d.m->hook = after_call;
	if (driver_open(&t.d, &err) < 0 || workload(&err) < 0) {
		printf("# workload: %s\n", err.msg);
		t.failed = true;
	}
	printf("# part %u: %" PRIu64 " states of %" PRIu64 " calls, %" PRIu64
	       " told of a crash\n",
	    part, t.states, t.calls, t.crashes);
	fflush(stdout);
	driver_free(&t.d);
	vfs_free(&t.d.m->vfs);
	/* The parent adds the states up. */
	return t.failed ? 1 : 0;
}

int
main(int argc, char **argv)
{
	uint64_t start = ops_boottime();
	uint64_t states = 0;
	bool failed = false, few;
	int pipes[PARTS][2];

	t.seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261123;
	/* Sanitizers look at the code, which a few states reach as well. */
	few = argc > 2 || getenv("OPSEAL_SANITIZE") != NULL;
	t.variants = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0)
		     : few    ? 3
			      : 40;
	for (unsigned i = 0; i < PARTS; i++) {
		if (pipe(pipes[i]) < 0)
			return 2;
		fflush(stdout);
		if (fork() == 0) {
			int rc = run_part(i);

			if (write(pipes[i][1], &t.states, sizeof(t.states)) !=
			    sizeof(t.states))
				rc = 2;
			_exit(rc);
		}
		close(pipes[i][1]);
	}
	for (unsigned i = 0; i < PARTS; i++) {
		uint64_t n = 0;
		int status;

		if (read(pipes[i][0], &n, sizeof(n)) != sizeof(n))
			failed = true;
		states += n;
		if (wait(&status) < 0 || status != 0)
			failed = true;
	}
	printf("# %" PRIu64 " states in %.1f s\n", states,
	    (double)(ops_boottime() - start) / 1e9);
	printf("%s 1 - every state recovers, keeps what was acknowledged and "
	       "verifies\n",
	    failed ? "not ok" : "ok");
	printf("%s 2 - at least 20,000 states\n",
	    states >= 20000 || few ? "ok" : "not ok");
	printf("1..2\n");
	return failed ? 1 : 0;
}
