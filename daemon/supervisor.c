#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account_switch.h"
#include "alert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "doornews.h"
#include "instance.h"
#include "logline.h"
#include "loop.h"
#include "notifier.h"
#include "notify.h"
#include "pulse.h"
#include "reload.h"
#include "report.h"
#include "role.h"
#include "role_start.h"
#include "scope.h"
#include "switchword.h"
#include "trouble.h"

#define MS UINT64_C(1000000)
#define BACKOFF_MIN (100 * MS)
#define BACKOFF_MAX (5000 * MS)
#define BACKOFF_FORGET (10000 * MS) /* lived that long: start at MIN again */
#define STOP_WAIT (5000 * MS)       /* for a role without data of its own */
#define SEAL_WAIT (80000 * MS)      /* for the writer; systemd waits 90 s */
#define NOTIFY_WAIT (8000 * MS)     /* for who is told of our end */
#define NOTIFY_LAST_WAIT (2000 * MS)
#define KILL_WAIT (3000 * MS) /* for the end of what was killed */

enum state { DOWN, STARTING, READY };

struct child {
	enum state state;
	pid_t pid;
	int ready; /* read end of its pipe; -1: closed, nothing more comes */
	unsigned missed; /* looks in a row that found no pulse */
	struct report report;
	uint64_t started, restart_at, backoff;
	int status;        /* of its last end, wait(2) */
	unsigned settings; /* how often they had changed when it was started */
	bool anew;         /* was told to end, to be started again at once */
};

struct supervisor {
	const struct supervisor_opts *o;
	struct instance in;
	struct child child[ROLES];
	int signals; /* signalfd */
	int null;
	struct drop_user user; /* of the roles */
	struct page trouble;   /* of the writer */
	struct account_switch account;
	struct tracepoints failed;
	struct reload reload;
	int alerts[2]; /* pipe from the roles, in packets */
	struct notifier notifier;
	struct scopes scopes; /* of recorders */
	unsigned settings;    /* how often they changed */
	int switches[2];      /* pipe from the writer: switchword.h */
	bool off_known;       /* it has said so */
	struct offswitch off; /* as it is in force */
	bool left;            /* accounting, by a daemon that was killed */
	bool stop;            /* SIGTERM or SIGINT came */
	bool restarts;        /* what dies is started again */
	uint64_t look;        /* BOOTTIME of the next look at the pulses */
	uint64_t alive;       /* BOOTTIME of the next word to the watchdog */
};

/* -- starting -- */

/* In the child: become the role.  Returns only if that fails. */
static void
execute(const struct supervisor *s, enum role_id id, int ready, pid_t parent)
{
	bool tells = id == ROLE_QUERY || id == ROLE_WRITER;
	const struct role_start r = { .id = id,
		.store = s->in.store,
		.run = s->in.run,
		.no_drop = s->o->no_drop,
		.no_capture = s->o->no_capture,
		.to_syslog = s->o->to_syslog,
		.failed = s->failed,
		.user = s->user,
		.parent = parent,
		.null = s->null,
		.ready = ready,
		.listener = s->in.listener[id],
		.config = s->reload.page.fd,
		.trouble = id == ROLE_QUERY ? s->trouble.fd : -1,
		.alerts = tells ? s->alerts[1] : -1,
		.scopes = id == ROLE_SESSION ? s->scopes.fd[1] : -1,
		.switches = id == ROLE_WRITER ? s->switches[1] : -1 };

	role_start(&r);
}

static void
start(struct supervisor *s, enum role_id id)
{
	struct child *c = &s->child[id];
	int ends[2];
	pid_t pid, self = getpid();

	c->started = ops_boottime();
	c->report = (struct report){ 0 };
	c->missed = 0;
	c->anew = false;
	c->settings = s->settings;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		logline(
		    "role %s: pipe: %s", role_table[id].name, strerror(errno));
		c->restart_at = c->started + BACKOFF_MAX;
		return;
	}
	pid = fork();
	if (pid == 0) {
		execute(s, id, ends[1], self);
		_exit(127);
	}
	close(ends[1]);
	if (pid < 0) {
		logline(
		    "role %s: fork: %s", role_table[id].name, strerror(errno));
		close(ends[0]);
		c->restart_at = c->started + BACKOFF_MAX;
		return;
	}
	c->pid = pid;
	c->ready = ends[0];
	c->state = STARTING;
}

/* -- what the roles say and how they end -- */

/* Before it is ready: why it can't be.  Then: its pulse. */
static void
read_report(struct child *c)
{
	char bytes[ROLE_REPORT_MAX];
	ssize_t n = read(c->ready, bytes, report_room(&c->report));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close(c->ready);
		c->ready = -1;
		return;
	}
	c->missed = 0;
	report_add(&c->report, bytes, (size_t)n);
	if (c->report.ready)
		c->state = READY;
}

/* Why it ended, in words. */
static void
end_text(struct child *c, char *out, size_t size)
{
	enum ops_code code;
	const char *why = report_why(&c->report, &code);

	if (why != NULL)
		(void)snprintf(out, size, "%s", why);
	else if (WIFSIGNALED(c->status))
		(void)snprintf(
		    out, size, "ended by signal %d", WTERMSIG(c->status));
	else
		(void)snprintf(
		    out, size, "ended with status %d", WEXITSTATUS(c->status));
}

static enum ops_code
end_code(const struct child *c)
{
	enum ops_code code = OPS_EIO;

	(void)report_why(&c->report, &code);
	return code;
}

/* Who switches recording off waits for this.  A writer that isn't ready yet may not
 * listen to the signals yet, and counts from none on, with nobody who waits. */
static void
tell_capture_ended(const struct supervisor *s, bool as_told)
{
	const union sigval off = { .sival_int = switchword_number(&s->off) };
	const struct child *c = &s->child[ROLE_WRITER];

	if (c->state == READY)
		(void)sigqueue(c->pid,
		    as_told ? ROLE_SIG_CAPTURE_ENDED : ROLE_SIG_CAPTURE_NONE,
		    off);
}

/* Not by something else that came first, or because it had to be killed. */
static bool
ended_as_told(const struct child *c)
{
	return WIFEXITED(c->status)
		   ? WEXITSTATUS(c->status) == 0
		   : WIFSIGNALED(c->status) && WTERMSIG(c->status) == SIGTERM;
}

static void
ended(struct supervisor *s, enum role_id id, int status)
{
	struct child *c = &s->child[id];
	uint64_t now = ops_boottime();
	char why[ROLE_REPORT_MAX];

	/* Its last words may still be in the pipe. */
	while (c->ready >= 0) {
		size_t before = c->report.n;

		read_report(c);
		if (c->ready >= 0 && c->report.n == before)
			break;
	}
	if (c->ready >= 0)
		close(c->ready);
	c->ready = -1;
	c->pid = 0;
	c->state = DOWN;
	c->status = status;
	if (!s->restarts)
		return;
	if (c->backoff == 0 || now - c->started > BACKOFF_FORGET)
		c->backoff = BACKOFF_MIN;
	else
		c->backoff =
		    c->backoff < BACKOFF_MAX / 2 ? 2 * c->backoff : BACKOFF_MAX;
	c->restart_at = now + c->backoff;
	if (c->anew) {
		c->backoff = 0;
		c->restart_at = now;
		if (id == ROLE_CAPTURE)
			tell_capture_ended(s, ended_as_told(c));
		if (ended_as_told(c))
			return;
	}
	end_text(c, why, sizeof(why));
	if (id == ROLE_WRITER)
		trouble_say(&s->trouble, why);
	logline_event(LOGLINE_ROLE_ENDED, NULL,
	    "role %s: %s; starting it again in %llu ms", role_table[id].name,
	    why, (unsigned long long)(c->backoff / MS));
}

static void
reap(struct supervisor *s)
{
	siginfo_t si = { 0 };
	int status;

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       si.si_pid > 0) {
		/* While its number is still its own. */
		notifier_ends(&s->notifier, si.si_pid);
		if (waitpid(si.si_pid, &status, 0) < 0)
			break;
		notifier_ended(&s->notifier, si.si_pid, status);
		for (int id = 0; id < ROLES; id++)
			if (s->child[id].pid == si.si_pid)
				ended(s, (enum role_id)id, status);
		si.si_pid = 0;
	}
}

/* -- another configuration -- */

static void
tell_settings(struct supervisor *s, enum role_id id)
{
	struct child *c = &s->child[id];

	c->settings = s->settings;
	if (role_table[id].rereads)
		(void)kill(c->pid, SIGHUP);
}

/* Its settings are read as it starts. */
static void
start_anew(struct child *c)
{
	if (c->pid <= 0 || kill(c->pid, SIGTERM) < 0)
		return;
	/* From here on it has as long as one without a pulse. */
	if (!c->anew)
		c->missed = 0;
	c->anew = true;
}

static void
set_notifier(struct supervisor *s)
{
	struct ops_err err = { 0 };

	if (notifier_set(&s->notifier, &s->reload.now.config, s->in.user.change,
		&err) < 0)
		logline_event(LOGLINE_NOTIFY_FAILED, NULL, "%s", err.msg);
}

/* Until the writer has spoken they go by what they were told before: that file is
 * root's. */
static void
tell_doors(const struct supervisor *s)
{
	doornews(
	    s->o->where, &s->reload.now.config, s->off_known ? &s->off : NULL);
}

static void
read_again(struct supervisor *s)
{
	char state[64];
	struct ops_clock now;
	unsigned kinds;

	if (!s->restarts || s->stop)
		return;
	ops_clock_read(&now);
	(void)snprintf(state, sizeof(state),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now.monotonic / 1000);
	notify_send(state);
	kinds = reload_again(&s->reload);
	if (kinds & RELOAD_TOLD)
		s->settings++;
	/* One that isn't ready yet may not listen to the signal yet. */
	for (int id = 0; id < ROLES; id++)
		if (s->child[id].state == READY && (kinds & RELOAD_TOLD))
			tell_settings(s, (enum role_id)id);
	if (kinds & CONFIG_CAPTURE)
		start_anew(&s->child[ROLE_CAPTURE]);
	set_notifier(s);
	tell_doors(s);
	notify_send("READY=1");
}

static void
end_capture(struct supervisor *s)
{
	account_switch_off(&s->account);
	start_anew(&s->child[ROLE_CAPTURE]);
	if (s->child[ROLE_CAPTURE].pid == 0)
		tell_capture_ended(s, false);
}

static void
begin_accounting(struct supervisor *s)
{
	if (s->o->config->accounting)
		account_switch_on(&s->account, s->in.run, &s->in.user);
}

/* Capture, and the kernel's accounting, end and begin with it.  By the writer's own
 * word alone: a file could be another role's. */
static void
hear_switch(struct supervisor *s)
{
	bool runs = s->restarts && !s->stop, was_off = s->off.off;
	struct offswitch now;

	if (!switchword_hear(s->switches[0], &now))
		return;
	if (s->off_known && offswitch_same(&now, &s->off))
		return;
	s->off = now;
	s->off_known = true;
	if (runs && now.off)
		end_capture(s);
	else if (runs && was_off)
		begin_accounting(s);
	tell_doors(s);
}

static void
take_signals(struct supervisor *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(s);
		else if (si.ssi_signo == SIGHUP)
			read_again(s);
		else
			s->stop = true;
	}
}

/* -- roles that stand still -- */

/* What can't even be killed is left alone: it sleeps in the kernel. */
static void
no_pulse(struct supervisor *s, enum role_id id)
{
	struct child *c = &s->child[id];

	if (c->missed == PULSE_MISSES) {
		logline("role %s: stands still; killed", role_table[id].name);
		(void)kill(c->pid, SIGKILL);
	} else if (c->missed == 2 * PULSE_MISSES) {
		logline("role %s: process %d does not end; left behind",
		    role_table[id].name, (int)c->pid);
		ended(s, id, SIGKILL);
	}
}

/* Counted in looks, not in time: a machine that slept or has no time for us
 * has none for the roles either. */
static void
look_at_pulses(struct supervisor *s, uint64_t now)
{
	if (!s->restarts || s->stop || now < s->look)
		return;
	s->look = now + PULSE_EVERY;
	account_switch_look(&s->account);
	for (int id = 0; id < ROLES; id++) {
		struct child *c = &s->child[id];

		/* What was told to end may stand still as well. */
		if ((!role_table[id].watched || c->state != READY) && !c->anew)
			continue;
		c->missed++;
		no_pulse(s, (enum role_id)id);
	}
}

/* The service manager hears of us only while each role that shows a pulse has one,
 * and the writer, which need not, is there. */
static bool
is_alive(const struct supervisor *s)
{
	for (int id = 0; id < ROLES; id++) {
		const struct child *c = &s->child[id];

		if ((role_table[id].watched || id == ROLE_WRITER) &&
		    (c->state != READY || c->missed >= PULSE_MISSES))
			return false;
	}
	return true;
}

static void
feed_watchdog(struct supervisor *s, uint64_t now)
{
	if (!s->restarts || s->stop || now < s->alive)
		return;
	s->alive = now + s->o->watchdog / 3;
	if (is_alive(s))
		notify_send("WATCHDOG=1");
}

/* -- waiting -- */

static bool
is_wanted(const struct supervisor *s, int id)
{
	return id != ROLE_CAPTURE ||
	       (!s->off.off && (!s->o->no_capture || s->o->config->accounting));
}

static void
hear(struct supervisor *s, enum role_id id)
{
	read_report(&s->child[id]);
	if (s->child[id].state != READY)
		return;
	if (id == ROLE_WRITER)
		trouble_say(&s->trouble, "");
	if (s->child[id].settings != s->settings)
		tell_settings(s, id);
}

static void pump(struct supervisor *s, uint64_t deadline);

/* -- alerts -- */

static void
take_alerts(struct supervisor *s)
{
	uint8_t packet[PIPE_BUF];
	struct proto_alert f;
	struct ops_err err = { 0 };
	ssize_t n;

	while ((n = read(s->alerts[0], packet, sizeof(packet))) > 0) {
		if (proto_alert_get(packet, (size_t)n, &f, &err) < 0) {
			logline("a role says: %s", err.msg);
			continue;
		}
		notifier_add(&s->notifier, &f);
	}
}

/* Who is told has been, or time is over, or the writer is gone, which waits for
 * nothing. */
static void
wait_told(struct supervisor *s, uint64_t wait)
{
	uint64_t deadline = ops_boottime() + wait;
	enum state writer = s->child[ROLE_WRITER].state;

	take_alerts(s);
	while (notifier_busy(&s->notifier) && ops_boottime() < deadline &&
	       s->child[ROLE_WRITER].state == writer)
		pump(s, deadline);
}

/*
 * The daemon's end is a finding, too.  It is told while all is still there: a command
 * that takes its time (a mail) would else be as much longer without a writer, and one
 * of more than hold_time a gap in each session, at every restart.
 */
static void
tell_end(struct supervisor *s)
{
	static const char text[] = "opseald ends: nothing is recorded";
	struct proto_alert f = { .kind = ALERT_STOP };
	struct ops_clock now;

	ops_clock_read(&now);
	f.time = now.realtime;
	f.detail =
	    (struct event_text){ (const uint8_t *)text, sizeof(text) - 1 };
	take_alerts(s);
	notifier_add(&s->notifier, &f);
	wait_told(s, NOTIFY_WAIT);
}

static void
start_what_is_due(struct supervisor *s, uint64_t now)
{
	if (!s->restarts || s->stop)
		return;
	for (int id = 0; id < ROLES; id++)
		if (s->child[id].state == DOWN && is_wanted(s, id) &&
		    s->child[id].restart_at <= now)
			start(s, (enum role_id)id);
}

/* Milliseconds until something is due, -1 for never. */
static int
next_due(const struct supervisor *s, uint64_t now, uint64_t deadline)
{
	uint64_t first = deadline;

	for (int id = 0; id < ROLES && s->restarts && !s->stop; id++)
		if (s->child[id].state == DOWN && is_wanted(s, id) &&
		    s->child[id].restart_at < first)
			first = s->child[id].restart_at;
	if (s->restarts && !s->stop && s->look < first)
		first = s->look;
	if (s->restarts && !s->stop && s->alive < first)
		first = s->alive;
	if (first == UINT64_MAX)
		return -1;
	return first <= now ? 0 : (int)((first - now) / MS) + 1;
}

/* Handle what happens next; deadline is BOOTTIME, UINT64_MAX: none. */
static void
pump(struct supervisor *s, uint64_t deadline)
{
	struct pollfd p[4 + ROLES] = { { .fd = s->signals, .events = POLLIN } };
	uint64_t due;

	look_at_pulses(s, ops_boottime());
	start_what_is_due(s, ops_boottime());
	feed_watchdog(s, ops_boottime());
	due = notifier_look(&s->notifier, ops_boottime());
	if (due < deadline)
		deadline = due;
	for (int id = 0; id < ROLES; id++)
		p[1 + id] = (struct pollfd){ .fd = s->child[id].ready,
			.events = POLLIN };
	p[1 + ROLES] = (struct pollfd){ .fd = s->alerts[0], .events = POLLIN };
	p[2 + ROLES] =
	    (struct pollfd){ .fd = s->scopes.fd[0], .events = POLLIN };
	p[3 + ROLES] =
	    (struct pollfd){ .fd = s->switches[0], .events = POLLIN };
	if (poll(p, OPS_ARRAY_LEN(p), next_due(s, ops_boottime(), deadline)) <
	    0)
		return; /* EINTR: nothing we handle comes that way */
	for (int id = 0; id < ROLES; id++)
		if (p[1 + id].revents != 0)
			hear(s, (enum role_id)id);
	if (p[1 + ROLES].revents != 0)
		take_alerts(s);
	if (p[2 + ROLES].revents != 0)
		scope_take(&s->scopes, s->child[ROLE_SESSION].pid);
	if (p[3 + ROLES].revents != 0)
		hear_switch(s);
	if (p[0].revents != 0)
		take_signals(s);
}

/* -- the phases -- */

/* Start a role and wait until it answers. */
static int
start_first(struct supervisor *s, enum role_id id, struct ops_err *err)
{
	struct child *c = &s->child[id];
	char why[ROLE_REPORT_MAX];

	start(s, id);
	while (c->state == STARTING && !s->stop)
		pump(s, UINT64_MAX);
	if (c->state != DOWN)
		return 0;
	if (id == ROLE_WRITER && end_code(c) == OPS_EBUSY)
		return ops_fail(err, OPS_EBUSY,
		    "store %s: another opseald is writing it", s->in.store);
	end_text(c, why, sizeof(why));
	return ops_fail(
	    err, end_code(c), "role %s: %s", role_table[id].name, why);
}

/* With the lock: before, it could have been that of a daemon that runs. */
static int
end_left(struct supervisor *s, struct ops_err *err)
{
	account_switch_end_left(s->in.run, &s->in.user);
	return drop_supervisor(&s->in.user, 0, err);
}

/* The writer's lock on the store is asked first, so that a second daemon on
 * one store is told so, whatever its RUN is. */
static int
start_all(struct supervisor *s, struct ops_err *err)
{
	/* Whatever becomes of this start, the doors know the policy. */
	tell_doors(s);
	set_notifier(s);
	if (start_first(s, ROLE_WRITER, err) < 0)
		return -1;
	/* It said so before it was ready. */
	hear_switch(s);
	/* Recorders wait for nothing else: capture alone takes a second to start. */
	if (!s->stop && (instance_lock(&s->in, err) < 0 ||
			    instance_show(&s->in, ROLE_WRITER, err) < 0))
		return -1;
	/* Before capture attaches: it knows what ended earlier. */
	if (!s->stop && !s->off.off)
		begin_accounting(s);
	if (!s->stop && s->left && end_left(s, err) < 0)
		return -1;
	for (int id = ROLE_WRITER + 1; id < ROLES && !s->stop; id++)
		if (is_wanted(s, id) &&
		    start_first(s, (enum role_id)id, err) < 0)
			return -1;
	for (int id = 0; id < ROLES && !s->stop; id++)
		if (instance_show(&s->in, (enum role_id)id, err) < 0)
			return -1;
	return 0;
}

/* SIGTERM to these, SIGKILL to what doesn't end in time. */
static int
stop_roles(
    struct supervisor *s, const enum role_id *id, size_t n, uint64_t wait)
{
	uint64_t deadline = ops_boottime() + wait, killed;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (s->child[id[i]].pid > 0)
			(void)kill(s->child[id[i]].pid, SIGTERM);
	for (size_t i = 0; i < n; i++) {
		struct child *c = &s->child[id[i]];
		bool was_up = c->pid > 0;

		while (c->pid > 0 && ops_boottime() < deadline)
			pump(s, deadline);
		if (c->pid > 0) {
			logline("role %s: does not end; killed",
			    role_table[id[i]].name);
			(void)kill(c->pid, SIGKILL);
			killed = ops_boottime() + KILL_WAIT;
			while (c->pid > 0 && ops_boottime() < killed)
				pump(s, killed);
		}
		if (was_up && (c->pid > 0 || c->status != 0))
			rc = -1;
	}
	return rc;
}

static int
stop_all(struct supervisor *s)
{
	const enum role_id front[] = { ROLE_SESSION, ROLE_QUERY, ROLE_SCAN,
		ROLE_CAPTURE, ROLE_INDEX };
	const enum role_id writer = ROLE_WRITER;

	/* One that died just now: what the others have is still to be taken. */
	if (s->restarts && s->child[writer].state == DOWN)
		start(s, writer);
	s->restarts = false;
	account_switch_off(&s->account);
	(void)stop_roles(s, front, OPS_ARRAY_LEN(front), STOP_WAIT);
	return stop_roles(s, &writer, 1, SEAL_WAIT);
}

static int
prepare(struct supervisor *s, struct ops_err *err)
{
	const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0 };

	if (drop_find_user(s->o->no_drop, &s->user, err) < 0)
		return -1;
	/* In packets, so that two roles can't mix theirs. */
	if (pipe2(s->alerts, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0)
		return ops_fail_errno(err, "pipe");
	if (switchword_open(s->switches, err) < 0)
		return -1;
	if (scope_open(&s->scopes, err) < 0 ||
	    reload_init(&s->reload, s->o->where, s->o->config, &s->user, err) <
		0 ||
	    trouble_new(&s->trouble, err) < 0)
		return -1;
	s->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (s->null < 0)
		return ops_fail_errno(err, "/dev/null");
	(void)signal(SIGPIPE, SIG_IGN);
	if (loop_signalfd(signals, &s->signals, err) < 0)
		return -1;
	if (instance_open(s->o->store, s->o->run, &s->user, &s->o->passed,
		&s->in, err) < 0)
		return -1;
	if (chdir("/") < 0)
		return ops_fail_errno(err, "/");
	s->left = !s->o->config->accounting && account_switch_left(s->in.run);
	if (!s->o->no_capture)
		tracefs_find(&s->failed); /* who captures has no right to */
	return drop_supervisor(&s->user,
	    s->o->config->accounting || s->left ? DROP_ACCOUNT : 0, err);
}

static void
announce(struct supervisor *s)
{
	logline_event(LOGLINE_STARTED, NULL, "ready, store %s run %s",
	    s->in.store, s->in.run);
	if (s->o->ready != NULL)
		s->o->ready(s->o->arg);
	notify_send("READY=1");
}

/* Off or on may have been said while all was started. */
static void
switched_meanwhile(struct supervisor *s)
{
	if (s->off.off)
		end_capture(s);
	else if (s->account.run == NULL) /* its turn came while it was off */
		begin_accounting(s);
}

int
supervise(const struct supervisor_opts *o)
{
	struct supervisor s = { .o = o,
		.alerts = { -1, -1 },
		.switches = { -1, -1 },
		.scopes.fd = { -1, -1 },
		.signals = -1,
		.null = -1,
		.alive = o->watchdog > 0 ? 0 : UINT64_MAX };
	struct ops_err err = { 0 };
	bool was_ready;
	int rc = 2;

	s.in.run_fd = s.in.lock_fd = -1;
	s.account.dir = s.account.fd = -1;
	for (int id = 0; id < ROLES; id++) {
		s.child[id].ready = -1;
		s.in.listener[id] = -1;
	}
	if (prepare(&s, &err) < 0 || start_all(&s, &err) < 0) {
		logline("%s", err.msg);
	} else {
		s.restarts = true;
		switched_meanwhile(&s);
		if (!s.stop)
			announce(&s);
		while (!s.stop)
			pump(&s, UINT64_MAX);
		notify_send("STOPPING=1");
		rc = 0;
	}
	was_ready = s.restarts;
	if (was_ready)
		tell_end(&s);
	if (stop_all(&s) < 0 && rc == 0)
		rc = 1;
	if (was_ready) {
		/* And what the end itself brought up. */
		logline_event(LOGLINE_STOPPED, NULL, "ended");
		wait_told(&s, NOTIFY_LAST_WAIT);
	}
	notifier_kill(&s.notifier);
	account_switch_close(&s.account);
	scope_close(&s.scopes);
	instance_close(&s.in);
	for (size_t i = 0; i < 6; i++) {
		const int fd[] = { s.signals, s.null, s.alerts[0], s.alerts[1],
			s.switches[0], s.switches[1] };

		if (fd[i] >= 0)
			close(fd[i]);
	}
	return rc;
}
