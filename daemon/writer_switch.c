/* Recording is switched off, and on: `opseal off`, `opseal on`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alert.h"
#include "base/clock.h"
#include "logline.h"
#include "procid.h"
#include "record/event.h"
#include "record/record.h"
#include "role.h"
#include "store/switchlog.h"
#include "switchword.h"
#include "writer_peer.h"

#define LOOK_EVERY UINT64_C(3000000000) /* ns */
#define CAPTURE_WAIT                                                           \
	UINT64_C(5000000000) /* ns; its own end takes up to three */

static void
answer(struct peer *p, enum proto_switched what, const char *text)
{
	uint8_t byte = (uint8_t)what;

	p->state = PEER_QUERY;
	if (msg_send2(p->watch.fd, MSG_SWITCHED, &byte, 1, text, strlen(text),
		NULL) < 0)
		p->dead = true;
}

/* The record of it.  Of a switch that was there at the start: once more. */
static int
put_event(struct writer_role *r, const struct offswitch *s, uint64_t *ticket,
    struct ops_err *err)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	int rc;

	offswitch_put(&b, s, (uint32_t)getpid());
	rc = ops_buf_check(&b, "switch", err);
	if (rc == 0)
		rc = writer_role_event(
		    r, REC_DAEMON, ops_boottime(), b.data, b.len, ticket, err);
	ops_buf_free(&b);
	return rc;
}

/* -- the file, which others can write -- */

/* Of those who can do that some handle what users send; so what it says is neither
 * believed nor repeated.  Told once, or who goes on doing it would tell it all day. */
static void
not_ours(struct writer_role *r, const char *fault)
{
	r->switch_fault = fault;
	if (fault == NULL || r->switch_warned)
		return;
	r->switch_warned = true;
	alert_tell(ALERT_SWITCH, NULL, 0, "%s", fault);
}

/* Nothing is known then: a disk that fails, or no memory. */
static bool
says_nothing(const struct ops_err *err)
{
	return err->code == OPS_ENOMEM || err->sys == EMFILE ||
	       err->sys == ENFILE || err->sys == EIO;
}

static void
look_at_file(struct writer_role *r)
{
	struct ops_err err = { 0 };
	struct offswitch is;
	int rc = offswitch_read(r->vfs, &is, &err);

	if (rc < 0 && says_nothing(&err))
		return;
	if (!r->off.off)
		not_ours(r,
		    rc < 0 && err.code == OPS_ENOENT
			? NULL
			: "STORE/" OFFSWITCH_FILE
			  " is there, and not the writer's: recording is on, "
			  "whatever it says; opseal on removes it");
	else
		not_ours(
		    r, rc == 0 && offswitch_same(&is, &r->off)
			   ? NULL
			   : "STORE/" OFFSWITCH_FILE
			     " is not as the writer left it: recording is off, "
			     "but only until the daemon is started again");
}

static void
say_to_supervisor(struct writer_role *r)
{
	r->switch_said = switchword_say(ROLE_FD_SWITCH, &r->off);
}

/* What was asked is in force. */
static void
answer_switcher(struct writer_role *r, enum proto_switched what)
{
	struct peer *p = r->switcher;

	if (r->switching)
		return;
	r->switcher = NULL;
	if (p != NULL && !p->dead)
		answer(p, what, r->switch_err.msg);
}

void
switch_capture_ended(struct writer_role *r)
{
	r->capture_ends = false;
	answer_switcher(r, SWITCHED);
}

void
switch_tick(struct writer_role *r)
{
	if (ops_boottime() >= r->switch_until)
		answer_switcher(r, SWITCHED_CAPTURE_ENDS);
	if (!r->switch_said)
		say_to_supervisor(r);
	if (r->switch_kept && !r->switching)
		look_at_file(r);
}

/* -- what is in force -- */

/* From here on. */
static void
take_over(struct writer_role *r, const struct offswitch *to)
{
	char by[OFFSWITCH_BY];

	r->off = *to;
	r->off_sessions = 0;
	r->capture_ends = to->off;
	offswitch_by(to, by);
	(void)snprintf(r->off_by, sizeof(r->off_by), "%s", by);
	(void)snprintf(
	    r->off_text, sizeof(r->off_text), "by %s: %s", by, to->reason);
	if (r->capture == NULL)
		capture_gone(r); /* why is another now */
	say_to_supervisor(r);
	peers_tell_state(r);
	loop_timer_set(r->look.fd, 1, 0); /* it is sent then */
	if (to->off)
		alert_tell(ALERT_OFF, NULL, 0, "recording is switched off %s",
		    r->off_text);
	else
		alert_tell(ALERT_ON, NULL, 0,
		    "recording is switched on again by %s", by);
}

/* Nothing stops before the record of it is durable; then it also outlasts us.  Who
 * switches it off is told when capture has ended, or takes too long for that. */
static void
apply(struct writer_role *r)
{
	struct ops_err err = { 0 };
	int rc = r->next.off ? offswitch_write(r->vfs, &r->next, &err)
			     : offswitch_remove(r->vfs, &err);

	if (rc < 0)
		logline("STORE/" OFFSWITCH_FILE ": %s: this is so until the "
			"daemon is started again",
		    err.msg);
	r->switching = false;
	r->switch_err = err;
	r->switch_kept = rc == 0;
	r->switch_warned = false;
	r->switch_fault = NULL;
	take_over(r, &r->next);
	if (!r->next.off) {
		answer_switcher(r, SWITCHED);
		return;
	}
	r->switch_until = ops_boottime() + CAPTURE_WAIT;
	loop_timer_set(r->switch_tick.fd, CAPTURE_WAIT, LOOK_EVERY);
}

void
switch_look(struct writer_role *r)
{
	struct peer *p = r->switcher;
	char text[400];

	if (!r->switching)
		return;
	/* On is not to wait for a log that fails: what comes then is held. */
	if (writer_durable(r->w) >= r->switch_ticket ||
	    (!r->next.off && r->state != WRITER_OK)) {
		apply(r);
	} else if (r->state != WRITER_OK && p != NULL && !p->dead) {
		(void)snprintf(text, sizeof(text),
		    "the log can't be written: %s; it is switched off as soon "
		    "as the log has it",
		    r->reason);
		r->switcher = NULL;
		if (writer_query_failed(p, text, NULL) < 0)
			p->dead = true;
	}
}

void
switch_forget(struct peer *p)
{
	if (p->r->switcher == p)
		p->r->switcher = NULL;
}

static int
begin(struct peer *p, const struct offswitch *to, struct ops_err *err)
{
	struct writer_role *r = p->r;
	struct ops_err why = { 0 };
	int rc;

	answer_switcher(r, SWITCHED_CAPTURE_ENDS); /* on comes before its end */
	r->next = *to;
	rc = put_event(r, to, &r->switch_ticket, &why);
	if (rc < 0 && to->off)
		return writer_query_failed(p, why.msg, err);
	r->switching = true;
	r->switcher = p;
	p->state = PEER_QUERY;
	if (rc < 0)
		logline("the event of switching on: %s", why.msg);
	if (rc < 0)
		apply(r);
	else
		switch_look(r);
	return 0;
}

/* On, and a file that says anything: root wants it gone. */
static void
remove_theirs(struct writer_role *r)
{
	struct ops_err err = { 0 };

	if (r->switch_fault == NULL)
		return;
	if (offswitch_remove(r->vfs, &err) < 0)
		logline("STORE/" OFFSWITCH_FILE ": %s", err.msg);
	r->switch_kept = true;
	r->switch_warned = false;
	look_at_file(r);
}

int
writer_on_switch(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct writer_role *r = p->r;
	struct procid_seen who = { 0 };
	struct ops_err why = { 0 };
	struct ops_clock now;
	struct offswitch to;

	if (offswitch_get(m->p, m->n, &to, err) < 0)
		return -1;
	if (!peer_is_root(p))
		return ops_fail(err, OPS_EPERM,
		    "uid %u may not switch recording off",
		    (unsigned)p->who.uid);
	if (p->spare)
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (r->switching)
		return writer_query_failed(
		    p, "another switch is not in the log yet", err);
	if (to.off == r->off.off) {
		if (!to.off)
			remove_theirs(r);
		answer(p,
		    r->capture_ends ? SWITCHED_NOTHING_ENDS : SWITCHED_NOTHING,
		    r->off.off ? r->off_text : "");
		return 0;
	}
	if (to.off && r->state != WRITER_OK)
		return writer_query_failed(p, r->reason, err);
	if (procid_see(p->who.pid, &who, &why) < 0)
		return writer_query_failed(p, why.msg, err);
	ops_clock_read(&now);
	to.realtime = now.realtime;
	to.has_who = true;
	to.uid = p->who.uid;
	to.auid = who.auid;
	return begin(p, &to, err);
}

/* The file, if the log says the very same.  Where it doesn't, why is logged. */
static bool
find_off(struct writer_role *r, struct offswitch *ret)
{
	struct ops_err err = { 0 };
	struct offswitch is, in_log;

	if (offswitch_read(r->vfs, &is, &err) < 0) {
		if (err.code != OPS_ENOENT)
			logline("STORE/%s: recording is on", err.msg);
		return false;
	}
	if (switchlog_find(r->vfs, &in_log, &err) < 0) {
		logline("STORE/" OFFSWITCH_FILE
			": whether the log says so, too, can't be seen: %s: "
			"recording is on",
		    err.msg);
		return false;
	}
	if (!is.off || !offswitch_same(&is, &in_log)) {
		logline("STORE/" OFFSWITCH_FILE
			": the log says nothing of it: recording is on");
		return false;
	}
	*ret = is;
	return true;
}

/* Each run of the daemon that is off says so in the log: without that it is on. */
void
switch_start(struct writer_role *r)
{
	struct ops_err err = { 0 };
	struct offswitch s;

	r->switch_kept = true;
	if (find_off(r, &s)) {
		if (put_event(r, &s, NULL, &err) == 0)
			take_over(r, &s);
		else
			logline("the event of what is switched: %s", err.msg);
	}
	say_to_supervisor(r);
	look_at_file(r);
	loop_timer_set(r->switch_tick.fd, LOOK_EVERY, LOOK_EVERY);
}

void
switch_status(const struct writer_role *r, struct proto_status *s)
{
	if (r->switch_fault != NULL)
		s->switch_fault =
		    (struct event_text){ (const uint8_t *)r->switch_fault,
			    strlen(r->switch_fault) };
	if (!r->off.off)
		return;
	s->off_since = r->off.realtime;
	s->off_by = (struct event_text){ (const uint8_t *)r->off_by,
		strlen(r->off_by) };
	s->off_reason = (struct event_text){ (const uint8_t *)r->off.reason,
		strlen(r->off.reason) };
	s->off_sessions = r->off_sessions;
}
