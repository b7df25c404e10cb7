/*
 * writer_peer - any conversation of any peers with the writer role: the real
 * connections, table and handlers, and what watches lost sessions, over real
 * sockets, with a writer behind them that keeps what it is given in memory and
 * becomes durable, full or broken, and recorders that die, when the input says
 * so.
 *
 * The input is a list of steps.  Whatever is said, in any order:
 *	- the writer is given a session's events numbered from its OPEN on, each
 *	  once, about that very session, of the four types a recorder may send,
 *	  and nothing before OPEN or behind CLOSE;
 *	- what comes back is HELD first, then acknowledgements that never go
 *	  back and never say more than is durable;
 *	- a session that is open has a connection, or is watched as lost, and is
 *	  closed as lost only without one, when its recorder is dead and has had
 *	  its time to come back; then it is;
 *	- of the sessions' terminals only capture hears, and of none again that
 *	  it heard is over; what it asks to be synced with is answered once, and
 *	  by then it has been told what recorders had sent.
 */
#include "../fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alert.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "logline.h"
#include "procid.h"
#include "record/body.h"
#include "record/login.h"
#include "record/record.h"
#include "record/remark.h"
#include "switchword.h"
#include "writer_peer.h"

#define PEERS 4
#define SESSIONS 3
#define PROGRAMS 2            /* streams of them */
#define NOBODY (SESSIONS + 1) /* of the ids between theirs */
#define SYNCS_MAX 1024        /* an input has no more bytes */
#define TICKETS_MAX 4096
#define LAST_TURNS 12 /* until all is read */
#define NOTED 5       /* who says a note */
#define START 77      /* what the recorder says of itself */
#define LIMIT 200     /* bytes of screens that its user may have */

/* -- the writer behind it -- */

struct fake_session {
	struct writer_session s;
	bool begun; /* a stream of programs */
	/* by number: the ticket that makes it durable */
	uint64_t record_ticket[TICKETS_MAX], event_ticket[TICKETS_MAX];
};

/* The roles' writer is opaque: here it is this. */
struct writer {
	struct fake_session session[SESSIONS + PROGRAMS];
	uint64_t ticket, durable;
	bool full;
	bool dead;    /* the recorders */
	bool in_tick; /* what is closed now is closed as lost */
	uint64_t now;
};

static struct writer fake;

static struct fake_session *
session_of(const uint8_t *id)
{
	if (!ops_all_zero(id + 1, OPS_ID_LEN - 1) || id[0] == 0 ||
	    id[0] > SESSIONS + PROGRAMS + 1 || id[0] == NOBODY)
		return NULL;
	return &fake.session[id[0] - (id[0] < NOBODY ? 1 : 2)];
}

static bool
is_programs(const struct fake_session *f)
{
	return f >= &fake.session[SESSIONS];
}

uint64_t
writer_durable(const struct writer *w)
{
	return w->durable;
}

uint64_t
writer_newest(struct writer *w)
{
	REQUIRE(w == &fake);
	return w->ticket;
}

void
writer_session(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    struct writer_session *ret)
{
	struct fake_session *f = session_of(id);

	REQUIRE(w == &fake);
	*ret = f != NULL ? f->s : (struct writer_session){ 0 };
}

void
writer_open_sessions(struct writer *w,
    void (*fn)(void *arg, const uint8_t *id, const struct writer_session *s),
    void *arg)
{
	uint8_t id[OPS_ID_LEN] = { 0 };

	for (uint8_t i = 0; i < SESSIONS; i++) {
		id[0] = (uint8_t)(i + 1);
		if (w->session[i].s.known && !w->session[i].s.closed)
			fn(arg, id, &w->session[i].s);
	}
}

void
writer_secret(const struct writer *w, const char *purpose,
    uint8_t ret[static WRITER_SECRET])
{
	(void)w;
	REQUIRE(purpose[0] != '\0');
	memset(ret, 7, WRITER_SECRET);
}

int
writer_programs(
    struct writer *w, const uint8_t id[static OPS_ID_LEN], struct ops_err *err)
{
	struct fake_session *f = session_of(id);

	REQUIRE(w == &fake);
	if (f == NULL || !is_programs(f))
		return ops_fail(err, OPS_EUSAGE, "not a stream of programs");
	f->begun = true;
	return 0;
}

static void
read_clock(struct ops_clock *ret)
{
	*ret = (struct ops_clock){ .boottime = fake.now };
}

static int
check_room(struct ops_err *err)
{
	if (fake.full)
		return ops_fail(err, OPS_EBUSY, "full");
	if (fake.ticket + 1024 > TICKETS_MAX)
		return ops_fail(err, OPS_EIO, "the test has no more room");
	return 0;
}

int
writer_put_records(struct writer *w, const uint8_t id[static OPS_ID_LEN],
    uint64_t first, const uint8_t *records, size_t n, uint64_t *ticket,
    struct ops_err *err)
{
	struct fake_session *f = session_of(id);

	REQUIRE(w == &fake);
	if (f == NULL || f->s.closed || (!f->s.known && !f->begun))
		return ops_fail(err, OPS_EUSAGE, "no such open session");
	if (check_room(err) < 0)
		return -1;
	for (size_t at = 0; at < n; first++) {
		struct record r;
		long len = record_decode(records + at, n - at, &r, err);

		if (len < 0)
			return -1;
		if (first > f->s.next_record || f->s.next_record == TICKETS_MAX)
			return ops_fail(err, OPS_EUSAGE, "missing");
		if (first == f->s.next_record)
			f->record_ticket[f->s.next_record++] = ++w->ticket;
		at += (size_t)len;
	}
	*ticket = w->ticket;
	return 0;
}

static struct role role;
static struct writer_role wr;

static const struct lost *
lost_of(const struct fake_session *f)
{
	for (size_t i = 0; i < wr.n_lost; i++)
		if (session_of(wr.lost[i].id) == f)
			return &wr.lost[i];
	return NULL;
}

static void
check_lost_close(struct fake_session *f, const uint8_t *p, size_t n)
{
	const struct lost *l = lost_of(f);
	struct event_close e;

	REQUIRE(l != NULL && !peers_have(&wr, l->id));
	REQUIRE(fake.dead && fake.now - l->since >= LOST_GRACE);
	REQUIRE(event_close_get(p, n, &e, NULL) == 0 && e.state == CLOSE_LOST);
	REQUIRE(e.records == f->s.next_record);
}

/* A recorder's event: what the peer's files let through must be right. */
static void
take_event(struct fake_session *f, uint8_t type, const uint8_t *p, size_t n)
{
	struct event_open open;

	REQUIRE((type == REC_SESSION_OPEN) == (f->s.next_event == 0));
	if (fake.in_tick)
		check_lost_close(f, p, n);
	if (type == REC_SESSION_OPEN) {
		REQUIRE(event_open_get(p, n, &open, NULL) == 0);
		REQUIRE(open.recorder_pid == (uint32_t)getpid());
		f->s.known = true;
		f->s.recorder_pid = open.recorder_pid;
		f->s.recorder_start = open.recorder_start;
	} else {
		REQUIRE(type == REC_SESSION_CLOSE || type == REC_GAP_EVENT ||
			type == REC_BYPASS || type == REC_NOTE);
	}
	f->s.closed = type == REC_SESSION_CLOSE;
	f->event_ticket[f->s.next_event++] = ++fake.ticket;
}

/* A note that came through query; one of a recorder is a reason. */
static bool
is_said(uint8_t type, const uint8_t *p, size_t n)
{
	struct remark note;

	if (type != REC_NOTE)
		return false;
	REQUIRE(remark_get(p, n, &note, NULL) == 0);
	if (note.kind == REMARK_REASON)
		return false;
	REQUIRE(note.pid == NOTED && note.text.n == 4);
	return true;
}

int
writer_role_event(struct writer_role *r, uint8_t type, uint64_t time,
    const uint8_t *p, size_t n, uint64_t *ticket, struct ops_err *err)
{
	uint8_t id[OPS_ID_LEN];
	struct event_access access;
	struct fake_session *f;
	struct offswitch off;
	struct logout logout;
	struct login login;

	(void)time;
	if (check_room(err) < 0)
		return -1;
	if (type == REC_ACCESS) {
		REQUIRE(event_access_get(p, n, &access, NULL) == 0);
		fake.ticket++;
	} else if (type == REC_LOGIN) {
		/* What was said of the process is not what is kept. */
		REQUIRE(login_get(p, n, &login, NULL) == 0);
		REQUIRE(login.pid == (uint32_t)getpid() && login.ses == 8 &&
			login.auid == 7 && login.start == START);
		fake.ticket++;
	} else if (type == REC_DAEMON) {
		/* Who asks is the kernel's to say. */
		REQUIRE(offswitch_get(p, n, &off, NULL) == 0);
		REQUIRE(off.has_who && off.uid == getuid() && off.auid == 7);
		fake.ticket++;
	} else if (type == REC_LOGOUT) {
		REQUIRE(logout_get(p, n, &logout, NULL) == 0);
		REQUIRE(logout.pid == (uint32_t)getpid() && logout.ses == 8 &&
			logout.auid == 7 && logout.start == START);
		fake.ticket++;
	} else {
		REQUIRE(body_session(p, n, id, NULL) == 0);
		f = session_of(id);
		/* As the real one does. */
		if (f == NULL || is_programs(f) || f->s.closed ||
		    f->s.next_event == TICKETS_MAX)
			return ops_fail(err, OPS_EUSAGE, "closed");
		if (is_said(type, p, n))
			fake.ticket++;
		else
			take_event(f, type, p, n);
	}
	r->last_ticket = fake.ticket;
	if (ticket != NULL)
		*ticket = fake.ticket;
	return 0;
}

void
writer_seal_soon(struct writer *w)
{
	REQUIRE(w == &fake);
}

int
status_put(struct writer_role *r, struct ops_buf *out, struct ops_err *err)
{
	(void)r;
	ops_buf_puts(out, "status");
	return ops_buf_check(out, "status", err);
}

/* Every recorder is this process; does it live? */
int
procid_start(pid_t pid, uint64_t *ret, struct ops_err *err)
{
	REQUIRE(pid == getpid());
	if (fake.dead)
		return ops_fail(err, OPS_ENOENT, "it has ended");
	*ret = START;
	return 0;
}

/* And so is who imports. */
int
procid_see(pid_t pid, struct procid_seen *ret, struct ops_err *err)
{
	uint64_t start;

	if (procid_start(pid, &start, err) < 0)
		return -1;
	*ret = (struct procid_seen){ .start = start, .auid = 7, .ses = 8 };
	return 0;
}

bool
procid_maps_uids(pid_t pid)
{
	(void)pid;
	return false;
}

/* Memory isn't short here. */
void
memory_short(struct writer_role *r)
{
	(void)r;
}

/* Of a disk that is full now and then. */
void
reserve_took(struct writer_role *r, size_t n)
{
	r->reserve_took += n;
	if (r->reserve_took < 4096)
		return;
	r->reserve_took = 0;
	r->no_screens = !r->no_screens;
	peers_tell_state(r);
}

/* What is to be printed is looked at, for the sanitizers. */
#define SAY_NOTHING(name)                                                      \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		char line[1024];                                               \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		(void)vsnprintf(line, sizeof(line), fmt, ap);                  \
		va_end(ap);                                                    \
	}
SAY_NOTHING(logline)
SAY_NOTHING(logline_often)

void
alert_tell(enum alert_kind kind, const uint8_t *session, uint64_t count,
    const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	(void)kind, (void)session, (void)count;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
}

/* The supervisor is told elsewhere. */
bool
switchword_say(int fd, const struct offswitch *s)
{
	(void)fd, (void)s;
	return true;
}

/* -- the peers -- */

struct client {
	int fd; /* -1: none */
	bool greeted, held, late;
	uint8_t id[OPS_ID_LEN]; /* of its first REC_HELLO, as it was sent */
	uint64_t record, event; /* acknowledged */
	/* A recorder: it has said more than hello; that was its terminal. */
	bool said, said_inner;
	/* Capture: it has asked for the sessions, and heard of these. */
	bool capture, may_hear, told, heard[SESSIONS], over[SESSIONS];
	/* The syncs it asked for, which recorders had then said their terminal,
	 * and the last one answered, with what it had heard of by then. */
	uint64_t asked, synced;
	bool wild;                 /* it asked for one by another number */
	uint8_t before[SYNCS_MAX]; /* 1 << recorder */
	bool heard_synced[SESSIONS];
};

static struct client client[PEERS];

static bool
is_durable(const uint64_t *ticket, uint64_t below)
{
	for (uint64_t i = 0; i < below; i++)
		if (ticket[i] > fake.durable)
			return false;
	return true;
}

static void
check_ack(struct client *c, const struct msg *m)
{
	const struct fake_session *f = session_of(c->id);
	uint64_t record = ops_getle64(m->p), event = ops_getle64(m->p + 8);

	REQUIRE(c->held && m->n == 16);
	REQUIRE(record >= c->record && event >= c->event);
	c->record = record;
	c->event = event;
	if (f == NULL) {
		REQUIRE(record == 0 && event == 0);
		return;
	}
	REQUIRE(record <= f->s.next_record && event <= f->s.next_event);
	REQUIRE(is_durable(f->record_ticket, record));
	REQUIRE(is_durable(f->event_ticket, event));
}

static void
check_held(struct client *c, const struct msg *m)
{
	const struct fake_session *f = session_of(c->id);
	struct proto_held h;

	REQUIRE(!c->held);
	REQUIRE(proto_held_decode(m->p, m->n, &h, NULL) == 0);
	c->held = true;
	c->late = h.closed;
	/* Who is told that it is over resends nothing: it must be durable. */
	if (h.closed)
		REQUIRE(f != NULL && f->s.closed &&
			is_durable(f->event_ticket, f->s.next_event));
}

/* Which of the sessions; SESSIONS: none. */
static size_t
number_of(const uint8_t *id)
{
	const struct fake_session *f = session_of(id);

	return f == NULL || is_programs(f) ? SESSIONS
					   : (size_t)(f - fake.session);
}

/* What only capture is told. */
static void
check_told(struct client *c, const struct msg *m)
{
	size_t i = number_of(m->p);

	REQUIRE(c->capture && c->held && c->may_hear);
	if (i == SESSIONS)
		return;
	REQUIRE(!c->over[i]);
	if (m->type == Q_INNER) {
		REQUIRE(m->n == PROTO_INNER_LEN);
		c->heard[i] = true;
	} else {
		REQUIRE(m->n == OPS_ID_LEN + 8 && fake.session[i].s.closed);
		c->over[i] = true;
	}
}

static void
check_synced(struct client *c, const struct msg *m)
{
	uint64_t value = ops_getle64(m->p);

	REQUIRE(c->capture && c->held && m->n == 8);
	if (c->wild)
		return;
	REQUIRE(value > c->synced && value <= c->asked);
	c->synced = value;
	for (size_t i = 0; i < SESSIONS; i++)
		c->heard_synced[i] = c->heard[i] || c->over[i];
}

/* Once all have read what was sent, and know whether they were cut off. */
static void
check_before_sync(const struct client *c)
{
	for (unsigned i = 0; i < PEERS && c->fd >= 0 && c->synced > 0; i++) {
		size_t n = number_of(client[i].id);

		if (c->before[c->synced] & 1u << i && n < SESSIONS)
			REQUIRE(c->heard_synced[n] || fake.session[n].s.closed);
	}
}

static void
check_message(struct client *c, const struct msg *m)
{
	switch (m->type) {
	case Q_INNER:
	case Q_OVER:
		check_told(c, m);
		break;
	case MSG_CAP_KEY: /* for who captures alone */
		REQUIRE(c->capture && m->n == WRITER_SECRET && m->p[0] == 7);
		break;
	case MSG_CAP_SYNCED:
		check_synced(c, m);
		break;
	case MSG_REC_HELD:
		check_held(c, m);
		break;
	case MSG_REC_ACK:
		check_ack(c, m);
		break;
	case MSG_REC_STATE:
		/* 2 is of a full disk; 4: he has sent more than he may. */
		REQUIRE(c->greeted && m->n >= 1 &&
			(m->p[0] <= 1 || (m->p[0] == 4 && wr.quota.n > 0)));
		break;
	case MSG_REC_FOUND:
		REQUIRE(c->held);
		REQUIRE(memcmp(m->p, c->id, OPS_ID_LEN) == 0);
		break;
	case Q_OUTER:
		REQUIRE(!c->held && m->n == PROTO_OUTER_LEN);
		break;
	case Q_DONE:
	case Q_FAILED:
	case Q_STATUS_IS:
	case MSG_SWITCHED:
		REQUIRE(!c->held);
		break;
	case Q_NOT_NOTED:
		REQUIRE(!c->held && m->n > 1 && m->p[0] != OPS_OK);
		break;
	default:
		abort();
	}
}

static void
client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	for (unsigned i = 0; i < PEERS; i++)
		for (uint64_t s = 0; s <= client[i].asked; s++)
			client[i].before[s] &= (uint8_t) ~(1u << (c - client));
}

static void
client_read(struct client *c)
{
	static uint8_t buf[MSG_MAX];
	struct msg m;
	int rc;

	while (c->fd >= 0 && (rc = msg_recv(c->fd, buf, &m, NULL)) >= 0) {
		if (rc == 0) {
			client_close(c);
			return;
		}
		check_message(c, &m);
		for (unsigned i = 0; i < m.fds; i++)
			close(m.fd[i]);
	}
}

/* little: the writer has room for a few messages only, until c reads. */
static void
client_connect(struct client *c, bool little)
{
	int pair[2], least = 1;

	if (c->fd >= 0)
		return;
	REQUIRE(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, pair) == 0);
	if (little)
		REQUIRE(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &least,
			    sizeof(least)) == 0);
	memset(c, 0, sizeof(*c));
	c->fd = pair[0];
	REQUIRE(peer_add(&wr, pair[1], NULL) == 0);
}

/* -- what they say: right but for what the input changes -- */

static void
put_open(struct ops_buf *b, const uint8_t *id)
{
	const struct event_open open = { .kind = SESSION_TERMINAL,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET,
		.recorder_pid = (uint32_t)getpid(),
		.recorder_start = START };

	event_open_put(b, id, &open);
}

static uint8_t
put_event(struct ops_buf *b, const uint8_t *id, uint8_t kind)
{
	const struct event_close close = { .state = CLOSE_CLOSED,
		.why = CLOSE_EXIT };
	const struct event_gap gap = { 5, 1, 2 };
	const struct event_bypass bypass = { .pid = 9 };

	const struct remark reason = { .kind = REMARK_REASON };

	switch (kind % 6) {
	case 0:
		put_open(b, id);
		return REC_SESSION_OPEN;
	case 1:
		event_gap_put(b, id, &gap);
		return REC_GAP_EVENT;
	case 2:
		event_bypass_put(b, id, &bypass);
		return REC_BYPASS;
	case 3:
		event_close_put(b, id, &close);
		return REC_SESSION_CLOSE;
	case 4:
		remark_put(b, id, &reason);
		return REC_NOTE;
	default: /* not a recorder's */
		event_gap_put(b, id, &gap);
		return REC_ACCESS;
	}
}

/* How capture speaks, and what recorders say for it. */
static uint16_t
make_capture(struct client *c, uint8_t what, uint8_t how, struct ops_buf *b)
{
	struct proto_capture state = { how & 1 ? CAPTURE_ON : CAPTURE_OFF, how,
		{ (const uint8_t *)"why", 3 } };
	struct proto_inner inner = { .door = 1, .begun = how };

	switch (what) {
	case 11:
		ops_buf_put8(b, (uint8_t)(NOBODY + how % (PROGRAMS + 1)));
		ops_buf_put(b, &inner.id[1], OPS_ID_LEN - 1);
		ops_buf_putle32(b, (uint32_t)getpid() + (how >> 7));
		ops_buf_putle64(b, START);
		return MSG_CAP_HELLO;
	case 12:
		proto_capture_put(b, &state);
		return MSG_CAP_STATE;
	case 13:
		ops_buf_putle64(b, c->asked + 1);
		return MSG_CAP_SYNC;
	default:
		memcpy(inner.id, c->id, sizeof(inner.id));
		inner.id[1] ^= how >> 7;
		REQUIRE(ops_buf_reserve(b, PROTO_INNER_LEN) != NULL);
		proto_inner_encode(&inner, b->data);
		b->len = PROTO_INNER_LEN;
		return MSG_REC_INNER;
	}
}

/* What is answered once it is durable. */
static uint16_t
make_question(uint8_t how, struct ops_buf *b)
{
	const struct event_access access = { .pid = 3 };
	const struct login in = { .pid = 4, .ses = 5 };
	const struct logout out = { .pid = 4, .ses = 5 };
	/* Its parent is the door of who says so (REC_INNER). */
	struct proto_note note = { .pid = NOTED,
		.ses = EVENT_UNSET,
		.ancestors = { (const uint8_t *)"\1\0\0\0\0\0\0\0\0\0\0", 12 },
		.text = { (const uint8_t *)"word", 4 } };
	const struct offswitch sw = { .off = how & 0x10,
		.has_who = true,
		.uid = 77,
		.reason = "a reason" };

	switch (how & 0x0f) {
	case 10: /* in a session that is named, */
		note.session[0] = (uint8_t)(1 + (how >> 4) % (SESSIONS + 1));
		proto_note_put(b, &note);
		return Q_NOTE;
	case 11: /* of a process with these ancestors, */
		proto_note_put(b, &note);
		return Q_NOTE;
	case 12: /* or of this login */
		note.ancestors.n = 0;
		note.ses = how >> 4 & 1 ? 0 : EVENT_UNSET;
		proto_note_put(b, &note);
		return Q_NOTE;
	case 13:
		login_put(b, &in);
		return MSG_LOGIN;
	case 14:
		logout_put(b, &out);
		return MSG_LOGOUT;
	case 15: /* off, or on, as it is */
		offswitch_put(b, &sw, 5);
		return MSG_SWITCH;
	default:
		event_access_put(b, &access);
		return Q_ACCESS;
	}
}

/* A body; how: two values that mostly fit what was said before. */
static uint16_t
make_message(struct client *c, struct fuzz_in *in, struct ops_buf *b)
{
	const struct fake_session *f;
	uint8_t what = fuzz_byte(in), how = fuzz_byte(in), id[OPS_ID_LEN];
	struct record r = { .type = REC_OUTPUT, .payload = id, .len = 1 };
	struct proto_outer outer = { .door = 1, .recorder = 2 };
	struct proto_found found = { .pid = 5 };
	uint8_t type, record[RECORD_MAX];
	size_t at;

	memcpy(id, c->id, sizeof(id));
	if (how & 0x80) /* another session's */
		id[0] = (uint8_t)(1 + how % (SESSIONS + 1));
	f = session_of(id);
	memcpy(outer.id, id, sizeof(id));
	memcpy(found.id, id, sizeof(id));
	switch (what % 15) {
	case 0:
		memset(id, 0, sizeof(id));
		id[0] = (uint8_t)(1 + how % (SESSIONS + 1));
		ops_buf_put(b, id, sizeof(id));
		ops_buf_putle32(b, (uint32_t)getpid() + (how >> 7));
		ops_buf_putle64(b, START + (how >> 6 & 1));
		return MSG_REC_HELLO;
	case 1: /* the number that is next, or near it */
	case 2:
		ops_buf_putle64(b, (f != NULL ? f->s.next_event : 0) +
				       (how >> 5 & 1) - (how >> 6 & 1));
		at = b->len;
		ops_buf_put8(b, 0);
		ops_buf_putle64(b, 7);
		type = put_event(b, id,
		    what % 15 == 1 && f != NULL && f->s.next_event == 0
			? 0
			: how % 8);
		b->data[at] = type;
		return MSG_REC_EVENT;
	case 3:
		ops_buf_putle64(b, (f != NULL ? f->s.next_record : 0) +
				       (how >> 5 & 1) - (how >> 6 & 1));
		for (unsigned i = 0; i <= how % 4u; i++)
			ops_buf_put(b, record, record_encode(&r, record));
		return MSG_REC_RECORDS;
	case 4:
		return make_question(how, b);
	case 5:
		return how & 1 ? Q_STATUS : Q_SEAL;
	case 6:
		b->len = 0;
		REQUIRE(ops_buf_reserve(b, PROTO_OUTER_LEN) != NULL);
		proto_outer_encode(&outer, b->data);
		b->len = PROTO_OUTER_LEN;
		return MSG_REC_OUTER;
	case 7:
		return Q_WATCH;
	case 8:
		proto_found_put(b, &found);
		return Q_FOUND;
	case 11:
	case 12:
	case 13:
	case 14:
		return make_capture(c, what % 15, how, b);
	default:
		ops_buf_put(b, in->p, in->n < how ? in->n : how);
		return (uint16_t)(fuzz_byte(in) % 64);
	}
}

/* Who has said which terminal is his session's, as the first of all? */
static uint8_t
who_said_inner(void)
{
	uint8_t who = 0;

	for (unsigned i = 0; i < PEERS; i++)
		if (client[i].fd >= 0 && client[i].held && client[i].said_inner)
			who |= (uint8_t)(1u << i);
	return who;
}

/* It was sent; right: nothing was changed. */
static void
note_said(struct client *c, uint16_t type, const struct ops_buf *b, bool right)
{
	c->may_hear |= type == MSG_CAP_STATE;
	if (type == MSG_CAP_STATE && right && b->data[0] == CAPTURE_ON)
		c->told = true;
	if (type == MSG_CAP_SYNC && right)
		c->before[++c->asked] = c->told ? who_said_inner() : 0;
	c->wild |= type == MSG_CAP_SYNC && !right;
	if (!c->greeted && b->len >= OPS_ID_LEN &&
	    (type == MSG_REC_HELLO || type == MSG_CAP_HELLO)) {
		memcpy(c->id, b->data, OPS_ID_LEN);
		c->greeted = true;
		c->capture = type == MSG_CAP_HELLO;
		return;
	}
	c->said_inner |= type == MSG_REC_INNER && right && !c->said &&
			 memcmp(b->data, c->id, OPS_ID_LEN) == 0;
	c->said = true;
}

static void
say(struct client *c, struct fuzz_in *in)
{
	struct ops_buf b = { .max = MSG_PAYLOAD_MAX };
	uint8_t change = fuzz_byte(in), what = in->n > 0 ? in->p[0] % 15 : 0;
	bool right = change <= 200 && what != 9 && what != 10; /* made up */
	uint16_t type = make_message(c, in, &b);

	REQUIRE(!b.failed);
	if (change > 200 && b.len > 0) /* a wrong byte; a byte less */
		b.data[fuzz_byte(in) % b.len] ^= fuzz_byte(in);
	if (change > 240 && b.len > 0)
		b.len--;
	if (c->asked + 1 < SYNCS_MAX &&
	    msg_send(c->fd, type, b.data, b.len, NULL, 0, NULL) == 0)
		note_said(c, type, &b, right);
	ops_buf_free(&b);
}

/* -- the role's loop, one turn -- */

static void
turn(bool rung)
{
	int n;

	if (rung)
		bell_ring(&wr);
	n = epoll_wait(wr.loop.epfd, wr.loop.batch, LOOP_BATCH, 0);
	wr.loop.n = n < 0 ? 0 : n;
	for (wr.loop.at = 0; wr.loop.at < wr.loop.n; wr.loop.at++) {
		struct watch *w = wr.loop.batch[wr.loop.at].data.ptr;

		if (w != NULL)
			w->ready(w, wr.loop.batch[wr.loop.at].events);
	}
	wr.loop.n = wr.loop.at = 0;
	for (unsigned i = 0; i < PEERS; i++)
		client_read(&client[i]);
	for (unsigned i = 0; i < PEERS; i++)
		check_before_sync(&client[i]);
}

/* All but the last few; and what once was durable stays it. */
static void
become_durable(uint64_t last)
{
	uint64_t below = fake.ticket - last % (fake.ticket + 1);

	if (below > fake.durable)
		fake.durable = below;
}

static void
tick(unsigned seconds)
{
	fake.now += seconds * UINT64_C(1000000000);
	fake.in_tick = true;
	lost_tick(&wr);
	quota_tick(&wr);
	fake.in_tick = false;
}

static void
step(struct fuzz_in *in)
{
	uint8_t op = fuzz_byte(in);
	struct client *c = &client[op >> 6];

	switch (op % 8) {
	case 0:
		client_close(c);
		turn(true);
		break;
	case 1:
		become_durable((op >> 3) % 4);
		peers_wake(&wr);
		break;
	case 2:
		fake.full = !fake.full;
		peers_wake(&wr);
		break;
	case 3:
		wr.state = wr.state == WRITER_OK ? WRITER_FAILED : WRITER_OK;
		peers_tell_state(&wr);
		peers_wake(&wr);
		break;
	case 7:
		fake.dead ^= op >> 5 & 1;
		tick(op >> 3 & 3);
		break;
	default:
		client_connect(c, op & 16);
		say(c, in);
		if (op & 8)
			turn(!(op & 32));
	}
}

static void
check_lost(void)
{
	uint8_t id[OPS_ID_LEN] = { 0 };

	for (unsigned i = 0; i < SESSIONS; i++) {
		const struct fake_session *f = &fake.session[i];

		id[0] = (uint8_t)(i + 1);
		REQUIRE(!f->s.known || f->s.closed || lost_of(f) != NULL ||
			peers_have(&wr, id));
	}
}

/* -- a run -- */

static void
begin(void)
{
	fake = (struct writer){ .ticket = 1, .now = 1 };
	ops_clock_set(read_clock);
	role.user.uid = getuid();
	wr = (struct writer_role){ .role = &role,
		.w = &fake,
		.logins.rule = login_rule,
		.notes.rule = note_user_rule };
	memcpy(wr.reason, "no space", 9);
	REQUIRE(loop_init(&wr.loop, NULL) == 0);
	REQUIRE(loop_timer_new(&wr.again.fd, NULL) == 0);
	REQUIRE(loop_timer_new(&wr.tick.fd, NULL) == 0);
	REQUIRE(loop_timer_new(&wr.limit_tick.fd, NULL) == 0);
	quota_set(&wr.quota, 0, LIMIT);
	wr.inbox = epoll_create1(EPOLL_CLOEXEC);
	wr.bell =
	    (struct watch){ eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), bell_take };
	REQUIRE(wr.inbox >= 0 && wr.bell.fd >= 0);
	REQUIRE(loop_add(&wr.loop, &wr.bell, EPOLLIN, NULL) == 0);
	for (unsigned i = 0; i < PEERS; i++)
		client[i].fd = -1;
}

static void
end(void)
{
	free(wr.lost);
	for (unsigned i = 0; i < PEERS; i++)
		if (client[i].fd >= 0)
			close(client[i].fd);
	close(wr.again.fd);
	close(wr.tick.fd);
	close(wr.limit_tick.fd);
	quota_free(&wr.quota);
	rations_free(&wr.logins);
	rations_free(&wr.notes);
	close(wr.inbox);
	close(wr.bell.fd);
	loop_close(&wr.loop);
}

/* A client says what these bytes make it say, see step(). */
static void
say_this(struct client *c, uint8_t what)
{
	const uint8_t bytes[] = { 0, what, 0 };
	struct fuzz_in in = { bytes, sizeof(bytes) };

	client_connect(c, false);
	say(c, &in);
}

/*
 * A recorder is killed when it has sent and shown a record, but not rung; the
 * acknowledgement of the one before finds nobody.  What it sent is in the log,
 * even if its last message is one that had to wait for room.
 */
static void
shown_and_killed(bool full)
{
	struct fake_session *f = &fake.session[0];
	struct client *c = &client[0];

	begin();
	say_this(c, 0); /* hello */
	turn(true);
	say_this(c, 1); /* SESSION-OPEN */
	say_this(c, 3); /* a record */
	turn(true);
	REQUIRE(f->s.known && f->s.next_record == 1);
	fake.full = full;
	say_this(c, 3);
	if (full)
		turn(true);
	REQUIRE(f->s.next_record == 1);
	client_close(c);
	fake.durable = fake.ticket;
	peers_wake(&wr);
	fake.full = false;
	for (int i = 0; i < 3; i++) {
		peers_wake(&wr);
		turn(true);
	}
	REQUIRE(f->s.next_record == 2);
	/* Nor does a clean end leave anything unread. */
	say_this(c, 0);
	turn(true);
	say_this(c, 3);
	peers_close(&wr);
	REQUIRE(f->s.next_record == 3);
	end();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = { data, size };
	static bool tried;

	if (size > 2048)
		return 0;
	if (!tried) {
		tried = true;
		shown_and_killed(false);
		shown_and_killed(true);
	}
	begin();
	while (in.n > 0) {
		step(&in);
		check_lost();
	}
	fake.full = false;
	fake.durable = fake.ticket;
	for (int i = 0; i < LAST_TURNS; i++) {
		peers_wake(&wr);
		turn(true);
		check_lost();
	}
	for (unsigned i = 0; i < PEERS; i++)
		REQUIRE(client[i].fd < 0 || client[i].wild ||
			client[i].synced == client[i].asked);
	peers_close(&wr);
	check_lost();
	/* The next writer finds them in the store. */
	wr.n_lost = 0;
	lost_start(&wr);
	check_lost();
	fake.dead = true;
	tick(60);
	for (unsigned i = 0; i < SESSIONS; i++)
		REQUIRE(!fake.session[i].s.known || fake.session[i].s.closed ||
			fake.ticket + 1024 > TICKETS_MAX);
	end();
	return 0;
}
