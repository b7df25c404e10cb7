/* The events that the writer itself has to say. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "record/event.h"
#include "writer_work.h"

/* Lock held. */
static void
say(struct writer *w, enum daemon_what what, const char *text, uint64_t since)
{
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	struct event_daemon d = { .what = what, .since = since };
	struct ops_clock now;
	uint64_t ticket;

	ops_clock_read(&now);
	d.realtime = now.realtime;
	if (text != NULL) {
		d.text.p = (const uint8_t *)text;
		d.text.n = strlen(text);
	}
	event_daemon_put(&b, &d);
	if (!b.failed)
		writer_queue_event(
		    w, REC_DAEMON, now.boottime, b.data, b.len, &ticket, NULL);
	ops_buf_free(&b);
}

void
writer_say_stopped(struct writer *w)
{
	say(w, DAEMON_STOP, NULL, 0);
}

void
writer_say_back(struct writer *w, const char *reason)
{
	/* Once the sync thread has ended it would wait for ever. */
	if (!w->sync_done)
		say(w, DAEMON_LOG_BACK, reason, w->since);
}

/* -- sessions that the end of their machine's boot ended -- */

struct open_session {
	uint8_t id[OPS_ID_LEN];
	uint64_t records;
};

struct open_sessions {
	struct open_session *s;
	size_t n, cap;
	bool failed;
};

static void
collect(void *arg, const uint8_t *id, const struct writer_session *ws)
{
	struct open_sessions *l = arg;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 16 : l->cap * 2;
		void *p = reallocarray(l->s, cap, sizeof(*l->s));

		if (p == NULL) {
			l->failed = true;
			return;
		}
		l->s = p;
		l->cap = cap;
	}
	memcpy(l->s[l->n].id, id, OPS_ID_LEN);
	l->s[l->n++].records = ws->next_record;
}

static int
lose(struct writer *w, const struct open_session *s, struct ops_err *err)
{
	struct event_close c = {
		.state = CLOSE_LOST, .why = CLOSE_REBOOT, .records = s->records
	};
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	uint64_t ticket;
	int rc;

	event_close_put(&b, s->id, &c);
	rc = ops_buf_check(&b, "event", err);
	if (rc == 0)
		rc = writer_put_event(w, REC_SESSION_CLOSE, ops_boottime(),
		    b.data, b.len, &ticket, err);
	ops_buf_free(&b);
	return rc;
}

int
writer_say_started(struct writer *w, const char *note, struct ops_err *err)
{
	struct open_sessions lost = { 0 };
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	say(w, DAEMON_START, note, 0);
	pthread_mutex_unlock(&w->lock);
	if (w->e->rebooted)
		writer_open_sessions(w, collect, &lost);
	if (lost.failed)
		rc = ops_fail(err, OPS_ENOMEM, "writer: sessions: no memory");
	for (size_t i = 0; rc == 0 && i < lost.n; i++)
		rc = lose(w, &lost.s[i], err);
	free(lost.s);
	return rc;
}
