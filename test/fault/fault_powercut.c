/*
 * Power cuts: the writer's last megabyte of writes, syncs and renames, cut at
 * every call with any subset of what was not synced, and inside the last
 * batch, append and checkpoint at every byte; expiries of screens, too.  Each state must recover, keep
 * all that was acknowledged, and verify as clean or as a crash.
 *
 * usage: fault-powercut [SEED [VARIANTS]]
 *
 * timeout: 600
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "driver.h"

#define ZEROS (1u << 20) /* a piece of preallocation */
#define PARTS 2          /* processes, each with every second call */
#define FEW 7            /* under sanitizers: one call of so many, */
#define FEW_BYTES 11     /* and one byte */
#define SECTOR 512
#define WRITTEN_MIN (1u << 20) /* bytes, besides zeros */
#define LAST_BLOCKS_MIN 3      /* of the WAL, in the last batch */
#define STATES_MIN 20000
#define DIFFERENT_MIN 8000
#define KNOWN (1u << 18)
#define GONE_MIN 3  /* segments that expired */
#define CPU_MAX 180 /* seconds */

static struct {
	struct driver d;
	uint64_t seed;
	unsigned variants;
	unsigned part;
	bool few; /* not every call, and not every byte */
	uint64_t states, calls, crashes;
	uint64_t same;         /* of the states: had been tried */
	uint64_t known[KNOWN]; /* hashes of the others; 0: none */
	uint64_t gone;         /* files that the workload's expiries removed */
	uint64_t left;         /* and those that were left to a start */
	bool every_byte;       /* of the writes to come */
	uint64_t written;      /* bytes, but not the zeros */
	uint64_t last_batch;   /* bytes of its write to the WAL */
	bool failed;
} t;

/* What a part tells its parent. */
struct tally {
	uint64_t states, same, written, last_batch, gone, left;
};

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

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 29);
}

/*
 * Was this very state tried, on such a boot, when the same was put and acknowledged?
 * Where little is in flight many draws give the same, and what is durable stays the
 * same from sync to sync.
 */
static bool
is_known(const struct memfs *c)
{
	uint64_t h = mix(memfs_hash(c), t.states % 2);
	size_t at;

	for (unsigned i = 0; i < t.d.n; i++) {
		const struct driver_session *s = &t.d.s[i];

		h = mix(mix(mix(h, s->put), s->acked), s->put_events);
		h = mix(mix(h, s->acked_events),
		    s->closed | (uint64_t)s->expiring << 1);
	}
	for (at = h % KNOWN; t.known[at] != 0; at = (at + 1) % KNOWN)
		if (t.known[at] == h)
			return true;
	if (t.same + KNOWN / 2 > t.states)
		t.known[at] = h;
	return false;
}

/* One state of the disk: it is checked, recovered, checked, and read back. */
static void
try_state(struct memfs *c, const char *how, uint64_t detail)
{
	struct driver r = { .m = c };
	struct ops_err err = { 0 };
	uint64_t explained = 0;
	const char *bad;
	size_t left = 0, again = 0;

	t.states++;
	if (is_known(c)) {
		t.same++;
		vfs_free(&c->vfs);
		return;
	}
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
	} else if (r.e->tombstones &&
		   (driver_expire_rest(&r, &left, &err) < 0 ||
		       (left > 0 &&
			   driver_expire_rest(&r, &again, &err) < 0))) {
		printf("# unfinished expiry: %s\n", bad = err.msg);
	} else if (again != 0) {
		printf("# %s\n", bad = "an expiry stays unfinished");
	} else if (driver_close(&r, &err) < 0) {
		printf("# closing: %s\n", bad = err.msg);
	} else if ((bad = driver_check(c, false, &explained)) != NULL) {
		printf("# after recovery: %s\n", bad);
	} else if ((bad = driver_compare(&t.d, c)) != NULL) {
		printf("# read back: %s\n", bad);
	}
	t.crashes += explained > 0;
	t.left += left;
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
	uint64_t call = t.calls++;

	(void)arg;
	(void)path;
	/* The WAL comes first. */
	if (op == MEMFS_WRITE && t.every_byte && t.last_batch == 0)
		t.last_batch = m->last_len;
	if (t.failed || call % PARTS != t.part ||
	    (t.few && call / PARTS % FEW != 0))
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
		/* Every byte where asked for, else every sector of the file;
		 * of the megabytes of zeros in a new WAL file the ends will
		 * do. */
		if (!t.every_byte && n > 0 && (m->last_off + n) % SECTOR != 0)
			continue;
		if (t.few && n % FEW_BYTES != 0)
			continue;
		if (m->last_len >= ZEROS && n >= 1024 && n < m->last_len - 1024)
			continue;
		try_state(memfs_cut_last(m, n), "cut at byte", n);
	}
}

/* The last batch, append and checkpoint: small ones, but of several blocks. */
static int
last_words(struct driver *d, unsigned open, struct ops_err *err)
{
	struct driver_session *s = &d->s[open];
	uint8_t bytes[RECORD_MAX];

	for (unsigned i = open + 1; i < d->n; i++) {
		if (driver_content(d->s[i].id, d->s[i].put, bytes) <
		    driver_content(s->id, s->put, bytes))
			s = &d->s[i];
	}
	t.every_byte = true;
	driver_output(d, s, 1);
	while (WAL_DISK_LEN(d->batch.len) < LAST_BLOCKS_MIN * SECTOR)
		driver_event(d, s);
	if (driver_flush(d, err) < 0 || driver_seal(d, false, err) < 0)
		return -1;
	t.every_byte = false;
	return 0;
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
		    d, s, 1 + (unsigned)(memfs_random(&d->seed) % 34));
		if (memfs_random(&d->seed) % 2 == 0)
			driver_event(d, s);
		if (round % 5 == 4)
			driver_end(d, &d->s[open++]);
		if (driver_flush(d, err) < 0)
			return -1;
		if (round % 3 == 2 && driver_seal(d, false, err) < 0)
			return -1;
		if (round == 6 || round == 13 || round == 21) {
			size_t n = 0;

			if (driver_expire(d, &n, err) < 0)
				return -1;
			t.gone += n;
		}
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
	if (last_words(d, open, err) < 0)
		return -1;
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
	       " of them once more; %" PRIu64 " told of a crash\n",
	    part, t.states, t.calls, t.same, t.crashes);
	fflush(stdout);
	t.written = t.d.m->written;
	driver_free(&t.d);
	vfs_free(&t.d.m->vfs);
	/* The parent adds the states up. */
	return t.failed ? 1 : 0;
}

/* Run every part; false if one found something, or told nothing. */
static bool
run_parts(struct tally *all)
{
	bool fine = true;
	int pipes[PARTS][2];

	for (unsigned i = 0; i < PARTS; i++) {
		if (pipe2(pipes[i], O_CLOEXEC) < 0)
			return false;
		fflush(stdout);
		if (fork() == 0) {
			int rc = run_part(i);
			struct tally mine = { t.states, t.same, t.written,
				t.last_batch, t.gone, t.left };

			if (write(pipes[i][1], &mine, sizeof(mine)) !=
			    sizeof(mine))
				rc = 2;
			_exit(rc);
		}
		close(pipes[i][1]);
	}
	for (unsigned i = 0; i < PARTS; i++) {
		struct tally part = { 0 };
		int status;

		if (read(pipes[i][0], &part, sizeof(part)) != sizeof(part))
			fine = false;
		all->states += part.states;
		all->same += part.same;
		/* each went all the way */
		all->written = part.written;
		all->last_batch = part.last_batch;
		all->gone = part.gone;
		all->left += part.left;
		if (wait(&status) < 0 || status != 0)
			fine = false;
		close(pipes[i][0]);
	}
	return fine;
}

static unsigned result_number;

static int
result(bool ok, const char *what)
{
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++result_number, what);
	return ok ? 0 : 1;
}

int
main(int argc, char **argv)
{
	uint64_t start = ops_boottime();
	struct tally all = { 0 };
	struct rusage ru;
	int64_t cpu;
	int failed = 0;
	bool fine, few;

	t.seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 20261123;
	/* Sanitizers look at the code, which a few states reach as well. */
	few = argc > 2 || getenv("OPSEAL_SANITIZE") != NULL;
	t.few = few && argc <= 2;
	t.variants = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0)
		     : few    ? 3
			      : 32;
	fine = run_parts(&all);
	getrusage(RUSAGE_CHILDREN, &ru);
	cpu = ru.ru_utime.tv_sec + ru.ru_stime.tv_sec;
	printf("# %" PRIu64 " states in %.1f s, %" PRId64 " s of CPU; %" PRIu64
	       " bytes written besides zeros, %" PRIu64 " in the last batch\n",
	    all.states, (double)(ops_boottime() - start) / 1e9, cpu,
	    all.written, all.last_batch);
	failed |= result(fine,
	    "every state recovers, keeps what was acknowledged and verifies");
	failed |= result(all.written >= WRITTEN_MIN,
	    "at least a megabyte of writes, besides zeros");
	failed |= result(all.last_batch >= LAST_BLOCKS_MIN * SECTOR,
	    t.few ? "at least 3 blocks in the last batch"
		  : "at least 3 blocks in the last batch, cut at every byte");
	failed |= result(all.gone >= GONE_MIN && all.left > 0,
	    "screens expired, and starts finished what was cut short");
	if (!few) {
		failed |= result(all.states >= STATES_MIN &&
				     all.states - all.same >= DIFFERENT_MIN,
		    "at least 20,000 states, 8,000 different ones");
		/* The parts run side by side; CPU and not wall time, since
		 * others run on the machine as well. */
		failed |= result(cpu / PARTS < CPU_MAX, "less than 3 minutes");
	}
	printf("1..%u\n", result_number);
	return failed;
}
