#include "program_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "record/body.h"
#include "record/record.h"
#include "store_work.h"

#define SECOND UINT64_C(1000000000)
#define BEGIN_SLACK (SECOND + SECOND / 20) /* of one known to the second */
#define END_SLACK (2 * SECOND) /* two ends in more than this are never one */

struct session_count {
	const struct session *s;
	uint32_t commands;
};

struct place {
	struct program_process p; /* pid 0: the place is free */
	struct program_gone gone;
	bool asked; /* what an earlier walk knew is in gone */
};

struct table {
	struct place *p;
	size_t n, size; /* a power of two, or 0 */
};

struct program_walk {
	const struct program_sink *sink;
	void *arg;
	struct table processes; /* by pid: their last exec */
	uint8_t boot[4];        /* that they belong to */
	bool whole;             /* all of that boot was walked here */
	struct program_capturing capturing;
	struct program_gone taken; /* what program_walk_gone() gave last */
	const struct session_list *sessions;
	bool persons;                /* say by whom entries are */
	uint8_t newest[4];           /* boot of what isn't sealed yet */
	struct session_count *count; /* by id */
};

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "programs: no memory");
}

/* -- the processes, by pid -- */

static struct place *
place_of(const struct table *t, uint32_t pid)
{
	size_t i = (pid * 2654435761u) & (t->size - 1); /* TAOCP 6.4 */

	while (t->p[i].p.pid != 0 && t->p[i].p.pid != pid)
		i = (i + 1) & (t->size - 1);
	return &t->p[i];
}

/* NULL: nothing is known of it. */
static struct place *
process_find(const struct table *t, uint32_t pid)
{
	struct place *p = t->size > 0 ? place_of(t, pid) : NULL;

	return p != NULL && p->p.pid != 0 ? p : NULL;
}

/* Places move only if it is a new one. */
static struct place *
process_get(struct table *t, uint32_t pid)
{
	struct table more = { .n = t->n,
		.size = t->size == 0 ? 1024 : 2 * t->size };
	struct place *p = process_find(t, pid);

	if (p != NULL)
		return p;
	if (2 * t->n >= t->size) {
		more.p = calloc(more.size, sizeof(*more.p));
		if (more.p == NULL)
			return NULL;
		for (size_t i = 0; i < t->size; i++)
			if (t->p[i].p.pid != 0)
				*place_of(&more, t->p[i].p.pid) = t->p[i];
		free(t->p);
		*t = more;
	}
	p = place_of(t, pid);
	t->n++;
	*p = (struct place){ .p = { .pid = pid, .at = PROGRAM_NONE },
		.gone = { .pid = pid, .entry = PROGRAM_NONE } };
	return p;
}

static bool
is_start(bool seeded, uint64_t known, uint64_t start)
{
	return seeded ? known / EVENT_TICK_NS == start / EVENT_TICK_NS
		      : known == start;
}

/* start 0: it has ended. */
static bool
is_same(const struct program_process *p, uint64_t start)
{
	return p->start != 0 && is_start(p->seeded, p->start, start);
}

/* -- sessions -- */

static int
by_id(const void *a, const void *b)
{
	const struct session_count *x = a, *y = b;

	return memcmp(x->s->id, y->s->id, OPS_ID_LEN);
}

static struct session_count *
session_of(const struct program_walk *w, const uint8_t id[static OPS_ID_LEN])
{
	struct session s;
	const struct session_count key = { .s = &s };

	if (ops_all_zero(id, OPS_ID_LEN) || w->sessions->n == 0)
		return NULL;
	memcpy(s.id, id, OPS_ID_LEN);
	return bsearch(
	    &key, w->count, w->sessions->n, sizeof(*w->count), by_id);
}

int
program_walk_new(const struct session_list *sessions,
    const struct program_sink *sink, void *arg, struct program_walk **ret,
    struct ops_err *err)
{
	struct program_walk *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return no_memory(err);
	w->sink = sink;
	w->arg = arg;
	w->sessions = sessions;
	w->count = calloc(sessions->n + 1, sizeof(*w->count));
	if (w->count == NULL) {
		free(w);
		return no_memory(err);
	}
	for (size_t i = 0; i < sessions->n; i++)
		w->count[i].s = &sessions->s[i];
	if (sessions->n > 1)
		qsort(w->count, sessions->n, sizeof(*w->count), by_id);
	*ret = w;
	return 0;
}

void
program_walk_free(struct program_walk *w)
{
	if (w == NULL)
		return;
	free(w->processes.p);
	free(w->count);
	free(w);
}

/* -- what it knows -- */

const struct program_process *
program_walk_process(const struct program_walk *w, size_t *i)
{
	while (*i < w->processes.size) {
		const struct program_process *p = &w->processes.p[(*i)++].p;

		if (p->pid != 0 && p->start != 0)
			return p;
	}
	return NULL;
}

int
program_walk_know(struct program_walk *w, const struct program_process *p,
    struct ops_err *err)
{
	struct place *to;

	if (p->pid == 0)
		return ops_fail(err, OPS_EFORMAT, "a process without a pid");
	to = process_get(&w->processes, p->pid);
	if (to == NULL)
		return no_memory(err);
	to->p = *p;
	return 0;
}

const struct program_gone *
program_walk_gone(struct program_walk *w, size_t *i)
{
	while (*i < w->processes.size) {
		struct place *p = &w->processes.p[*i];

		if (p->p.pid != 0 &&
		    (p->gone.new_captured || p->gone.new_accounted)) {
			w->taken = p->gone;
			p->gone.new_captured = p->gone.new_accounted = false;
			(*i)++;
			return &w->taken;
		}
		(*i)++;
	}
	return NULL;
}

struct program_capturing *
program_walk_capturing(struct program_walk *w)
{
	return &w->capturing;
}

const uint8_t *
program_walk_boot(const struct program_walk *w)
{
	return w->boot;
}

void
program_walk_set_boot(struct program_walk *w, const uint8_t boot[static 4])
{
	memcpy(w->boot, boot, sizeof(w->boot));
}

uint32_t *
program_walk_commands(
    struct program_walk *w, const uint8_t id[static OPS_ID_LEN])
{
	struct session_count *c = session_of(w, id);

	return c != NULL ? &c->commands : NULL;
}

/* -- one record -- */

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

/* Of the kernel's accounting alone, which saw no program start: not that. */
static bool
is_capture(const struct record *r, struct program_capture *c)
{
	static const char acct[] = "acct";
	const size_t n = sizeof(acct) - 1;

	return r->type == REC_CAPTURE &&
	       program_capture_get(r->payload, r->len, c, NULL) >= 0 &&
	       (c->how.n != n || memcmp(c->how.p, acct, n) != 0);
}

/* By kind; *joined how it came to its session. */
static bool
decode(const struct record *r, struct program *p, uint32_t *joined)
{
	struct program_capture c;

	*joined = JOINED_NOTHING;
	switch (r->type) {
	case REC_CAPTURE:
		p->kind = PROGRAM_LOST;
		p->is_hole = true;
		p->loss.until = r->time;
		return is_capture(r, &c) && c.what == CAPTURE_BEGAN;
	case REC_EXEC:
		p->kind = PROGRAM_RAN;
		if (program_exec_get(r->payload, r->len, &p->exec, NULL) < 0)
			return false;
		*joined = p->exec.joined;
		return true;
	case REC_ENDED:
		p->kind = PROGRAM_ENDED;
		if (program_ended_get(r->payload, r->len, &p->end, NULL) < 0)
			return false;
		p->has_end = true;
		p->ended = r->time;
		program_from_end(p);
		*joined = p->end.joined;
		return true;
	case REC_FAILED:
		p->kind = PROGRAM_FAILED;
		if (program_failed_get(r->payload, r->len, &p->failed, NULL) <
		    0)
			return false;
		*joined = p->failed.joined;
		return true;
	case REC_LOSS:
		p->kind = PROGRAM_LOST;
		return program_loss_get(r->payload, r->len, &p->loss, NULL) >=
		       0;
	case REC_ACCOUNTED:
		p->kind = PROGRAM_ACCOUNTED;
		if (program_accounted_get(
			r->payload, r->len, &p->accounted, NULL) < 0)
			return false;
		p->ended = r->time;
		program_from_accounted(p);
		return true;
	case REC_COVERAGE:
		p->kind = PROGRAM_COVERAGE;
		return program_coverage_get(
			   r->payload, r->len, &p->coverage, NULL) >= 0;
	default:
		return false;
	}
}

/* Its begin is what is known least.  What was imported has the times that the file
 * says, whenever it was read. */
static void
date_accounted(struct program *p, const struct session_count *s)
{
	const struct program_accounted *a = &p->accounted;
	uint64_t began = a->began * SECOND;
	uint64_t ran = a->elapsed < p->boottime ? a->elapsed : p->boottime;

	p->login = a->uid;
	if (!program_imported(p)) {
		p->boottime -= ran;
		p->time -= ran < p->time ? ran : p->time;
		return;
	}
	p->time = began;
	if (s != NULL && began >= s->s->start)
		p->boottime = s->s->start_boottime + (began - s->s->start);
	p->ended = p->boottime + a->elapsed;
}

void
program_walk_persons(struct program_walk *w, struct program_filter *f)
{
	w->persons = true;
	f->me = f->reader != NULL ? logins_of(&w->sessions->logins, f->reader)
				  : NULL;
}

static uint32_t
ses_of(const struct program *p)
{
	return p->kind == PROGRAM_FAILED ? p->failed.ses : p->exec.ses;
}

static const uint8_t *
boot_of(const struct program_walk *w, const struct stream_pos *pos)
{
	return pos->frame != NULL ? pos->frame->boot : w->newest;
}

/* A session that has no login can't be joined by its audit session, so what is of
 * the same one can't either. */
static uint64_t
key_of(const struct program_walk *w, const struct program *p,
    const struct session_count *s, const struct stream_pos *pos)
{
	uint32_t ses = ses_of(p);

	if (program_of_nobody(p) || program_imported(p) || ses == EVENT_UNSET ||
	    (s != NULL && s->s->open.ses == ses))
		return 0;
	return logins_key(boot_of(w, pos), ses);
}

static const struct login *
by_whom(const struct program_walk *w, const struct program *p,
    const struct session_count *s, const struct stream_pos *pos)
{
	if (program_of_nobody(p) || program_imported(p))
		return NULL;
	if (s != NULL && s->s->has_login)
		return &s->s->login;
	return logins_of_ses(&w->sessions->logins, boot_of(w, pos), ses_of(p));
}

int
program_walk_entry(const struct program_walk *w, const struct record *r,
    const struct stream_pos *pos, struct program *ret)
{
	uint8_t id[OPS_ID_LEN];
	struct program p = { .login = EVENT_UNSET };
	const struct session_count *s = NULL;
	uint32_t joined;

	if (body_session(r->payload, r->len, id, NULL) < 0 ||
	    !decode(r, &p, &joined))
		return 0;
	p.sealed = pos->sealed;
	p.time = pos->wall;
	p.record = pos->number;
	p.boottime = r->time;
	if (!program_of_nobody(&p)) {
		memcpy(p.session, id, OPS_ID_LEN);
		s = session_of(w, id);
		p.login = p.kind == PROGRAM_FAILED
			      ? login_of(p.failed.auid, p.failed.uid, s)
			      : login_of(p.exec.auid, p.exec.uid, s);
	}
	if (s != NULL && joined == JOINED_TTY &&
	    r->time >= s->s->start_boottime) {
		p.has_offset = true;
		p.offset = r->time - s->s->start_boottime;
	}
	if (p.kind == PROGRAM_ACCOUNTED)
		date_accounted(&p, s);
	p.ses = key_of(w, &p, s, pos);
	if (w->persons)
		p.by = by_whom(w, &p, s, pos);
	if (login_has_person(p.by))
		p.person = p.by->person;
	*ret = p;
	return 1;
}

bool
program_walk_is_end(
    const struct record *r, const struct program *p, struct program_ended *e)
{
	return r->type == REC_ENDED && p->kind == PROGRAM_RAN &&
	       program_ended_get(r->payload, r->len, e, NULL) >= 0 &&
	       e->pid == p->exec.pid && e->start == p->exec.start;
}

bool
program_walk_is_captured(const struct record *r)
{
	struct program_capture c;

	return r->type == REC_EXEC || r->type == REC_ARGS ||
	       r->type == REC_ENDED || r->type == REC_FAILED ||
	       r->type == REC_LOSS || is_capture(r, &c);
}

bool
program_walk_is_next(const struct record *r, const struct program *p)
{
	struct program_exec e;

	return r->type == REC_EXEC && p->kind == PROGRAM_RAN &&
	       program_exec_get(r->payload, r->len, &e, NULL) >= 0 &&
	       e.pid == p->exec.pid && e.start == p->exec.start;
}

/* -- records -- */

/* One of its session's commands: not what only has the login in common. */
static bool
is_command(const struct program_exec *e)
{
	return (e->flags & PROGRAM_SEEDED) == 0 && e->joined != JOINED_LOGIN;
}

static int
take_exec(struct program_walk *w, struct program *p, struct ops_err *err)
{
	struct session_count *s = session_of(w, p->session);
	const struct program_exec *e = &p->exec;
	bool seeded = (e->flags & PROGRAM_SEEDED) != 0;
	struct place *x = process_find(&w->processes, e->pid);
	struct program next = {
		.ended = p->boottime, .stream = p->stream, .record = p->record
	};
	uint64_t at = PROGRAM_NONE;

	if (s != NULL && is_command(e))
		p->number = ++s->commands;
	/* Another run of capture found it again: it knows its start to a tick. */
	if (seeded && x != NULL && x->p.start != 0 &&
	    is_start(true, x->p.start, e->start))
		return 0;
	if ((!seeded || w->sink->seeded) &&
	    w->sink->add(w->arg, p, &at, err) < 0)
		return -1;
	if (e->pid == 0)
		return 0;
	x = process_get(&w->processes, e->pid);
	if (x == NULL)
		return no_memory(err);
	if (x->p.at != PROGRAM_NONE && is_same(&x->p, e->start) &&
	    w->sink->replaced(w->arg, x->p.at, &next, err) < 0)
		return -1;
	x->p.start = e->start;
	x->p.seeded = seeded;
	x->p.at = at;
	return 0;
}

/* Are the two ends that of one process?  Times of the kernel's accounting are
 * known to the second, and longer ones less well. */
static bool
same_end(const struct program_gone *g, uint64_t elapsed, uint64_t over)
{
	return g->captured && g->end != 0 && g->end + END_SLACK >= over &&
	       g->end <= over + END_SLACK &&
	       elapsed <= g->end - g->start + SECOND;
}

static bool
same_begin(const struct program_gone *g, uint64_t began, uint64_t elapsed,
    uint64_t offset)
{
	/* the sum is right, if it wraps, too */
	uint64_t real = g->start + offset;
	uint64_t slack = BEGIN_SLACK + (elapsed >> 22);

	began *= SECOND;
	return real <= began + slack && began <= real + slack;
}

/* What an earlier walk knew of its ends. */
static int
ask_gone(struct program_walk *w, struct place *x, struct ops_err *err)
{
	if (x->asked || w->whole || w->sink->gone == NULL)
		return 0;
	x->asked = true;
	return w->sink->gone(w->arg, &x->gone, err);
}

/* What the kernel's accounting told of in front of it is told twice. */
static int
drop_accounted(struct program_walk *w, struct place *x, uint64_t offset,
    struct ops_err *err)
{
	struct program_gone *g = &x->gone;
	uint64_t at;

	if (!g->accounted && ask_gone(w, x, err) < 0)
		return -1;
	at = g->entry;
	if (!g->accounted || at == PROGRAM_NONE ||
	    !same_end(g, g->elapsed, g->over) ||
	    !same_begin(g, g->began, g->elapsed, offset))
		return 0;
	g->entry = PROGRAM_NONE;
	g->new_accounted = true;
	return w->sink->dropped != NULL ? w->sink->dropped(w->arg, at, err) : 0;
}

/* As the kernel's accounting names it. */
static int
note_end(struct program_walk *w, const struct program *p, struct ops_err *err)
{
	uint32_t pid = p->end.has_own ? p->end.own : p->end.pid;
	struct place *x;

	if (pid == 0)
		return 0;
	x = process_get(&w->processes, pid);
	if (x == NULL)
		return no_memory(err);
	x->gone.captured = x->gone.new_captured = true;
	x->gone.start = p->end.start;
	x->gone.end = p->ended;
	return drop_accounted(w, x, p->time - p->boottime, err);
}

/* The end of what is known to run; else, if it says whose, an entry itself. */
static int
take_ended(struct program_walk *w, struct program *p, struct ops_err *err)
{
	const struct program_ended *e = &p->end;
	struct place *x;
	uint64_t at;

	if (note_end(w, p, err) < 0)
		return -1;
	x = process_find(&w->processes, e->pid);
	if (x != NULL && is_same(&x->p, e->start)) {
		bool seeded = x->p.seeded;

		at = x->p.at;
		x->p.start = 0;
		x->p.at = PROGRAM_NONE;
		if (at != PROGRAM_NONE &&
		    w->sink->ended(w->arg, at, p, err) < 0)
			return -1;
		if (!seeded)
			return 0;
	}
	return e->has_who ? w->sink->add(w->arg, p, &at, err) : 0;
}

/* Its end is here.  An earlier run of capture may have seen it; else this one
 * did, and told of it late: then its begin must be the same, too.  Or it is told
 * of twice, where a run of capture ended in between. */
static bool
is_told(const struct program_gone *g, const struct program *p, uint64_t offset)
{
	const struct program_accounted *a = &p->accounted;

	if (same_end(g, a->elapsed, p->ended) &&
	    (a->unsure || same_begin(g, a->began, a->elapsed, offset)))
		return true;
	return a->unsure && g->accounted && g->began == a->began &&
	       g->elapsed == a->elapsed;
}

static int
take_accounted(struct program_walk *w, struct program *p, uint64_t offset,
    struct ops_err *err)
{
	const struct program_accounted *a = &p->accounted;
	uint64_t at = PROGRAM_NONE;
	struct place *x;

	if (program_imported(p) || a->pid == 0)
		return w->sink->add(w->arg, p, &at, err);
	x = process_get(&w->processes, a->pid);
	if (x == NULL)
		return no_memory(err);
	if (is_told(&x->gone, p, offset))
		return 0;
	if ((a->unsure || !x->gone.captured) && ask_gone(w, x, err) < 0)
		return -1;
	if (is_told(&x->gone, p, offset))
		return 0;
	x->gone.accounted = x->gone.new_accounted = true;
	x->gone.began = a->began;
	x->gone.elapsed = a->elapsed;
	x->gone.over = p->ended;
	if (w->sink->add(w->arg, p, &at, err) < 0)
		return -1;
	x->gone.entry = at;
	return 0;
}

uint64_t
program_walk_hole(const struct program *p, uint64_t last, uint64_t wall)
{
	int64_t from;

	if (last != 0)
		return last;
	/* Before this boot, where its clock had none: so less than 0. */
	from = (int64_t)(p->boottime - (p->time - wall));
	return from < 0 ? (uint64_t)from : 0;
}

/* A run behind another: what ran between was not seen, and nobody counted it.  One
 * that goes on in another log has no break. */
static int
take_capture(struct program_walk *w, struct program *p,
    const struct program_capture *c, const struct stream_pos *pos,
    struct ops_err *err)
{
	struct program_capturing *run = &w->capturing;
	bool other = !run->unended || !c->goes_on;
	bool hole = c->what == CAPTURE_BEGAN && run->known &&
		    (run->last == 0 || (other && run->last < p->boottime));
	uint64_t at;

	p->loss.from = program_walk_hole(p, run->last, run->wall);
	p->hole_stream = run->stream;
	p->hole_record = run->record;
	*run = (struct program_capturing){ .known = true,
		.unended = c->what == CAPTURE_BEGAN,
		.last = p->boottime,
		.wall = pos->wall,
		.stream = p->stream,
		.record = p->record };
	return hole ? w->sink->add(w->arg, p, &at, err) : 0;
}

static int
take_args(struct program_walk *w, const struct record *r, struct ops_err *err)
{
	struct program_args a;

	if (w->sink->args == NULL ||
	    program_args_get(r->payload, r->len, &a, NULL) < 0)
		return 0;
	return w->sink->args(w->arg, &a, err);
}

static int
take(struct program_walk *w, size_t stream, const struct record *r,
    const struct stream_pos *pos, struct ops_err *err)
{
	struct program_capture c;
	struct program p = { .boottime = r->time };
	uint64_t at;

	if (r->type == REC_ARGS)
		return take_args(w, r, err);
	if (w->sink->args != NULL && w->sink->args(w->arg, NULL, err) < 0)
		return -1;
	if (r->type == REC_CAPTURE && !is_capture(r, &c))
		return 0;
	/* The end of capture is no entry, but is taken. */
	if (program_walk_entry(w, r, pos, &p) == 0 && r->type != REC_CAPTURE)
		return 0;
	p.stream = stream;
	p.record = pos->number;
	switch (r->type) {
	case REC_CAPTURE:
		return take_capture(w, &p, &c, pos, err);
	case REC_EXEC:
		return take_exec(w, &p, err);
	case REC_ENDED:
		return take_ended(w, &p, err);
	case REC_ACCOUNTED:
		return take_accounted(w, &p, pos->wall - r->time, err);
	default:
		return w->sink->add(w->arg, &p, &at, err);
	}
}

/* Another boot has other processes. */
static int
look_at_boot(
    struct program_walk *w, const struct stream_pos *pos, struct ops_err *err)
{
	if (pos->frame == NULL ||
	    memcmp(pos->frame->boot, w->boot, sizeof(w->boot)) == 0)
		return 0;
	memcpy(w->boot, pos->frame->boot, sizeof(w->boot));
	free(w->processes.p);
	w->processes = (struct table){ 0 };
	w->capturing.last = 0;
	w->whole = true;
	return w->sink->forget != NULL ? w->sink->forget(w->arg, err) : 0;
}

/* What accounting told or was imported is of another time.  When capture began or
 * ended counts for itself. */
static void
note_time(struct program_walk *w, size_t stream, const struct record *r,
    const struct stream_pos *pos)
{
	struct program_capturing *run = &w->capturing;

	if (r->type == REC_CAPTURE || r->time <= run->last ||
	    !program_walk_is_captured(r))
		return;
	run->known = true;
	run->last = r->time;
	run->wall = pos->wall;
	run->stream = stream;
	run->record = pos->number;
}

/* 1: taken.  0: no more.  -1: err. */
static int
take_next(struct program_walk *w, struct store *s, struct stream_reader *r,
    struct program_span *span, struct ops_err *err)
{
	const struct store_frame *f;
	struct ops_err why = { 0 };
	struct stream_pos pos;
	struct record rec;
	int rc = stream_next(r, &rec, &pos, &why);

	if (rc < 0 && why.code == OPS_ENOMEM) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	/* What has expired is gone by right. */
	f = rc < 0 ? stream_failed(r) : NULL;
	if (f != NULL && store_expired(s, f) != NULL) {
		span->next = f->leaf.first + f->leaf.count;
		return 1;
	}
	if (rc < 0) {
		span->missing++;
		return !span->strict;
	}
	if (rc == 0 || (span->strict && !pos.sealed))
		return 0;
	if (look_at_boot(w, &pos, err) < 0)
		return -1;
	span->next = pos.number + 1;
	if (take(w, span->stream, &rec, &pos, err) < 0)
		return -1;
	note_time(w, span->stream, &rec, &pos);
	return 1;
}

int
program_walk_stream(struct program_walk *w, struct store *s,
    struct program_span *span, struct ops_err *err)
{
	const struct store_stream *streams;
	size_t n = store_streams(s, &streams);
	struct stream_reader *r;
	int rc = 1;

	span->next = span->from;
	span->missing = 0;
	memcpy(w->newest, s->h.boot_id, sizeof(w->newest));
	if (span->stream >= n)
		return ops_fail(err, OPS_EUSAGE, "programs: no such stream");
	if (stream_open(s, streams[span->stream].id, span->from, &r, err) < 0)
		return -1;
	while (
	    rc > 0 && (span->most == 0 || span->next - span->from < span->most))
		rc = take_next(w, s, r, span, err);
	if (rc >= 0 && w->sink->args != NULL)
		rc = w->sink->args(w->arg, NULL, err);
	stream_free(r);
	return rc < 0 ? -1 : 0;
}
