/*
 * role_writer - the only one that writes the store: RUN/record.sock.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "alert.h"
#include "base/clock.h"
#include "base/io.h"
#include "installed.h"
#include "logline.h"
#include "record/event.h"
#include "writer_peer.h"
#include "writer_role.h"

#define LOCK_NAP 50000000 /* ns */
#define LOCK_TRIES 40     /* two seconds in all */

int
writer_role_event(struct writer_role *r, uint8_t type, uint64_t time,
    const uint8_t *p, size_t n, uint64_t *ticket, struct ops_err *err)
{
	uint64_t t;

	if (writer_put_event(r->w, type, time, p, n, &t, err) < 0)
		return -1;
	if (t > r->last_ticket)
		r->last_ticket = t;
	if (ticket != NULL)
		*ticket = t;
	return 0;
}

static int
put_daemon_event(struct writer_role *r, enum daemon_what what, const char *text,
    struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_daemon e = { .what = what, .pid = (uint32_t)getpid() };
	struct ops_clock now;
	int rc;

	ops_clock_read(&now);
	e.text = (struct event_text){ (const uint8_t *)text, strlen(text) };
	e.realtime = now.realtime;
	event_daemon_put(&b, &e);
	rc = ops_buf_check(&b, "event", err);
	if (rc == 0)
		rc = writer_role_event(
		    r, REC_DAEMON, now.boottime, b.data, b.len, NULL, err);
	ops_buf_free(&b);
	return rc;
}

/* -- what wakes it -- */

/* Runs in the writer's sync thread. */
static void
wake_up(void *arg)
{
	const int *fd = arg;

	loop_ring(*fd);
}

static void
look_at_state(struct writer_role *r)
{
	struct writer_status s;
	uint64_t now = ops_boottime();

	if (now - r->looked < LOOK_AFTER) {
		loop_timer_set(r->look.fd, r->looked + LOOK_AFTER - now + 1, 0);
		return;
	}
	r->looked = now;
	if (reserve_look(r))
		loop_timer_set(r->look.fd, RESERVE_AGAIN, 0);
	retention_tell(r);
	memory_status(r, &s);
	if (s.state == r->state && strcmp(s.reason, r->reason) == 0)
		return;
	if (s.state != r->state && s.state == WRITER_OK)
		alert_tell(ALERT_LOG_BACK, NULL, 0, "the log is written again");
	else if (s.state != r->state)
		alert_tell(ALERT_LOG_FAILED, NULL, 0,
		    "the log can't be written: %s", s.reason);
	r->state = s.state;
	memcpy(r->reason, s.reason, sizeof(r->reason));
	peers_tell_state(r);
}

static void
on_wake(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, wake);

	(void)events;
	loop_drain(w->fd);
	look_at_state(r);
	switch_look(r);
	peers_wake(r);
}

/* Somebody had to wait for room. */
static void
on_again(struct watch *w, uint32_t events)
{
	(void)events;
	loop_drain(w->fd);
	peers_wake(ROLE_OF(w, again));
}

static void
on_look(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, look);

	(void)events;
	loop_drain(w->fd);
	look_at_state(r);
	switch_look(r);
	peers_wake(r);
}

static void
on_memory(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, memory);

	(void)events;
	loop_drain(w->fd);
	memory_look(r);
	look_at_state(r);
	peers_wake(r);
}

static void
on_connection(struct watch *w, uint32_t events)
{
	(void)events;
	peer_accept(ROLE_OF(w, listen));
}

/* Which settings the daemon goes by is in the log, too. */
static void
say_settings(struct writer_role *r, const char *changed)
{
	char text[EVENT_TEXT_MAX + 1], hex[2 * OPS_HASH_LEN + 1];
	struct ops_err err = { 0 };
	int rc = config_hash(&r->role->config, r->config_hash, &err);

	ops_hex(r->config_hash, OPS_HASH_LEN, hex);
	(void)snprintf(text, sizeof(text), "sha256 %s%s%s", hex,
	    changed[0] != '\0' ? " changed " : "", changed);
	if (rc < 0 || put_daemon_event(r, DAEMON_CONFIG, text, &err) < 0)
		logline("configuration event: %s", err.msg);
}

static void
read_settings(struct writer_role *r)
{
	struct ops_buf names = { .max = CONF_KEYS_MAX * 64 };
	struct config before = r->role->config;
	const struct config *c = &r->role->config;
	struct ops_err err = { 0 };
	unsigned changed;

	if (role_reread(r->role, &err) < 0) {
		logline("%s", err.msg);
		return;
	}
	changed = config_compare(&before, c, &names);
	ops_buf_put8(&names, '\0');
	writer_set_seal_after(r->w, c->seal_after);
	anchor_set(r->anchor, c);
	if (c->anchor_interval != before.anchor_interval)
		loop_timer_set(
		    r->anchor_tick.fd, c->anchor_interval, c->anchor_interval);
	if (retention_start(r, &err) < 0)
		logline("retention: %s", err.msg);
	if (quota_start(r, &err) < 0)
		logline("limits: %s", err.msg);
	if (changed != 0)
		say_settings(r, names.failed ? "" : (const char *)names.data);
	ops_buf_free(&names);
}

static void
on_signal(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, signals);
	struct signalfd_siginfo si;

	(void)events;
	while (read(w->fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGHUP)
			read_settings(r);
		else if (si.ssi_signo == SIGTERM)
			r->loop.stop = true;
		else if (si.ssi_pid == (uint32_t)r->role->parent)
			capture_ended(r,
			    si.ssi_signo == (uint32_t)ROLE_SIG_CAPTURE_ENDED,
			    si.ssi_int);
	}
}

static void
on_tick(struct watch *w, uint32_t events)
{
	(void)events;
	loop_drain(w->fd);
	lost_tick(ROLE_OF(w, tick));
}

static void
on_switch_tick(struct watch *w, uint32_t events)
{
	(void)events;
	loop_drain(w->fd);
	switch_tick(ROLE_OF(w, switch_tick));
}

static void
on_limit_tick(struct watch *w, uint32_t events)
{
	(void)events;
	loop_drain(w->fd);
	quota_tick(ROLE_OF(w, limit_tick));
}

static void
on_anchor_tick(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, anchor_tick);

	(void)events;
	loop_drain(w->fd);
	anchor_start(r->anchor, r->w);
}

/* The log remembers where its checkpoints were handed. */
static void
on_anchored(struct watch *w, uint32_t events)
{
	struct writer_role *r = ROLE_OF(w, anchored);
	char what[ANCHOR_TEXT_MAX];
	struct ops_err err = { 0 };

	(void)events;
	loop_drain(w->fd);
	if (anchor_done(r->anchor, what) &&
	    put_daemon_event(r, DAEMON_ANCHOR, what, &err) < 0)
		logline("anchor event: %s", err.msg);
}

/* -- starting -- */

static int
watch_fd(struct writer_role *r, struct watch *w, int fd,
    void (*ready)(struct watch *, uint32_t), struct ops_err *err)
{
	*w = (struct watch){ fd, ready };
	return loop_add(&r->loop, w, EPOLLIN, err);
}

static int
new_eventfd(struct ops_err *err)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		ops_fail_errno(err, "eventfd");
	return fd;
}

static int
watch_timer(struct writer_role *r, struct watch *w,
    void (*ready)(struct watch *, uint32_t), struct ops_err *err)
{
	int fd;

	return loop_timer_new(&fd, err) < 0 ? -1
					    : watch_fd(r, w, fd, ready, err);
}

static int
start_loop(struct writer_role *r, struct ops_err *err)
{
	const int signals[] = { SIGTERM, SIGHUP, ROLE_SIG_CAPTURE_ENDED,
		ROLE_SIG_CAPTURE_NONE, 0 };
	int sig, wake, bell;

	if (loop_init(&r->loop, err) < 0 ||
	    loop_signalfd(signals, &sig, err) < 0 ||
	    watch_fd(r, &r->signals, sig, on_signal, err) < 0 ||
	    watch_timer(r, &r->tick, on_tick, err) < 0 ||
	    watch_timer(r, &r->again, on_again, err) < 0 ||
	    watch_timer(r, &r->look, on_look, err) < 0 ||
	    watch_timer(r, &r->limit_tick, on_limit_tick, err) < 0 ||
	    watch_timer(r, &r->switch_tick, on_switch_tick, err) < 0 ||
	    watch_timer(r, &r->memory, on_memory, err) < 0)
		return -1;
	wake = new_eventfd(err);
	if (wake < 0 || watch_fd(r, &r->wake, wake, on_wake, err) < 0)
		return -1;
	r->inbox = epoll_create1(EPOLL_CLOEXEC);
	if (r->inbox < 0)
		return ops_fail_errno(err, "epoll_create1");
	bell = new_eventfd(err);
	return bell < 0 ? -1 : watch_fd(r, &r->bell, bell, bell_take, err);
}

static int
start_anchors(struct writer_role *r, struct ops_err *err)
{
	const struct config *c = &r->role->config;
	int done = new_eventfd(err);

	if (done < 0 || watch_fd(r, &r->anchored, done, on_anchored, err) < 0 ||
	    watch_timer(r, &r->anchor_tick, on_anchor_tick, err) < 0 ||
	    anchor_new(c, done, &r->anchor, err) < 0)
		return -1;
	loop_timer_set(
	    r->anchor_tick.fd, c->anchor_interval, c->anchor_interval);
	return 0;
}

/* A daemon that was killed may not be gone yet: its writer ends by itself when
 * the supervisor is dead, and holds the lock until then. */
static int
open_writer(
    struct writer_role *r, const struct writer_opts *o, struct ops_err *err)
{
	const struct timespec nap = { 0, LOCK_NAP };
	int rc;

	for (int i = 0;; i++) {
		struct ops_err e = { 0 };

		rc = writer_open(r->vfs, o, &r->w, &e);
		if (rc == 0)
			return 0;
		if (e.code != OPS_EBUSY || i == LOCK_TRIES) {
			if (err != NULL)
				*err = e;
			return -1;
		}
		(void)nanosleep(&nap, NULL);
	}
}

static int
open_store(struct writer_role *r, struct ops_err *err)
{
	struct ops_buf machine = { 0 };
	struct writer_opts o = { .seal_after = r->role->config.seal_after,
		.note = "opseald " OPSEAL_VERSION,
		.wake = wake_up,
		.arg = &r->wake.fd };
	int rc = -1;

	if (ops_machine_id(&machine, err) < 0)
		goto out;
	o.machine_id = (const char *)machine.data;
	if (ops_boot_id(o.boot_id, err) < 0 ||
	    vfs_dir_new(r->role->store, &r->vfs, err) < 0)
		goto out;
	rc = open_writer(r, &o, err);
out:
	ops_buf_free(&machine);
	if (rc < 0)
		ops_context(err, "store %s", r->role->store);
	return rc;
}

static int
run(struct writer_role *r, struct ops_err *err)
{
	struct ops_clock now;

	r->spare = peer_spare();
	if (r->spare == NULL)
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (start_loop(r, err) < 0 || open_store(r, err) < 0)
		return -1;
	say_settings(r, "");
	/* Before anything can fail: a run that is off and doesn't say so ends it. */
	switch_start(r);
	if (status_start(r, err) < 0)
		return -1;
	ops_clock_read(&now);
	r->started = now.realtime;
	capture_gone(r);
	lost_start(r);
	if (retention_start(r, err) < 0 || quota_start(r, err) < 0)
		return -1;
	look_at_state(r);
	if (start_anchors(r, err) < 0 ||
	    watch_fd(r, &r->listen, r->role->listener, on_connection, err) < 0)
		return -1;
	role_ready(r->role);
	return loop_run(&r->loop, err);
}

int
role_writer(struct role *role, struct ops_err *err)
{
	struct writer_role r = { .role = role,
		.logins.rule = login_rule,
		.notes.rule = note_user_rule };
	int rc = run(&r, err);

	if (r.w != NULL) {
		peers_close(&r);
		if (writer_close(r.w, rc < 0 ? NULL : err) < 0 && rc == 0) {
			ops_context(err, "the last seal");
			rc = -1;
		}
	}
	vfs_free(r.vfs);
	anchor_free(r.anchor);
	free(r.retention);
	quota_free(&r.quota);
	rations_free(&r.logins);
	rations_free(&r.notes);
	free(r.lost);
	free(r.spare);
	loop_close(&r.loop);
	return rc;
}
