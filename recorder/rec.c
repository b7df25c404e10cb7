#include "rec.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "ipc/proto.h"

/* -- phases -- */

static void
enter(struct rec *r, enum phase phase, uint64_t timeout)
{
	r->phase = phase;
	r->phase_until = timeout == 0 ? 0 : r->now + timeout;
}

/* True if nobody who was found is left to be told of. */
static bool
tell_found(struct rec *r)
{
	for (; r->n_told < r->n_bypass; r->n_told++) {
		const struct bypass *f = &r->bypass[r->n_told];
		const struct event_bypass e = { f->pid, f->uid,
			{ f->comm, f->comm_len } };
		uint8_t bytes[QUEUE_EVENT_SMALL];
		struct ops_buf b = OPS_BUF_FIXED(bytes);

		event_bypass_put(&b, r->id, &e);
		if (!copy_event(r, REC_BYPASS, &b))
			return false;
	}
	return true;
}

/* While the door is stopped the terminal isn't the session's. */
void
rec_found(void *rec, const struct proto_found *f)
{
	struct rec *r = rec;
	struct bypass *b;

	for (size_t i = 0; i < r->n_bypass; i++)
		if (r->bypass[i].pid == f->pid &&
		    r->bypass[i].start == f->start)
			return;
	if (r->n_bypass == BYPASS_MAX || r->stopped || r->phase >= CLOSING)
		return;
	b = &r->bypass[r->n_bypass++];
	*b = (struct bypass){ .pid = f->pid, .uid = f->uid, .start = f->start };
	b->comm_len = f->comm.n < sizeof(b->comm) ? f->comm.n : sizeof(b->comm);
	memcpy(b->comm, f->comm.p, b->comm_len);
	tell_found(r);
	if (r->small_due == 0)
		r->small_due = r->now + SMALL_NS;
}

static void
notify(struct rec *r)
{
	if (r->notify >= 0 && write(r->notify, "1", 1) >= 0)
		close(r->notify);
	r->notify = -1;
}

static void
go(struct rec *r)
{
	uint8_t p[OPS_ID_LEN + 1];

	memcpy(p, r->id, OPS_ID_LEN);
	p[OPS_ID_LEN] = r->gap ? DOOR_UNRECORDED : DOOR_RECORDED;
	enter(r, RUNNING, 0);
	if (doorside_tell(r, DOOR_GO, p, sizeof(p)) < 0)
		r->door_gone = true;
	notify(r);
}

static void end_unstarted(struct rec *r, enum close_why why);

/* The session is in the log: first what a person is to see and to say. */
static void
greet(struct rec *r)
{
	if (r->terminal) {
		copy_size(r);
		copy_echo(r);
		/* First, so that not a byte meets a terminal half prepared. */
		outer_raw(&r->outer);
		ask_notice(r);
	}
	if (!ask_begin(r)) {
		go(r);
		return;
	}
	enter(r, ASKING, ASK_TIME_NS);
	if (doorside_tell(r, DOOR_ASKING, NULL, 0) < 0)
		r->door_gone = true;
}

static void
ask(struct rec *r)
{
	switch (ask_turn(r)) {
	case ASK_GOES_ON:
		break;
	case ASK_REFUSED:
		rec_end(r, CLOSE_NO_REASON);
		break;
	case ASK_FAILED:
		if (r->refuse && !r->link.off) {
			rec_end(r, CLOSE_LOG_FAILURE);
			break;
		}
		copy_gap_begin(r);
		go(r);
		break;
	case ASK_READY:
		go(r);
		break;
	}
}

/* Nothing of it is to be in the log: recording is switched off. */
static bool
is_unwanted(const struct rec *r)
{
	return r->phase == STARTING && r->link.off && r->queue.event_sent == 0;
}

static void
start(struct rec *r)
{
	static const char text[] = "the log can't be written";

	if (is_unwanted(r)) {
		doorside_tell(
		    r, DOOR_OFF, r->link.off_text, strlen(r->link.off_text));
		r->phase = DONE;
		return;
	}

	if (r->queue.event_sent > 0 || r->gap) {
		r->hold_since = 0;
		greet(r);
		return;
	}
	if (r->door_gone) {
		r->phase = DONE; /* there was no session */
		return;
	}
	if (r->now < r->phase_until)
		return;
	if (r->refuse) {
		doorside_tell(r, DOOR_REFUSED, text, sizeof(text) - 1);
		r->phase = DONE;
		return;
	}
	copy_gap_begin(r);
	greet(r);
}

void
rec_end(struct rec *r, enum close_why why)
{
	uint8_t byte = (uint8_t)why;

	if (r->phase == WAIT_EXIT && r->has_status)
		r->phase_until = r->now;
	/* It was ending by itself, and what was left of its output is now
	 * neither shown nor recorded: "exit" would call that all of it. */
	if (r->phase == DRAINING && r->why == CLOSE_EXIT &&
	    why == CLOSE_LOG_FAILURE)
		r->why = why;
	if (r->phase == ASKING)
		end_unstarted(r, why);
	if (r->phase != RUNNING)
		return;
	r->why = why;
	r->drain_left = DRAIN_MAX;
	if (why == CLOSE_LOG_FAILURE || why == CLOSE_RECORDER) {
		doorside_tell(r, DOOR_END, &byte, 1);
		r->drain_left = 0;
	}
	/* A shell has the terminal now; it isn't ours to write on. */
	if (r->stopped)
		r->outer.dead = true;
	r->stopped = r->paused = r->master_hup = false;
	enter(r, DRAINING, 0);
}

static void
put_exit(struct rec *r)
{
	uint8_t p[4];

	if (r->exit_put || !r->terminal || !r->has_status)
		return;
	r->exit_put = true;
	ops_putle32(p, r->status);
	copy_record(r, REC_EXIT, p, sizeof(p));
}

/* CLOSE says what all the others were, so it must be the last: false while one
 * of them waits for room. */
static bool
queue_close(struct rec *r)
{
	struct event_close e = { .state = CLOSE_CLOSED, .why = r->why };
	uint8_t bytes[QUEUE_EVENT_SMALL];
	struct ops_buf b = OPS_BUF_FIXED(bytes);

	if (r->close_queued)
		return true;
	if (!tell_found(r) || !copy_gap_end(r))
		return false;
	put_exit(r);
	if (!copy_gap_end(r))
		return false;
	e.has_status = r->has_status;
	e.status = r->status;
	e.bytes_out = r->bytes_out;
	e.bytes_in = r->bytes_in;
	e.bytes_lost = r->bytes_lost + r->queue.missing;
	e.records = r->queue.tail_no;
	event_close_put(&b, r->id, &e);
	r->close_queued = copy_event(r, REC_SESSION_CLOSE, &b);
	copy_flush(r);
	return r->close_queued;
}

static void
close_session(struct rec *r)
{
	input_tick(&r->input, UINT64_MAX);
	queue_close(r);
	enter(r, CLOSING, r->hold_time);
}

/* Why there is no session, for who waits for it. */
static const char *
refusal(const struct rec *r)
{
	if (r->why == CLOSE_NO_REASON)
		return "no reason was given for the session";
	if (r->why != CLOSE_LOG_FAILURE)
		return "the session was ended";
	if (r->link.limited)
		return "more was shown than is recorded of one user";
	return r->link.no_screens ? "the disk is nearly full"
				  : "the log can't be written";
}

/* There is no shell whose end would have to be waited for. */
static void
end_unstarted(struct rec *r, enum close_why why)
{
	r->why = why;
	r->refused = refusal(r);
	rec_close(r, SLOT_MASTER, &r->master);
	close_session(r);
}

/* The writer has all of it. */
static bool
all_kept(struct rec *r)
{
	return queue_close(r) && queue_empty(&r->queue);
}

/* The shell's status, from the door; or a command's, from the kernel, which
 * knows it when the parent has reaped. */
static void
wait_exit(struct rec *r)
{
	int rc = 0;

	if (!r->terminal && !r->has_status) {
		rc = proc_exit_status(r->pidfd, &r->status);
		r->has_status = rc > 0;
	}
	if (r->has_status || rc < 0 || (r->terminal && r->door_gone) ||
	    r->now >= r->phase_until)
		close_session(r);
}

static void
drain(struct rec *r)
{
	copy_output(r);
	if (r->master >= 0 && r->drain_left > 0)
		return;
	if (r->outer.gate)
		return; /* the hold decides about what is left to be shown */
	rec_close(r, SLOT_MASTER, &r->master);
	enter(r, WAIT_EXIT, r->terminal ? WAIT_EXIT_NS : REAP_NS);
	wait_exit(r);
}

static void
bye(struct rec *r)
{
	uint8_t why = (uint8_t)r->why;

	outer_restore(&r->outer);
	if (r->refused != NULL)
		doorside_tell(r, DOOR_REFUSED, r->refused, strlen(r->refused));
	else
		doorside_tell(r, DOOR_BYE, &why, 1);
	rec_close(r, SLOT_DOOR, &r->conn);
	rec_close(r, SLOT_OUTER, &r->outer.fd);
	enter(r, LINGERING, LINGER_NS);
}

static void
closing(struct rec *r)
{
	bool shown = !outer_pending(&r->outer) || r->outer.dead;

	if (r->phase_until != 0 && r->now >= r->phase_until) {
		/* The log fails for good; only the terminal can keep us. */
		r->phase_until = 0;
		r->overdue = true;
	}
	if ((all_kept(r) || r->overdue) && shown)
		bye(r);
}

/* The door has ended and its terminal takes nothing: nobody reads there, and
 * all of it is recorded. */
static void
stuck(struct rec *r)
{
	if (!r->door_gone || !outer_pending(&r->outer) || r->outer.gate) {
		r->stuck_until = 0;
	} else if (r->stuck_until == 0) {
		/* One that the log ended has left the terminal to others. */
		r->stuck_until =
		    r->now + (r->why == CLOSE_LOG_FAILURE ? 0 : STUCK_NS);
	} else if (r->now >= r->stuck_until) {
		r->outer.dead = true;
		outer_flush(&r->outer);
	}
}

static void
turn_phase(struct rec *r)
{
	stuck(r);
	if (r->phase == STARTING)
		start(r);
	if (r->phase == ASKING && !r->door_gone)
		ask(r);
	if ((r->phase == RUNNING || r->phase == ASKING) && r->door_gone)
		rec_end(r, r->terminal ? CLOSE_DOOR_KILLED : CLOSE_EXIT);
	if (r->phase == DRAINING)
		drain(r);
	else if (r->phase == WAIT_EXIT)
		wait_exit(r);
	if (r->phase == CLOSING)
		closing(r);
	if (r->phase == LINGERING && (all_kept(r) || r->now >= r->phase_until))
		r->phase = DONE;
}

/* -- the loop -- */

static void
watch(struct rec *r, enum slot slot, int fd, uint32_t events, unsigned opened)
{
	struct watched *w = &r->watched[slot];
	struct epoll_event ev = { .events = events, .data = { .u32 = slot } };

	if (w->fd == fd && w->events == events && w->opened == opened)
		return;
	if (w->fd >= 0 && w->fd != fd)
		epoll_ctl(r->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	/* A closed descriptor's number may be in use again. */
	if (fd >= 0 && epoll_ctl(r->epoll, EPOLL_CTL_MOD, fd, &ev) < 0)
		epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev);
	*w = (struct watched){ fd, events, opened };
}

/* Whoever passed it to us may have it still, and epoll would go on. */
void
rec_close(struct rec *r, enum slot slot, int *fd)
{
	watch(r, slot, -1, 0, 0);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
watch_all(struct rec *r)
{
	const struct outer *o = &r->outer;
	uint32_t outer = 0, master = 0;
	bool has_outer = o->fd >= 0 && !o->dead && r->phase != STARTING;

	if (copy_wants_typed(r) || ask_wants_typed(r))
		outer |= EPOLLIN;
	if (outer_pending(o) && !o->gate && !r->stopped)
		outer |= EPOLLOUT;
	if (copy_wants_output(r))
		master |= EPOLLIN;
	if (r->typed_from < r->typed_to)
		master |= EPOLLOUT;
	watch(r, SLOT_LINK, r->link.fd,
	    r->link.full ? EPOLLIN | EPOLLOUT : EPOLLIN, r->link.opened);
	watch(r, SLOT_DOOR, r->conn, EPOLLIN, 0);
	watch(r, SLOT_OUTER, has_outer ? o->fd : -1, outer, 0);
	/* A hang-up can't be masked, so what isn't wanted isn't watched. */
	watch(r, SLOT_MASTER, master != 0 ? r->master : -1, master, 0);
	watch(r, SLOT_PIDFD, r->door_gone ? -1 : r->pidfd, EPOLLIN, 0);
	watch(r, SLOT_SIGNAL, r->signals, EPOLLIN, 0);
}

static void
sooner(uint64_t *due, uint64_t when)
{
	if (when != 0 && (*due == 0 || when < *due))
		*due = when;
}

/* Milliseconds until something is due, rounded up; -1: never. */
static int
timeout(const struct rec *r)
{
	uint64_t due = copy_due(r), ns;

	sooner(&due, r->phase_until);
	sooner(&due, r->stuck_until);
	if (r->link.fd < 0 && (!queue_empty(&r->queue) || r->phase == RUNNING))
		sooner(&due, r->link.retry);
	if (r->phase == WAIT_EXIT && !r->terminal)
		sooner(&due, r->now + 10000000);
	if (due == 0)
		return -1;
	if (due <= r->now)
		return 0;
	ns = due - r->now;
	if (ns > 60000000000u)
		return 60000;
	return (int)((ns + 999999) / 1000000);
}

static void
got_signal(struct rec *r)
{
	struct signalfd_siginfo si;

	if (read(r->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		rec_end(r, CLOSE_RECORDER);
}

static void
got_event(struct rec *r, enum slot slot, uint32_t events)
{
	switch (slot) {
	case SLOT_LINK:
		link_read(&r->link, r->now);
		if (!is_unwanted(r))
			copy_flush(r);
		break;
	case SLOT_DOOR:
		doorside_read(r);
		break;
	case SLOT_OUTER:
		if (events & EPOLLOUT)
			copy_flush(r);
		if (ask_wants_typed(r) && events & EPOLLIN)
			ask_typed(r);
		else if (copy_wants_typed(r) && events & EPOLLIN)
			copy_typed(r);
		else if (events & (EPOLLHUP | EPOLLERR)) {
			r->outer.dead = true;
			rec_end(r, CLOSE_HANGUP);
		}
		break;
	case SLOT_MASTER:
		if (events & EPOLLOUT)
			copy_forward(r);
		if (copy_wants_output(r) && events & ~(uint32_t)EPOLLOUT)
			copy_output(r);
		break;
	case SLOT_PIDFD:
		doorside_read(r); /* its last words */
		r->door_gone = true;
		break;
	case SLOT_SIGNAL:
		got_signal(r);
		break;
	case SLOTS:
		break;
	}
}

/* Order of the slots: the door's news of its end come before the pidfd's. */
static int
turn(struct rec *r)
{
	struct epoll_event ev[SLOTS];
	uint32_t ready[SLOTS] = { 0 };
	int n;

	watch_all(r);
	n = epoll_wait(r->epoll, ev, SLOTS, timeout(r));
	if (n < 0 && errno != EINTR)
		return -1;
	if (n < 0) { /* nothing came for so long that the guard had its turn */
		guard_rest(&r->guard);
		return 0;
	}
	r->now = ops_boottime();
	guard_set(&r->guard, r->now);
	for (int i = 0; i < n; i++)
		ready[ev[i].data.u32] = ev[i].events;
	for (unsigned i = 0; i < SLOTS; i++)
		if (ready[i] != 0)
			got_event(r, (enum slot)i, ready[i]);
	if (r->link.fd < 0 && r->now >= r->link.retry) {
		link_connect(&r->link, r->now);
		copy_flush(r);
	}
	copy_tick(r);
	tell_found(r);
	turn_phase(r);
	link_ring(&r->link, r->now);
	return 0;
}

int
rec_run(struct rec *r)
{
	for (size_t i = 0; i < SLOTS; i++)
		r->watched[i].fd = -1;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (r->epoll < 0)
		return 1;
	r->now = ops_boottime();
	r->link.retry = r->now;
	enter(r, STARTING, r->hold_time);
	while (r->phase != DONE)
		if (turn(r) < 0) {
			outer_restore(&r->outer);
			return 1;
		}
	return queue_empty(&r->queue) ? 0 : 1;
}
