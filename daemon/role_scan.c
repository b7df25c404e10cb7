/*
 * role_scan - who else has a recorded session's terminal open.
 *
 * The writer says which terminals are recorded; every process's descriptors
 * are looked at soon after a session has begun and then from time to time; what
 * is found goes back to the writer, and from there to the session's recorder,
 * which makes the SCREEN-BYPASS event.  Nobody else is listened to.  While no
 * session is open on a terminal it sleeps.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "holders.h"
#include "ipc/msg.h"
#include "ipc/proto.h"
#include "logline.h"
#include "loop.h"
#include "procid.h"
#include "role.h"

#define MS UINT64_C(1000000)
#define SOON (200 * MS)  /* after a session's begin: its shell has started */
#define AGAIN (200 * MS) /* between a first and a second look at somebody */
#define APART (500 * MS) /* between looks, however many sessions begin */
#define EVERY (10000 * MS)
#define SHARE 1000 /* looking takes at most one part in so many of a CPU, ... */
#define EVERY_MAX (60000 * MS) /* ... but is done as often as this */
#define RETRY_MIN (20 * MS)    /* between attempts to reach the writer */
#define RETRY_MAX (1000 * MS)
#define SESSIONS_MAX 8192 /* as many connections as the writer takes */
#define ANCESTORS_MAX 64
#define DEPTH_MAX 4  /* of a process of ours below the supervisor */
#define FOUND_MAX 64 /* processes reported in a session */
#define KNOWN_MAX (1 + ANCESTORS_MAX + FOUND_MAX)

struct process {
	pid_t pid;
	uint64_t start;
};

/* A recorded terminal. */
struct screen {
	struct proto_outer o;
	/* Nothing to report: the recorder, the door, its ancestors as they were
	 * when the session began, and who was reported. */
	struct process known[KNOWN_MAX];
	size_t n_known;
	/* The last look that found somebody else, and the last before that. */
	uint64_t seen, before;
};

struct scan_role {
	struct role *role;
	struct loop loop;
	struct watch signals, timer, writer; /* writer.fd -1: not connected */
	uint64_t retry;                      /* ns until the next attempt */
	uint64_t looked, next;               /* BOOTTIME; next 0: never */
	struct screen **screen;              /* by device while looking */
	size_t n, cap;
	uint64_t looks; /* so far */
	uint64_t spent; /* ns of CPU since the last long pause */
	bool again;     /* the next look is a second one */
};

#define ROLE_OF(w, member)                                                     \
	((struct scan_role *)(void *)((char *)(w)-offsetof(                    \
	    struct scan_role, member)))

/* -- the terminals -- */

static void
know(struct screen *s, pid_t pid, uint64_t start)
{
	if (s->n_known < KNOWN_MAX)
		s->known[s->n_known++] = (struct process){ pid, start };
}

static bool
is_known(const struct screen *s, pid_t pid, uint64_t start)
{
	for (size_t i = 0; i < s->n_known; i++)
		if (s->known[i].pid == pid && s->known[i].start == start)
			return true;
	return false;
}

/* Once is enough: who becomes a parent later, because one ended, was an
 * ancestor already. */
static void
know_ancestors(struct screen *s)
{
	struct procid_name who;
	uint64_t start;
	pid_t pid = (pid_t)s->o.door;

	for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++) {
		if (procid_start(pid, &start, NULL) < 0 ||
		    procid_name(pid, &who, NULL) < 0)
			return;
		know(s, pid, start);
		pid = who.parent;
	}
}

/* The one of this session, made if there is none. */
static struct screen *
screen_of(struct scan_role *r, const uint8_t id[static OPS_ID_LEN])
{
	struct screen **list, *s;
	size_t cap = r->cap == 0 ? 16 : 2 * r->cap;

	for (size_t i = 0; i < r->n; i++)
		if (memcmp(r->screen[i]->o.id, id, OPS_ID_LEN) == 0)
			return r->screen[i];
	if (r->n == SESSIONS_MAX)
		return NULL;
	if (r->n == r->cap) {
		list = realloc(r->screen, cap * sizeof(struct screen *));
		if (list == NULL)
			return NULL;
		r->screen = list;
		r->cap = cap;
	}
	s = calloc(1, sizeof(*s));
	if (s != NULL)
		r->screen[r->n++] = s;
	return s;
}

static bool
door_lives(const struct screen *s)
{
	uint64_t start;

	return procid_start((pid_t)s->o.door, &start, NULL) == 0 &&
	       start == s->o.door_start;
}

static void
forget_ended(struct scan_role *r)
{
	for (size_t i = r->n; i-- > 0;)
		if (!door_lives(r->screen[i])) {
			free(r->screen[i]);
			r->screen[i] = r->screen[--r->n];
		}
}

static void
forget_all(struct scan_role *r)
{
	while (r->n > 0)
		free(r->screen[--r->n]);
}

/* -- looking -- */

/* The daemon itself, and who descends from it: the terminal that it was started
 * on may be one that is recorded. */
static bool
is_of_daemon(pid_t pid)
{
	const pid_t supervisor = getppid();
	struct procid_name who;

	for (int i = 0; i < DEPTH_MAX; i++) {
		if (pid == supervisor)
			return true;
		if (procid_name(pid, &who, NULL) < 0)
			return false;
		pid = who.parent;
	}
	return false;
}

/* The log's own may hold it for another session: one that was stopped. */
static bool
is_ours(const struct scan_role *r, pid_t pid)
{
	if (is_of_daemon(pid))
		return true;
	for (size_t i = 0; i < r->n; i++)
		if (r->screen[i]->o.door == (uint32_t)pid ||
		    r->screen[i]->o.recorder == (uint32_t)pid)
			return true;
	return false;
}

/*
 * A process seen once may be a fork that hasn't got to its exec, or its
 * descriptors may have been read before that and its name after it.  So what
 * counts is that the next look finds somebody, too; not the same one, or who
 * hands it on from child to child would never be reported.
 */
static bool
second_look(struct scan_role *r, struct screen *s)
{
	if (s->seen != r->looks) {
		s->before = s->seen;
		s->seen = r->looks;
	}
	return s->before + 1 == r->looks;
}

static void
report(struct scan_role *r, struct screen *s, pid_t pid)
{
	struct ops_buf b = { .max = PROTO_FOUND_HEAD + PROTO_COMM_MAX };
	struct proto_found f = { .pid = (uint32_t)pid };
	struct procid_name who;

	if (procid_start(pid, &f.start, NULL) < 0 ||
	    is_known(s, pid, f.start) || procid_name(pid, &who, NULL) < 0)
		return;
	/* Its child before the exec is the door still. */
	if (s->n_known == KNOWN_MAX || is_ours(r, pid) ||
	    holders_same_program(pid, (pid_t)s->o.door) || !second_look(r, s))
		return;
	memcpy(f.id, s->o.id, OPS_ID_LEN);
	f.uid = who.uid;
	f.comm =
	    (struct event_text){ (const uint8_t *)who.comm, strlen(who.comm) };
	proto_found_put(&b, &f);
	/* If the socket is full it is for the next look. */
	if (ops_buf_check(&b, "report", NULL) == 0 &&
	    msg_send(r->writer.fd, Q_FOUND, b.data, b.len, NULL, 0, NULL) == 0)
		know(s, pid, f.start);
	ops_buf_free(&b);
}

static int
by_device(const void *a, const void *b)
{
	const struct screen *const *s = a, *const *t = b;

	if ((*s)->o.dev == (*t)->o.dev)
		return 0;
	return (*s)->o.dev < (*t)->o.dev ? -1 : 1;
}

/* A container's pty has the number of one of ours, but in a devpts of its own. */
static bool
same_terminal(const struct proto_outer *o, const struct holding *h)
{
	return o->dev == h->dev && (o->fs == h->fs || o->fs == 0 || h->fs == 0);
}

static void
on_holding(void *arg, const struct holding *h)
{
	struct scan_role *r = arg;
	size_t from = 0, to = r->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (r->screen[mid]->o.dev < h->dev)
			from = mid + 1;
		else
			to = mid;
	}
	for (; from < r->n && r->screen[from]->o.dev == h->dev; from++)
		if (same_terminal(&r->screen[from]->o, h))
			report(r, r->screen[from], h->pid);
}

static uint64_t
cpu_time(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* Did this look find somebody for the first time? */
static bool
is_suspicious(const struct scan_role *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->screen[i]->seen == r->looks &&
		    r->screen[i]->before + 1 != r->looks)
			return true;
	return false;
}

static uint64_t
pause_after_look(struct scan_role *r)
{
	uint64_t pause = r->spent * SHARE;

	/* One second look and no third, or who comes and goes all the time
	 * would keep us busy. */
	r->again = !r->again && is_suspicious(r);
	if (r->again)
		return AGAIN;
	r->spent = 0;
	if (pause < EVERY)
		return EVERY;
	return pause < EVERY_MAX ? pause : EVERY_MAX;
}

static void
look(struct scan_role *r)
{
	uint64_t before = cpu_time();
	struct ops_err err = { 0 };

	r->next = 0;
	forget_ended(r);
	if (r->n == 0)
		return;
	qsort(r->screen, r->n, sizeof(struct screen *), by_device);
	r->looks++;
	if (holders_look(on_holding, r, &err) < 0)
		logline("%s", err.msg);
	r->spent += cpu_time() - before;
	r->looked = ops_boottime();
	r->next = r->looked + pause_after_look(r);
}

/* -- the writer -- */

static void
set_timer(struct scan_role *r)
{
	uint64_t now = ops_boottime(), after = 0;

	if (r->writer.fd < 0)
		after = r->retry;
	else if (r->next != 0)
		after = r->next > now ? r->next - now : 1;
	loop_timer_set(r->timer.fd, after, 0);
}

static int
on_outer(void *conn, struct msg *m, struct ops_err *err)
{
	struct scan_role *r = conn;
	uint64_t due = ops_boottime() + SOON;
	struct proto_outer o;
	struct screen *s;

	if (proto_outer_decode(m->p, m->n, &o, err) < 0)
		return -1;
	s = screen_of(r, o.id);
	if (s == NULL)
		return ops_fail(
		    err, OPS_ENOMEM, "terminals of sessions: no memory");
	*s = (struct screen){ .o = o };
	know(s, (pid_t)o.recorder, o.recorder_start);
	know_ancestors(s);
	if (r->looked != 0 && due < r->looked + APART)
		due = r->looked + APART;
	if (r->next == 0 || due < r->next)
		r->next = due;
	return 0;
}

static void
hang_up(struct scan_role *r)
{
	loop_remove(&r->loop, &r->writer);
	close(r->writer.fd);
	r->writer.fd = -1;
	r->next = 0;
	forget_all(r); /* the next writer tells again */
}

static void
on_writer(struct watch *w, uint32_t events)
{
	static const struct msg_rule rules[] = {
		{ Q_OUTER, "Q_OUTER", 1, PROTO_OUTER_LEN, PROTO_OUTER_LEN, 0, 0,
		    on_outer },
	};
	static uint8_t buf[MSG_MAX];
	struct scan_role *r = ROLE_OF(w, writer);
	struct msg m;
	int rc;

	(void)events;
	for (;;) {
		struct ops_err err = { 0 };

		rc = msg_recv(w->fd, buf, &m, &err);
		if (rc < 0 && err.code == OPS_EBUSY)
			break;
		if (rc > 0 && msg_dispatch(rules, OPS_ARRAY_LEN(rules), 0, r,
				  &m, &err) == 0)
			continue;
		if (err.code != OPS_OK)
			logline("record.sock: %s", err.msg);
		hang_up(r);
		break;
	}
	set_timer(r);
}

static int
connect_writer(struct scan_role *r, struct ops_err *err)
{
	char path[PATH_MAX];
	int fd, flags;
	int n = snprintf(path, sizeof(path), "%s/%s", r->role->run,
	    role_table[ROLE_WRITER].socket);

	if (n < 0 || (size_t)n >= sizeof(path))
		return ops_fail(err, OPS_EUSAGE, "RUN: too long");
	if (msg_connect(path, &fd, err) < 0)
		return -1;
	r->writer.fd = fd;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		ops_fail_errno(err, "%s", path);
	else if (msg_send(fd, Q_WATCH, NULL, 0, NULL, 0, err) == 0 &&
		 loop_add(&r->loop, &r->writer, EPOLLIN, err) == 0)
		return 0;
	close(fd);
	r->writer.fd = -1;
	return -1;
}

/* Failing is normal: at the start, and while a writer is started again. */
static void
on_timer(struct watch *w, uint32_t events)
{
	struct scan_role *r = ROLE_OF(w, timer);

	(void)events;
	loop_drain(w->fd);
	if (r->writer.fd >= 0)
		look(r);
	else if (connect_writer(r, NULL) == 0)
		r->retry = RETRY_MIN;
	else
		r->retry = r->retry < RETRY_MAX / 2 ? 2 * r->retry : RETRY_MAX;
	set_timer(r);
}

static void
on_signal(struct watch *w, uint32_t events)
{
	(void)events;
	ROLE_OF(w, signals)->loop.stop = true;
}

static int
run(struct scan_role *r, struct ops_err *err)
{
	const int signals[] = { SIGTERM, 0 };

	if (loop_init(&r->loop, err) < 0 ||
	    loop_signalfd(signals, &r->signals.fd, err) < 0 ||
	    loop_add(&r->loop, &r->signals, EPOLLIN, err) < 0 ||
	    loop_timer_new(&r->timer.fd, err) < 0 ||
	    loop_add(&r->loop, &r->timer, EPOLLIN, err) < 0)
		return -1;
	if (r->role->user.change && !drop_kept(DROP_LOOK))
		logline("without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH it "
			"isn't seen who else holds a recorded terminal");
	if (role_shut_in(r->role, err) < 0)
		return -1;
	set_timer(r);
	role_ready(r->role);
	return loop_run(&r->loop, err);
}

int
role_scan(struct role *role, struct ops_err *err)
{
	struct scan_role r = { .role = role,
		.signals = { -1, on_signal },
		.timer = { -1, on_timer },
		.writer = { -1, on_writer },
		.retry = RETRY_MIN,
		.looks = 1 /* so that a screen's 0 is long ago */ };
	int rc = run(&r, err);

	forget_all(&r);
	free(r.screen);
	loop_close(&r.loop);
	return rc;
}
