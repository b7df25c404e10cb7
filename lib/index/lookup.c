#include "lookup.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "indexdb.h"
#include "pick.h"
#include "position.h"
#include "record/record.h"
#include "whose.h"

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "index: no memory");
}

static int
is_wrong(struct ops_err *err, const char *what)
{
	return ops_fail(
	    err, OPS_ETAMPER, "index: a row does not hold: %s", what);
}

/* -- the records that rows name, in the order of the walk -- */

/* JOB_HOLE: since when capture did not run.  JOB_LAST: what it told last. */
enum job_kind { JOB_LAST, JOB_HOLE, JOB_END, JOB_NEXT, JOB_START };

#define AHEAD_JOBS 256 /* whose records are read ahead */

struct job {
	size_t stream; /* place in the order of the walk */
	uint64_t record;
	enum job_kind kind;
	struct pick *pick;
};

struct jobs {
	struct job *p;
	size_t n;
};

struct lookup {
	struct store *s;
	struct index_db *db;
	const struct program_filter *f;
	struct program_filter asked; /* what f is, with what was found out */
	struct program_list list;
	struct program_keep keep;
	struct program_sink sink; /* keep's, that knows where it can't know */
	struct program_walk *walk;
	struct position pos;
	struct pick_list picks;
	/* reading */
	struct stream_reader *r;
	size_t stream; /* r's; pos.n: none */
	struct record rec;
	struct stream_pos at;
	bool has_rec; /* rec and at are of the record read last */
	sqlite3_stmt *gone;
};

static int
by_place(const void *a, const void *b)
{
	const struct job *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	if (x->record != y->record)
		return x->record < y->record ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

static int
add_job(struct lookup *l, struct jobs *jobs, struct pick *p,
    const struct pick_place *at, enum job_kind kind, struct ops_err *err)
{
	if (at->stream == 0 && kind != JOB_START)
		return 0; /* there is none */
	for (size_t i = 0; i < l->pos.n; i++)
		if (l->pos.s[i].id == at->stream && at->stream != 0 &&
		    at->record < l->pos.s[i].next) {
			jobs->p[jobs->n++] =
			    (struct job){ i, at->record, kind, p };
			return 0;
		}
	return is_wrong(err, "no such place");
}

/* A hole behind the index begins there. */
static void
add_last(const struct lookup *l, struct jobs *jobs)
{
	const struct program_capturing *run = program_walk_capturing(l->walk);

	for (size_t i = 0; run->known && i < l->pos.n; i++)
		if (l->pos.s[i].stream == run->stream)
			jobs->p[jobs->n++] =
			    (struct job){ i, run->record, JOB_LAST, NULL };
}

static int
make_jobs(struct lookup *l, struct jobs *jobs, struct ops_err *err)
{
	jobs->p = calloc(4 * l->picks.n + 1, sizeof(*jobs->p));
	if (jobs->p == NULL)
		return no_memory(err);
	for (size_t i = 0; i < l->picks.n; i++) {
		struct pick *p = &l->picks.p[i];

		p->at = SIZE_MAX;
		if (add_job(l, jobs, p, &p->start, JOB_START, err) < 0 ||
		    add_job(l, jobs, p, &p->hole, JOB_HOLE, err) < 0 ||
		    add_job(l, jobs, p, &p->end, JOB_END, err) < 0 ||
		    add_job(l, jobs, p, &p->next, JOB_NEXT, err) < 0)
			return -1;
	}
	add_last(l, jobs);
	if (jobs->n > 1)
		qsort(jobs->p, jobs->n, sizeof(*jobs->p), by_place);
	return 0;
}

/* The next record of the open stream; 0: there is none. */
static int
read_on(struct lookup *l, struct ops_err *err)
{
	int rc = stream_next(l->r, &l->rec, &l->at, err);

	l->has_rec = rc == 1;
	return rc;
}

/* Have a reader of the stream of this job; there, if it is a new one. */
static int
open_stream(struct lookup *l, const struct job *j, struct ops_err *err)
{
	const struct store_stream *all;

	if (l->r != NULL && l->stream == j->stream)
		return 0;
	stream_free(l->r);
	l->r = NULL;
	l->has_rec = false;
	l->stream = j->stream;
	(void)store_streams(l->s, &all);
	return stream_open(
	    l->s, all[l->pos.s[j->stream].stream].id, j->record, &l->r, err);
}

/* Records from this job on, all of one stream; for how many jobs. */
static size_t
look_ahead(struct lookup *l, const struct job *j, size_t n)
{
	uint64_t record[AHEAD_JOBS];
	size_t same = 0;

	for (; same < n && same < AHEAD_JOBS && j[same].stream == j->stream;
	     same++)
		record[same] = j[same].record;
	return stream_ahead(l->r, record, same);
}

static int
read_record(struct lookup *l, const struct job *j, struct ops_err *err)
{
	if (l->has_rec && l->at.number == j->record)
		return 0;
	stream_seek(l->r, j->record);
	if (read_on(l, err) < 0)
		return -1;
	if (!l->has_rec || l->at.number != j->record || !l->at.sealed)
		return is_wrong(err, "no such record");
	return 0;
}

/* -- what they must say -- */

/* Capture's last record before it: in this boot, and earlier; or in another. */
static bool
hole_holds(struct lookup *l, struct program *p, const struct pick *of)
{
	bool here = of->has_hole && memcmp(of->hole_boot, l->at.frame->boot,
					sizeof(of->hole_boot)) == 0;

	if (!of->has_hole || (here && of->hole_from >= p->loss.until))
		return false;
	p->loss.from =
	    program_walk_hole(p, here ? of->hole_from : 0, of->hole_wall);
	return true;
}

static int
take_start(struct lookup *l, const struct job *j, struct ops_err *err)
{
	struct program p;
	struct program_args a;
	uint64_t at;
	size_t n = l->list.n;

	if (program_walk_entry(l->walk, &l->rec, &l->at, &p) == 0 ||
	    p.time != j->pick->time ||
	    p.is_hole != (j->pick->hole.stream != 0) ||
	    (p.kind == PROGRAM_ENDED && !p.end.has_who) ||
	    (p.is_hole && !hole_holds(l, &p, j->pick)) ||
	    (p.kind == PROGRAM_RAN && (p.exec.flags & PROGRAM_SEEDED) != 0))
		return is_wrong(err, "its start");
	if (!program_wanted(&p, l->f)) {
		/* The index knows of no persons. */
		j->pick->apart =
		    p.kind == PROGRAM_LOST || !program_person_fits(&p, l->f);
		return j->pick->apart ? 0 : is_wrong(err, "what it is");
	}
	if (n > 0 && l->list.p[n - 1].record == j->record &&
	    l->list.p[n - 1].stream == l->pos.s[j->stream].stream)
		return is_wrong(err, "it is there twice");
	p.stream = l->pos.s[j->stream].stream;
	p.number = j->pick->number;
	if (program_keep_sink.add(&l->keep, &p, &at, err) < 0)
		return -1;
	j->pick->at = (size_t)at;
	while (p.kind == PROGRAM_RAN) {
		int rc = read_on(l, err);

		if (rc < 0)
			return -1;
		if (rc == 0 || l->rec.type != REC_ARGS)
			break;
		if (program_args_get(l->rec.payload, l->rec.len, &a, NULL) >=
			0 &&
		    program_keep_sink.args(&l->keep, &a, err) < 0)
			return -1;
	}
	return program_keep_sink.args(&l->keep, NULL, err);
}

static int
take_later(struct lookup *l, const struct job *j, struct ops_err *err)
{
	struct program p = { .ended = l->rec.time };
	struct program *of;

	if (j->pick->apart)
		return 0;
	if (j->pick->at == SIZE_MAX)
		return is_wrong(err, "it ends before it starts");
	of = &l->list.p[j->pick->at];
	if (j->kind == JOB_NEXT) {
		if (of->replaced || !program_walk_is_next(&l->rec, of))
			return is_wrong(err, "what came after it");
		return program_keep_sink.replaced(
		    &l->keep, j->pick->at, &p, err);
	}
	if (of->has_end || of->replaced ||
	    !program_walk_is_end(&l->rec, of, &p.end))
		return is_wrong(err, "its end");
	return program_keep_sink.ended(&l->keep, j->pick->at, &p, err);
}

/* What capture told in front of a hole. */
static int
take_hole(struct lookup *l, const struct job *j, struct ops_err *err)
{
	struct program_capturing *run = program_walk_capturing(l->walk);
	bool here = memcmp(l->at.frame->boot, program_walk_boot(l->walk),
			sizeof(l->at.frame->boot)) == 0;

	if (!program_walk_is_captured(&l->rec) ||
	    (j->kind == JOB_LAST &&
		(here ? l->rec.time != run->last : run->last != 0)))
		return is_wrong(err, "what capture told last");
	if (j->kind == JOB_LAST) {
		run->wall = l->at.wall;
		return 0;
	}
	j->pick->has_hole = true;
	j->pick->hole_from = l->rec.time;
	j->pick->hole_wall = l->at.wall;
	memcpy(
	    j->pick->hole_boot, l->at.frame->boot, sizeof(j->pick->hole_boot));
	return 0;
}

static int
take_job(struct lookup *l, const struct job *j, struct ops_err *err)
{
	if (j->kind == JOB_LAST || j->kind == JOB_HOLE)
		return take_hole(l, j, err);
	return j->kind == JOB_START ? take_start(l, j, err)
				    : take_later(l, j, err);
}

static int
read_rows(struct lookup *l, const struct jobs *jobs, struct ops_err *err)
{
	size_t kept = 0, ahead = 0;

	for (size_t i = 0; i < jobs->n; i++) {
		const struct job *j = &jobs->p[i];

		if (open_stream(l, j, err) < 0)
			return -1;
		if (i == ahead)
			ahead += look_ahead(l, j, jobs->n - i);
		if (read_record(l, j, err) < 0 || take_job(l, j, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < l->picks.n; i++) {
		const struct pick *p = &l->picks.p[i];

		if (p->apart)
			continue;
		if (p->failed != program_failed(&l->list.p[p->at]))
			return is_wrong(err, "whether it failed");
		l->picks.p[kept++] = *p;
	}
	l->picks.n = kept; /* from here on each is in the list */
	return 0;
}

/* -- what comes after it -- */

static int
by_row(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	return (x->row > y->row) - (x->row < y->row);
}

/* Of a row, once they are in that order; NULL: it isn't among them. */
static const struct pick *
picked(const struct lookup *l, uint64_t row)
{
	const struct pick key = { .row = (int64_t)row };

	return l->picks.n == 0 || row == PROGRAM_NONE
		   ? NULL
		   : bsearch(&key, l->picks.p, l->picks.n, sizeof(key), by_row);
}

/* Processes by their rows become such by their places in the list. */
static int
hand_over(struct lookup *l, struct ops_err *err)
{
	const struct program_process *x;
	size_t i = 0;

	if (l->picks.n > 1)
		qsort(l->picks.p, l->picks.n, sizeof(*l->picks.p), by_row);
	while ((x = program_walk_process(l->walk, &i)) != NULL) {
		struct program_process mine = *x;
		const struct pick *p = picked(l, x->at);
		const struct program *of = p != NULL ? &l->list.p[p->at] : NULL;

		if (of != NULL &&
		    (of->exec.pid != x->pid || of->exec.start != x->start))
			return is_wrong(err, "a process");
		mine.at = p != NULL ? p->at : PROGRAM_NONE;
		if (program_walk_know(l->walk, &mine, err) < 0)
			return -1;
	}
	return 0;
}

/* Whose keep it is. */
static struct lookup *
lookup_of(void *keep)
{
	return (struct lookup *)(void *)((char *)keep -
					 offsetof(struct lookup, keep));
}

/* Then the newest that the index has are one too few. */
static int
drop(void *arg, uint64_t at, struct ops_err *err)
{
	const struct lookup *l = lookup_of(arg);

	if (l->f->newest != 0 && at < l->picks.n)
		return ops_fail(
		    err, OPS_EBUSY, "index: an end behind it is one in it");
	return program_keep_sink.dropped(arg, at, err);
}

/* The last ends of a pid that the index has: one behind it may be told twice. */
static int
ask_gone(void *arg, struct program_gone *g, struct ops_err *err)
{
	struct lookup *l = lookup_of(arg);
	bool mine = g->accounted; /* then its entry is in the list already */
	const struct pick *p;
	const struct program *of;

	if ((l->gone == NULL &&
		index_prepare(l->db, POSITION_GONE, &l->gone, err) < 0) ||
	    position_gone(l->db, l->gone, g, err) < 0)
		return -1;
	if (mine || !g->accounted)
		return 0;
	p = picked(l, g->entry);
	of = p != NULL ? &l->list.p[p->at] : NULL;
	if (of != NULL &&
	    (of->kind != PROGRAM_ACCOUNTED || program_imported(of) ||
		of->accounted.pid != g->pid || of->accounted.began != g->began))
		return is_wrong(err, "an end");
	g->entry = p != NULL ? p->at : PROGRAM_NONE;
	return 0;
}

static int
read_tail(struct lookup *l, struct ops_err *err)
{
	for (size_t i = 0; i < l->pos.n; i++) {
		struct program_span span = { .stream = l->pos.s[i].stream,
			.from = l->pos.s[i].next };

		if (span.from == l->pos.s[i].all)
			continue;
		if (program_walk_stream(l->walk, l->s, &span, err) < 0)
			return -1;
		l->list.missing += span.missing;
	}
	return 0;
}

/* -- all of it -- */

static int
ask_index(
    struct lookup *l, const struct session_list *sessions, struct ops_err *err)
{
	struct whose w = { 0 };
	int rc;

	program_walk_persons(l->walk, &l->asked);
	if (!program_asks_persons(l->f))
		return pick_rows(l->db, l->f, NULL, &l->picks, err);
	rc = whose_find(&w, l->db, sessions, l->f, err);
	if (rc == 0)
		rc = pick_rows(l->db, l->f, &w, &l->picks, err);
	whose_free(&w, l->db);
	return rc;
}

/* The index first, then the store: so the index, which holds still from then on,
 * is never ahead of it.  why: the index can't be had, and l->db is NULL then. */
static int
open_both(struct lookup *l, const char *store, struct vfs *v, bool index,
    struct ops_err *why, struct ops_err *err)
{
	if (index && index_db_open(store, false, &l->db, why) < 0)
		l->db = NULL;
	return store_open(v, 0, &l->s, err);
}

static int
load_position(struct lookup *l, const struct session_list *sessions,
    const struct program_sink *sink, struct ops_err *err)
{
	if (sessions->missing.frames > 0)
		return ops_fail(err, OPS_ETAMPER, "index: events are missing");
	return program_walk_new(sessions, sink, &l->keep, &l->walk, err) < 0 ||
		       position_load(l->db, l->s, l->walk, &l->pos, err) < 0
		   ? -1
		   : 0;
}

/* Who writes it needn't wait for us from here on. */
static void
release_index(struct lookup *l)
{
	(void)sqlite3_finalize(l->gone);
	l->gone = NULL;
	index_db_free(l->db);
	l->db = NULL;
}

static void
close_both(struct lookup *l)
{
	stream_free(l->r);
	pick_free(&l->picks);
	position_free(&l->pos);
	program_walk_free(l->walk);
	release_index(l);
	store_free(l->s);
}

static int
by_index(struct lookup *l, struct ops_err *err)
{
	struct session_list sessions = { 0 };
	struct jobs jobs = { 0 };
	int rc = -1;

	if (session_list_load(l->s, NULL, &sessions, err) < 0)
		return -1;
	l->sink = program_keep_sink;
	l->sink.gone = ask_gone;
	l->sink.dropped = drop;
	if (load_position(l, &sessions, &l->sink, err) == 0 &&
	    ask_index(l, &sessions, err) == 0 &&
	    make_jobs(l, &jobs, err) == 0 && read_rows(l, &jobs, err) == 0 &&
	    hand_over(l, err) == 0 && read_tail(l, err) == 0)
		rc = 0;
	free(jobs.p);
	l->list.switched = sessions.switched;
	session_list_free(&sessions);
	return rc;
}

/*
 * Has more expired since the store was opened?  Its files may be gone then, with
 * leaves that don't know of it: true, and a newer one is in its place.
 */
static bool
expired_meanwhile(struct lookup *l, struct vfs *v)
{
	struct store *s;

	if (store_open(v, 0, &s, NULL) < 0)
		return false;
	if (store_expired_events(s) == store_expired_events(l->s)) {
		store_free(s);
		return false;
	}
	store_free(l->s);
	l->s = s;
	return true;
}

/* The index knows no persons, so of the rows that it was asked for some may be
 * somebody else's: few, since whose() is asked as well. */
static uint32_t
more_than(uint32_t newest)
{
	uint64_t n = newest + newest / UINT64_C(16) + 16;

	return n > UINT32_MAX ? 0 : (uint32_t)n;
}

/* Were they so many that not all of the newest are there?  Of a list that is cut. */
static bool
is_short(const struct lookup *l, const struct program_filter *f)
{
	uint32_t n = 0;

	if (!l->picks.cut || l->f->newest == f->newest)
		return false;
	for (size_t i = 0; i < l->list.n; i++) {
		const struct program *p = &l->list.p[i];

		if (program_counts(p) && p->time >= l->picks.since)
			n++;
	}
	return n < f->newest;
}

/* 1: it is done.  0: not without all records; why.  Asked for again with more rows
 * as long as those of others leave too few. */
static int
ask_all(struct lookup *l, const char *store, struct vfs *v,
    const struct program_filter *f, struct ops_err *why, struct ops_err *err)
{
	uint32_t newest = f->newest;

	if (newest != 0 && program_asks_persons(f))
		newest = more_than(newest);
	for (;;) {
		*l = (struct lookup){ .f = &l->asked, .asked = *f };
		l->asked.newest = newest;
		l->keep = (struct program_keep){ .f = l->f, .l = &l->list };
		if (open_both(l, store, v, pick_helps(f), why, err) < 0)
			return -1;
		if (l->db == NULL || by_index(l, why) < 0)
			return 0;
		program_list_cut(&l->list, f);
		if (!is_short(l, f))
			return 1;
		newest = newest > UINT32_MAX / 8 ? 0 : 8 * newest;
		program_list_free(&l->list);
		close_both(l);
	}
}

int
lookup_programs(const char *store, struct vfs *v,
    const struct program_filter *f, struct program_list *ret, bool *used,
    struct ops_err *why, struct ops_err *err)
{
	struct lookup l;
	int rc;
	bool by;

	if (!pick_helps(f))
		ops_fail(why, OPS_EUSAGE, "index: everything is asked for");
	rc = ask_all(&l, store, v, f, why, err);
	by = rc == 1;
	if (by) {
		*ret = l.list;
	} else {
		program_list_free(&l.list);
	}
	if (rc == 0) {
		rc = program_list_load(l.s, f, ret, err);
		if (rc == 0 && ret->missing > 0 && expired_meanwhile(&l, v)) {
			program_list_free(ret);
			rc = program_list_load(l.s, f, ret, err);
		}
	}
	if (rc >= 0)
		ret->expired = store_expired_until(l.s, CLASS_PROGRAMS);
	if (used != NULL)
		*used = by;
	close_both(&l);
	return rc < 0 ? -1 : 0;
}

/* -- counts -- */

static int
ignore_add(
    void *arg, const struct program *p, uint64_t *at, struct ops_err *err)
{
	(void)arg, (void)p, (void)err;
	*at = PROGRAM_NONE;
	return 0;
}

/* Counting what is behind the index, or all where there is none, must not take
 * long. */
#define TAIL_MAX 100000 /* records */

static bool
is_near(const struct position *p)
{
	uint64_t left = 0;

	for (size_t i = 0; i < p->n; i++)
		left += p->s[i].all - p->s[i].next;
	return left <= TAIL_MAX;
}

static int
count_tail(struct lookup *l, const struct session_list *all)
{
	static const struct program_sink count = { .add = ignore_add };
	const struct program_process *x;
	size_t i = 0;

	if (l->db == NULL || load_position(l, all, &count, NULL) < 0) {
		program_walk_free(l->walk);
		l->walk = NULL;
		if (all->missing.frames > 0 ||
		    program_walk_new(all, &count, &l->keep, &l->walk, NULL) <
			0 ||
		    position_begin(l->s, &l->pos, NULL) < 0)
			return -1;
	}
	if (!is_near(&l->pos))
		return -1;
	release_index(l);
	while ((x = program_walk_process(l->walk, &i)) != NULL) {
		struct program_process mine = *x;

		mine.at = PROGRAM_NONE;
		if (program_walk_know(l->walk, &mine, NULL) < 0)
			return -1;
	}
	return read_tail(l, NULL) < 0 || l->list.missing > 0 ? -1 : 0;
}

int
lookup_sessions(const char *store, struct vfs *v,
    const struct session_filter *f, struct session_list *ret,
    struct ops_err *err)
{
	struct lookup l = { 0 };
	/* All of them, to count their commands. */
	const struct session_filter marked = { .note = f->note,
		.note_marks = true };
	const struct session_filter *wanted = f->commands ? &marked : f;
	struct session_list all;
	int rc = -1;

	if (open_both(&l, store, v, f->commands, NULL, err) == 0)
		rc = session_list_load(l.s, wanted, &all, err);
	if (rc == 0 && all.missing.frames > 0 && expired_meanwhile(&l, v)) {
		session_list_free(&all);
		rc = session_list_load(l.s, wanted, &all, err);
	}
	if (rc == 0 && f->commands && count_tail(&l, &all) == 0)
		for (size_t j = 0; j < all.n; j++) {
			const uint32_t *n =
			    program_walk_commands(l.walk, all.s[j].id);

			/* None at all: not even its shell was seen. */
			all.s[j].has_commands = n != NULL && *n > 0;
			all.s[j].commands = n != NULL ? *n : 0;
		}
	close_both(&l);
	if (rc < 0)
		return -1;
	session_list_keep(&all, f);
	*ret = all;
	return 0;
}

int
lookup_reach(const char *store, struct vfs *v, struct lookup_reach *ret,
    struct ops_err *why, struct ops_err *err)
{
	static const struct program_sink none = { .add = ignore_add };
	struct session_list all = { 0 };
	struct lookup_reach r = { 0 };
	struct lookup l = { 0 };
	int64_t n, pages, size;
	int rc = -1;

	if (open_both(&l, store, v, true, why, err) < 0 ||
	    session_list_load(l.s, NULL, &all, err) < 0)
		goto out;
	rc = 0;
	if (l.db != NULL && load_position(&l, &all, &none, why) == 0 &&
	    index_number(l.db, "SELECT max(id) FROM program", &n, why) == 0 &&
	    index_number(l.db, "PRAGMA page_count", &pages, why) == 0 &&
	    index_number(l.db, "PRAGMA page_size", &size, why) == 0) {
		r.programs = (uint64_t)n;
		r.bytes = (uint64_t)pages * (uint64_t)size;
		for (size_t i = 0; i < l.pos.n; i++) {
			r.done += l.pos.s[i].next;
			r.sealed += l.pos.s[i].sealed;
			r.all += l.pos.s[i].all;
		}
		*ret = r;
		rc = 1;
	}
out:
	close_both(&l);
	session_list_free(&all);
	return rc;
}
