#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/text.h"
#include "rec.h"

#define BULK 1024 /* a read of this size promises another */
#define TURNS 16  /* reads before the keyboard gets its turn */
#define BEHIND_MS 2
#define FIRST_MAX 4096 /* bytes of the shell, before the writer has the OPEN */

static const char notice_gap[] =
    "\r\nopseal: the log can't be written; this part is not recorded\r\n";
static const char notice_end[] =
    "\r\nopseal: the log can't be written; the session ends here\r\n";
static const char notice_limit[] = "\r\nopseal: more than is recorded of one "
				   "user; this part is not recorded\r\n";
static const char notice_limit_end[] =
    "\r\nopseal: more than is recorded of one user; the session ends here\r\n";
static const char notice_back[] =
    "\r\nopseal: what is shown from here on is recorded\r\n";

static unsigned
modes_of(const struct rec *r)
{
	struct termios t;

	/* Asked of the master, it tells of the inner terminal. */
	if (r->master < 0 || tcgetattr(r->master, &t) < 0)
		return 0;
	return (t.c_lflag & ECHO ? INPUT_ECHO : 0u) |
	       (t.c_lflag & ICANON ? INPUT_ICANON : 0u);
}

/*
 * Room that a full queue keeps: for what is small; above that for one read of
 * the keyboard; above that for one of the master, whose echo may turn each
 * byte held by input.c into a record.
 */
#define ROOM_SMALL 16384
#define ROOM_TYPED (ROOM_SMALL + INPUT_MAX + 4 * (RECORD_HEADER + 1))
#define ROOM_OUTPUT                                                            \
	(ROOM_TYPED + RECORD_HEADER + READ_SIZE +                              \
	    INPUT_MAX * (RECORD_HEADER + 1))

static bool
queue_has_room(const struct rec *r, size_t n)
{
	return queue_bytes(&r->queue) + n <= QUEUE_MAX;
}

/* Whose session it is the writer learns from its OPEN, and until it has that, and has
 * said what holds for him, only a little is recorded: else who has had his share
 * could have as much again by beginning another.  What is ours has its bounds. */
static bool
is_known(const struct rec *r)
{
	return r->queue.event_head > 0 ||
	       r->bytes_out - r->bytes_own < FIRST_MAX;
}

/* Where only events fit it is as if the queue were full. */
static bool
may_record(const struct rec *r)
{
	return !r->link.no_screens && !r->link.limited && is_known(r) &&
	       queue_has_room(r, ROOM_OUTPUT);
}

/* The user has had his share, and waiting gives him no more soon: what is shown
 * from here on is a gap, and nobody waits.  Where what isn't recorded may not be
 * shown, it is as if the log could not be written. */
static bool
over_limit(const struct rec *r)
{
	return r->link.limited && !r->refuse;
}

/* -- when the log can't be written -- */

/* Nothing more is read of the shell, and nothing waits. */
static bool
has_shown(const struct rec *r)
{
	return r->phase >= WAIT_EXIT && !r->outer.gate;
}

/* A command without a terminal shows nothing that could wait, and its door has become
 * the command: nobody is there who could be told to end. */
static void
hold(struct rec *r)
{
	if (r->terminal && !has_shown(r) && r->hold_since == 0 && !r->gap &&
	    !over_limit(r))
		r->hold_since = r->now;
}

static uint32_t
why_not(const struct rec *r)
{
	return r->link.off          ? GAP_OFF
	       : r->link.limited    ? GAP_LIMIT
	       : r->link.no_screens ? GAP_FULL
				    : 0;
}

/* Is something to be told by a GAP? */
static bool
lacks(const struct rec *r)
{
	return r->gap || r->gap_bytes > 0 || r->left_out;
}

static void change_gap(struct rec *r);

/* Something isn't in the log and won't be: n bytes, or a record without any. */
static void
lose(struct rec *r, size_t n)
{
	if (r->gap && (why_not(r) != 0 || !link_open(&r->link)))
		change_gap(r);
	if (!lacks(r)) {
		r->gap_from = r->now;
		r->gap_why = why_not(r);
	}
	r->gap_bytes += n;
	r->left_out |= n == 0;
}

static void
say_gap(struct rec *r)
{
	char text[2 * LINK_TEXT];
	uint8_t why[LINK_TEXT + 1];
	struct ops_buf b = OPS_BUF_FIXED(why);

	if (!r->link.off) {
		outer_say(&r->outer,
		    r->gap_why == GAP_LIMIT ? notice_limit : notice_gap);
		return;
	}
	ops_escape(&b, r->link.off_text, strlen(r->link.off_text));
	(void)snprintf(text, sizeof(text),
	    "\r\nopseal: recording is switched off %.*s; this part is not "
	    "recorded\r\n",
	    (int)b.len, (const char *)b.data);
	outer_say(&r->outer, text);
}

void
copy_gap_begin(struct rec *r)
{
	if (r->gap_bytes == 0 && !r->left_out)
		r->gap_from = r->now;
	r->gap = true;
	r->back_due = false;
	r->gap_why = why_not(r);
	r->hold_since = 0;
	r->outer.gate = false;
	if (r->terminal && !r->noticed)
		say_gap(r);
	r->noticed = true;
	outer_flush(&r->outer);
}

/* While the session runs, the last places are for its end. */
static bool
event_is_urgent(const struct rec *r, uint8_t type)
{
	return type == REC_SESSION_CLOSE ||
	       (type == REC_GAP_EVENT && r->phase >= WAIT_EXIT);
}

/* The next one is another: who was told of this one must not take that for
 * recorded. */
static void
gap_is_over(struct rec *r)
{
	/* What told of the end of a session (hold_over()) stays said. */
	if (r->gap) {
		r->back_due |= r->noticed;
		r->noticed = false;
	}
	r->gap = r->left_out = false;
	r->gap_why = 0;
}

bool
copy_gap_end(struct rec *r)
{
	const struct event_gap e = { .bytes = r->gap_bytes,
		.from = r->gap_from,
		.until = r->now,
		.has_why = r->gap_why != 0,
		.why = r->gap_why };
	uint8_t p[QUEUE_GAP_LEN + 1], bytes[QUEUE_EVENT_SMALL];
	struct ops_buf b = OPS_BUF_FIXED(bytes);

	if (!copy_settle(r))
		return false;
	if (r->gap_bytes == 0 && !r->left_out) {
		gap_is_over(r);
		return true;
	}
	ops_putle64(p, e.bytes);
	ops_putle64(p + 8, e.from);
	ops_putle64(p + 16, e.until);
	p[QUEUE_GAP_LEN] = (uint8_t)e.why;
	event_gap_put(&b, r->id, &e);
	/* The record and the event, or neither yet. */
	if (!queue_event_room(&r->queue, event_is_urgent(r, REC_GAP_EVENT)) ||
	    queue_put(&r->queue, REC_GAP, r->now, p, sizeof(p) - !e.has_why) <
		0 ||
	    !copy_event(r, REC_GAP_EVENT, &b))
		return false;
	r->bytes_lost += r->gap_bytes;
	r->gap_bytes = 0;
	gap_is_over(r);
	return true;
}

/* A GAP has one reason; where that is another now, so is the GAP.  While a shell has
 * the terminal nothing is lost, nor said. */
static void
change_gap(struct rec *r)
{
	bool gap = r->gap;

	if (r->stopped || r->phase >= WAIT_EXIT || why_not(r) == r->gap_why)
		return;
	if (copy_gap_end(r) && gap)
		copy_gap_begin(r);
}

static void
hold_over(struct rec *r)
{
	r->hold_since = 0;
	if (has_shown(r))
		return; /* to say it now would be wrong */
	if (!r->refuse || r->link.off) {
		copy_gap_begin(r);
		return;
	}
	/* What waits behind the gate isn't in the log, so it isn't shown; what
	 * only a slow terminal hasn't taken yet is, and will be. */
	if (r->outer.gate)
		r->outer.from = r->outer.to = 0;
	r->outer.gate = false;
	/* The end itself may have to wait for the log as well. */
	if (!r->noticed)
		outer_say(
		    &r->outer, r->link.limited ? notice_limit_end : notice_end);
	r->noticed = true;
	r->drain_left = 0;
	rec_end(r, CLOSE_LOG_FAILURE);
}

/* Where nothing unrecorded may be shown that was so only while root had it switched
 * off.  What waits from here on is told behind what was shown meanwhile. */
static void
end_exception(struct rec *r)
{
	if (!r->gap || !r->refuse || r->link.off)
		return;
	(void)copy_gap_end(r);
	r->back_due |= r->noticed;
	r->gap = r->noticed = false;
}

/* Who was told of a gap is told of its end: what he shows now is in the log.  While a
 * shell has the terminal it waits; and until the log has the session, as only then it is
 * known whose limits count. */
static void
say_back(struct rec *r)
{
	if (!r->back_due || lacks(r) || r->stopped || r->paused ||
	    r->phase != RUNNING || r->queue.event_head == 0)
		return;
	r->back_due = false;
	if (r->terminal)
		outer_say(&r->outer, notice_back);
}

void
copy_flush(struct rec *r)
{
	bool room, all;

	end_exception(r);
	/* That the log can't be written is another reason only once something is
	 * lost by it: a writer that is started again is soon back. */
	if (lacks(r) && why_not(r) != 0)
		change_gap(r);
	room = copy_settle(r) && may_record(r);
	all = queue_all_sent(&r->queue) || link_flush(&r->link, r->now);
	if (all) {
		/* What waits there was sent, whatever there is room for now. */
		r->outer.gate = false;
		r->small_due = 0;
		if (room || over_limit(r))
			r->hold_since = 0;
	}
	if (!room)
		hold(r);
	else if (all && lacks(r) && link_open(&r->link) && copy_gap_end(r))
		link_flush(&r->link, r->now);
	if (room && all && link_open(&r->link))
		say_back(r);
	if (r->stopped)
		return;
	if (!r->outer.private && outer_pending(&r->outer))
		link_ring(&r->link, UINT64_MAX); /* as in copy_once() */
	outer_flush(&r->outer);
}

/* -- records -- */

/* Windows that change size for ever fill a disk, too: of each such record one is
 * owed until there is room, or the session ends. */
static bool
defers(const struct rec *r)
{
	return r->link.limited && r->phase == RUNNING;
}

static void
remove_owed(struct rec *r, size_t i)
{
	r->n_owed--;
	memmove(
	    r->owed + i, r->owed + i + 1, (r->n_owed - i) * sizeof(r->owed[0]));
}

static bool
drop_owed(struct rec *r, uint8_t type)
{
	for (size_t i = 0; i < r->n_owed; i++)
		if (r->owed[i].type == type) {
			remove_owed(r, i);
			lose(r, 0);
			return true;
		}
	return false;
}

static void
owe(struct rec *r, uint8_t type, const void *p, size_t n)
{
	struct owed *o;

	/* A stop and a going on take turns: the two before it are left out. */
	if (drop_owed(r, type) && (type == REC_STOP || type == REC_CONT))
		(void)drop_owed(r, type == REC_STOP ? REC_CONT : REC_STOP);
	assert(r->n_owed < OWED_MAX && n <= OWED_LEN);
	o = &r->owed[r->n_owed++];
	*o = (struct owed){ .time = r->now, .type = type, .n = (uint8_t)n };
	if (n > 0)
		memcpy(o->p, p, n);
	hold(r);
}

bool
copy_settle(struct rec *r)
{
	if (defers(r))
		return r->n_owed == 0;
	while (r->n_owed > 0) {
		const struct owed *o = &r->owed[0];

		if (queue_put(&r->queue, o->type, o->time, o->p, o->n) < 0)
			return false;
		remove_owed(r, 0);
	}
	return true;
}

static bool
put(struct rec *r, uint8_t type, const void *p, size_t n)
{
	if (defers(r) || !copy_settle(r) ||
	    queue_put(&r->queue, type, r->now, p, n) < 0)
		return false;
	if (r->small_due == 0)
		r->small_due = r->now + SMALL_NS;
	return true;
}

void
copy_record(struct rec *r, uint8_t type, const void *p, size_t n)
{
	if (!put(r, type, p, n))
		owe(r, type, p, n);
}

bool
copy_event(struct rec *r, uint8_t type, const struct ops_buf *b)
{
	assert(!b->failed && b->len <= QUEUE_EVENT_SMALL);
	return queue_event(&r->queue, type, r->now, b->data, b->len,
		   event_is_urgent(r, type)) == 0;
}

void
copy_echo(struct rec *r)
{
	unsigned modes = modes_of(r);
	uint8_t byte = (uint8_t)modes;

	if ((int)modes == r->echo)
		return;
	r->echo = (int)modes;
	copy_record(r, REC_ECHO, &byte, 1);
}

void
copy_size(struct rec *r)
{
	struct winsize size;
	uint8_t p[4];

	if (r->outer.fd < 0 || r->master < 0 ||
	    ioctl(r->outer.fd, TIOCGWINSZ, &size) < 0 ||
	    (size.ws_col == r->cols && size.ws_row == r->rows))
		return;
	ioctl(r->master, TIOCSWINSZ, &size);
	r->cols = size.ws_col;
	r->rows = size.ws_row;
	ops_putle16(p, size.ws_col);
	ops_putle16(p + 2, size.ws_row);
	copy_record(r, REC_RESIZE, p, sizeof(p));
}

/* -- output -- */

bool
copy_wants_output(const struct rec *r)
{
	if (r->master < 0 || r->master_hup || r->stopped ||
	    outer_pending(&r->outer))
		return false;
	if (r->phase != RUNNING && (r->phase != DRAINING || r->drain_left == 0))
		return false;
	return r->gap || over_limit(r) || (r->n_owed == 0 && may_record(r));
}

/* Bytes, 0 if there are none, or if nobody has the inner terminal open. */
static size_t
read_master(struct rec *r, uint8_t *p)
{
	ssize_t n = read(r->master, p, READ_SIZE);

	if (n > 0)
		return (size_t)n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* A session leader may close it and open it again. */
	r->master_hup = true;
	r->master_retry = r->now + LINK_RETRY_NS;
	return 0;
}

/* Before the output that echoes it is recorded, so is what was typed. */
static uint8_t *
keep_echoed(struct rec *r, uint8_t *p, size_t n)
{
	uint8_t copy[READ_SIZE];

	memcpy(copy, p, n);
	input_output(&r->input, copy, n, modes_of(r));
	p = queue_room(&r->queue, READ_SIZE);
	assert(p != NULL); /* ROOM_OUTPUT has it all */
	memcpy(p, copy, n);
	return p;
}

/* One read: recorded, sent, shown; in this order.  Gives its size. */
static size_t
copy_once(struct rec *r)
{
	static uint8_t scratch[READ_SIZE];
	bool lost = r->gap || over_limit(r);
	uint8_t *p = lost ? scratch : queue_room(&r->queue, READ_SIZE);
	size_t n;

	if (p == NULL) {
		hold(r);
		return 0;
	}
	n = read_master(r, p);
	if (n == 0)
		return 0;
	r->bytes_out += n;
	if (lost && !r->gap)
		copy_gap_begin(r);
	if (!r->gap && r->input.n > 0)
		p = keep_echoed(r, p, n);
	if (r->gap) {
		lose(r, n);
	} else {
		queue_add(&r->queue, REC_OUTPUT, r->now, n);
		if (link_flush(&r->link, r->now)) {
			r->small_due = 0;
		} else {
			r->outer.gate = true;
			hold(r);
		}
	}
	/* A write that may last must not keep it from the disk. */
	if (!r->outer.private)
		link_ring(&r->link, UINT64_MAX);
	outer_write(&r->outer, p, n);
	link_ring(&r->link, r->now);
	/* A terminal that is a little behind is waited for here: the way through
	 * the loop takes five system calls. */
	outer_wait(&r->outer, BEHIND_MS);
	return n;
}

/* As with output of a shell, but there is none yet that could wait. */
void
copy_show(struct rec *r, const void *p, size_t n)
{
	bool room = r->n_owed == 0 && may_record(r);

	if (!r->gap && !room) {
		hold(r);
		if (r->refuse && !r->link.off)
			return; /* the hold will end it */
		copy_gap_begin(r);
	}
	r->bytes_out += n;
	r->bytes_own += n;
	if (r->gap || !put(r, REC_OUTPUT, p, n)) {
		lose(r, n);
	} else if (link_flush(&r->link, r->now)) {
		r->small_due = 0;
	} else {
		r->outer.gate = true;
		hold(r);
	}
	if (!r->outer.private)
		link_ring(&r->link, UINT64_MAX); /* as in copy_once() */
	if (n <= outer_room(&r->outer))
		outer_write(&r->outer, p, n);
	link_ring(&r->link, r->now);
}

void
copy_output(struct rec *r)
{
	for (unsigned i = 0; i < TURNS && copy_wants_output(r); i++) {
		size_t n;

		if (i > 0)
			r->now = ops_boottime();
		n = copy_once(r);
		if (r->phase == DRAINING) {
			/* The kernel has given all it has, or enough. */
			r->drain_left -= n < r->drain_left ? n : r->drain_left;
			if (n == 0)
				r->drain_left = 0;
		} else if (n < BULK) {
			return;
		}
	}
}

/* -- input -- */

void
copy_keep(void *rec, const uint8_t *p, size_t n)
{
	struct rec *r = rec;

	if (r->gap || !put(r, REC_INPUT, p, n))
		lose(r, n);
}

void
copy_mask(void *rec, unsigned why)
{
	uint8_t byte = (uint8_t)why;

	copy_record(rec, REC_MASKED, &byte, 1);
}

bool
copy_wants_typed(const struct rec *r)
{
	return r->phase == RUNNING && r->outer.fd >= 0 && !r->outer.dead &&
	       !r->stopped && !r->paused && r->typed_from == r->typed_to &&
	       (!r->keep_input || r->gap || queue_has_room(r, ROOM_TYPED));
}

void
copy_forward(struct rec *r)
{
	ssize_t n;

	if (r->typed_from == r->typed_to || r->master < 0)
		return;
	n = write(
	    r->master, r->typed + r->typed_from, r->typed_to - r->typed_from);
	if (n > 0)
		r->typed_from += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		r->typed_from = r->typed_to; /* nobody reads it any more */
}

/* A door that somebody stopped has no right to the keyboard: a shell has it,
 * until DOOR_CONT says that the door is in the foreground again. */
static bool
door_stopped(struct rec *r)
{
	struct procstat st;

	if (r->paused || r->now - r->state_checked < PAUSE_CHECK_NS)
		return r->paused;
	r->state_checked = r->now;
	r->paused = proc_stat(r->door, &st) == 0 && st.state == 'T';
	return r->paused;
}

void
copy_typed(struct rec *r)
{
	unsigned modes;
	long n;

	if (door_stopped(r))
		return;
	n = outer_read(&r->outer, r->typed, sizeof(r->typed));
	if (n < 0)
		rec_end(r, CLOSE_HANGUP);
	if (n <= 0)
		return;
	r->bytes_in += (uint64_t)n;
	r->typed_from = 0;
	r->typed_to = (size_t)n;
	copy_echo(r);
	modes = (unsigned)r->echo;
	copy_forward(r);
	if (r->keep_input)
		input_typed(
		    &r->input, r->typed, (size_t)n, modes, modes_of(r), r->now);
}

/* -- time -- */

/* Slow is not failed: while the writer answers it only has a lot to do.  A full
 * disk doesn't end by itself; and what is switched off isn't waited for. */
static uint64_t
hold_until(const struct rec *r)
{
	uint64_t since = r->hold_since;

	if (r->link.off)
		return since;
	if (!r->link.no_screens && !r->link.limited && r->link.heard > since)
		since = r->link.heard;
	return since + r->hold_time;
}

void
copy_tick(struct rec *r)
{
	if (r->small_due != 0 && r->now >= r->small_due) {
		r->small_due = 0;
		copy_flush(r);
		link_ring(&r->link, UINT64_MAX); /* it has waited enough */
	}
	input_tick(&r->input, r->now);
	if (r->hold_since != 0 && r->now >= hold_until(r))
		hold_over(r);
	if (r->master_hup && r->now >= r->master_retry)
		r->master_hup = false;
}

static void
sooner(uint64_t *due, uint64_t when)
{
	if (when != 0 && (*due == 0 || when < *due))
		*due = when;
}

uint64_t
copy_due(const struct rec *r)
{
	uint64_t due = r->small_due;

	sooner(&due, input_due(&r->input));
	if (r->hold_since != 0)
		sooner(&due, hold_until(r));
	if (r->master_hup && r->phase == RUNNING)
		sooner(&due, r->master_retry);
	sooner(&due, r->link.ring);
	return due;
}
