#include "pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "lead.h"

#define EXES_MAX                                                               \
	64 /* with more paths that fit, rows are gone through by time */

#define NEWEST_MAX 100000 /* rows whose times are sorted beforehand */

/* In their order: of paths that fit a pattern, or of rows. */
struct ids {
	int64_t *id;
	size_t n, cap;
};

bool
pick_helps(const struct program_filter *f)
{
	if (f->seeded)
		return false; /* they are not in it */
	return f->newest != 0 || f->name != NULL || f->has_session ||
	       f->tty != NULL || f->exe != NULL || f->failed || f->has_euid ||
	       f->has_owner || f->has_login || f->person != NULL ||
	       f->since != 0 || f->until != 0 || lead_accounted(f);
}

void
pick_free(struct pick_list *l)
{
	free(l->p);
	*l = (struct pick_list){ 0 };
}

static int
no_memory(struct ops_err *err)
{
	return ops_fail(err, OPS_ENOMEM, "index: no memory");
}

static int
add_row(struct index_db *d, struct pick_list *l, sqlite3_stmt *st,
    struct ops_err *err)
{
	size_t cap = l->cap == 0 ? 1024 : 2 * l->cap;

	if (l->n >= index_db_rows(d))
		return ops_fail(err, OPS_EFORMAT,
		    "index: more rows than there are records");
	if (l->n == l->cap) {
		struct pick *more = reallocarray(l->p, cap, sizeof(*more));

		if (more == NULL)
			return no_memory(err);
		l->p = more;
		l->cap = cap;
	}
	l->p[l->n++] = (struct pick){ .row = sqlite3_column_int64(st, 0),
		.start = { sqlite3_column_int64(st, 2),
		    (uint64_t)sqlite3_column_int64(st, 1) },
		.end = { sqlite3_column_int64(st, 4),
		    (uint64_t)sqlite3_column_int64(st, 3) },
		.next = { sqlite3_column_int64(st, 6),
		    (uint64_t)sqlite3_column_int64(st, 5) },
		.hole = { sqlite3_column_int64(st, 12),
		    (uint64_t)sqlite3_column_int64(st, 11) },
		.time = index_time_back(sqlite3_column_int64(st, 7)),
		.number = (uint32_t)sqlite3_column_int64(st, 8),
		.failed = sqlite3_column_int(st, 9) != 0 };
	return 0;
}

/* -- what is bound -- */

/* Texts are bound where they are, so that none is lost for want of memory: NULL
 * would fit no row, and nothing would say so.  name is room for f's. */
static int
bind(sqlite3_stmt *st, const struct program_filter *f, int64_t exe,
    uint8_t name[static INDEX_NAME_MAX], struct ops_err *err)
{
	const struct {
		enum lead_bound at;
		int64_t n;
	} numbers[] = {
		{ BOUND_EUID, f->euid },
		{ BOUND_OWNER, f->owner },
		{ BOUND_LOGIN, f->login },
		{ BOUND_SINCE, index_time(f->since) },
		{ BOUND_UNTIL,
		    index_time(f->until != 0 ? f->until : UINT64_MAX) },
		{ BOUND_EXE, exe },
	};
	bool bound = true;
	size_t n;

	if (f->name != NULL) {
		n = index_name((struct event_text){ (const uint8_t *)f->name,
				   strlen(f->name) },
		    name);
		/* no bytes at all are not NULL */
		bound &= SQLITE_OK ==
			 (n > 0 ? sqlite3_bind_blob(st, BOUND_NAME, name,
				      (int)n, SQLITE_STATIC)
				: sqlite3_bind_zeroblob(st, BOUND_NAME, 0));
	}
	if (f->has_session)
		bound &= sqlite3_bind_blob(st, BOUND_SESSION, f->session,
			     OPS_ID_LEN, SQLITE_STATIC) == SQLITE_OK;
	if (f->tty != NULL)
		bound &= sqlite3_bind_text(st, BOUND_TTY, f->tty, -1,
			     SQLITE_STATIC) == SQLITE_OK;
	/* Only statements that have EXE are asked for it. */
	for (size_t i = 0; i < OPS_ARRAY_LEN(numbers); i++)
		if ((int)numbers[i].at <= sqlite3_bind_parameter_count(st))
			bound &= sqlite3_bind_int64(st, (int)numbers[i].at,
				     numbers[i].n) == SQLITE_OK;
	return bound ? 0 : no_memory(err);
}

/* -- paths -- */

/* In the order of their ids. */
static int
find_exes(struct index_db *d, const char *pattern, struct ids *ret,
    struct ops_err *err)
{
	struct index_rows seen = { 0 };
	sqlite3_stmt *st = NULL;
	int rc;

	if (index_prepare(d, "SELECT id, path FROM exe ORDER BY id", &st, err) <
	    0)
		return -1;
	while ((rc = index_next(d, st, &seen, err)) == 1) {
		const struct event_text path = { sqlite3_column_blob(st, 1),
			(size_t)sqlite3_column_bytes(st, 1) };

		if (!program_path_fits(path, pattern))
			continue;
		if (ret->n == ret->cap) {
			size_t cap = ret->cap == 0 ? 64 : 2 * ret->cap;
			int64_t *more =
			    reallocarray(ret->id, cap, sizeof(*more));

			if (more == NULL) {
				rc = no_memory(err);
				break;
			}
			ret->id = more;
			ret->cap = cap;
		}
		ret->id[ret->n++] = sqlite3_column_int64(st, 0);
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static bool
has_id(const struct ids *x, int64_t id)
{
	size_t from = 0, to = x->n;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (x->id[mid] < id)
			from = mid + 1;
		else
			to = mid;
	}
	return from < x->n && x->id[from] == id;
}

/* -- rows -- */

/* Step through; by time, so behind the newest only equals of the last are. */
static int
step_rows(struct index_db *d, sqlite3_stmt *st, const struct program_filter *f,
    const struct ids *exes, const struct ids *taken, struct pick_list *l,
    struct ops_err *err)
{
	size_t from = l->n;
	int rc;

	while ((rc = index_step(d, st, err)) == 1) {
		if (f->newest != 0 && l->n - from >= f->newest &&
		    index_time_back(sqlite3_column_int64(st, 7)) !=
			l->p[l->n - 1].time) {
			l->cut = true;
			break;
		}
		if ((exes != NULL &&
			!has_id(exes, sqlite3_column_int64(st, 10))) ||
		    (taken != NULL &&
			has_id(taken, sqlite3_column_int64(st, 0))))
			continue;
		if (add_row(d, l, st, err) < 0)
			return -1;
	}
	return rc < 0 ? -1 : 0;
}

static int
take_rows(struct index_db *d, const char *sql, const struct program_filter *f,
    const struct ids *exes, int64_t exe, struct pick_list *l,
    struct ops_err *err)
{
	uint8_t name[INDEX_NAME_MAX];
	sqlite3_stmt *st = NULL;
	int rc;

	if (index_prepare(d, sql, &st, err) < 0)
		return -1;
	rc = bind(st, f, exe, name, err) < 0
		 ? -1
		 : step_rows(d, st, f, exes, NULL, l, err);
	(void)sqlite3_finalize(st);
	return rc;
}

static int
take(struct index_db *d, const struct program_filter *f, const struct lead *l,
    const struct ids *exes, struct pick_list *ret, struct ops_err *err)
{
	char sql[LEAD_SQL_MAX];

	(void)lead_newest(f, l, sql);
	if (!l->exe || exes == NULL)
		return take_rows(d, sql, f, exes, 0, ret, err);
	for (size_t i = 0; i < exes->n; i++)
		if (take_rows(d, sql, f, NULL, exes->id[i], ret, err) < 0)
			return -1;
	return 0;
}

static int
by_time_back(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x > y ? -1 : x < y;
}

/* Since when that counts which is of nobody: the oldest of the newest, which rows
 * that come later can only move on. */
static int
since_of(const struct program_filter *f, const struct pick_list *l,
    uint64_t *ret, struct ops_err *err)
{
	uint64_t *times;

	*ret = f->since;
	if (f->newest == 0 || l->n < f->newest)
		return 0;
	times = reallocarray(NULL, l->n, sizeof(*times));
	if (times == NULL)
		return no_memory(err);
	for (size_t i = 0; i < l->n; i++)
		times[i] = l->p[i].time;
	qsort(times, l->n, sizeof(*times), by_time_back);
	*ret = times[f->newest - 1];
	free(times);
	return 0;
}

/* -- of one person -- */

/* Only the newest stay, once there are more than twice as many: of what comes then,
 * what is older needn't be looked at. */
static int
keep_newest(struct program_filter *f, struct pick_list *l, struct ops_err *err)
{
	size_t n = 0;

	if (f->newest == 0 || l->n / 2 <= f->newest)
		return 0;
	if (since_of(f, l, &f->since, err) < 0)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (l->p[i].time >= f->since)
			l->p[n++] = l->p[i];
	l->n = n;
	l->cut = true;
	return 0;
}

struct persons {
	const struct ids *exes;
	struct ids taken; /* rows, by their sessions */
	struct program_filter now;
};

/* The newest of them first. */
static int
take_of(struct index_db *d, struct persons *x, const struct lead *lead,
    const struct whose_ids *of, struct pick_list *ret, struct ops_err *err)
{
	uint8_t name[INDEX_NAME_MAX];
	sqlite3_stmt *st = NULL;
	char sql[LEAD_SQL_MAX];
	int rc = 0;

	if (index_prepare(d, lead_newest(&x->now, lead, sql), &st, err) < 0)
		return -1;
	for (size_t i = of->n; rc == 0 && i > 0; i--) {
		(void)sqlite3_reset(st);
		if (sqlite3_bind_int64(st, BOUND_WHOSE, of->id[i - 1]) !=
		    SQLITE_OK)
			rc = no_memory(err);
		else if (bind(st, &x->now, 0, name, err) < 0 ||
			 step_rows(d, st, &x->now, x->exes, &x->taken, ret,
			     err) < 0 ||
			 keep_newest(&x->now, ret, err) < 0)
			rc = -1;
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static int
by_id(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
note_taken(struct persons *x, const struct pick_list *l, struct ops_err *err)
{
	x->taken.id = calloc(l->n + 1, sizeof(*x->taken.id));
	if (x->taken.id == NULL)
		return no_memory(err);
	for (size_t i = 0; i < l->n; i++)
		x->taken.id[x->taken.n++] = l->p[i].row;
	if (l->n > 1)
		qsort(x->taken.id, l->n, sizeof(*x->taken.id), by_id);
	return 0;
}

/* Times of the newest rows, once there are more than room: the newest half. */
struct newest {
	uint64_t *time;
	size_t n, room;
	uint64_t since; /* of what may still be among them */
};

static void
newest_cut(struct newest *x)
{
	qsort(x->time, x->n, sizeof(*x->time), by_time_back);
	x->n = x->room / 2;
	x->since = x->time[x->n - 1];
}

static int
newest_of(
    struct index_db *d, sqlite3_stmt *st, struct newest *x, struct ops_err *err)
{
	size_t most = x->room / 2;
	int rc = 0;

	while (most-- > 0 && (rc = index_step(d, st, err)) == 1) {
		if (x->n == x->room)
			newest_cut(x);
		x->time[x->n++] = index_time_back(sqlite3_column_int64(st, 0));
	}
	return rc < 0 ? -1 : 0;
}

/*
 * Since when twice as many rows as are wanted began in these sessions, of whatever
 * kind: an index alone tells that, while each row is in another page.  f->since: there
 * aren't so many.
 */
static int
since_newest(struct index_db *d, const struct program_filter *f,
    const struct whose_ids *of, uint64_t *ret, struct ops_err *err)
{
	struct newest x = { .room = 4 * (size_t)f->newest, .since = f->since };
	uint8_t name[INDEX_NAME_MAX];
	struct program_filter now = *f;
	sqlite3_stmt *st = NULL;
	int rc;

	x.time = reallocarray(NULL, x.room, sizeof(*x.time));
	if (x.time == NULL)
		return no_memory(err);
	rc = index_prepare(d,
	    "SELECT time FROM program INDEXED BY by_session WHERE "
	    "session = ?10 AND time BETWEEN ?7 AND ?8 ORDER BY time DESC",
	    &st, err);
	for (size_t i = of->n; rc == 0 && i > 0; i--) {
		(void)sqlite3_reset(st);
		now.since = x.since;
		if (sqlite3_bind_int64(st, BOUND_WHOSE, of->id[i - 1]) !=
		    SQLITE_OK)
			rc = no_memory(err);
		else
			rc = bind(st, &now, 0, name, err) < 0
				 ? -1
				 : newest_of(d, st, &x, err);
	}
	(void)sqlite3_finalize(st);
	if (rc == 0 && x.n >= x.room / 2)
		newest_cut(&x);
	*ret = x.since;
	free(x.time);
	return rc;
}

/* Who logs in again within a session may have a row in both. */
static int
take_both(struct index_db *d, struct persons *x, const struct whose *w,
    struct pick_list *ret, struct ops_err *err)
{
	const struct lead session = { .time = "p",
		.from = "program p INDEXED BY by_session",
		.where = "p.session = ?10" };
	const struct lead ses = { .time = "p",
		.from = "program p INDEXED BY by_ses",
		.where = "p.ses = ?10" };
	int rc = take_of(d, x, &session, &w->asked, ret, err);

	if (rc == 0)
		rc = note_taken(x, ret, err);
	if (rc == 0)
		rc = take_of(d, x, &ses, &w->asked_ses, ret, err);
	free(x->taken.id);
	x->taken = (struct ids){ 0 };
	return rc;
}

static int
take_whose(struct index_db *d, const struct program_filter *f,
    const struct whose *w, const struct ids *exes, struct pick_list *ret,
    struct ops_err *err)
{
	struct persons x = { .exes = exes, .now = *f };
	int rc = 0;

	if (f->newest != 0 && f->newest < NEWEST_MAX && !w->few)
		rc = since_newest(d, f, &w->asked, &x.now.since, err);
	if (rc == 0)
		rc = take_both(d, &x, w, ret, err);
	if (rc < 0 || x.now.since == f->since || ret->n >= f->newest)
		return rc;
	/* Of those rows too few are of the kinds that are wanted. */
	ret->n = 0;
	ret->cut = false;
	x.now.since = f->since;
	return take_both(d, &x, w, ret, err);
}

/* Who logged in, or who ran it: one after the other, no row twice. */
static int
take_owned(struct index_db *d, const struct program_filter *f,
    const struct ids *exes, struct pick_list *ret, struct ops_err *err)
{
	const struct lead both[] = {
		{ .owner = true,
		    .time = "p",
		    .from = "program p INDEXED BY by_login",
		    .where = "p.login = ?5" },
		{ .owner = true,
		    .time = "p",
		    .from = "program p INDEXED BY by_uid",
		    .where = "p.uid = ?5 AND +p.login <> ?5" },
	};

	return take(d, f, &both[0], exes, ret, err) < 0 ||
		       take(d, f, &both[1], exes, ret, err) < 0
		   ? -1
		   : 0;
}

/* Its own, then those whose terminal it shows as another. */
static int
take_session(struct index_db *d, const struct program_filter *f,
    const struct lead *own, const struct ids *exes, struct pick_list *ret,
    struct ops_err *err)
{
	const struct lead other = { .session = true,
		.time = "a",
		.from = "also a CROSS JOIN program p ON p.id = a.program",
		.where = "a.session = " LEAD_ASKED
			 " AND +p.session <> " LEAD_ASKED };

	return take(d, f, own, exes, ret, err) < 0 ||
		       take(d, f, &other, exes, ret, err) < 0
		   ? -1
		   : 0;
}

/* What was lost may have been anything; what runs may still fail. */
static int
take_others(struct index_db *d, const struct program_filter *f,
    const struct ids *exes, struct pick_list *ret, struct ops_err *err)
{
	char sql[LEAD_SQL_MAX], rest[LEAD_SQL_MAX / 2];
	const struct lead none = { .failed = true };
	struct program_filter all = *f, nobody = *f, lost;

	all.newest = nobody.newest = 0; /* they don't count */
	if (since_of(f, ret, &nobody.since, err) < 0)
		return -1;
	lost = nobody;
	lost.until = 0; /* when it began to be lost its record says */
	if ((f->coverage || !lead_accounted(f)) &&
	    take_rows(d,
		"SELECT " LEAD_COLUMNS
		"FROM program p INDEXED BY by_lost WHERE "
		"p.kind = 3 AND p.time BETWEEN ?7 AND ?8",
		&lost, NULL, 0, ret, err) < 0)
		return -1;
	if (f->coverage && !f->failed &&
	    take_rows(d,
		"SELECT " LEAD_COLUMNS
		"FROM program p INDEXED BY by_coverage WHERE "
		"p.kind = 6 AND p.time BETWEEN ?7 AND ?8",
		&nobody, NULL, 0, ret, err) < 0)
		return -1;
	if (!f->failed)
		return 0;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT " LEAD_COLUMNS "FROM process q CROSS JOIN program p ON "
	    "p.id = q.program WHERE p.failed = 0 AND "
	    "p.time BETWEEN ?7 AND ?8%s",
	    lead_rest(f, &none, rest));
	return take_rows(d, sql, &all, exes, 0, ret, err);
}

/* No condition leads. */
static bool
is_all(const struct lead *l)
{
	return strcmp(l->where, "1") == 0;
}

/* The sessions lead: few of them fit, or nothing else is asked for. */
static bool
by_whose(
    const struct program_filter *f, const struct whose *w, const struct lead *l)
{
	if (w == NULL)
		return false;
	return w->few ? l->login || l->euid || is_all(l)
		      : is_all(l) && !f->has_owner;
}

int
pick_rows(struct index_db *d, const struct program_filter *f,
    const struct whose *w, struct pick_list *ret, struct ops_err *err)
{
	struct pick_list l = { 0 };
	struct ids exes = { 0 };
	const struct ids *fit = f->exe != NULL ? &exes : NULL;
	struct lead lead;
	int rc = -1;

	if (fit != NULL && find_exes(d, f->exe, &exes, err) < 0)
		goto out;
	lead = lead_of(f, exes.n <= EXES_MAX);
	if (by_whose(f, w, &lead))
		rc = take_whose(d, f, w, fit, &l, err);
	else if (is_all(&lead) && f->has_owner)
		rc = take_owned(d, f, fit, &l, err);
	else if (lead.session)
		rc = take_session(d, f, &lead, fit, &l, err);
	else
		rc = take(d, f, &lead, fit, &l, err);
	l.cut |=
	    f->newest != 0 && l.n >= f->newest; /* as since_of() takes it */
	if (rc == 0 && l.cut)
		rc = since_of(f, &l, &l.since, err);
	if (rc == 0)
		rc = take_others(d, f, fit, &l, err);
out:
	free(exes.id);
	if (rc < 0) {
		pick_free(&l);
		return -1;
	}
	*ret = l;
	return 0;
}
