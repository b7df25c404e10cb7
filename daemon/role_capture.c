/*
 * role_capture - which programs are started on this machine, and how they end.
 *
 *	bpf/			what the kernel's side sees
 *	capture_kernel		loads it and reads its rings
 *	capture_order		what it said, whole and in order
 *	capture_procs		which processes there are, and their sessions
 *	capture_seed		those that were there before
 *	capture_secrets		what of it may be told
 *	capture_record		the records of it
 *	capture_account		the kernel's own accounting beside it
 *	ipc/queue, ipc/link	to the writer, again after it was away
 *
 * It has its rights for as long as it takes to attach, and then none.  Where
 * that can't be done it says so to the writer, for `opseal status`, and sleeps.
 *
 * The rings are read when the kernel says that something is there, after a nap
 * in which more comes, and then after each nap until none did: a word of the
 * kernel costs the program that made it more than all else here.  What is read
 * waits in order for ORDER_WAIT_NS, and until the writer has answered a sync:
 * then the sessions in which it may have happened are known.  There is one sync
 * every HAND_ON at most, unless much waits: each wakes the writer and makes it
 * wait for the disk, which took thirty times what reading the rings does.  The end
 * of a session is told without that delay.
 * Telling is broken off after a nap's time, for the rings to be read.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/io.h"
#include "capture_account.h"
#include "capture_kernel.h"
#include "capture_order.h"
#include "capture_procs.h"
#include "capture_record.h"
#include "capture_secrets.h"
#include "capture_seed.h"
#include "ipc/link.h"
#include "ipc/proto.h"
#include "ipc/queue.h"
#include "logline.h"
#include "loop.h"
#include "mask_rules.h"
#include "procid.h"
#include "record/program.h"
#include "role.h"

#define MS UINT64_C(1000000)
#define NAP (20 * MS)
#define HAND_ON (200 * MS)
#define MANY 4096             /* events that don't wait for HAND_ON */
#define SYNC_WAIT (1000 * MS) /* for a writer that doesn't answer */
#define LAST_WAIT (3000 * MS) /* at the end, for the writer to have it all */
#define FORGET (60000 * MS)   /* sessions that ended so long ago */
#define EVENTS_MAX 65536      /* that wait; the rings keep the rest */
#define EVENTS_BYTES ((size_t)32 << 20)
#define CLOCK_EVERY 16384 /* bytes of events told between looks at it */
#define TEXT_MAX 400

struct capture_role {
	struct role *role;
	struct loop loop;
	struct watch signals, timer, rings, writer;
	unsigned watched;      /* link.opened of the connection in the loop */
	struct kernel *kernel; /* NULL: capture is off */
	char why[TEXT_MAX];    /* then: why */
	struct order *order;
	struct procs *procs;
	struct capture_secrets secrets;
	bool has_key; /* the writer's, for it; nothing is told before */
	size_t at;    /* of the first event in order, see capture_record() */
	struct queue queue;
	struct link link;
	bool more;        /* events could be told, but the rings come first */
	bool napping;     /* the rings are read when it is over */
	uint64_t read_at; /* BOOTTIME: then */
	uint64_t whole;   /* BOOTTIME: when they were last read until empty */
	uint64_t synced;  /* the sessions begun before then are known */
	uint64_t ready;   /* what happened before then is told */
	uint64_t syncing; /* when the one was sent that isn't answered; 0 */
	uint64_t asked;   /* when the last one was sent */
	uint64_t waiting; /* since when events wait in order */
	/* What was lost, as far as the log knows; and when that was counted. */
	struct program_loss told;
	uint64_t counted;
	struct capture_account account;
	uint64_t all_told; /* BOOTTIME: every event until then is in queue */
	bool ending;
	bool said; /* and the last record is in queue */
	/* BOOTTIME: until when all was seen, from when on the rings have it, and
	 * when it ends in any case. */
	uint64_t detached, last_read, end_by;
	bool state_due;    /* could not be said yet */
	bool seeding;      /* what ran before is being told */
	uint32_t seed_pid; /* from this one on */
};

static struct capture_role *
role_of(struct watch *w, size_t member)
{
	return (struct capture_role *)(void *)((char *)w - member);
}
#define CAPTURE_OF(w, m) role_of(w, offsetof(struct capture_role, m))

/* Is there anything that this role tells of? */
static bool
is_told(const struct capture_role *r)
{
	return r->kernel != NULL || r->account.ends != NULL;
}

/* -- records -- */

static bool
put(void *arg, uint8_t type, uint64_t time, const uint8_t *p, size_t n)
{
	struct capture_role *r = arg;

	return queue_put(&r->queue, type, time, p, n) == 0;
}

static struct event_text
text(const char *s)
{
	return (struct event_text){ (const uint8_t *)s, strlen(s) };
}

/* The body of a REC_CAPTURE. */
static void
fill_capture(struct capture_role *r, enum capture_what what, bool goes_on,
    struct ops_buf *b)
{
	struct program_capture e = {
		.what = what, .pid = (uint32_t)getpid(), .goes_on = goes_on
	};
	struct utsname host;
	struct ops_clock now;

	ops_clock_read(&now);
	e.realtime = now.realtime;
	e.how = text(r->kernel != NULL ? kernel_how(r->kernel) : "acct");
	if (uname(&host) == 0)
		e.host = text(host.nodename);
	program_capture_put(b, &e);
}

static bool
put_capture(struct capture_role *r, enum capture_what what, uint64_t time)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	bool rc;

	fill_capture(r, what, false, &b);
	rc = !b.failed && put(r, REC_CAPTURE, time, b.data, b.len);
	ops_buf_free(&b);
	return rc;
}

/* All that was lost so far. */
static void
count_loss(const struct capture_role *r, struct program_loss *ret)
{
	struct kernel_counts k;
	uint64_t refused[CAP_TYPES], known = 0;

	kernel_count(r->kernel, &k);
	order_refused(r->order, refused);
	for (int i = 0; i < CAP_TYPES; i++) {
		known += k.drops[i];
		k.drops[i] += refused[i];
	}
	*ret = (struct program_loss){ .execs = k.drops[CAP_EXEC],
		.ends = k.drops[CAP_EXIT],
		.forks = k.drops[CAP_FORK],
		.failed = k.drops[CAP_FAILED],
		.args = k.drops[CAP_CHUNK_DATA],
		.other = k.skipped };
	if (order_skipped(r->order) > known)
		ret->other += order_skipped(r->order) - known;
	/* A number that came late is no longer missing; but was told. */
	if (ret->other < r->told.other)
		ret->other = r->told.other;
}

static uint64_t
sum(const struct program_loss *l)
{
	return l->execs + l->ends + l->forks + l->failed + l->args + l->other;
}

static void tell_state(void *arg, uint64_t now);

/* The rings have just been read: what was lost was lost since the last time.
 * False: it can't be told yet. */
static bool
put_loss(struct capture_role *r, uint64_t now)
{
	struct program_loss all, e;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	bool told;

	if (r->ending && now > r->detached)
		now = r->detached;
	count_loss(r, &all);
	if (sum(&all) == sum(&r->told)) {
		r->counted = now;
		return true;
	}
	e = (struct program_loss){ .from = r->counted,
		.until = now,
		.execs = all.execs - r->told.execs,
		.ends = all.ends - r->told.ends,
		.forks = all.forks - r->told.forks,
		.failed = all.failed - r->told.failed,
		.args = all.args - r->told.args,
		.other = all.other - r->told.other };
	program_loss_put(&b, &e);
	told = !b.failed && put(r, REC_LOSS, now, b.data, b.len);
	if (told) {
		r->told = all;
		r->counted = now;
		tell_state(r, now);
	}
	ops_buf_free(&b);
	return told;
}

/* Nothing is read any more: what is here now is told, and that is all. */
static bool
is_last(const struct capture_role *r)
{
	return r->ending && (r->kernel == NULL || r->whole >= r->last_read);
}

/* Until when events can be told. */
static uint64_t
told_until(const struct capture_role *r, uint64_t now)
{
	uint64_t until = now - ORDER_WAIT_NS;

	if (!r->has_key)
		return 0;
	if (is_last(r))
		return UINT64_MAX;
	/* Without the writer no session begins either. */
	if (!link_open(&r->link) ||
	    (r->syncing != 0 && now - r->syncing > SYNC_WAIT))
		return until;
	return r->ready;
}

static void
put_events(struct capture_role *r, uint64_t now)
{
	const struct capture_sink sink = { put, r };
	uint64_t until = told_until(r, now);
	const struct order_event *next;
	uint64_t began = ops_boottime();
	size_t work = 0; /* bytes, since the clock was looked at */

	r->more = false;
	while ((next = order_next(r->order, until)) != NULL) {
		struct order_event ev = *next;

		/* Thousands, or megabytes of arguments, take long, and the
		 * rings fill. */
		r->more = work >= CLOCK_EVERY && !is_last(r) &&
			  ops_boottime() - began >= NAP;
		if (r->more) {
			until = ev.u->head.time - 1;
			break;
		}
		work = (work >= CLOCK_EVERY ? 0 : work) + ev.n + ev.args_n;
		capture_secrets_hide(&r->secrets, &ev);
		if (!order_is_search(r->order) &&
		    !capture_record(&ev, r->procs, &r->at, &sink))
			return;
		if (ev.u->head.type == CAP_EXIT)
			capture_account_ended(&r->account, &ev.u->exit);
		order_done(r->order);
		r->at = 0;
		capture_secrets_next(&r->secrets);
	}
	if (order_count(r->order) == 0)
		until = now - ORDER_WAIT_NS;
	if (until > r->whole)
		until = r->whole; /* the rings may hold what came since */
	if (until > r->all_told)
		r->all_told = until;
}

/* -- the writer -- */

static void
tell_state(void *arg, uint64_t now)
{
	struct capture_role *r = arg;
	struct ops_buf b = { .max = PROTO_CAPTURE_HEAD + PROTO_CAPTURE_TEXT };
	struct proto_capture c = { .state = CAPTURE_OFF };
	const char *how = r->why;
	char both[PROTO_CAPTURE_TEXT + 1];
	int n;

	if (r->kernel != NULL) {
		c.state = CAPTURE_ON;
		c.lost = r->told.execs + r->told.ends + r->told.other;
		how = kernel_how(r->kernel);
	}
	c.text = text(how);
	if (r->role->config.accounting) {
		n = snprintf(both, sizeof(both), "%s; accounting %s", how,
		    r->account.state);
		c.text = text(both);
		if (n < 0 || (size_t)n >= sizeof(both)) /* its begin will do */
			c.text.n = sizeof(both) - 1;
	}
	proto_capture_put(&b, &c);
	r->state_due =
	    b.failed || !link_say(&r->link, MSG_CAP_STATE, b.data, b.len, now);
	ops_buf_free(&b);
}

static void
on_held(void *arg, uint64_t now)
{
	struct capture_role *r = arg;

	r->syncing = 0;
	/* Those that go on are named again, now. */
	if (r->procs != NULL)
		procs_sessions_over(r->procs, now);
	tell_state(r, now);
}

/* What we had in the log is gone, with the log.  The rest goes into a stream of
 * its own, which says in front where it comes from. */
static int
on_behind(
    void *arg, const struct proto_held *h, uint64_t now, struct ops_err *err)
{
	struct capture_role *r = arg;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	int rc;

	(void)h;
	capture_account_anew(&r->account);
	fill_capture(r, CAPTURE_BEGAN, true, &b);
	rc = b.failed ? -1
		      : queue_anew(&r->queue, REC_CAPTURE, now, b.data, b.len);
	ops_buf_free(&b);
	if (rc < 0)
		return ops_fail(
		    err, OPS_ENOMEM, "going on in another log: no memory");
	ops_random(r->link.id, sizeof(r->link.id));
	logline("the log lacks what was captured before; going on in stream "
		"%02x%02x%02x%02x",
	    r->link.id[0], r->link.id[1], r->link.id[2], r->link.id[3]);
	return ops_fail(err, OPS_EUNAVAIL, "another stream");
}

static int
got_session(void *conn, struct msg *m, struct ops_err *err)
{
	struct capture_role *r = conn;
	struct proto_inner i;
	struct procs_session s;

	if (proto_inner_decode(m->p, m->n, &i, err) < 0)
		return -1;
	s = (struct procs_session){ .tty_major = i.dev >> 20,
		.tty_minor = i.dev & 0xfffff,
		.tty_fs = i.fs,
		.door = i.door,
		.door_start = i.door_start,
		.ses = i.ses,
		.from = i.begun };
	memcpy(s.id, i.id, OPS_ID_LEN);
	if (r->procs != NULL && procs_session(r->procs, &s) < 0)
		return ops_fail(err, OPS_ENOMEM, "sessions: no memory");
	return 0;
}

static int
got_over(void *conn, struct msg *m, struct ops_err *err)
{
	struct capture_role *r = conn;

	(void)err;
	if (r->procs != NULL)
		procs_session_ended(
		    r->procs, m->p, ops_getle64(m->p + OPS_ID_LEN));
	if (r->kernel == NULL)
		return 0;
	/* Whoever looks at a session that ended looks for how its programs
	 * did: that is in the rings by now, and needn't wait for HAND_ON. */
	r->asked = 0;
	r->napping = true;
	r->read_at = ops_boottime();
	return 0;
}

/* Now what ran before can be told, and what runs since. */
static int
got_key(void *conn, struct msg *m, struct ops_err *err)
{
	struct capture_role *r = conn;

	(void)err;
	if (r->secrets.mask != NULL)
		mask_key(r->secrets.mask, m->p);
	r->seeding = !r->has_key && r->procs != NULL;
	return 0;
}

/* As far as there is room in the queue; events come behind it. */
static void
seed(struct capture_role *r)
{
	const struct capture_sink sink = { put, r };
	struct ops_err err = { 0 };
	int rc;

	if (!r->seeding)
		return;
	rc = capture_seed(r->procs, ops_boottime(), r->secrets.mask, &sink,
	    &r->seed_pid, &err);
	if (rc < 0)
		logline("what ran before capture: %s", err.msg);
	r->seeding = rc == 0;
	r->has_key = rc != 0;
}

static int
got_synced(void *conn, struct msg *m, struct ops_err *err)
{
	struct capture_role *r = conn;

	(void)err;
	r->synced = ops_getle64(m->p);
	r->syncing = 0;
	return 0;
}

static const struct msg_rule rules[] = {
	{ Q_INNER, "Q_INNER", 1u << LINK_OPEN, PROTO_INNER_LEN, PROTO_INNER_LEN,
	    0, 0, got_session },
	{ Q_OVER, "Q_OVER", 1u << LINK_OPEN, OPS_ID_LEN + 8, OPS_ID_LEN + 8, 0,
	    0, got_over },
	{ MSG_CAP_KEY, "CAP_KEY", 1u << LINK_OPEN, MASK_KEY, MASK_KEY, 0, 0,
	    got_key },
	{ MSG_CAP_SYNCED, "CAP_SYNCED", 1u << LINK_OPEN, 8, 8, 0, 0,
	    got_synced },
};

static const struct link_owner owner = {
	.hello = MSG_CAP_HELLO,
	.rules = rules,
	.n_rules = OPS_ARRAY_LEN(rules),
	.held = on_held,
	.behind = on_behind,
};

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* When what waits in order is looked at, if nothing else happens before. */
static uint64_t
tell_at(const struct capture_role *r)
{
	size_t n = order_count(r->order);

	if (n == 0)
		return UINT64_MAX;
	if (r->syncing != 0)
		return r->syncing + SYNC_WAIT;
	return later(r->waiting + ORDER_WAIT_NS,
	    r->asked + (n < MANY ? HAND_ON : ORDER_WAIT_NS));
}

static void
ask_sync(struct capture_role *r, uint64_t now)
{
	uint8_t b[8];

	/* What the last one allowed comes first: were it asked again and
	 * again, as sessions end, nothing would ever have waited enough. */
	if (r->syncing != 0 || r->synced > r->ready || now < tell_at(r))
		return;
	r->asked = now;
	if (!link_open(&r->link))
		return;
	ops_putle64(b, now);
	if (link_say(&r->link, MSG_CAP_SYNC, b, sizeof(b), now))
		r->syncing = now;
}

/* -- a turn of the loop -- */

static void
read_rings(struct capture_role *r, uint64_t now)
{
	size_t waiting = order_count(r->order), n = 0;
	bool room =
	    waiting < EVENTS_MAX && order_heads(r->order) < EVENTS_BYTES;

	if (room) {
		n = kernel_read(r->kernel, r->order, EVENTS_MAX - waiting);
		if (n < EVENTS_MAX - waiting)
			r->whole = now;
	}
	order_read(r->order, now);
	if (waiting == 0)
		r->waiting = now;
	if (n == 0 || now - r->counted >= HAND_ON)
		(void)put_loss(r, now); /* asks the kernel about each program */
	r->napping = n > 0 || !room; /* what is there would wake us at once */
	r->read_at = now + NAP;
	loop_change(&r->loop, &r->rings, r->napping ? 0u : EPOLLIN);
	procs_sessions_before(r->procs, now > FORGET ? now - FORGET : 0);
}

static void
watch_writer(struct capture_role *r)
{
	uint32_t events = EPOLLIN | (r->link.full ? EPOLLOUT : 0u);

	if (r->link.fd < 0)
		return; /* closed, and so out of the loop */
	if (r->watched == r->link.opened) {
		loop_change(&r->loop, &r->writer, events);
		return;
	}
	r->writer.fd = r->link.fd;
	r->watched = r->link.opened;
	if (loop_add(&r->loop, &r->writer, events, NULL) < 0)
		link_close(&r->link, ops_boottime());
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
set_timer(struct capture_role *r, uint64_t now)
{
	uint64_t due = r->more ? now : UINT64_MAX;

	/* Not at once again: this was the turn for it. */
	if (!r->more && r->kernel != NULL && order_count(r->order) > 0)
		due = later(tell_at(r), now + NAP);
	if (r->synced > r->ready)
		due = earlier(due, r->synced + ORDER_WAIT_NS);
	if (r->napping && !is_last(r))
		due = earlier(due, r->read_at);
	if (r->link.fd < 0)
		due = earlier(due, r->link.retry);
	if (r->ending)
		due = earlier(due, r->end_by);
	if (r->ending && !is_last(r))
		due =
		    earlier(due, r->last_read > now ? r->last_read : now + NAP);
	due = earlier(due, r->account.due);
	if (due == UINT64_MAX)
		loop_timer_set(r->timer.fd, 0, 0);
	else
		loop_timer_set(r->timer.fd, due > now ? due - now : 1, 0);
}

/* The second source, read before the rings.  What the log has is done with. */
static void
put_accounts(struct capture_role *r, uint64_t now, bool due)
{
	const struct capture_sink sink = { put, r };

	if (due && capture_account_put(&r->account, now,
		       r->kernel != NULL ? r->all_told : now, &sink))
		tell_state(r, now);
	capture_account_safe(
	    &r->account, r->queue.head_no, r->queue.tail_no, due);
}

/* The last word, once all else is said: without it readers know that something is
 * missing. */
static bool
is_said(struct capture_role *r, uint64_t now)
{
	const struct capture_sink sink = { put, r };

	if (r->said)
		return true;
	if (!is_last(r) || (r->order != NULL && order_count(r->order) > 0) ||
	    (r->kernel != NULL && !put_loss(r, now)))
		return false;
	r->said = capture_account_end(&r->account, now, &sink) &&
		  put_capture(r, CAPTURE_ENDED, r->detached);
	if (r->said)
		(void)link_flush(&r->link, now);
	return r->said;
}

/* At the end, what is left is read and told; then the writer must have it. */
static void
look_for_end(struct capture_role *r, uint64_t now)
{
	if (!r->ending)
		return;
	if (now >= r->end_by || !is_told(r) ||
	    (is_said(r, now) && queue_empty(&r->queue)))
		r->loop.stop = true;
}

static void
turn(struct capture_role *r)
{
	uint64_t now = ops_boottime();
	bool due = now >= r->account.due;

	link_connect(&r->link, now);
	if (due)
		capture_account_read(&r->account);
	if (r->kernel != NULL) {
		/* All at once: were each told as soon as it has waited, every
		 * message would go out alone, and the writer sync the disk for
		 * it.  All of it is to be here then. */
		bool ready =
		    r->synced > r->ready && now - ORDER_WAIT_NS >= r->synced;

		if (!is_last(r) &&
		    (due || r->ending || (r->napping && now >= r->read_at) ||
			ready))
			read_rings(r, now);
		if (ready)
			r->ready = r->synced;
		seed(r);
		ask_sync(r, now);
		put_events(r, now);
	}
	if (is_told(r))
		(void)link_flush(&r->link, now);
	if (r->state_due && !r->link.full)
		tell_state(r, now);
	put_accounts(r, now, due);
	watch_writer(r);
	look_for_end(r, now);
	set_timer(r, now);
}

static void
on_rings(struct watch *w, uint32_t events)
{
	struct capture_role *r = CAPTURE_OF(w, rings);

	(void)events;
	/* As long as nothing is taken the kernel says no more. */
	loop_change(&r->loop, w, 0);
	r->napping = true;
	r->read_at = ops_boottime() + (r->more ? 0 : NAP);
	turn(r);
}

static void
on_timer(struct watch *w, uint32_t events)
{
	(void)events;
	loop_drain(w->fd);
	turn(CAPTURE_OF(w, timer));
}

static void
on_writer(struct watch *w, uint32_t events)
{
	struct capture_role *r = CAPTURE_OF(w, writer);

	(void)events;
	link_read(&r->link, ops_boottime());
	turn(r);
}

static void
on_signal(struct watch *w, uint32_t events)
{
	struct capture_role *r = CAPTURE_OF(w, signals);
	(void)events;
	loop_remove(&r->loop, w); /* once */
	r->ending = true;
	r->detached = ops_boottime();
	r->end_by = r->detached + LAST_WAIT;
	/* What came while the rest is told would be in no record, and counted
	 * by nobody. */
	if (r->kernel != NULL)
		kernel_detach(r->kernel);
	r->last_read = ops_boottime() + KERNEL_THROUGH;
	capture_account_read(&r->account);
	turn(r);
}

/* -- starting -- */

static int
begin_stream(struct capture_role *r, struct ops_err *err)
{
	if (queue_room(&r->queue, 0) == NULL ||
	    !put_capture(r, CAPTURE_BEGAN, ops_boottime()))
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	return 0;
}

/* Begun after capture has attached: what ended before it can't have seen. */
static int
open_accounts(struct capture_role *r, struct ops_err *err)
{
	r->account.due = UINT64_MAX;
	if (!r->role->config.accounting)
		return 0;
	if (capture_account_open(
		&r->account, r->role->run, (uint32_t)r->role->parent, err) < 0)
		return -1;
	return r->kernel == NULL && is_told(r) ? begin_stream(r, err) : 0;
}

static int
start_kernel(struct capture_role *r, struct ops_err *err)
{
	const struct kernel_wants wants = {
		.hooks = (enum capture_hooks)r->role->config.capture_hooks,
		.failed = r->role->failed,
		.environment = r->role->config.environment[0] != '\0',
	};
	struct ops_err why = { 0 };

	if (r->role->no_capture)
		ops_fail(&why, OPS_EUNAVAIL, "switched off (--no-capture)");
	else
		(void)kernel_open(&wants, &r->kernel, &why);
	if (drop_rest(&r->role->user, err) < 0 || open_accounts(r, err) < 0)
		return -1;
	if (r->kernel == NULL) {
		(void)snprintf(r->why, sizeof(r->why), "%s", why.msg);
		logline("programs are not captured: %s", r->why);
		return 0;
	}
	r->order = order_new();
	r->procs = procs_new();
	if (r->order == NULL || r->procs == NULL || begin_stream(r, err) < 0)
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	r->counted = ops_boottime();
	r->rings = (struct watch){ kernel_fd(r->kernel), on_rings };
	return loop_add(&r->loop, &r->rings, EPOLLIN, err);
}

static int
run(struct capture_role *r, char path[static PATH_MAX], struct ops_err *err)
{
	const int signals[] = { SIGTERM, 0 };
	int n = snprintf(path, PATH_MAX, "%s/%s", r->role->run,
	    role_table[ROLE_WRITER].socket);

	if (n < 0 || n >= PATH_MAX)
		return ops_fail(err, OPS_EUSAGE, "RUN: too long");
	if (loop_init(&r->loop, err) < 0 ||
	    loop_signalfd(signals, &r->signals.fd, err) < 0 ||
	    loop_add(&r->loop, &r->signals, EPOLLIN, err) < 0 ||
	    loop_timer_new(&r->timer.fd, err) < 0 ||
	    loop_add(&r->loop, &r->timer, EPOLLIN, err) < 0 ||
	    procid_start(getpid(), &r->link.start, err) < 0 ||
	    mask_rules_load(&r->role->config, &r->secrets.mask, err) < 0 ||
	    start_kernel(r, err) < 0)
		return -1;
	role_ready(r->role);
	turn(r);
	return loop_run(&r->loop, err);
}

int
role_capture(struct role *role, struct ops_err *err)
{
	static char path[PATH_MAX];
	struct capture_role r = { .role = role,
		.signals = { -1, on_signal },
		.timer = { -1, on_timer },
		.writer = { -1, on_writer },
		.account = { .file = { .dir = -1, .fd = -1 } },
		.link = {
		    .path = path, .fd = -1, .bell = -1, .owner = &owner } };
	int rc;

	r.secrets.keep_env = role->config.environment;
	r.link.queue = &r.queue;
	r.link.arg = &r;
	ops_random(r.link.id, sizeof(r.link.id));
	rc = run(&r, path, err);
	capture_account_close(&r.account);
	kernel_close(r.kernel);
	order_free(r.order);
	procs_free(r.procs);
	capture_secrets_free(&r.secrets);
	queue_free(&r.queue);
	if (r.link.fd >= 0)
		close(r.link.fd);
	loop_close(&r.loop);
	return rc;
}
