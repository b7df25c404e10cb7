/*
 * role_index - keeps the index of what ran.
 *
 * It looks every two seconds whether there is a new checkpoint, and reads the
 * store only then; and then not again for twenty times the CPU that it took, so
 * that what nobody waits for costs a twentieth of one at most.  While many
 * processes start it waits for a quieter moment, WAIT_MAX or BEHIND_MAX at most.
 * It listens to nobody, writes only STORE/index, and is shut in before it parses
 * anything.
 *
 * The log needs the last of a disk more than the index does: it is not begun where
 * it won't fit, ends where space gets short, and is removed where that is not
 * enough.
 *
 * Shut in, it can't make its folder again if somebody removes it; then it ends, to
 * be started anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/procstat.h"
#include "index/indexer.h"
#include "logline.h"
#include "loop.h"
#include "role.h"
#include "rolebox.h"
#include "store/vfs.h"

#define MS UINT64_C(1000000)
#define EVERY (2000 * MS)
#define SHARE 20                        /* one part in so many of the time */
#define BUSY 50                         /* processes and threads a second */
#define WAIT_MAX (10000 * MS)           /* then it is read all the same, */
#define BEHIND_MAX 10000                /* or when so many were made */
#define PROC_STAT_MAX (256u << 10)      /* bytes */
#define SPACE_MIN (UINT64_C(128) << 20) /* bytes */
#define RECORD_BYTES 200           /* of the index for each, and then some */
#define AFTER_TROUBLE (30000 * MS) /* there is little hope that it mends */

struct index_role {
	struct role *role;
	struct loop loop;
	struct watch signals, timer;
	struct vfs *vfs;
	struct indexer *indexer;
	unsigned log;     /* number of the newest */
	struct stat seen; /* its checkpoint, when it was looked at */
	bool shut;        /* in the sandbox */
	bool removed;     /* its folder is another */
	bool full;        /* the disk, nearly */
	uint64_t next;    /* BOOTTIME: no sooner, but if asked */
	int proc_stat;    /* -1: it can't be had */
	uint64_t made;    /* processes since the boot, when it counted them */
	uint64_t counted; /* BOOTTIME of that */
	uint64_t indexed; /* and when it was up to date */
	uint64_t due;     /* BOOTTIME: there is something new since; 0: none */
	char said[sizeof(((struct ops_err *)0)->msg)]; /* trouble told last */
};

#define ROLE_OF(w, member)                                                     \
	((struct index_role *)(void *)((char *)(w)-offsetof(                   \
	    struct index_role, member)))

static bool prepare(struct index_role *r);

/* -- is there anything new? -- */

static int
stat_checkpoint(const struct index_role *r, unsigned log, struct stat *ret)
{
	char path[PATH_MAX];
	int n = snprintf(
	    path, sizeof(path), "%s/log/%u/checkpoint", r->role->store, log);

	if (n < 0 || (size_t)n >= sizeof(path))
		return -1;
	return stat(path, ret);
}

static bool
is_new(struct index_role *r, struct stat *ret)
{
	while (stat_checkpoint(r, r->log + 1, ret) == 0)
		r->log++;
	if (stat_checkpoint(r, r->log, ret) < 0)
		return false;
	return ret->st_ino != r->seen.st_ino ||
	       ret->st_size != r->seen.st_size ||
	       ret->st_mtim.tv_sec != r->seen.st_mtim.tv_sec ||
	       ret->st_mtim.tv_nsec != r->seen.st_mtim.tv_nsec;
}

/* -- is it the moment? -- */

/* Processes made since the boot; as last time, if that can't be had. */
static uint64_t
count_made(const struct index_role *r)
{
	char *p = malloc(PROC_STAT_MAX);
	uint64_t made = r->made;
	size_t n = 0;
	ssize_t got = 1;

	while (p != NULL && r->proc_stat >= 0 && got > 0 && n < PROC_STAT_MAX) {
		got = pread(r->proc_stat, p + n, PROC_STAT_MAX - n, (off_t)n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (n > 0)
		(void)procstat_made(p, n, &made, NULL);
	free(p);
	return made;
}

/* What is new can wait for a quieter moment. */
static bool
waits(struct index_role *r)
{
	uint64_t now = ops_boottime(), made = count_made(r);
	uint64_t lately =
	    (made - r->made) / ((now - r->counted) / (1000 * MS) + 1);

	r->made = made;
	r->counted = now;
	return lately > BUSY && made - r->indexed < BEHIND_MAX &&
	       now - r->due < WAIT_MAX;
}

/* -- looking -- */

static bool
has_space(const struct index_role *r, uint64_t records)
{
	uint64_t space;

	return vfs_space(r->vfs, &space, NULL) < 0 ||
	       (space >= SPACE_MIN &&
		   (space - SPACE_MIN) / RECORD_BYTES >= records);
}

/* SIGTERM is taken by the loop; between two transactions it is only seen. */
static bool
goes_on(void *arg, uint64_t done, uint64_t of)
{
	struct index_role *r = arg;
	struct pollfd p = { .fd = r->signals.fd, .events = POLLIN };

	r->full = done < of && !has_space(r, of - done);
	return !r->full && poll(&p, 1, 0) <= 0;
}

static void
say_anew(void *arg, const char *why)
{
	(void)arg;
	logline("%s; it is made anew", why);
}

static int
update(struct index_role *r, bool asked, struct ops_err *err)
{
	const struct indexer_calls calls = { goes_on, say_anew, r };

	if (asked) {
		logline("index: it is made anew, as was asked");
		if (indexer_forget(r->indexer, err) < 0)
			return -1;
	}
	if (indexer_update(r->indexer, r->vfs, &calls, err) < 0)
		return -1;
	if (r->full)
		return ops_fail(err, OPS_EIO,
		    "index: the disk is too full for the rest of it");
	return asked && goes_on(r, 0, 0) ? indexer_answer(r->role->store, err)
					 : 0;
}

/* Once is enough for what goes on. */
static void
say(struct index_role *r, const struct ops_err *err)
{
	if (strcmp(r->said, err->msg) != 0)
		logline("%s", err->msg);
	memcpy(r->said, err->msg, sizeof(r->said));
}

static int
check_space(struct index_role *r, struct ops_err *err)
{
	if (has_space(r, 0))
		return 0;
	return indexer_forget(r->indexer, err) < 0
		   ? -1
		   : ops_fail(err, OPS_EIO,
			 "index: the disk is nearly full, so there is none");
}

/* CPU time of this process, ns. */
static uint64_t
cpu_time(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

static void
look(struct index_role *r)
{
	bool asked = indexer_is_asked(r->role->store);
	uint64_t began = cpu_time(), pause;
	bool fresh;
	struct ops_err err = { 0 };
	struct stat now = { 0 };

	if (r->indexer != NULL && !indexer_holds(r->indexer)) {
		r->removed = r->loop.stop = true;
		return;
	}
	fresh = is_new(r, &now);
	if (fresh && r->due == 0)
		r->due = ops_boottime();
	if (!asked && (!fresh || ops_boottime() < r->next || waits(r)))
		return;
	if (!prepare(r)) {
		r->next = ops_boottime() + AFTER_TROUBLE;
		return;
	}
	if (check_space(r, &err) == 0 && update(r, asked, &err) == 0) {
		r->seen = now;
		r->indexed = r->made;
		r->due = 0;
		r->said[0] = '\0';
	} else {
		say(r, &err);
	}
	(void)malloc_trim(0);
	pause = (cpu_time() - began) * SHARE;
	if (err.code != OPS_OK && pause < AFTER_TROUBLE)
		pause = AFTER_TROUBLE;
	r->next = ops_boottime() + pause;
}

static void
on_timer(struct watch *w, uint32_t events)
{
	struct index_role *r = ROLE_OF(w, timer);

	(void)events;
	loop_drain(w->fd);
	look(r);
	loop_timer_set(w->fd, EVERY, 0);
}

static void
on_signal(struct watch *w, uint32_t events)
{
	(void)events;
	ROLE_OF(w, signals)->loop.stop = true;
}

/* -- getting ready -- */

/* Rules are for what is there; the writer would make it as well. */
static int
make_data(const char *path, const char *store, struct ops_err *err)
{
	int fd, rc;

	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : ops_fail_errno(err, "%s", path);
	fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ops_fail_errno(err, "%s", store);
	rc = fsync(fd);
	if (rc < 0)
		ops_fail_errno(err, "%s", store);
	close(fd);
	return rc;
}

static int
shut_in(const struct index_role *r, struct ops_err *err)
{
	const char *store = r->role->store, *lacks;
	char data[PATH_MAX];

	if (snprintf(data, sizeof(data), "%s/data", store) >= PATH_MAX)
		return ops_fail(err, OPS_EUSAGE, "STORE: too long");
	if (make_data(data, store, err) < 0 ||
	    rolebox_enter(ROLE_INDEX, store, &lacks, err) < 0)
		return -1;
	if (lacks != NULL)
		logline("this kernel has no %s; the index's process goes "
			"without",
		    lacks);
	return 0;
}

/* That it can't be had is no reason for a daemon not to run. */
static bool
prepare(struct index_role *r)
{
	struct ops_err err = { 0 };

	if (r->indexer == NULL &&
	    indexer_new(r->role->store, &r->indexer, &err) < 0) {
		say(r, &err);
		return false;
	}
	if (!r->shut && shut_in(r, &err) < 0) {
		say(r, &err);
		return false;
	}
	r->shut = true;
	return true;
}

static int
run(struct index_role *r, struct ops_err *err)
{
	const int signals[] = { SIGTERM, 0 };

	(void)umask(077);
	if (loop_init(&r->loop, err) < 0 ||
	    loop_signalfd(signals, &r->signals.fd, err) < 0 ||
	    loop_add(&r->loop, &r->signals, EPOLLIN, err) < 0 ||
	    loop_timer_new(&r->timer.fd, err) < 0 ||
	    loop_add(&r->loop, &r->timer, EPOLLIN, err) < 0 ||
	    vfs_dir_new(r->role->store, &r->vfs, err) < 0)
		return -1;
	/* Shut in, it could not open that. */
	r->proc_stat = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	r->made = r->indexed = count_made(r);
	r->counted = ops_boottime();
	(void)prepare(r);
	loop_timer_set(r->timer.fd, EVERY, 0);
	role_ready(r->role);
	if (loop_run(&r->loop, err) < 0)
		return -1;
	return r->removed ? ops_fail(err, OPS_ENOENT,
				"the index was removed; it is made anew")
			  : 0;
}

int
role_index(struct role *role, struct ops_err *err)
{
	struct index_role r = { .role = role,
		.signals = { -1, on_signal },
		.timer = { -1, on_timer },
		.proc_stat = -1 };
	int rc = run(&r, err);

	indexer_free(r.indexer);
	vfs_free(r.vfs);
	loop_close(&r.loop);
	if (r.proc_stat >= 0)
		close(r.proc_stat);
	return rc;
}
