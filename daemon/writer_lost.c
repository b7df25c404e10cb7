#include <stdlib.h>
#include <string.h>

#include "alert.h"
#include "base/clock.h"
#include "logline.h"
#include "procid.h"
#include "record/event.h"
#include "writer_role.h"

#define SECOND UINT64_C(1000000000)

static struct lost *
find(struct writer_role *r, const uint8_t id[static OPS_ID_LEN])
{
	for (size_t i = 0; i < r->n_lost; i++)
		if (memcmp(r->lost[i].id, id, OPS_ID_LEN) == 0)
			return &r->lost[i];
	return NULL;
}

static bool
make_room(struct writer_role *r)
{
	size_t cap = r->cap_lost == 0 ? 16 : 2 * r->cap_lost;
	struct lost *p;

	if (r->n_lost < r->cap_lost)
		return true;
	if (cap > WRITER_SESSIONS_MAX)
		return false;
	p = realloc(r->lost, cap * sizeof(*p));
	if (p == NULL)
		return false;
	r->lost = p;
	r->cap_lost = cap;
	return true;
}

void
lost_add(struct writer_role *r, const uint8_t id[static OPS_ID_LEN], pid_t pid,
    uint64_t start)
{
	struct lost *l;

	if (find(r, id) != NULL)
		return;
	if (!make_room(r)) {
		logline("out of memory: a session without recorder stays "
			"open until the next start");
		return;
	}
	l = &r->lost[r->n_lost++];
	memcpy(l->id, id, OPS_ID_LEN);
	l->pid = pid;
	l->start = start;
	l->since = ops_boottime();
	if (r->n_lost == 1)
		loop_timer_set(r->tick.fd, SECOND, SECOND);
}

static void
remove_at(struct writer_role *r, size_t i)
{
	r->lost[i] = r->lost[--r->n_lost];
	if (r->n_lost == 0)
		loop_timer_set(r->tick.fd, 0, 0);
}

void
lost_remove(struct writer_role *r, const uint8_t id[static OPS_ID_LEN])
{
	struct lost *l = find(r, id);

	if (l != NULL)
		remove_at(r, (size_t)(l - r->lost));
}

static void
add_open(void *arg, const uint8_t *id, const struct writer_session *s)
{
	struct writer_role *r = arg;

	lost_add(r, id, (pid_t)s->recorder_pid, s->recorder_start);
}

void
lost_start(struct writer_role *r)
{
	writer_open_sessions(r->w, add_open, r);
}

static bool
recorder_lives(const struct lost *l)
{
	uint64_t start;

	return l->pid > 0 && procid_start(l->pid, &start, NULL) == 0 &&
	       start == l->start;
}

/* 0: nothing more to do.  -1: try again later. */
static int
close_lost(struct writer_role *r, const struct lost *l, struct ops_err *err)
{
	struct event_close e = { .state = CLOSE_LOST, .why = CLOSE_RECORDER };
	struct ops_buf b = { .max = RECORD_PAYLOAD_MAX };
	char text[OPS_ID_TEXT_LEN + 1];
	struct writer_session s;
	int rc;

	writer_session(r->w, l->id, &s);
	if (!s.known || s.closed)
		return 0;
	e.records = s.next_record;
	event_close_put(&b, l->id, &e);
	rc = ops_buf_check(&b, "lost session", err);
	if (rc == 0)
		rc = writer_role_event(r, REC_SESSION_CLOSE, ops_boottime(),
		    b.data, b.len, NULL, err);
	ops_buf_free(&b);
	if (rc == 0) {
		capture_over(r, l->id);
		ops_id_text(l->id, text);
		alert_tell(ALERT_LOST, l->id, 0,
		    "session %s: its recorder (process %d) is gone; "
		    "closed as lost",
		    text, (int)l->pid);
	}
	return rc;
}

void
lost_tick(struct writer_role *r)
{
	uint64_t now = ops_boottime();

	for (size_t i = r->n_lost; i-- > 0;) {
		const struct lost *l = &r->lost[i];
		struct ops_err err = { 0 };

		if (now - l->since < LOST_GRACE || recorder_lives(l))
			continue;
		if (close_lost(r, l, &err) == 0)
			remove_at(r, i);
		else if (err.code != OPS_EBUSY) {
			logline("closing a lost session: %s", err.msg);
			remove_at(r, i);
		}
	}
}
