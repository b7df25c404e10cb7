#include "ask.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "rec.h"
#include "record/remark.h"

#define TYPED_A_TURN 256 /* bytes */
#define TAB_COLUMNS 8

static_assert(ASK_NOTICE_MAX == CONFIG_NOTICE_MAX, "what it may be set to");
static_assert(LINEEDIT_MAX <= REMARK_TEXT_MAX, "a reason is a remark");

void
ask_whose(struct ask *a, const struct event_open *o)
{
	a->uid = o->uid;
	a->auid = o->auid;
	a->pid = o->pid;
	a->start = o->start;
}

/* -- the notice -- */

/* Lines as a raw terminal wants them, without anything that steers it. */
static void
put_clean(struct ops_buf *out, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = ops_text_safe_len(p + i, n - i);

		if (p[i] == '\n')
			ops_buf_puts(out, "\r\n");
		else if (p[i] == '\t')
			ops_buf_printf(out, "%*s", TAB_COLUMNS, "");
		else if (len > 0)
			ops_buf_put(out, p + i, len);
		else
			ops_escape(out, p + i, 1);
		i += len > 0 ? len : 1;
	}
	if (n > 0 && p[n - 1] != '\n')
		ops_buf_puts(out, "\r\n");
}

void
ask_notice(struct rec *r)
{
	/* Each byte takes at most four, a tab eight. */
	struct ops_buf b = { .max = (size_t)TAB_COLUMNS * ASK_NOTICE_MAX };

	if (r->ask.notice_len == 0)
		return;
	put_clean(&b, r->ask.notice, r->ask.notice_len);
	/* Without memory for it there will hardly be a session. */
	if (!b.failed)
		copy_show(r, b.data, b.len);
	ops_buf_free(&b);
}

/* -- the question -- */

/* Root is never locked out. */
static bool
may_be_empty(const struct ask *a)
{
	return a->mode == ASK_MAYBE || a->uid == 0;
}

static void
say(struct rec *r, const char *text)
{
	copy_show(r, text, strlen(text));
}

static void
put_question(struct rec *r)
{
	say(r, may_be_empty(&r->ask) ? "Reason for this session (empty: none): "
				     : "Reason for this session: ");
}

bool
ask_begin(struct rec *r)
{
	if (r->ask.mode == ASK_OFF || !r->terminal)
		return false;
	put_question(r);
	return true;
}

bool
ask_wants_typed(const struct rec *r)
{
	return r->phase == ASKING && !r->ask.answered && r->outer.fd >= 0 &&
	       !r->outer.dead && !outer_pending(&r->outer);
}

/* No more is to come: what that means depends on whether one is required. */
static void
give_none(struct rec *r)
{
	r->ask.line.n = 0;
	if (may_be_empty(&r->ask))
		r->ask.answered = true;
	else
		r->ask.tries = ASK_TRIES;
}

static void
line_done(struct rec *r)
{
	struct ask *a = &r->ask;
	const uint8_t *text;

	if (lineedit_text(&a->line, &text) > 0 || may_be_empty(a)) {
		a->answered = true;
		return;
	}
	a->line = (struct lineedit){ .n = 0 };
	if (++a->tries >= ASK_TRIES)
		return;
	say(r, "A session needs a reason here, such as the number of a "
	       "ticket.\r\n");
	put_question(r);
}

static void
take(struct rec *r, uint8_t byte)
{
	uint8_t bytes[LINEEDIT_ECHO_MAX];
	struct ops_buf echo = OPS_BUF_FIXED(bytes);
	enum lineedit_said said = lineedit_take(&r->ask.line, byte, &echo);

	if (echo.len > 0)
		copy_show(r, echo.data, echo.len);
	if (said == LINEEDIT_DONE)
		line_done(r);
	else if (said != LINEEDIT_MORE)
		give_none(r);
}

/* A byte at a time: what is behind the line is for the shell, and stays where it
 * is. */
void
ask_typed(struct rec *r)
{
	for (unsigned i = 0; i < TYPED_A_TURN && ask_wants_typed(r); i++) {
		uint8_t byte;
		long n = outer_read(&r->outer, &byte, 1);

		if (n < 0)
			rec_end(r, CLOSE_HANGUP);
		if (n <= 0)
			return;
		r->bytes_in++;
		take(r, byte);
		if (r->ask.tries >= ASK_TRIES)
			return;
	}
}

/* -- the answer -- */

static bool
queue_answer(struct rec *r)
{
	const struct ask *a = &r->ask;
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct remark said = { .kind = REMARK_REASON,
		.uid = a->uid,
		.auid = a->auid,
		.pid = a->pid,
		.start = a->start };
	struct ops_clock now;
	bool done;

	ops_clock_read(&now);
	said.realtime = now.realtime;
	said.text.n = lineedit_text(&a->line, &said.text.p);
	if (said.text.n == 0)
		said.text.p = NULL;
	remark_put(&b, r->id, &said);
	done = !b.failed &&
	       queue_event(&r->queue, REC_NOTE, r->now, b.data, b.len, 0) == 0;
	ops_buf_free(&b);
	return done;
}

enum ask_end
ask_turn(struct rec *r)
{
	struct ask *a = &r->ask;
	bool late = r->now >= r->phase_until;

	if (!a->answered && late) {
		say(r, "\r\n");
		give_none(r);
	}
	if (!a->answered)
		return a->tries >= ASK_TRIES ? ASK_REFUSED : ASK_GOES_ON;
	if (!a->timed) {
		a->timed = true;
		r->phase_until = r->now + r->hold_time;
		late = false;
	}
	if (!a->queued)
		a->queued = queue_answer(r);
	copy_flush(r);
	if (a->queued && (r->gap || queue_all_sent(&r->queue)))
		return ASK_READY;
	return late ? ASK_FAILED : ASK_GOES_ON;
}
