#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "record/body.h"
#include "record/remark.h"
#include "store_work.h"

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "sessions: no memory");
}

/* Replace a borrowed text by a copy that the list owns. */
static bool
keep_text(struct session_list *l, struct event_text *t)
{
	if (t->p == NULL)
		return true;
	t->p = arena_copy(&l->arena, t->p, t->n);
	return t->p != NULL;
}

static bool
keep_open(struct session_list *l, struct event_open *o)
{
	return keep_text(l, &o->user) && keep_text(l, &o->tty) &&
	       keep_text(l, &o->inner) && keep_text(l, &o->term) &&
	       keep_text(l, &o->from) && keep_text(l, &o->command) &&
	       keep_text(l, &o->host) && keep_text(l, &o->login) &&
	       keep_text(l, &o->import) && keep_text(l, &o->ancestors);
}

static bool
keep_login(struct session_list *l, struct login *in)
{
	return keep_text(l, &in->user) && keep_text(l, &in->service) &&
	       keep_text(l, &in->from) && keep_text(l, &in->tty) &&
	       keep_text(l, &in->method) && keep_text(l, &in->key) &&
	       keep_text(l, &in->type) && keep_text(l, &in->cert_id) &&
	       keep_text(l, &in->ca) && keep_text(l, &in->principals) &&
	       keep_text(l, &in->comment) && keep_text(l, &in->person);
}

/* Room doubles when n is a power of two: the list has no capacity of its own. */
static struct session *
add_session(struct session_list *l)
{
	struct session *grown;

	if (l->n == 0 || (l->n >= 8 && (l->n & (l->n - 1)) == 0)) {
		grown = reallocarray(
		    l->s, l->n == 0 ? 8 : l->n * 2, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		l->s = grown;
	}
	memset(&l->s[l->n], 0, sizeof(l->s[0]));
	return &l->s[l->n++];
}

int
session_list_add(
    struct session_list *l, const struct session *s, struct ops_err *err)
{
	struct session mine = *s, *to;

	if (!keep_open(l, &mine.open) || !keep_login(l, &mine.login) ||
	    !keep_text(l, &mine.reason) || (to = add_session(l)) == NULL)
		return no_memory(err);
	*to = mine;
	return 0;
}

int
session_list_add_login(
    struct session_list *l, const struct login_seen *in, struct ops_err *err)
{
	struct login_seen mine = *in;

	if (!keep_login(l, &mine.l) || !keep_text(l, &mine.out.user) ||
	    !keep_text(l, &mine.out.service))
		return no_memory(err);
	if (logins_add(&l->logins, mine.boot, mine.time, &mine.l, err) < 0)
		return -1;
	l->logins.l[l->logins.n - 1] = mine;
	return 0;
}

void
session_list_free(struct session_list *l)
{
	arena_free(&l->arena);
	logins_free(&l->logins);
	free(l->s);
	*l = (struct session_list){ 0 };
}

/* -- reading events -- */

struct loader {
	struct store *s;
	struct session_list *l;
	const char *note;   /* the filter's; NULL: none */
	struct history ids; /* its stream table only: id -> index into l->s */
	const uint8_t *boot_id; /* of the events being read; NULL: unknown */
	const uint8_t **boot;   /* of each session, as above */
};

/* The session with this id; NULL if its OPEN was not seen. */
static struct session *
known(struct loader *ld, const uint8_t *id)
{
	struct history_stream *st = history_find(&ld->ids, id);

	return st == NULL ? NULL : &ld->l->s[st - ld->ids.stream];
}

/* Of the session added last.  As with the sessions, room doubles. */
static bool
note_boot(struct loader *ld)
{
	size_t n = ld->l->n;
	const uint8_t **grown;

	if (n == 1 || (n > 8 && ((n - 1) & (n - 2)) == 0)) {
		grown = reallocarray(ld->boot, n == 1 ? 8 : (n - 1) * 2,
		    sizeof(const uint8_t *));
		if (grown == NULL)
			return false;
		ld->boot = grown;
	}
	ld->boot[n - 1] = ld->boot_id;
	return true;
}

static int
take_login(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	struct login l;

	if (ld->boot_id == NULL || login_get(r->payload, r->len, &l, NULL) < 0)
		return 0;
	if (!keep_login(ld->l, &l))
		return no_memory(err);
	if (logins_add(&ld->l->logins, ld->boot_id, r->time, &l, err) < 0)
		return -1;
	ld->l->logins.l[ld->l->logins.n - 1].wall = pos->wall;
	ld->l->logins.l[ld->l->logins.n - 1].sealed = pos->sealed;
	return 0;
}

static int
take_logout(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	struct logout_seen o = {
		.time = r->time, .wall = pos->wall, .sealed = pos->sealed
	};

	if (ld->boot_id == NULL ||
	    logout_get(r->payload, r->len, &o.o, NULL) < 0)
		return 0;
	memcpy(o.boot, ld->boot_id, sizeof(o.boot));
	if (!keep_text(ld->l, &o.o.user) || !keep_text(ld->l, &o.o.service))
		return no_memory(err);
	return logins_add_out(&ld->l->logins, &o, err);
}

static int
take_open(struct loader *ld, const uint8_t *id, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	struct event_open o;
	struct session *s;

	if (known(ld, id) != NULL ||
	    event_open_get(r->payload, r->len, &o, NULL) < 0)
		return 0;
	if (!keep_open(ld->l, &o))
		return no_memory(err);
	s = add_session(ld->l);
	if (s == NULL || history_stream_get(&ld->ids, id, 0) == NULL ||
	    !note_boot(ld))
		return no_memory(err);
	memcpy(s->id, id, OPS_ID_LEN);
	ops_id_text(id, s->id_text);
	s->open = o;
	s->has_boot = ld->boot_id != NULL;
	if (s->has_boot)
		memcpy(s->boot, ld->boot_id, sizeof(s->boot));
	s->start = pos->sealed || o.realtime == 0 ? pos->wall : o.realtime;
	s->logged = s->start;
	s->start_boottime = r->time;
	s->state = ld->boot_id != NULL &&
			   memcmp(ld->boot_id, ld->s->h.boot_id, 16) == 0
		       ? SESSION_ACTIVE
		       : SESSION_LOST;
	return 0;
}

static void
take_close(
    struct session *s, const struct record *r, const struct stream_pos *pos)
{
	struct event_close c;

	if (event_close_get(r->payload, r->len, &c, NULL) < 0)
		return;
	s->has_close = true;
	s->close = c;
	s->end = s->end_boottime = 0;
	if (c.state == CLOSE_CLOSED) {
		s->state = SESSION_CLOSED;
		s->end = pos->wall;
		s->end_boottime = r->time;
	} else {
		s->state = SESSION_LOST;
	}
}

static bool
text_has(const struct event_text *t, const char *s)
{
	size_t n = strlen(s);

	return t->p != NULL && (n == 0 || memmem(t->p, t->n, s, n) != NULL);
}

static int
take_note(struct loader *ld, struct session *s, const struct record *r,
    struct ops_err *err)
{
	struct remark note;

	if (remark_get(r->payload, r->len, &note, NULL) < 0)
		return 0;
	s->noted |= ld->note != NULL && text_has(&note.text, ld->note);
	if (note.kind != REMARK_REASON) {
		s->notes++;
		return 0;
	}
	s->asked = true;
	s->reason = note.text;
	return keep_text(ld->l, &s->reason) ? 0 : no_memory(err);
}

/* Once it was off, each begin of a daemon may have switched it on. */
static void
take_daemon(
    struct loader *ld, const struct record *r, const struct stream_pos *pos)
{
	struct event_daemon e;

	if ((r->flags & RECORD_PART) == 0 &&
	    event_daemon_get(r->payload, r->len, &e, NULL) == 0 &&
	    (e.what == DAEMON_OFF || e.what == DAEMON_ON ||
		ld->l->switched != 0))
		ld->l->switched = pos->wall;
}

static int
take_event(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	uint8_t id[OPS_ID_LEN];
	struct event_gap gap;
	struct session *s;

	if (r->type == REC_DAEMON)
		take_daemon(ld, r, pos);
	if ((r->flags & RECORD_PART) != 0 ||
	    body_session(r->payload, r->len, id, NULL) < 0)
		return 0;
	if (r->type == REC_LOGIN)
		return take_login(ld, r, pos, err);
	if (r->type == REC_LOGOUT)
		return take_logout(ld, r, pos, err);
	if (r->type == REC_SESSION_OPEN)
		return take_open(ld, id, r, pos, err);
	s = known(ld, id);
	if (s == NULL)
		return 0;
	switch (r->type) {
	case REC_SESSION_CLOSE:
		take_close(s, r, pos);
		break;
	case REC_GAP_EVENT:
		if (event_gap_get(r->payload, r->len, &gap, NULL) == 0)
			s->bytes_lost += gap.bytes;
		break;
	case REC_BYPASS:
		s->bypasses++;
		break;
	case REC_NOTE:
		return take_note(ld, s, r, err);
	default:
		break;
	}
	return 0;
}

static void
note_missing(
    struct loader *ld, const struct store_frame *f, const struct ops_err *why)
{
	struct session_missing *m = &ld->l->missing;

	/* What has expired is gone by right. */
	if (f != NULL &&
	    history_expired(&ld->s->h, f->leaf.stream, f->leaf.number))
		return;
	if (m->frames++ == 0)
		snprintf(m->why, sizeof(m->why), "%s", why->msg);
}

static int
read_events(
    struct loader *ld, const struct store_stream *stream, struct ops_err *err)
{
	const struct history_stream *h = history_find(&ld->s->h, stream->id);
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	int rc;

	ld->l->missing.of += stream->frames;
	ld->boot_id = h != NULL && h->has_boot ? h->boot_id : NULL;
	if (stream_open(ld->s, stream->id, 0, &r, err) < 0)
		return -1;
	for (;;) {
		struct ops_err why = { 0 };

		rc = stream_next(r, &rec, &pos, &why);
		/* What can't be read is named by check; the rest is shown,
		 * and that it isn't all. */
		if (rc < 0 && why.code == OPS_ENOMEM)
			break;
		if (rc < 0) {
			note_missing(ld, stream_failed(r), &why);
			continue;
		}
		if (rc == 0 || (rc = take_event(ld, &rec, &pos, err)) < 0)
			break;
	}
	stream_free(r);
	return rc < 0 ? -1 : 0;
}

/* -- what follows from the rest of the store -- */

static void
finish(struct store *st, const struct session_missing *m, struct session *s)
{
	const struct history_stream *h = history_find(&st->h, s->id);
	const struct store_frame *f;
	bool closed = false;

	s->sealed = store_close_leaf(st, s->id, &closed) != NULL && closed;
	/* Its CLOSE leaf came with the event that isn't there. */
	if (m->frames > 0 && !s->has_close &&
	    store_close_leaf(st, s->id, NULL) != NULL)
		s->state = SESSION_DAMAGED;
	if (h != NULL) {
		if (h->n > 0) {
			f = &h->frame[h->n - 1];
			s->last = f->leaf.arrived_last + (uint64_t)f->wall;
			s->sealed = s->sealed && f->sealed;
		}
		if (st->extra[h - st->h.stream].unsealed > 0)
			s->sealed = false;
	}
	if (s->bytes_lost > 0 && s->state != SESSION_LOST &&
	    s->state != SESSION_DAMAGED)
		s->state = SESSION_GAPPED;
}

/* Its times are what the file says, whenever it was read. */
static void
finish_import(struct session *s)
{
	struct import i;

	s->last = s->end = s->end_boottime = 0;
	if (import_get(s->open.import.p, s->open.import.n, &i, NULL) < 0)
		return;
	if (i.has_start)
		s->start = i.start;
	s->end = s->start + i.duration;
	s->end_boottime = s->start_boottime + i.duration;
}

static void
find_login(const struct loader *ld, size_t i)
{
	struct session *s = &ld->l->s[i];
	struct login_way way = { .ses = s->open.ses,
		.self = { s->open.pid, s->open.start },
		.ancestors = s->open.ancestors,
		.when = s->start_boottime };
	struct login_seen *seen;
	const struct login *l;

	if (ld->boot == NULL || ld->boot[i] == NULL || session_imported(s))
		return;
	memcpy(way.boot, ld->boot[i], sizeof(way.boot));
	l = logins_of(&ld->l->logins, &way);
	if (l == NULL)
		return;
	s->has_login = true;
	s->login = *l;
	seen = logins_seen(&ld->l->logins, l);
	seen->sessions++;
	s->has_connection = seen->has_out && seen->out.has_bytes;
	s->connection_in = s->has_connection ? seen->out.bytes_in : 0;
	s->connection_out = s->has_connection ? seen->out.bytes_out : 0;
}

static void
finish_all(struct loader *ld)
{
	struct store *st = ld->s;

	for (size_t i = 0; i < ld->l->n; i++) {
		finish(st, &ld->l->missing, &ld->l->s[i]);
		find_login(ld, i);
	}
	for (size_t i = 0; i < st->n_unsealed; i++) {
		const struct store_unsealed *u = &st->unsealed[i];
		struct session *s = known(ld, st->h.stream[u->stream].id);
		struct record r;

		if (s != NULL && record_decode(st->wal_bytes.data + u->at,
				     u->len, &r, NULL) > 0)
			s->last = r.time + (uint64_t)st->wall;
	}
	for (size_t i = 0; i < ld->l->n; i++)
		if (session_imported(&ld->l->s[i]))
			finish_import(&ld->l->s[i]);
}

/* -- filters -- */

static bool
text_is(const struct event_text *t, const char *s)
{
	return t->p != NULL && t->n == strlen(s) && memcmp(t->p, s, t->n) == 0;
}

static bool
fits_user(const struct session *s, const char *user)
{
	return !session_imported(s) &&
	       (text_is(&s->open.user, user) || text_is(&s->open.login, user));
}

/* The arguments are joined by NUL; who searches types spaces. */
static bool
command_has(const struct event_text *t, const char *s)
{
	size_t n = strlen(s);

	if (n == 0)
		return true;
	if (t->p == NULL)
		return false;
	for (size_t at = 0; at + n <= t->n; at++) {
		size_t i = 0;

		while (i < n && (t->p[at + i] == 0 ? ' ' : t->p[at + i]) ==
				    (uint8_t)s[i])
			i++;
		if (i == n)
			return true;
	}
	return false;
}

static bool
is_active(const struct session *s)
{
	return !session_imported(s) && !s->has_close &&
	       s->state != SESSION_LOST && s->state != SESSION_DAMAGED;
}

/* me: how the filter's reader came here. */
static bool
wanted(const struct session *s, const struct session_filter *f,
    const struct login *me)
{
	const struct login *l = s->has_login ? &s->login : NULL;
	uint64_t end = s->end;

	if (f == NULL)
		return true;
	if (end == 0)
		end = is_active(s)         ? UINT64_MAX
		      : s->last > s->start ? s->last
					   : s->start;
	/* Who imports a session with sudo doesn't own it. */
	return (!f->has_uid ||
		   (!session_imported(s) &&
		       (s->open.uid == f->uid || s->open.auid == f->uid))) &&
	       (f->user == NULL || fits_user(s, f->user)) &&
	       (f->since == 0 || end >= f->since) &&
	       (f->until == 0 || s->start <= f->until) &&
	       (!f->active || is_active(s)) &&
	       (f->person == NULL || login_is_person(l, f->person)) &&
	       (f->note == NULL || f->note_marks || s->noted) &&
	       (f->reader == NULL || login_may_read(me, l)) &&
	       (f->command == NULL ||
		   command_has(&s->open.command, f->command));
}

static int
compare_sessions(const void *a, const void *b)
{
	const struct session *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return memcmp(x->id, y->id, OPS_ID_LEN);
}

void
session_list_keep(struct session_list *l, const struct session_filter *f)
{
	const struct login *me = f != NULL && f->reader != NULL
				     ? logins_of(&l->logins, f->reader)
				     : NULL;
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (wanted(&l->s[i], f, me))
			l->s[kept++] = l->s[i];
	l->n = kept;
}

int
session_list_load(struct store *s, const struct session_filter *f,
    struct session_list *ret, struct ops_err *err)
{
	struct session_list l = { 0 };
	struct loader ld = {
		.s = s, .l = &l, .note = f != NULL ? f->note : NULL
	};
	const struct store_stream *stream;
	size_t n = store_streams(s, &stream);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (stream[i].class == CLASS_EVENTS)
			rc = read_events(&ld, &stream[i], err);
	if (rc == 0)
		rc = logins_sort(&l.logins, err);
	if (rc == 0)
		finish_all(&ld);
	history_free(&ld.ids);
	free(ld.boot);
	if (rc < 0) {
		session_list_free(&l);
		return -1;
	}
	session_list_keep(&l, f);
	if (l.n > 1)
		qsort(l.s, l.n, sizeof(*l.s), compare_sessions);
	*ret = l;
	return 0;
}

/* -- naming one -- */

static int
find_prefix(const struct session_list *l, const char *name,
    const struct session **ret, struct ops_err *err)
{
	const struct session *hit = NULL;
	size_t n = strlen(name), count = 0;

	if (n == 0)
		return ops_fail(err, OPS_EUSAGE, "no session named");
	for (size_t i = 0; n <= OPS_ID_TEXT_LEN && i < l->n; i++) {
		if (strncmp(l->s[i].id_text, name, n) != 0)
			continue;
		if (hit == NULL)
			hit = &l->s[i];
		else if (count == 1)
			ops_fail(err, OPS_EUSAGE,
			    "%s fits several sessions: %s, %s, ...", name,
			    hit->id_text, l->s[i].id_text);
		count++;
	}
	if (count > 1)
		return -1;
	if (count == 0)
		return ops_fail(err, OPS_ENOENT, "no session %.64s", name);
	*ret = hit;
	return 0;
}

int
session_find(const struct session_list *l, const char *name, const char *tty,
    const struct session **ret, struct ops_err *err)
{
	bool last = strcmp(name, "last") == 0;
	const char *user = strncmp(name, "last:", 5) == 0 ? name + 5 : NULL;
	bool mine = strcmp(name, ".") == 0;
	bool terminal = strchr(name, '/') != NULL;

	if (mine && tty == NULL)
		return ops_fail(err, OPS_ENOENT,
		    "this terminal is not that of a recorded session");
	if (!last && !mine && !terminal && user == NULL)
		return find_prefix(l, name, ret, err);
	for (size_t i = l->n; i > 0; i--) {
		const struct session *s = &l->s[i - 1];

		if (session_imported(s))
			continue;
		if (last || (user != NULL && fits_user(s, user)) ||
		    (mine && text_is(&s->open.inner, tty)) ||
		    (terminal && (text_is(&s->open.tty, name) ||
				     text_is(&s->open.inner, name)))) {
			*ret = s;
			return 0;
		}
	}
	return ops_fail(err, OPS_ENOENT, "no session %.64s", name);
}

/* clang-format off */
static const char *const state_names[] = {
	[SESSION_ACTIVE] = "active",
	[SESSION_CLOSED] = "closed",
	[SESSION_GAPPED] = "gapped",
	[SESSION_LOST] = "lost",
	[SESSION_DAMAGED] = "damaged",
};
/* clang-format on */

const char *
session_state_name(enum session_state s)
{
	return (size_t)s < OPS_ARRAY_LEN(state_names) ? state_names[s] : "?";
}
