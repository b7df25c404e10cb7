#include "program_walk.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "record/acct.h"
#include "session.h"

#define DROPPED 0 /* kind of no program */

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "programs: no memory");
}

/* -- the list -- */

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
	       keep(l, &p->accounted.comm) && keep(l, &p->end.comm) &&
	       keep(l, &p->person);
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
size_t
program_names(
    const struct program *p, struct event_text ret[static PROGRAM_NAMES])
{
	const struct program_exec *e = &p->exec;
	size_t n = 0;

	if (program_of_nobody(p))
		return 0;
	ret[n++] = program_name(p);
	if (p->kind == PROGRAM_RAN) {
		ret[n++] = program_last_part(e->filename);
		ret[n++] = program_last_part(first_arg(e));
	}
	return n;
}

static bool
has_name(const struct program *p, const char *name)
{
	struct event_text names[PROGRAM_NAMES];
	size_t n = program_names(p, names);

	for (size_t i = 0; i < n; i++)
		if (is_text(names[i], name))
			return true;
	return false;
}

struct event_text
program_path(const struct program *p)
{
	return p->kind == PROGRAM_FAILED ? p->failed.name : p->exec.exe;
}

bool
program_path_fits(struct event_text t, const char *pattern)
{
	char path[PROGRAM_PATH_MAX + 1];

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

uint32_t
program_terminal(const struct program *p)
{
	if (p->kind == PROGRAM_FAILED)
		return p->failed.tty;
	return p->kind == PROGRAM_RAN || p->kind == PROGRAM_ACCOUNTED
		   ? p->exec.tty
		   : 0;
}

static bool
has_tty(const struct program *p, const char *name)
{
	char tty[PROGRAM_TTY_NAME];

	program_tty(program_terminal(p), tty);
	return strcmp(tty, name) == 0;
}

static bool
is_owned(const struct program *p, uint32_t owner)
{
	if (program_of_nobody(p))
		return true;
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
	    (p->kind == PROGRAM_ENDED && !f->forks &&
		(p->exec.flags & PROGRAM_FORKED) != 0) ||
	    (f->source == SOURCE_CAPTURE && acct) ||
	    (f->source == SOURCE_ACCT && !acct) ||
	    (f->source == SOURCE_IMPORT && !program_imported(p)))
		return false;
	return f->forks || !acct || (p->accounted.flags & ACCT_FORKED) == 0;
}

bool
program_seeded(const struct program *p)
{
	return p->kind == PROGRAM_RAN && (p->exec.flags & PROGRAM_SEEDED) != 0;
}

bool
program_counts(const struct program *p)
{
	return !program_seeded(p) && !program_of_nobody(p);
}

bool
program_login_fits(const struct login *by, const struct program_filter *f)
{
	return (f->person == NULL || login_is_person(by, f->person)) &&
	       (f->reader == NULL || login_may_read(f->me, by));
}

bool
program_person_fits(const struct program *p, const struct program_filter *f)
{
	return program_of_nobody(p) || program_login_fits(p->by, f);
}

bool
program_wanted(const struct program *p, const struct program_filter *f)
{
	uint32_t euid =
	    p->kind == PROGRAM_FAILED ? p->failed.euid : p->exec.euid;
	uint64_t began;

	if (program_seeded(p))
		return f->seeded && program_person_fits(p, f) &&
		       (!f->has_owner || is_owned(p, f->owner));
	if (!is_of_source(p, f))
		return false;
	began = p->kind == PROGRAM_LOST ? program_lost_from(p) : p->time;
	if ((f->since != 0 && p->time < f->since) ||
	    (f->until != 0 && began > f->until))
		return false;
	if (program_of_nobody(
		p)) /* wherever it may be among what is asked for */
		return true;
	return (!f->has_owner || is_owned(p, f->owner)) &&
	       program_person_fits(p, f) &&
	       (!f->has_login || p->login == f->login) &&
	       (!f->has_euid || euid == f->euid) &&
	       (!f->has_session || is_in(p, f->session)) &&
	       (f->tty == NULL || has_tty(p, f->tty)) &&
	       (f->name == NULL || has_name(p, f->name)) &&
	       (f->exe == NULL || program_path_fits(program_path(p), f->exe));
}

/* What its end says. */
bool
program_failed(const struct program *p)
{
	return p->kind == PROGRAM_FAILED || p->kind == PROGRAM_LOST ||
	       (p->has_end && p->end.status != 0);
}

bool
program_lost_counted(const struct program *p)
{
	const struct program_loss *l = &p->loss;

	return (l->execs | l->ends | l->forks | l->failed | l->args |
		   l->other) != 0;
}

bool
program_lost_restarted(const struct program *p)
{
	return p->kind == PROGRAM_LOST && !program_lost_counted(p) &&
	       (int64_t)p->loss.from <= 0;
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

/* -- the sink that fills a list -- */

static int
keep_add(void *arg, const struct program *p, uint64_t *at, struct ops_err *err)
{
	struct program_keep *k = arg;

	*at = PROGRAM_NONE;
	if (!program_wanted(p, k->f))
		return 0;
	*at = k->l->n;
	k->args_follow = p->kind == PROGRAM_RAN;
	if (program_list_add(k->l, p, err) < 0)
		return -1;
	k->l->p[*at].by = NULL; /* the walk's sessions don't live as long */
	return 0;
}

static int
keep_replaced(
    void *arg, uint64_t at, const struct program *p, struct ops_err *err)
{
	struct program_keep *k = arg;

	(void)err;
	k->l->p[at].replaced = true;
	k->l->p[at].ended = p->ended;
	return 0;
}

static int
keep_ended(void *arg, uint64_t at, const struct program *p, struct ops_err *err)
{
	struct program_keep *k = arg;
	struct program *to = &k->l->p[at];

	to->has_end = true;
	to->end = p->end;
	to->ended = p->ended;
	return keep(k->l, &to->end.comm) ? 0 : no_memory(err);
}

static int
keep_dropped(void *arg, uint64_t at, struct ops_err *err)
{
	struct program_keep *k = arg;

	(void)err;
	k->l->p[at].kind = DROPPED;
	return 0;
}

/* They follow their exec, in order. */
static int
keep_args(void *arg, const struct program_args *a, struct ops_err *err)
{
	struct program_keep *k = arg;
	struct program_list *l = k->l;
	const struct program_exec *e;
	bool followed = k->args_follow;

	if (a == NULL) {
		k->args_follow = false;
		return followed ? program_list_args(l, err) : 0;
	}
	if (!followed)
		return 0;
	e = &l->p[l->n - 1].exec;
	if (a->pid == e->pid && a->start == e->start &&
	    a->offset == e->args.n + l->args.len)
		ops_buf_put(&l->args, a->args.p, a->args.n);
	return 0;
}

const struct program_sink program_keep_sink = { .add = keep_add,
	.replaced = keep_replaced,
	.ended = keep_ended,
	.dropped = keep_dropped,
	.args = keep_args,
	.seeded = true };

/* Two may have the same time; then as they lie in the store. */
static int
by_time(const void *a, const void *b)
{
	const struct program *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->boottime != y->boottime)
		return x->boottime < y->boottime ? -1 : 1;
	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->record < y->record ? -1 : x->record > y->record;
}

/* Back from the end to the oldest that is counted, or all. */
bool
program_list_newest(struct program_list *l, size_t newest)
{
	size_t n = 0, counted = 0, from = l->n;

	while (from > 0 && counted < newest)
		counted += program_counts(&l->p[--from]);
	for (size_t i = 0; i < l->n; i++)
		if (i >= from || program_seeded(&l->p[i]))
			l->p[n++] = l->p[i];
	l->n = n;
	return counted == newest;
}

void
program_list_cut(struct program_list *l, const struct program_filter *f)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].kind != DROPPED &&
		    (!f->failed || program_seeded(&l->p[i]) ||
			program_failed(&l->p[i])))
			l->p[n++] = l->p[i];
	l->n = n;
	if (l->n > 1)
		qsort(l->p, l->n, sizeof(*l->p), by_time);
	if (f->newest != 0)
		(void)program_list_newest(l, f->newest);
}

int
program_list_load(struct store *s, const struct program_filter *f,
    struct program_list *ret, struct ops_err *err)
{
	struct program_filter asked = *f;
	struct program_list l = { 0 };
	struct program_keep k = { .f = &asked, .l = &l };
	struct session_list sessions = { 0 };
	struct program_walk *w = NULL;
	const struct store_stream *stream;
	size_t n = store_streams(s, &stream);
	int rc = session_list_load(s, NULL, &sessions, err);

	if (rc == 0)
		rc = program_walk_new(
		    &sessions, &program_keep_sink, &k, &w, err);
	if (rc == 0)
		program_walk_persons(w, &asked);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct program_span span = { .stream = i };

		if (stream[i].class != CLASS_PROGRAMS)
			continue;
		rc = program_walk_stream(w, s, &span, err);
		l.missing += span.missing;
	}
	program_walk_free(w);
	l.switched = sessions.switched;
	session_list_free(&sessions);
	if (rc < 0) {
		program_list_free(&l);
		return -1;
	}
	program_list_cut(&l, f);
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
