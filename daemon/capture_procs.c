#include "capture_procs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "record/program.h"

#define BUCKETS_MIN 1024
#define CLIMB_MAX 64 /* generations */

struct entry {
	struct proc p; /* first: an entry is its process */
	struct entry *next;
};

struct client {
	uint32_t pid;
	uint64_t start;
	uint32_t euid;
	uint32_t tty_major, tty_minor, tty_fs;
	uint8_t mux;
};

#define CLIENTS_MAX 1024
#define CLIENTS_USER 64 /* of one effective user */

struct procs {
	struct entry **bucket;
	size_t buckets, n; /* buckets: a power of 2 */
	struct procs_session *session;
	size_t sessions, sessions_cap;
	/* Processes that executed tmux or screen, or were found doing so; those
	 * that ended since are still in it. */
	struct client client[CLIENTS_MAX]; /* the oldest first */
	size_t clients;
};

struct procs *
procs_new(void)
{
	struct procs *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->buckets = BUCKETS_MIN;
	p->bucket = calloc(p->buckets, sizeof(struct entry *));
	if (p->bucket == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

void
procs_free(struct procs *p)
{
	struct entry *next;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->buckets; i++)
		for (struct entry *e = p->bucket[i]; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	free(p->bucket);
	free(p->session);
	free(p);
}

size_t
procs_count(const struct procs *p)
{
	return p->n;
}

/* -- the table: one process a pid, as the kernel has it -- */

static size_t
bucket_of(uint32_t pid, size_t buckets)
{
	return (pid * 2654435761u) & (buckets - 1); /* Knuth, TAOCP 6.4 */
}

/* Where the entry of this pid is linked, or the end of its bucket. */
static struct entry **
place_of(const struct procs *p, uint32_t pid)
{
	struct entry **at = &p->bucket[bucket_of(pid, p->buckets)];

	while (*at != NULL && (*at)->p.pid != pid)
		at = &(*at)->next;
	return at;
}

static void
grow(struct procs *p)
{
	size_t buckets = 2 * p->buckets;
	struct entry **more = calloc(buckets, sizeof(struct entry *)), *next;

	if (more == NULL)
		return; /* longer lists, that's all */
	for (size_t i = 0; i < p->buckets; i++)
		for (struct entry *e = p->bucket[i]; e != NULL; e = next) {
			size_t b = bucket_of(e->p.pid, buckets);

			next = e->next;
			e->next = more[b];
			more[b] = e;
		}
	free(p->bucket);
	p->bucket = more;
	p->buckets = buckets;
}

static bool
same_start(const struct proc *p, uint64_t start)
{
	if (p->seeded)
		return start / PROCS_TICK == p->start / PROCS_TICK;
	return p->start == start;
}

static const struct proc *
look_up(const struct procs *p, uint32_t pid, uint64_t start)
{
	const struct entry *e = *place_of(p, pid);

	return e != NULL && same_start(&e->p, start) ? &e->p : NULL;
}

struct proc *
procs_find(struct procs *p, uint32_t pid, uint64_t start)
{
	return look_up(p, pid, start) != NULL ? &(*place_of(p, pid))->p : NULL;
}

/* Find or make; what had this pid before is gone, its end wasn't told. */
static struct proc *
get(struct procs *p, uint32_t pid, uint64_t start, bool *made)
{
	struct entry **at = place_of(p, pid), *e = *at;

	*made = false;
	if (e != NULL && same_start(&e->p, start)) {
		if (e->p.seeded) {
			e->p.start = start; /* now it is known exactly */
			e->p.seeded = false;
		}
		return &e->p;
	}
	*made = true;
	if (e == NULL) {
		if (p->n >= PROCS_MAX)
			return NULL;
		if (p->n >= p->buckets)
			grow(p);
		e = calloc(1, sizeof(*e));
		if (e == NULL)
			return NULL;
		at = &p->bucket[bucket_of(pid, p->buckets)];
		e->next = *at;
		*at = e;
		p->n++;
	}
	e->p = (struct proc){ .pid = pid, .start = start };
	return &e->p;
}

/* -- tmux and screen -- */

enum { NO_MUX, TMUX, SCREEN };

/* tmux calls itself "tmux: client" and "tmux: server" later on. */
static uint8_t
mux_of(const char comm[CAP_COMM])
{
	if (strncmp(comm, "tmux", CAP_COMM) == 0 ||
	    strncmp(comm, "tmux: ", 6) == 0)
		return TMUX;
	if (strncasecmp(comm, "screen", CAP_COMM) == 0 ||
	    strncmp(comm, "screen-", 7) == 0)
		return SCREEN;
	return NO_MUX;
}

static bool
is_client(const struct client *c, const struct proc *x)
{
	return c->pid == x->pid && c->start == x->start;
}

static void
drop_client(struct procs *p, size_t i)
{
	memmove(&p->client[i], &p->client[i + 1],
	    (--p->clients - i) * sizeof(p->client[0]));
}

static void
drop_ended(struct procs *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->clients; i++)
		if (look_up(p, p->client[i].pid, p->client[i].start) != NULL)
			p->client[kept++] = p->client[i];
	p->clients = kept;
}

/* The oldest of this user's, of more than one user may have; else clients. */
static size_t
one_too_many(const struct procs *p, uint32_t euid)
{
	size_t n = 0, oldest = p->clients;

	for (size_t i = p->clients; i-- > 0;)
		if (p->client[i].euid == euid) {
			oldest = i;
			n++;
		}
	return n >= CLIENTS_USER ? oldest : p->clients;
}

/* Anybody may name a program tmux, and execute it again and again: a user has a
 * number of places, and can't take those of another. */
static void
add_client(struct procs *p, const struct proc *x)
{
	size_t i;

	for (i = 0; i < p->clients && !is_client(&p->client[i], x); i++)
		continue;
	if (i < p->clients)
		drop_client(p, i); /* it may be on another terminal now */
	if (x->tty_major == 0)
		return;
	if (one_too_many(p, x->euid) < p->clients || p->clients == CLIENTS_MAX)
		drop_ended(p);
	i = one_too_many(p, x->euid);
	if (i < p->clients)
		drop_client(p, i);
	if (p->clients == CLIENTS_MAX)
		return; /* it isn't seen as one, that's all */
	p->client[p->clients++] = (struct client){ x->pid, x->start, x->euid,
		x->tty_major, x->tty_minor, x->tty_fs, x->mux };
}

static void
inherit_mux(struct proc *child, const struct proc *parent)
{
	child->mux = parent->mux;
	child->mux_pid = parent->mux != NO_MUX ? parent->pid : parent->mux_pid;
	child->mux_start =
	    parent->mux != NO_MUX ? parent->start : parent->mux_start;
	child->climb = parent->seeded || parent->climb;
}

/* The server below which it runs: known from its fork, or, behind what ran
 * before capture did, looked for among those that live. */
static const struct proc *
server_of(const struct procs *p, const struct proc *x)
{
	if (x->mux_pid != 0)
		return look_up(p, x->mux_pid, x->mux_start);
	for (int i = 0; i < CLIMB_MAX && (x->seeded || x->climb); i++) {
		const struct entry *e = *place_of(p, x->ppid);

		if (x->ppid == 0 || e == NULL)
			break;
		x = &e->p;
		if (x->mux != NO_MUX)
			return x;
	}
	return NULL;
}

static void
executes(struct procs *p, struct proc *x)
{
	struct proc *server;

	x->mux = mux_of(x->comm);
	x->serves = false;
	if (x->mux != NO_MUX) {
		add_client(p, x);
		return;
	}
	server = procs_find(p, x->mux_pid, x->mux_start);
	if (server != NULL)
		server->serves = true;
}

/* -- what happens -- */

static bool
is_door(const struct procs_session *s, const struct proc *x)
{
	return s->door == x->pid && s->door_start == x->start / PROCS_TICK;
}

/* From here on its children are the session's. */
static void
descends(struct proc *door, const uint8_t id[static OPS_ID_LEN])
{
	door->has_session = true;
	memcpy(door->session, id, OPS_ID_LEN);
}

/* What it does is told later than that its session has begun. */
static void
look_for_session(const struct procs *p, struct proc *x)
{
	for (size_t i = p->sessions; i-- > 0;)
		if (is_door(&p->session[i], x)) {
			descends(x, p->session[i].id);
			return;
		}
}

static void
set_parent(struct procs *p, struct proc *child, const struct cap_head *h)
{
	const struct proc *parent = procs_find(p, h->ppid, h->pstart);

	child->ppid = h->ppid;
	child->pstart = h->pstart;
	if (parent == NULL)
		return;
	child->has_session = parent->has_session;
	memcpy(child->session, parent->session, OPS_ID_LEN);
	child->tty_major = parent->tty_major;
	child->tty_minor = parent->tty_minor;
	child->tty_fs = parent->tty_fs;
	if (parent->executed || parent->before) {
		child->ancestor = parent->pid;
		child->ancestor_start = parent->start;
	} else {
		child->ancestor = parent->ancestor;
		child->ancestor_start = parent->ancestor_start;
	}
	if (!child->executed)
		inherit_mux(child, parent);
}

struct proc *
procs_fork(struct procs *p, const struct cap_fork *e)
{
	bool made;
	struct proc *x = get(p, e->head.pid, e->head.start, &made);

	if (x == NULL)
		return NULL;
	/* Told late, after its first exec, it has nothing new but this. */
	set_parent(p, x, &e->head);
	if (!made)
		return x;
	x->uid = e->uid;
	x->euid = e->euid;
	x->auid = e->auid;
	x->ses = e->ses;
	memcpy(x->comm, e->comm, CAP_COMM);
	return x;
}

struct proc *
procs_exec(struct procs *p, const struct cap_exec *e)
{
	bool made;
	struct proc *x = get(p, e->head.pid, e->head.start, &made);

	if (x == NULL)
		return NULL;
	/* The parent that is stated now may be who took an orphan. */
	if (made)
		set_parent(p, x, &e->head);
	else if (x->pstart == 0 && x->ppid == e->head.ppid)
		x->pstart = e->head.pstart; /* /proc doesn't say it */
	x->executed = true;
	x->uid = e->uid;
	x->euid = e->euid;
	x->auid = e->auid;
	x->ses = e->ses;
	x->tty_major = e->tty_major;
	x->tty_minor = e->tty_minor;
	x->tty_fs = e->tty_dev;
	memcpy(x->comm, e->comm, CAP_COMM);
	executes(p, x);
	look_for_session(p, x);
	return x;
}

bool
procs_exit(struct procs *p, const struct cap_exit *e, struct proc *ret)
{
	struct entry **at = place_of(p, e->head.pid), *x = *at;

	if (x == NULL || !same_start(&x->p, e->head.start))
		return false;
	*ret = x->p;
	*at = x->next;
	p->n--;
	free(x);
	return true;
}

int
procs_seed(struct procs *p, const struct proc *seen)
{
	struct entry *e = *place_of(p, seen->pid);
	struct proc *x;
	bool made;

	/* What capture saw is exact, and newer. */
	if (e != NULL)
		return 0;
	x = get(p, seen->pid, seen->start, &made);
	if (x == NULL)
		return -1;
	*x = *seen;
	x->seeded = x->before = true;
	x->mux = mux_of(x->comm);
	if (x->mux != NO_MUX)
		add_client(p, x);
	return 0;
}

/* -- sessions -- */

static struct procs_session *
session_of(const struct procs *p, const uint8_t id[static OPS_ID_LEN])
{
	for (size_t i = 0; i < p->sessions; i++)
		if (memcmp(p->session[i].id, id, OPS_ID_LEN) == 0)
			return &p->session[i];
	return NULL;
}

int
procs_session(struct procs *p, const struct procs_session *s)
{
	struct procs_session *at = session_of(p, s->id);
	struct entry *door = *place_of(p, s->door);

	if (at == NULL) {
		if (p->sessions == p->sessions_cap) {
			size_t cap =
			    p->sessions_cap == 0 ? 64 : 2 * p->sessions_cap;

			if (cap > PROCS_SESSIONS_MAX)
				return -1;
			at = realloc(p->session, cap * sizeof(*at));
			if (at == NULL)
				return -1;
			p->session = at;
			p->sessions_cap = cap;
		}
		at = &p->session[p->sessions++];
	}
	*at = *s;
	if (door != NULL && is_door(s, &door->p))
		descends(&door->p, s->id);
	return 0;
}

void
procs_session_ended(
    struct procs *p, const uint8_t id[static OPS_ID_LEN], uint64_t when)
{
	struct procs_session *s = session_of(p, id);

	if (s != NULL && s->until == 0)
		s->until = when;
}

void
procs_sessions_over(struct procs *p, uint64_t when)
{
	for (size_t i = 0; i < p->sessions; i++)
		if (p->session[i].until == 0)
			p->session[i].until = when;
}

void
procs_sessions_before(struct procs *p, uint64_t when)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->sessions; i++)
		if (p->session[i].until == 0 || p->session[i].until >= when)
			p->session[kept++] = p->session[i];
	p->sessions = kept;
}

static bool
is_open(const struct procs_session *s, uint64_t time)
{
	return time >= s->from && (s->until == 0 || time <= s->until);
}

static bool
is_on_tty(
    const struct procs_session *s, uint32_t major, uint32_t minor, uint32_t fs)
{
	return s->tty_major != 0 && s->tty_major == major &&
	       s->tty_minor == minor &&
	       (s->tty_fs == fs || s->tty_fs == 0 || fs == 0);
}

static bool
on_its_tty(const struct procs_session *s, const struct proc *x)
{
	return is_on_tty(s, x->tty_major, x->tty_minor, x->tty_fs);
}

/* The kernel counts them from 1. */
static bool
is_login(uint32_t ses)
{
	return ses != CAP_UNSET && ses != 0;
}

/* The door was executed before its session began. */
static bool
began(const struct procs *p, const uint8_t id[static OPS_ID_LEN], uint64_t time)
{
	const struct procs_session *s = session_of(p, id);

	return s == NULL || time >= s->from;
}

static bool
is_shown(const struct procs *p, const struct procs_session *s,
    const struct proc *server)
{
	for (size_t i = 0; i < p->clients; i++) {
		const struct client *c = &p->client[i];
		const struct proc *x;

		if (c->mux != server->mux || c->euid != server->euid ||
		    !is_on_tty(s, c->tty_major, c->tty_minor, c->tty_fs))
			continue;
		x = look_up(p, c->pid, c->start);
		if (x != NULL && !x->serves)
			return true;
	}
	return false;
}

size_t
procs_shown(const struct procs *p, const struct proc *x, uint64_t time,
    uint8_t ids[][OPS_ID_LEN], size_t max)
{
	const struct proc *server = server_of(p, x);
	size_t n = 0;

	if (server == NULL || p->clients == 0)
		return 0;
	for (size_t i = 0; i < p->sessions && n < max; i++)
		if (is_open(&p->session[i], time) &&
		    is_shown(p, &p->session[i], server))
			memcpy(ids[n++], p->session[i].id, OPS_ID_LEN);
	return n;
}

uint32_t
procs_joined(const struct procs *p, const struct proc *x, uint64_t time,
    uint8_t ret[static OPS_ID_LEN])
{
	const struct procs_session *login = NULL;
	uint8_t shown[OPS_ID_LEN];

	/* The newest first: a terminal's number is soon another's. */
	for (size_t i = p->sessions; i-- > 0;) {
		const struct procs_session *s = &p->session[i];

		if (!is_open(s, time))
			continue;
		if (on_its_tty(s, x)) {
			memcpy(ret, s->id, OPS_ID_LEN);
			return JOINED_TTY;
		}
		if (login == NULL && is_login(s->ses) && s->ses == x->ses)
			login = s;
	}
	if (procs_shown(p, x, time, &shown, 1) > 0) {
		memcpy(ret, shown, OPS_ID_LEN);
		return JOINED_INFERRED;
	}
	if (x->has_session && began(p, x->session, time)) {
		memcpy(ret, x->session, OPS_ID_LEN);
		return JOINED_DESCENT;
	}
	if (login != NULL) {
		memcpy(ret, login->id, OPS_ID_LEN);
		return JOINED_LOGIN;
	}
	memset(ret, 0, OPS_ID_LEN);
	return JOINED_NOTHING;
}
