#include "visits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "events.h"
#include "record/map.h"
#include "session.h"
#include "store_work.h"

/* As long as a door waits for its session; one that is older was something else
 * before. */
#define DOOR_WAITS (35 * UINT64_C(1000000000))

#define TEXT_AT(m) offsetof(struct visit, m), EVENT_TEXT_MAX

/* clang-format off */
static const struct map_field fields[] = {
	{ 1,  MAP_BYTES, MAP_AT(visit, boot) },
	{ 2,  MAP_UINT, MAP_AT(visit, ses) },
	{ 3,  MAP_UINT, MAP_AT(visit, uid) },
	{ 4,  MAP_UINT, MAP_AT(visit, auid) },
	{ 5,  MAP_UINT, MAP_AT(visit, begin) },
	{ 6,  MAP_UINT, MAP_AT(visit, end) },
	{ 7,  MAP_FLAG, MAP_AT(visit, has_login) },
	{ 8,  MAP_UINT, MAP_AT(visit, pid) },
	{ 9,  MAP_FLAG, MAP_AT(visit, has_bytes) },
	{ 10, MAP_UINT, MAP_AT(visit, bytes_in) },
	{ 11, MAP_UINT, MAP_AT(visit, bytes_out) },
	{ 12, MAP_UINT, MAP_AT(visit, sessions) },
	{ 13, MAP_SOME, MAP_AT(visit, session) },
	{ 14, MAP_VIEW, TEXT_AT(user) },
	{ 15, MAP_VIEW, TEXT_AT(service) },
	{ 16, MAP_VIEW, TEXT_AT(from) },
	{ 17, MAP_VIEW, TEXT_AT(tty) },
	{ 18, MAP_VIEW, TEXT_AT(method) },
	{ 19, MAP_VIEW, TEXT_AT(person) },
	{ 20, MAP_UINT, MAP_AT(visit, how) },
	{ 55, MAP_UINT, MAP_AT(visit, opened) },
	{ 56, MAP_UINT, MAP_AT(visit, opened_at) },
	{ 57, MAP_UINT, MAP_AT(visit, door.pid) },
	{ 58, MAP_UINT, MAP_AT(visit, door.start) },
};
/* clang-format on */

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "logins: no memory");
}

void
visits_free(struct visits *all)
{
	free(all->v);
	arena_free(&all->arena);
	*all = (struct visits){ 0 };
}

static bool
keep_text(struct visits *all, struct event_text *t)
{
	if (t->p == NULL)
		return true;
	t->p = arena_copy(&all->arena, t->p, t->n);
	return t->p != NULL;
}

static int
add(struct visits *all, const struct visit *v, struct ops_err *err)
{
	struct visit mine = *v, *more;

	if (all->n >= VISITS_MAX)
		return ops_fail(err, OPS_EUSAGE, "over %d logins", VISITS_MAX);
	if (all->n == all->cap) {
		size_t cap = all->cap == 0 ? 64 : 2 * all->cap;

		more = reallocarray(all->v, cap, sizeof(*more));
		if (more == NULL)
			return no_memory(err);
		all->v = more;
		all->cap = cap;
	}
	if (!keep_text(all, &mine.user) || !keep_text(all, &mine.service) ||
	    !keep_text(all, &mine.from) || !keep_text(all, &mine.tty) ||
	    !keep_text(all, &mine.method) || !keep_text(all, &mine.person))
		return no_memory(err);
	all->v[all->n++] = mine;
	return 0;
}

void
visit_put(struct ops_buf *b, const struct visit *v)
{
	map_put(b, fields, OPS_ARRAY_LEN(fields), v);
}

int
visit_get(const uint8_t *p, size_t n, struct visits *all, struct ops_err *err)
{
	struct cbor_reader r = { p, n };
	struct visit v = { .ses = 0 };

	if (map_get(&r, fields, OPS_ARRAY_LEN(fields), MAP_SKIP_UNKNOWN, &v,
		err) < 0 ||
	    cbor_end(&r, err) < 0)
		return ops_context(err, "login");
	if (v.opened >= VISIT_OPENED_END)
		return ops_fail(err, OPS_EFORMAT, "login: opened in no way");
	return add(all, &v, err);
}

/* -- what tells of them -- */

enum item_kind { ITEM_LOGIN, ITEM_LOGOUT, ITEM_SESSION };

/* What belongs to a visit, by its key: boot, audit session; without one the process. */
struct item {
	uint8_t boot[LOGINS_BOOT];
	uint32_t ses, pid;
	uint64_t start;
	uint64_t time; /* BOOTTIME */
	enum item_kind kind;
	const struct login_seen *login;
	const struct session *session;
	struct logout logout; /* its texts are gone */
};

struct loading {
	struct store *s;
	struct session_list sessions; /* and the logins */
	struct item *v;
	size_t n, cap;
};

static int
add_item(struct loading *l, const struct item *i, struct ops_err *err)
{
	struct item *more;

	if (l->n == l->cap) {
		size_t cap = l->cap == 0 ? 64 : 2 * l->cap;

		more = reallocarray(l->v, cap, sizeof(*more));
		if (more == NULL)
			return no_memory(err);
		l->v = more;
		l->cap = cap;
	}
	l->v[l->n++] = *i;
	return 0;
}

static int
take_logout(void *arg, const struct record *r, const struct stream_pos *pos,
    const uint8_t *boot, struct ops_err *err)
{
	struct item i = { .kind = ITEM_LOGOUT, .time = r->time };

	(void)pos;
	if (r->type != REC_LOGOUT || boot == NULL ||
	    logout_get(r->payload, r->len, &i.logout, NULL) < 0)
		return 0;
	i.logout.user = i.logout.service = (struct event_text){ 0 };
	memcpy(i.boot, boot, sizeof(i.boot));
	i.ses = i.logout.ses;
	if (i.ses == EVENT_UNSET) {
		i.pid = i.logout.pid;
		i.start = i.logout.start;
	}
	return add_item(arg, &i, err);
}

static int
take_logins(struct loading *l, struct ops_err *err)
{
	const struct logins *all = &l->sessions.logins;

	for (size_t k = 0; k < all->n; k++) {
		const struct login_seen *in = &all->l[k];
		struct item i = { .kind = ITEM_LOGIN,
			.time = in->time,
			.ses = in->l.ses,
			.login = in };

		memcpy(i.boot, in->boot, sizeof(i.boot));
		if (i.ses == EVENT_UNSET) {
			i.pid = in->l.pid;
			i.start = in->l.start;
		}
		if (add_item(l, &i, err) < 0)
			return -1;
	}
	return 0;
}

static int
take_sessions(struct loading *l, struct ops_err *err)
{
	for (size_t k = 0; k < l->sessions.n; k++) {
		const struct session *s = &l->sessions.s[k];
		struct item i = { .kind = ITEM_SESSION,
			.time = s->start_boottime,
			.ses = s->open.ses,
			.session = s };

		if (!s->has_boot || session_imported(s))
			continue;
		if (i.ses == EVENT_UNSET && !s->has_login)
			continue; /* of no login that is known */
		memcpy(i.boot, s->boot, sizeof(i.boot));
		if (i.ses == EVENT_UNSET) {
			i.pid = s->login.pid;
			i.start = s->login.start;
		}
		if (add_item(l, &i, err) < 0)
			return -1;
	}
	return 0;
}

/* -- one visit -- */

static int
compare(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

static int
compare_keys(const struct item *x, const struct item *y)
{
	int rc = memcmp(x->boot, y->boot, sizeof(x->boot));

	if (rc == 0)
		rc = compare(x->ses, y->ses);
	if (rc == 0)
		rc = compare(x->pid, y->pid);
	return rc != 0 ? rc : compare(x->start, y->start);
}

static int
by_key(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int rc = compare_keys(x, y);

	return rc != 0 ? rc : compare(x->time, y->time);
}

/* The LOGIN of several that says most: of a person, of a method, the first. */
static const struct login *
best_login(const struct item *v, size_t n)
{
	const struct login *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct login *l;

		if (v[i].kind != ITEM_LOGIN)
			continue;
		l = &v[i].login->l;
		if (best == NULL ||
		    (!login_has_person(best) && login_has_person(l)) ||
		    (!login_has_person(best) && best->method.p == NULL &&
			l->method.p != NULL))
			best = l;
	}
	return best;
}

static void
fill_login(struct visit *v, const struct login *l)
{
	v->has_login = true;
	v->pid = l->pid;
	v->uid = l->uid;
	v->auid = l->auid;
	v->user = l->user;
	v->service = l->service;
	v->from = l->from;
	v->tty = l->tty;
	v->method = l->method;
	v->person = l->person;
	v->how = l->how;
}

static bool
is_of(const struct login *l, uint32_t pid, uint64_t start)
{
	return l->pid == pid && l->start == start;
}

/* Is the door the service's own process, or a child of it?  sshd's child, which has
 * dropped its rights, may stand between, but for root. */
static bool
by_service(const struct event_open *o, const struct login *l)
{
	static const char sshd[] = "sshd";
	bool drops = o->uid != 0 && l->service.p != NULL &&
		     l->service.n == sizeof(sshd) - 1 &&
		     memcmp(l->service.p, sshd, l->service.n) == 0;
	struct event_process p;

	if (is_of(l, o->pid, o->start))
		return true;
	for (size_t i = 0; i < (drops ? 2 : 1); i++)
		if (event_process_get(o->ancestors, i, &p) &&
		    is_of(l, p.pid, p.start))
			return true;
	return false;
}

/* A shell that executes the door in its place is as old as the login. */
static enum visit_opened
opened_by(const struct session *s, const struct login *l)
{
	const struct event_open *o = &s->open;

	if (l == NULL || o->ancestors.p == NULL)
		return OPENED_ASSUMED;
	return by_service(o, l) && s->start_boottime <=
				       o->start * EVENT_TICK_NS + DOOR_WAITS
		   ? OPENED_DOOR
		   : OPENED_HAND;
}

/* l: by which it came. */
static void
fill_session(struct visit *v, const struct session *s, const struct login *l)
{
	if (v->sessions++ == 0) {
		memcpy(v->session, s->id, sizeof(v->session));
		v->opened = opened_by(s, l);
		v->opened_at = s->start;
		v->door.pid = s->open.pid;
		v->door.start = s->open.start;
	}
	if (v->has_login)
		return;
	v->uid = s->open.uid;
	v->auid = s->open.auid;
	v->user = s->open.user;
}

static void
fill_logout(struct visit *v, const struct logout *o)
{
	v->end = o->realtime;
	v->has_bytes = o->has_bytes;
	v->bytes_in = o->bytes_in;
	v->bytes_out = o->bytes_out;
}

/* False: nothing tells when it began, so it is none. */
static bool
make(const struct item *v, size_t n, struct visit *ret)
{
	const struct login *l = best_login(v, n);
	struct visit all = { .ses = v->ses };

	memcpy(all.boot, v->boot, sizeof(all.boot));
	if (l != NULL)
		fill_login(&all, l);
	for (size_t i = 0; i < n; i++) {
		uint64_t begin = 0;

		if (v[i].kind == ITEM_SESSION) {
			assert(v[i].session != NULL);
			fill_session(&all, v[i].session, l);
			begin = v[i].session->start;
		} else if (v[i].kind == ITEM_LOGIN) {
			assert(v[i].login != NULL);
			begin = v[i].login->l.realtime;
		} else if (l != NULL && v[i].logout.pid == l->pid &&
			   v[i].logout.start == l->start) {
			fill_logout(&all, &v[i].logout);
		}
		if (begin != 0 && (all.begin == 0 || begin < all.begin))
			all.begin = begin;
	}
	*ret = all;
	return all.begin != 0;
}

/* -- all of them -- */

/* Where the kernel doesn't tell logins apart they may be of several persons; and each
 * session has been joined to its own, also by descent. */
static bool
may_read(const struct item *v, size_t n, const struct login *me)
{
	for (size_t i = 0; i < n; i++) {
		const struct login *made = NULL;

		if (v[i].kind == ITEM_LOGIN) {
			assert(v[i].login != NULL);
			made = &v[i].login->l;
		} else if (v[i].kind == ITEM_SESSION) {
			assert(v[i].session != NULL);
			if (v[i].session->has_login)
				made = &v[i].session->login;
		}
		if (!login_may_read(me, made))
			return false;
	}
	return true;
}

static bool
wanted(const struct loading *l, const struct visit *v,
    const struct visit_filter *f)
{
	uint64_t end = v->end;

	/* One without an end goes on, unless the machine was started again. */
	if (end == 0)
		end = memcmp(v->boot, l->s->h.boot_id, sizeof(v->boot)) == 0
			  ? UINT64_MAX
			  : v->begin;
	return (f->since == 0 || end >= f->since) &&
	       (f->until == 0 || v->begin <= f->until) &&
	       (!f->has_uid || v->uid == f->uid || v->auid == f->uid);
}

static int
by_begin(const void *a, const void *b)
{
	const struct visit *x = a, *y = b;

	return compare(x->begin, y->begin);
}

static int
group(struct loading *l, const struct visit_filter *f, struct visits *ret,
    struct ops_err *err)
{
	const struct login *me = f->reader != NULL
				     ? logins_of(&l->sessions.logins, f->reader)
				     : NULL;
	struct visit v;

	if (l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_key);
	for (size_t at = 0, n; at < l->n; at += n) {
		for (n = 1; at + n < l->n &&
			    compare_keys(&l->v[at], &l->v[at + n]) == 0;)
			n++;
		if (make(l->v + at, n, &v) && wanted(l, &v, f) &&
		    (f->reader == NULL || may_read(l->v + at, n, me)) &&
		    add(ret, &v, err) < 0)
			return -1;
	}
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_begin);
	return 0;
}

int
visits_load(struct store *s, const struct visit_filter *f, struct visits *ret,
    struct ops_err *err)
{
	struct loading l = { .s = s };
	struct visits all = { 0 };
	int rc = session_list_load(s, NULL, &l.sessions, err);

	if (rc == 0)
		rc = take_logins(&l, err);
	if (rc == 0)
		rc = take_sessions(&l, err);
	/* What can't be read was counted when the sessions were. */
	if (rc == 0)
		rc = events_walk(s, take_logout, &l, NULL, err);
	if (rc == 0)
		rc = group(&l, f, &all, err);
	all.missing = l.sessions.missing.frames;
	session_list_free(&l.sessions);
	free(l.v);
	if (rc < 0) {
		visits_free(&all);
		return -1;
	}
	*ret = all;
	return 0;
}
