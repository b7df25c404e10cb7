#include <stdio.h>
#include <string.h>

#include "alert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/proto.h"
#include "switchword.h"
#include "writer_peer.h"

int
peer_programs(struct peer *p, const struct msg *m, struct ops_err *err)
{
	uint32_t pid = ops_getle32(m->p + OPS_ID_LEN);

	if (p->spare) /* it will try again, and nothing is lost meanwhile */
		return ops_fail(err, OPS_ENOMEM, "out of memory");
	if (pid != (uint32_t)p->who.pid)
		return ops_fail(err, OPS_EPERM, "says it is process %u", pid);
	memcpy(p->id, m->p, OPS_ID_LEN);
	return writer_programs(p->r->w, p->id, err);
}

int
capture_on_hello(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;

	if (peer_programs(p, m, err) < 0)
		return -1;
	if (p->r->capture != NULL)
		p->r->capture->dead = true; /* a new one has given it up */
	p->r->capture = p;
	p->start = ops_getle64(m->p + OPS_ID_LEN + 4);
	p->r->capture_again +=
	    p->r->capture_pid != 0 && (p->r->capture_pid != p->who.pid ||
					  p->r->capture_start != p->start);
	p->r->capture_pid = p->who.pid;
	p->r->capture_start = p->start;
	p->state = PEER_CAPTURE;
	return recorder_begin(p, err);
}

/* Where it is gone, what it has sent is still to be taken: its hang-up ends it. */
static bool
is_broken(const struct ops_err *err)
{
	return err->code != OPS_OK && err->code != OPS_EBUSY &&
	       err->code != OPS_EUNAVAIL;
}

/* -- its state, for `opseal status` -- */

static void
say(struct writer_role *r, enum capture_state state, const char *text, size_t n)
{
	size_t room = sizeof(r->capture_text) - 1;

	r->capture_state = state;
	n = n < room ? n : room;
	memcpy(r->capture_text, text, n);
	r->capture_text[n] = '\0';
}

/* One that died can't have counted what it lost. */
static void
say_again(struct writer_role *r)
{
	size_t n = strlen(r->capture_text);

	if (r->capture_state == CAPTURE_ON && r->capture_again > 0)
		(void)snprintf(r->capture_text + n, sizeof(r->capture_text) - n,
		    "; died and was started again %u time%s, opseal log says "
		    "when",
		    r->capture_again, r->capture_again == 1 ? "" : "s");
}

/* A flood is told of every ten seconds, with all that was lost since. */
static void
tell_loss(struct writer_role *r, uint64_t lost)
{
	uint64_t now = ops_boottime();

	if (lost < r->loss_told)
		r->loss_told = 0; /* another capture, which counts anew */
	if (lost == r->loss_told ||
	    (r->loss_time != 0 && now - r->loss_time < LOSS_EVERY))
		return;
	alert_tell(ALERT_LOSS, NULL, lost - r->loss_told,
	    "capture lost %llu starts and ends of programs",
	    (unsigned long long)(lost - r->loss_told));
	r->loss_told = lost;
	r->loss_time = now;
}

int
capture_on_state(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *me = conn;
	struct writer_role *r = me->r;
	struct proto_capture c;
	uint8_t key[WRITER_SECRET];
	struct ops_err e = { 0 };

	if (proto_capture_get(m->p, m->n, &c, err) < 0)
		return -1;
	say(r, c.state, (const char *)c.text.p, c.text.n);
	say_again(r);
	tell_loss(r, c.lost);
	r->capture_lost = c.lost;
	if (c.state != CAPTURE_ON || me->told)
		return 0;
	writer_secret(r->w, "masks of arguments", key);
	if (msg_send(me->watch.fd, MSG_CAP_KEY, key, sizeof(key), NULL, 0, &e) <
	    0) {
		if (err != NULL)
			*err = e;
		return e.code == OPS_EUNAVAIL ? 0 : -1;
	}
	me->told = true;
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		p->inner_due = p->inner.door != 0;
	capture_flush(r);
	return 0;
}

void
capture_gone(struct writer_role *r)
{
	const char *why = r->role->no_capture ? "switched off (--no-capture)"
			  : r->off.off        ? "recording is switched off"
				       : "the capture role is being started";

	r->capture = NULL;
	say(r, CAPTURE_OFF, why, strlen(why));
}

void
capture_ended(struct writer_role *r, bool as_told, int off)
{
	if (as_told)
		r->capture_pid = 0;
	if (off != 0 && off == switchword_number(&r->off))
		switch_capture_ended(r);
}

/* -- the sessions -- */

void
capture_flush(struct writer_role *r)
{
	uint8_t b[PROTO_INNER_LEN];
	struct peer *to = r->capture;
	struct ops_err err = { 0 };

	if (to == NULL || to->dead || !to->told)
		return;
	for (struct peer *p = r->peers; p != NULL && err.code == OPS_OK;
	     p = p->next) {
		if (!p->inner_due || p->dead)
			continue;
		proto_inner_encode(&p->inner, b);
		p->inner_due = msg_send(to->watch.fd, Q_INNER, b, sizeof(b),
				   NULL, 0, &err) < 0;
	}
	to->told_waits = err.code == OPS_EBUSY;
	if (is_broken(&err))
		to->dead = true;
	else if (to->held == NULL)
		loop_change(&r->loop, &to->watch, peer_events(to));
}

int
recorder_on_inner(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;
	struct writer_session s;
	struct proto_inner i;

	if (proto_inner_decode(m->p, m->n, &i, err) < 0)
		return -1;
	if (memcmp(i.id, p->id, OPS_ID_LEN) != 0)
		return ops_fail(err, OPS_EPERM, "another session's terminal");
	writer_session(p->r->w, p->id, &s);
	if (s.closed)
		return 0; /* capture was told that it is over */
	p->inner = i;
	p->inner_due = true;
	capture_flush(p->r);
	return 0;
}

void
capture_over(struct writer_role *r, const uint8_t id[static OPS_ID_LEN])
{
	uint8_t b[OPS_ID_LEN + 8];
	struct peer *to = r->capture;
	struct ops_err err = { 0 };

	/* Told of it after its end, capture would take it for open. */
	capture_flush(r);
	for (struct peer *p = r->peers; p != NULL; p = p->next)
		if (p->state == PEER_RECORDER &&
		    memcmp(p->id, id, OPS_ID_LEN) == 0) {
			p->inner = (struct proto_inner){ 0 };
			p->inner_due = false;
		}
	if (to == NULL || to->dead || !to->told)
		return;
	memcpy(b, id, OPS_ID_LEN);
	ops_putle64(b + OPS_ID_LEN, ops_boottime());
	/* Who connects again takes all sessions for ended but those named. */
	if (msg_send(to->watch.fd, Q_OVER, b, sizeof(b), NULL, 0, &err) < 0 &&
	    err.code != OPS_EUNAVAIL)
		to->dead = true;
}

/* -- sync -- */

int
capture_on_sync(void *conn, struct msg *m, struct ops_err *err)
{
	struct peer *p = conn;

	(void)err;
	/* Not here: it looks into other connections. */
	p->sync_due = true;
	p->sync = ops_getle64(m->p);
	return 0;
}

/* A recorder says which terminal is its session's before the door may start a
 * program in it: it lies in the recorder's socket, though nobody may have rung
 * for it yet. */
void
capture_sync(struct peer *p)
{
	uint8_t b[8];
	struct ops_err err = { 0 };

	if (!p->sync_due || p->dead)
		return;
	for (struct peer *q = p->r->peers; q != NULL; q = q->next)
		if (q->follows_bell && q->inner.door == 0)
			(void)peer_receive(q);
	capture_flush(p->r);
	ops_putle64(b, p->sync);
	if (!p->dead && !p->told_waits)
		p->sync_due = msg_send(p->watch.fd, MSG_CAP_SYNCED, b,
				  sizeof(b), NULL, 0, &err) < 0;
	if (is_broken(&err))
		p->dead = true;
	else if (!p->dead && p->held == NULL)
		loop_change(&p->r->loop, &p->watch, peer_events(p));
}
