#include "programs.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "record/acct.h"
#include "record/body.h"
#include "record/record.h"
#include "session.h"

#define TICK_NS 10000000u /* of a seeded start; USER_HZ is 100 */
#define SECOND UINT64_C(1000000000)
#define NONE SIZE_MAX
#define BEGIN_SLACK (SECOND + SECOND / 20) /* of one known to the second */
#define DROPPED 0                          /* kind of no program */

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "programs: no memory");
}

/* -- the processes, by pid: the entry of their last exec -- */

struct process {
	uint32_t pid; /* 0: the place is free */
	bool seeded;
	uint64_t start;
	size_t at; /* index of the entry, NONE if it isn't kept */
	/* The last process of this pid that ended: by capture; and what the
	 * kernel's accounting said of it. */
	uint64_t end_start, end; /* 0: none did */
	bool accounted;
	uint64_t began, elapsed, over;
	size_t entry; /* index of it, NONE if it isn't kept */
};

struct table {
	struct process *p;
	size_t n, size; /* a power of two, or 0 */
};

static struct process *
place_of(const struct table *t, uint32_t pid)
{
	size_t i = (pid * 2654435761u) & (t->size - 1); /* TAOCP 6.4 */

	while (t->p[i].pid != 0 && t->p[i].pid != pid)
		i = (i + 1) & (t->size - 1);
	return &t->p[i];
}

static struct process *
process_get(struct table *t, uint32_t pid)
{
	struct table more = { .n = t->n,
		.size = t->size == 0 ? 1024 : 2 * t->size };
	struct process *p;

	if (2 * t->n >= t->size) {
		more.p = calloc(more.size, sizeof(*more.p));
		if (more.p == NULL)
			return NULL;
		for (size_t i = 0; i < t->size; i++)
			if (t->p[i].pid != 0)
				*place_of(&more, t->p[i].pid) = t->p[i];
		free(t->p);
		*t = more;
	}
	p = place_of(t, pid);
	if (p->pid == 0) {
		t->n++;
		*p = (struct process){ .pid = pid, .at = NONE, .entry = NONE };
	}
	return p;
}

static bool
is_same(const struct process *p, uint64_t start)
{
	return p->seeded ? p->start / TICK_NS == start / TICK_NS
			 : p->start == start;
}

/* -- loading -- */

struct session_count {
	const struct session *s;
	uint32_t commands;
};

struct loader {
	const struct program_filter *f;
	struct program_list *l;
	struct table processes;
	uint8_t boot[4]; /* that they belong to */
	struct session_list sessions;
	struct session_count *count; /* by id */
	bool args_follow; /* the last record was the list's last exec */
	/* The run of capture that didn't say it ended, if there is one in this
	 * boot: its process, and the time of its last record. */
	bool unended;
	uint32_t capture_pid;
	uint64_t last;
};

static int
by_id(const void *a, const void *b)
{
	const struct session_count *x = a, *y = b;

	return memcmp(x->s->id, y->s->id, OPS_ID_LEN);
}

static struct session_count *
session_of(const struct loader *ld, const uint8_t id[static OPS_ID_LEN])
{
	struct session s;
	const struct session_count key = { .s = &s };

	if (ops_all_zero(id, OPS_ID_LEN) || ld->sessions.n == 0)
		return NULL;
	memcpy(s.id, id, OPS_ID_LEN);
	return bsearch(
	    &key, ld->count, ld->sessions.n, sizeof(*ld->count), by_id);
}

static int
load_sessions(struct loader *ld, struct store *s, struct ops_err *err)
{
	if (session_list_load(s, NULL, &ld->sessions, err) < 0)
		return -1;
	ld->count = calloc(ld->sessions.n + 1, sizeof(*ld->count));
	if (ld->count == NULL)
		return no_memory(err);
	for (size_t i = 0; i < ld->sessions.n; i++)
		ld->count[i].s = &ld->sessions.s[i];
	qsort(ld->count, ld->sessions.n, sizeof(*ld->count), by_id);
	return 0;
}

static bool
keep(struct program_list *l, struct event_text *t)
{
	if (t->p == NULL)
		return true;
	t->p = arena_copy(&l->arena, t->p, t->n);
	return t->p != NULL;
}

static bool
keep_texts(struct program_list *l, struct program *p)
{
	struct program_exec *e = &p->exec;

	return keep(l, &e->comm) && keep(l, &e->filename) &&
	       keep(l, &e->interp) && keep(l, &e->exe) && keep(l, &e->cwd) &&
	       keep(l, &e->cgroup) && keep(l, &e->holes) && keep(l, &e->env) &&
	       keep(l, &e->args) && keep(l, &e->also) &&
	       keep(l, &p->failed.comm) && keep(l, &p->failed.name) &&
	       keep(l, &p->accounted.comm) && keep(l, &p->end.comm);
}

int
program_list_add(
    struct program_list *l, const struct program *p, struct ops_err *err)
{
	size_t cap = l->cap == 0 ? 64 : 2 * l->cap;

	if (l->n == l->cap) {
		struct program *more = reallocarray(l->p, cap, sizeof(*more));

		if (more == NULL)
			return no_memory(err);
		l->p = more;
		l->cap = cap;
	}
	l->p[l->n] = *p;
	if (!keep_texts(l, &l->p[l->n]))
		return no_memory(err);
	l->n++;
	ops_buf_reset(&l->args);
	l->args.max = PROGRAM_ARGS_TOTAL;
	return 0;
}

int
program_list_args(struct program_list *l, struct ops_err *err)
{
	struct event_text *args = l->n > 0 ? &l->p[l->n - 1].exec.args : NULL;
	struct ops_buf all = { .max = 2 * PROGRAM_ARGS_TOTAL };
	struct event_text kept;

	if (args == NULL || l->args.len == 0)
		return 0;
	ops_buf_put(&all, args->p, args->n);
	ops_buf_put(&all, l->args.data, l->args.len);
	kept = (struct event_text){ all.data, all.len };
	ops_buf_reset(&l->args);
	if (!all.failed && keep(l, &kept))
		*args = kept;
	else
		kept.p = NULL;
	ops_buf_free(&all);
	return kept.p != NULL ? 0 : no_memory(err);
}

/* -- which to keep, as far as its start says -- */

struct event_text
program_last_part(struct event_text t)
{
	const uint8_t *slash = t.n > 0 ? memrchr(t.p, '/', t.n) : NULL;

	if (slash != NULL)
		return (struct event_text){ slash + 1,
			t.n - (size_t)(slash + 1 - t.p) };
	return t;
}

static struct event_text
first_arg(const struct program_exec *e)
{
	return (struct event_text){ e->args.p,
		e->args.n > 0 ? strnlen((const char *)e->args.p, e->args.n)
			      : 0 };
}

struct event_text
program_name(const struct program *p)
{
	const struct program_exec *e = &p->exec;

	if (p->kind == PROGRAM_FAILED)
		return program_last_part(p->failed.name);
	if (p->kind == PROGRAM_ENDED || p->kind == PROGRAM_ACCOUNTED)
		return e->comm;
	if (e->exe.n > 0)
		return program_last_part(e->exe);
	return e->args.n > 0 ? program_last_part(first_arg(e)) : e->comm;
}

static bool
is_text(struct event_text t, const char *s)
{
	return t.n == strlen(s) && (t.n == 0 || memcmp(t.p, s, t.n) == 0);
}

/* A script is what it's called, and what runs it. */
static bool
has_name(const struct program *p, const char *name)
{
	const struct program_exec *e = &p->exec;

	return is_text(program_name(p), name) ||
	       (p->kind == PROGRAM_RAN &&
		   (is_text(program_last_part(e->filename), name) ||
		       is_text(program_last_part(first_arg(e)), name)));
}

static bool
has_path(const struct program *p, const char *pattern)
{
	char path[PROGRAM_PATH_MAX + 1];
	struct event_text t =
	    p->kind == PROGRAM_FAILED ? p->failed.name : p->exec.exe;

	if (t.n >= sizeof(path) || (t.n > 0 && memchr(t.p, '\0', t.n) != NULL))
		return false;
	if (t.n > 0)
		memcpy(path, t.p, t.n);
	path[t.n] = '\0';
	return fnmatch(pattern, path, 0) == 0;
}

void
program_tty(uint32_t tty, char out[static PROGRAM_TTY_NAME])
{
	uint32_t major = tty >> 20, minor = tty & 0xfffff;

	if (tty == 0)
		(void)snprintf(out, PROGRAM_TTY_NAME, "-");
	else if (major >= 136 && major <= 143)
		(void)snprintf(out, PROGRAM_TTY_NAME, "pts/%u",
		    (major - 136) * 256 + minor);
	else if (major == 4 && minor < 64)
		(void)snprintf(out, PROGRAM_TTY_NAME, "tty%u", minor);
	else if (major == 4)
		(void)snprintf(out, PROGRAM_TTY_NAME, "ttyS%u", minor - 64);
	else if (major == 5 && minor == 1)
		(void)snprintf(out, PROGRAM_TTY_NAME, "console");
	else
		(void)snprintf(out, PROGRAM_TTY_NAME, "%u:%u", major, minor);
}

static bool
has_tty(const struct program *p, const char *name)
{
	char tty[PROGRAM_TTY_NAME];

	program_tty(p->kind == PROGRAM_RAN || p->kind == PROGRAM_ACCOUNTED
			? p->exec.tty
			: 0,
	    tty);
	return strcmp(tty, name) == 0;
}

static bool
is_owned(const struct program *p, uint32_t owner)
{
	if (p->kind == PROGRAM_LOST || p->kind == PROGRAM_COVERAGE)
		return true; /* says nothing of anybody */
	if (program_imported(p))
		return false; /* whose they were is claimed */
	return p->login == owner ||
	       (p->kind == PROGRAM_FAILED ? p->failed.uid : p->exec.uid) ==
		   owner;
}

/* Its own, or another that its terminal is shown in. */
static bool
is_in(const struct program *p, const uint8_t id[static OPS_ID_LEN])
{
	const struct event_text *also = &p->exec.also;

	if (memcmp(p->session, id, OPS_ID_LEN) == 0)
		return true;
	for (size_t i = 0; i < also->n; i += OPS_ID_LEN)
		if (memcmp(also->p + i, id, OPS_ID_LEN) == 0)
			return true;
	return false;
}

/* Is it of the source, and of the kind, that is asked for? */
static bool
is_of_source(const struct program *p, const struct program_filter *f)
{
	bool acct = p->kind == PROGRAM_ACCOUNTED;

	if (f->coverage)
		return (acct && !program_imported(p)) ||
		       p->kind == PROGRAM_LOST || p->kind == PROGRAM_COVERAGE;
	if (p->kind == PROGRAM_COVERAGE ||
	    (f->source == SOURCE_CAPTURE && acct) ||
	    (f->source == SOURCE_ACCT && !acct) ||
	    (f->source == SOURCE_IMPORT && !program_imported(p)))
		return false;
	return f->forks || !acct || (p->accounted.flags & ACCT_FORKED) == 0;
}

static bool
wanted(const struct program *p, const struct program_filter *f)
{
	uint32_t euid =
	    p->kind == PROGRAM_FAILED ? p->failed.euid : p->exec.euid;
	bool lost = p->kind == PROGRAM_LOST || p->kind == PROGRAM_COVERAGE;

	if (!is_of_source(p, f))
		return false;
	if ((f->since != 0 && p->time < f->since) ||
	    (f->until != 0 && p->time > f->until))
		return false;
	if (lost) /* wherever it may be among what is asked for */
		return true;
	return (!f->has_owner || is_owned(p, f->owner)) &&
	       (!f->has_login || p->login == f->login) &&
	       (!f->has_euid || euid == f->euid) &&
	       (!f->has_session || is_in(p, f->session)) &&
	       (f->tty == NULL || has_tty(p, f->tty)) &&
	       (f->name == NULL || has_name(p, f->name)) &&
	       (f->exe == NULL || has_path(p, f->exe));
}

/* What its end says. */
static bool
did_fail(const struct program *p)
{
	return p->kind == PROGRAM_FAILED || p->kind == PROGRAM_LOST ||
	       (p->has_end && p->end.status != 0);
}

/* -- records -- */

/* Who logged in: as the kernel knows, else who the session is, else who ran it.
 * A session's own user is proven too (SO_PEERCRED). */
static uint32_t
login_of(uint32_t auid, uint32_t uid, const struct session_count *s)
{
	if (auid != EVENT_UNSET)
		return auid;
	if (s == NULL)
		return uid;
	return s->s->open.auid != EVENT_UNSET ? s->s->open.auid
					      : s->s->open.uid;
}

static void
fill(struct program *p, const struct record *r, const struct stream_pos *pos,
    const uint8_t id[static OPS_ID_LEN], const struct session_count *s,
    uint32_t joined)
{
	p->sealed = pos->sealed;
	p->time = pos->wall;
	p->boottime = r->time;
	memcpy(p->session, id, OPS_ID_LEN);
	if (s == NULL || joined != JOINED_TTY || r->time < s->s->start_boottime)
		return;
	p->has_offset = true;
	p->offset = r->time - s->s->start_boottime;
}

/* Remember the process, and that its exec before is over. */
static int
note_process(struct loader *ld, const struct program_exec *e, uint64_t time,
    size_t at, struct ops_err *err)
{
	struct process *x = process_get(&ld->processes, e->pid);
	struct program *before;

	if (x == NULL)
		return no_memory(err);
	if (x->at != NONE && is_same(x, e->start)) {
		if ((e->flags & PROGRAM_SEEDED) != 0)
			return 0; /* another run of capture found it again */
		before = &ld->l->p[x->at];
		before->replaced = true;
		before->ended = time;
	}
	x->start = e->start;
	x->seeded = (e->flags & PROGRAM_SEEDED) != 0;
	x->at = at;
	return 0;
}

/* One of its session's commands: not what only has the login in common. */
static bool
is_command(const struct program_exec *e)
{
	return (e->flags & PROGRAM_SEEDED) == 0 && e->joined != JOINED_LOGIN;
}

static int
take_exec(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	struct session_count *s = session_of(ld, id);
	struct program p = { .kind = PROGRAM_RAN };
	bool kept;

	if (program_exec_get(r->payload, r->len, &p.exec, NULL) < 0)
		return 0;
	fill(&p, r, pos, id, s, p.exec.joined);
	if (s != NULL && is_command(&p.exec))
		p.number = ++s->commands;
	p.login = login_of(p.exec.auid, p.exec.uid, s);
	kept = (p.exec.flags & PROGRAM_SEEDED) == 0 && wanted(&p, ld->f);
	if (note_process(ld, &p.exec, r->time, kept ? ld->l->n : NONE, err) < 0)
		return -1;
	if (!kept)
		return 0;
	ld->args_follow = true;
	return program_list_add(ld->l, &p, err);
}

/* They follow their exec, in order. */
static void
take_args(struct loader *ld, const struct record *r)
{
	struct program_list *l = ld->l;
	const struct program_exec *e;
	struct program_args a;

	if (!ld->args_follow ||
	    program_args_get(r->payload, r->len, &a, NULL) < 0)
		return;
	e = &l->p[l->n - 1].exec;
	if (a.pid == e->pid && a.start == e->start &&
	    a.offset == e->args.n + l->args.len)
		ops_buf_put(&l->args, a.args.p, a.args.n);
}

static int
end_args(struct loader *ld, struct ops_err *err)
{
	bool followed = ld->args_follow;

	ld->args_follow = false;
	return followed ? program_list_args(ld->l, err) : 0;
}

void
program_from_end(struct program *p)
{
	const struct program_ended *e = &p->end;

	p->exec = (struct program_exec){ .pid = e->pid,
		.start = e->start,
		.ppid = e->ppid,
		.pstart = e->pstart,
		.uid = e->uid,
		.euid = e->euid,
		.auid = e->auid,
		.ses = e->ses,
		.joined = e->joined,
		.flags = e->flags,
		.comm = e->comm };
}

/* An end without an exec. */
static int
take_fork(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, const uint8_t id[static OPS_ID_LEN],
    const struct program_ended *e, struct ops_err *err)
{
	const struct session_count *s = session_of(ld, id);
	struct program p = { .kind = PROGRAM_ENDED,
		.has_end = true,
		.end = *e,
		.ended = r->time };

	program_from_end(&p);
	fill(&p, r, pos, id, s, e->joined);
	p.login = login_of(e->auid, e->uid, s);
	return wanted(&p, ld->f) ? program_list_add(ld->l, &p, err) : 0;
}

/* Are the two ends that of one process?  Times of the kernel's accounting are
 * known to the second, and longer ones less well. */
static bool
same_end(uint64_t start, uint64_t end, uint64_t elapsed, uint64_t over)
{
	return end != 0 && end + 2 * SECOND >= over &&
	       end <= over + 2 * SECOND && elapsed <= end - start + SECOND;
}

static bool
same_begin(uint64_t start, uint64_t began, uint64_t elapsed, uint64_t offset)
{
	uint64_t real = start + offset; /* the sum is right, if it wraps, too */
	uint64_t slack = BEGIN_SLACK + (elapsed >> 22);

	began *= SECOND;
	return real <= began + slack && began <= real + slack;
}

/* What the kernel's accounting told of in front of it is told twice. */
static void
drop_accounted(struct loader *ld, struct process *x, uint64_t offset)
{
	if (x->entry == NONE ||
	    !same_end(x->end_start, x->end, x->elapsed, x->over) ||
	    !same_begin(x->end_start, x->began, x->elapsed, offset))
		return;
	ld->l->p[x->entry].kind = DROPPED;
	x->entry = NONE;
}

static int
take_ended(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	struct program_ended e;
	struct process *x;
	struct program *p;

	if (program_ended_get(r->payload, r->len, &e, NULL) < 0)
		return 0;
	/* As the kernel's accounting names it. */
	x = process_get(&ld->processes, e.has_own ? e.own : e.pid);
	if (x == NULL)
		return no_memory(err);
	x->end_start = e.start;
	x->end = r->time;
	drop_accounted(ld, x, pos->wall - r->time);
	x = place_of(&ld->processes, e.pid);
	if (e.has_who && ld->f->forks)
		return take_fork(ld, r, pos, id, &e, err);
	if (x->pid == 0 || x->at == NONE || !is_same(x, e.start))
		return 0;
	p = &ld->l->p[x->at];
	p->has_end = true;
	p->end = e;
	p->ended = r->time;
	if (!keep(ld->l, &p->end.comm))
		return no_memory(err);
	return 0;
}

static int
take_failed(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	struct session_count *s = session_of(ld, id);
	struct program p = { .kind = PROGRAM_FAILED };

	if (program_failed_get(r->payload, r->len, &p.failed, NULL) < 0)
		return 0;
	fill(&p, r, pos, id, s, p.failed.joined);
	p.login = login_of(p.failed.auid, p.failed.uid, s);
	return wanted(&p, ld->f) ? program_list_add(ld->l, &p, err) : 0;
}

static int
take_loss(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	const uint8_t nobody[OPS_ID_LEN] = { 0 };
	struct program p = { .kind = PROGRAM_LOST, .login = EVENT_UNSET };

	if (program_loss_get(r->payload, r->len, &p.loss, NULL) < 0)
		return 0;
	fill(&p, r, pos, nobody, NULL, JOINED_NOTHING);
	return wanted(&p, ld->f) ? program_list_add(ld->l, &p, err) : 0;
}

/* A run that follows one which didn't end: what ran between was not seen, and
 * nobody counted it.  The same process goes on without a break, in another log. */
static int
take_capture(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	const uint8_t nobody[OPS_ID_LEN] = { 0 };
	struct program p = { .kind = PROGRAM_LOST, .login = EVENT_UNSET };
	struct program_capture c;
	bool hole;

	/* The kernel's accounting alone saw no program start. */
	if (program_capture_get(r->payload, r->len, &c, NULL) < 0 ||
	    is_text(c.how, "acct"))
		return 0;
	hole = c.what == CAPTURE_BEGAN && ld->unended &&
	       ld->capture_pid != c.pid && ld->last < r->time;
	p.loss.from = ld->last;
	p.loss.until = r->time;
	ld->unended = c.what == CAPTURE_BEGAN;
	ld->capture_pid = c.pid;
	ld->last = r->time;
	fill(&p, r, pos, nobody, NULL, JOINED_NOTHING);
	return hole && wanted(&p, ld->f) ? program_list_add(ld->l, &p, err) : 0;
}

void
program_from_accounted(struct program *p)
{
	const struct program_accounted *a = &p->accounted;

	p->exec = (struct program_exec){ .pid = a->pid,
		.ppid = a->ppid,
		.uid = a->uid,
		.euid = a->uid,
		.gid = a->gid,
		.egid = a->gid,
		.auid = EVENT_UNSET,
		.ses = EVENT_UNSET,
		.tty = a->tty,
		.flags = (a->flags & ACCT_FORKED) != 0 ? PROGRAM_FORKED : 0u,
		.comm = a->comm };
	p->end = (struct program_ended){ .pid = a->pid,
		.status = a->status,
		.utime = a->utime,
		.stime = a->stime,
		.minflt = a->minflt,
		.majflt = a->majflt };
	p->has_end = true;
}

/* Its end is here.  An earlier run of capture may have seen it; else this one
 * did, and told of it late: then its begin must be the same, too. */
static bool
was_captured(const struct process *x, const struct record *r,
    const struct program_accounted *a, uint64_t offset)
{
	return same_end(x->end_start, x->end, a->elapsed, r->time) &&
	       (a->unsure ||
		   same_begin(x->end_start, a->began, a->elapsed, offset));
}

/* Its times are what the file says, whenever it was read. */
static int
take_imported(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, const uint8_t id[static OPS_ID_LEN],
    const struct program_accounted *a, struct ops_err *err)
{
	const struct session_count *s = session_of(ld, id);
	struct program p = { .kind = PROGRAM_ACCOUNTED, .accounted = *a };
	uint64_t began = a->began * SECOND;

	program_from_accounted(&p);
	fill(&p, r, pos, id, NULL, JOINED_NOTHING);
	p.time = began;
	if (s != NULL && began >= s->s->start)
		p.boottime = s->s->start_boottime + (began - s->s->start);
	p.ended = p.boottime + a->elapsed;
	p.login = a->uid;
	return wanted(&p, ld->f) ? program_list_add(ld->l, &p, err) : 0;
}

static int
take_accounted(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, const uint8_t id[static OPS_ID_LEN],
    struct ops_err *err)
{
	const uint8_t nobody[OPS_ID_LEN] = { 0 };
	struct program p = { .kind = PROGRAM_ACCOUNTED, .ended = r->time };
	const struct program_accounted *a = &p.accounted;
	struct process *x;
	uint64_t ran;

	if (program_accounted_get(r->payload, r->len, &p.accounted, NULL) < 0)
		return 0;
	if (!ops_all_zero(id, OPS_ID_LEN))
		return take_imported(ld, r, pos, id, a, err);
	x = process_get(&ld->processes, a->pid);
	if (x == NULL)
		return no_memory(err);
	/* Told of twice, where a run of capture ended in between. */
	if (was_captured(x, r, a, pos->wall - r->time) ||
	    (a->unsure && x->accounted && x->began == a->began &&
		x->elapsed == a->elapsed))
		return 0;
	x->accounted = true;
	x->began = a->began;
	x->elapsed = a->elapsed;
	x->over = r->time;
	x->entry = NONE;
	program_from_accounted(&p);
	fill(&p, r, pos, nobody, NULL, JOINED_NOTHING);
	ran = a->elapsed < r->time ? a->elapsed : r->time;
	p.boottime -= ran;
	p.time -= ran < p.time ? ran : p.time;
	p.login = a->uid;
	if (!wanted(&p, ld->f))
		return 0;
	x->entry = ld->l->n;
	return program_list_add(ld->l, &p, err);
}

static int
take_coverage(struct loader *ld, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	const uint8_t nobody[OPS_ID_LEN] = { 0 };
	struct program p = { .kind = PROGRAM_COVERAGE, .login = EVENT_UNSET };

	if (program_coverage_get(r->payload, r->len, &p.coverage, NULL) < 0)
		return 0;
	fill(&p, r, pos, nobody, NULL, JOINED_NOTHING);
	return wanted(&p, ld->f) ? program_list_add(ld->l, &p, err) : 0;
}

static int
take(struct loader *ld, const struct record *r, const struct stream_pos *pos,
    struct ops_err *err)
{
	uint8_t id[OPS_ID_LEN];

	if (body_session(r->payload, r->len, id, NULL) < 0)
		return 0;
	if (r->type == REC_ARGS) {
		take_args(ld, r);
		return 0;
	}
	if (end_args(ld, err) < 0)
		return -1;
	switch (r->type) {
	case REC_CAPTURE:
		return take_capture(ld, r, pos, err);
	case REC_EXEC:
		return take_exec(ld, r, pos, id, err);
	case REC_ENDED:
		return take_ended(ld, r, pos, id, err);
	case REC_FAILED:
		return take_failed(ld, r, pos, id, err);
	case REC_LOSS:
		return take_loss(ld, r, pos, err);
	case REC_ACCOUNTED:
		return take_accounted(ld, r, pos, id, err);
	case REC_COVERAGE:
		return take_coverage(ld, r, pos, err);
	default:
		return 0;
	}
}

/* Another boot has other processes. */
static void
look_at_boot(struct loader *ld, const struct stream_pos *pos)
{
	if (pos->frame == NULL ||
	    memcmp(pos->frame->boot, ld->boot, sizeof(ld->boot)) == 0)
		return;
	memcpy(ld->boot, pos->frame->boot, sizeof(ld->boot));
	free(ld->processes.p);
	ld->processes = (struct table){ 0 };
	ld->unended = false;
	ld->last = 0;
}

/* Is it from the kernel's side, and of the time it says?  What accounting told or
 * was imported is of another. */
static bool
is_captured(uint8_t type)
{
	return type == REC_EXEC || type == REC_ARGS || type == REC_ENDED ||
	       type == REC_FAILED || type == REC_LOSS;
}

static int
read_stream(
    struct loader *ld, struct store *s, const uint8_t *id, struct ops_err *err)
{
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	int rc;

	if (stream_open(s, id, 0, &r, err) < 0)
		return -1;
	for (;;) {
		struct ops_err why = { 0 };

		rc = stream_next(r, &rec, &pos, &why);
		if (rc < 0 && why.code == OPS_ENOMEM) {
			if (err != NULL)
				*err = why;
			break;
		}
		if (rc < 0) {
			ld->l->missing++;
			continue;
		}
		if (rc > 0)
			look_at_boot(ld, &pos);
		if (rc == 0 || (rc = take(ld, &rec, &pos, err)) < 0)
			break;
		if (is_captured(rec.type) && rec.time > ld->last)
			ld->last = rec.time;
	}
	if (rc == 0)
		rc = end_args(ld, err);
	stream_free(r);
	return rc < 0 ? -1 : 0;
}

static int
by_time(const void *a, const void *b)
{
	const struct program *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->boottime < y->boottime ? -1 : x->boottime > y->boottime;
}

static void
cut_to(struct program_list *l, const struct program_filter *f)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].kind != DROPPED &&
		    (!f->failed || did_fail(&l->p[i])))
			l->p[n++] = l->p[i];
	l->n = n;
	if (l->n > 1)
		qsort(l->p, l->n, sizeof(*l->p), by_time);
	if (f->newest != 0 && l->n > f->newest) {
		memmove(
		    l->p, l->p + (l->n - f->newest), f->newest * sizeof(*l->p));
		l->n = f->newest;
	}
}

int
program_list_load(struct store *s, const struct program_filter *f,
    struct program_list *ret, struct ops_err *err)
{
	struct program_list l = { 0 };
	struct loader ld = { .f = f, .l = &l };
	const struct store_stream *stream;
	size_t n = store_streams(s, &stream);
	int rc = load_sessions(&ld, s, err);

	for (size_t i = 0; rc == 0 && i < n; i++)
		if (stream[i].class == CLASS_PROGRAMS)
			rc = read_stream(&ld, s, stream[i].id, err);
	free(ld.processes.p);
	free(ld.count);
	session_list_free(&ld.sessions);
	if (rc < 0) {
		program_list_free(&l);
		return -1;
	}
	cut_to(&l, f);
	*ret = l;
	return 0;
}

void
program_list_free(struct program_list *l)
{
	arena_free(&l->arena);
	ops_buf_free(&l->args);
	free(l->p);
	*l = (struct program_list){ 0 };
}
