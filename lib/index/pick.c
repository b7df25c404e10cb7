#include "pick.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define SQL_MAX 2048
#define EXES_MAX                                                               \
	64 /* with more paths that fit, rows are gone through by time */

#define COLUMNS                                                                \
	"p.id, p.start_at, p.stream, p.end_at, p.end_stream, p.next_at, "      \
	"p.next_stream, p.time, p.n, p.failed, p.exe, p.hole_at, "             \
	"p.hole_stream "

/* Paths that fit a pattern. */
struct exes {
	int64_t *id;
	size_t n, cap;
};

/* Is only what the kernel's accounting tells of asked for? */
static bool
is_accounted(const struct program_filter *f)
{
	return f->coverage || f->source == SOURCE_ACCT ||
	       f->source == SOURCE_IMPORT;
}

bool
pick_helps(const struct program_filter *f)
{
	if (f->seeded)
		return false; /* they are not in it */
	return f->newest != 0 || f->name != NULL || f->has_session ||
	       f->tty != NULL || f->exe != NULL || f->failed || f->has_euid ||
	       f->has_owner || f->has_login || f->since != 0 || f->until != 0 ||
	       is_accounted(f);
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

enum parameter {
	NAME = 1,
	SESSION,
	TTY,
	EUID,
	OWNER,
	LOGIN,
	SINCE,
	UNTIL,
	EXE
};

/* Texts are bound where they are, so that none is lost for want of memory: NULL
 * would fit no row, and nothing would say so.  name is room for f's. */
static int
bind(sqlite3_stmt *st, const struct program_filter *f, int64_t exe,
    uint8_t name[static INDEX_NAME_MAX], struct ops_err *err)
{
	const struct {
		enum parameter at;
		int64_t n;
	} numbers[] = {
		{ EUID, f->euid },
		{ OWNER, f->owner },
		{ LOGIN, f->login },
		{ SINCE, index_time(f->since) },
		{ UNTIL, index_time(f->until != 0 ? f->until : UINT64_MAX) },
		{ EXE, exe },
	};
	bool bound = true;
	size_t n;

	if (f->name != NULL) {
		n = index_name((struct event_text){ (const uint8_t *)f->name,
				   strlen(f->name) },
		    name);
		/* no bytes at all are not NULL */
		bound &=
		    SQLITE_OK == (n > 0 ? sqlite3_bind_blob(st, NAME, name,
					      (int)n, SQLITE_STATIC)
					: sqlite3_bind_zeroblob(st, NAME, 0));
	}
	if (f->has_session)
		bound &= sqlite3_bind_blob(st, SESSION, f->session, OPS_ID_LEN,
			     SQLITE_STATIC) == SQLITE_OK;
	if (f->tty != NULL)
		bound &= sqlite3_bind_text(
			     st, TTY, f->tty, -1, SQLITE_STATIC) == SQLITE_OK;
	/* Only statements that have EXE are asked for it. */
	for (size_t i = 0; i < OPS_ARRAY_LEN(numbers); i++)
		if ((int)numbers[i].at <= sqlite3_bind_parameter_count(st))
			bound &= sqlite3_bind_int64(st, (int)numbers[i].at,
				     numbers[i].n) == SQLITE_OK;
	return bound ? 0 : no_memory(err);
}

/* -- the statement -- */

/* The session that is asked for. */
#define ASKED "(SELECT id FROM session s WHERE s.session = ?2)"

/* What rows are gone through by: the first that is asked for leads; the plus
 * keeps SQLite from another choice. */
struct lead {
	const char *from, *where;
	const char *time; /* the table whose times they are ordered by */
	bool name, session, tty, exe, failed, euid, owner, login;
};

static struct lead
lead_of(const struct program_filter *f, bool few_exes)
{
	if (f->name != NULL && f->failed)
		return (struct lead){ .name = true,
			.failed = true,
			.time = "c",
			.from = "failing c CROSS JOIN program p ON "
				"p.id = c.program",
			.where = "c.name = ?1" };
	if (f->name != NULL)
		return (struct lead){ .name = true,
			.time = "c",
			.from = "called c CROSS JOIN program p ON "
				"p.id = c.program",
			.where = "c.name = ?1" };
	if (f->has_session)
		return (struct lead){ .session = true,
			.time = "p",
			.from = "program p INDEXED BY by_session",
			.where = "p.session = " ASKED };
	if (f->tty != NULL)
		return (struct lead){ .tty = true,
			.time = "p",
			.from = "program p INDEXED BY by_tty",
			.where = "p.tty = ?3" };
	if (f->exe != NULL && few_exes)
		return (struct lead){ .exe = true,
			.time = "p",
			.from = "program p INDEXED BY by_exe",
			.where = "p.exe = ?9" };
	if (f->failed)
		return (struct lead){ .failed = true,
			.time = "p",
			.from = "program p INDEXED BY by_failed",
			.where = "p.failed = 1" };
	if (f->has_euid)
		return (struct lead){ .euid = true,
			.time = "p",
			.from = "program p INDEXED BY by_euid",
			.where = "p.euid = ?4" };
	if (f->has_login)
		return (struct lead){ .login = true,
			.time = "p",
			.from = "program p INDEXED BY by_login",
			.where = "p.login = ?6" };
	if (is_accounted(f))
		return (struct lead){ .time = "p",
			.from = "program p INDEXED BY by_accounted",
			.where = "p.kind = 5" };
	return (struct lead){ .time = "p",
		.from = "program p INDEXED BY by_time",
		.where = "1" };
}

/* Which kinds, as program_wanted() has it; those of nobody come by themselves. */
static const char *
kinds_of(const struct program_filter *f)
{
	if (f->coverage)
		return "+p.kind = 5 AND +p.session = 0";
	switch (f->source) {
	case SOURCE_ACCT:
		return f->forks ? "+p.kind = 5"
				: "+p.kind = 5 AND p.forked = 0";
	case SOURCE_IMPORT:
		return f->forks ? "+p.kind = 5 AND +p.session <> 0"
				: "+p.kind = 5 AND p.forked = 0 AND "
				  "+p.session <> 0";
	case SOURCE_CAPTURE:
		return f->forks ? "+p.kind IN (1, 2, 4)"
				: "+p.kind IN (1, 2, 4) AND p.forked = 0";
	default:
		return f->forks ? "+p.kind IN (1, 2, 4, 5)"
				: "+p.kind IN (1, 2, 4, 5) AND p.forked = 0";
	}
}

/* Who it was; of the names, if they lead: what an index has besides its row SQLite
 * looks at first, and the row of each would be in another page. */
enum who { WHO_EUID, WHO_OWNER, WHO_LOGIN, WHO_ALL };
static const char *const who_of[2][WHO_ALL] = {
	{ " AND +p.euid = ?4", " AND (+p.login = ?5 OR +p.uid = ?5)",
	    " AND +p.login = ?6" },
	{ " AND c.euid = ?4", " AND (c.login = ?5 OR c.uid = ?5)",
	    " AND c.login = ?6" },
};

/* The conditions that don't lead. */
static const char *
rest_of(const struct program_filter *f, const struct lead *l,
    char out[static SQL_MAX / 2])
{
	const char *const *who = who_of[l->name];

	(void)snprintf(out, SQL_MAX / 2, "%s%s%s%s%s%s%s%s AND %s",
	    f->name != NULL && !l->name
		? " AND EXISTS(SELECT 1 FROM called n WHERE n.name = ?1 AND "
		  "n.time = p.time AND n.program = p.id)"
		: "",
	    f->has_session && !l->session
		? " AND (+p.session = " ASKED
		  " OR EXISTS(SELECT 1 FROM also o WHERE o.session = " ASKED
		  " AND o.time = p.time AND o.program = p.id))"
		: "",
	    f->tty != NULL && !l->tty ? " AND +p.tty = ?3" : "",
	    f->failed && !l->failed ? " AND +p.failed = 1" : "",
	    f->has_euid && !l->euid ? who[WHO_EUID] : "",
	    f->has_owner && !l->owner ? who[WHO_OWNER] : "",
	    f->has_owner ? " AND NOT (+p.kind = 5 AND +p.session <> 0)" : "",
	    f->has_login && !l->login ? who[WHO_LOGIN] : "", kinds_of(f));
	return out;
}

/* -- paths -- */

/* In the order of their ids. */
static int
find_exes(struct index_db *d, const char *pattern, struct exes *ret,
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
has_exe(const struct exes *x, int64_t id)
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
take_rows(struct index_db *d, const char *sql, const struct program_filter *f,
    const struct exes *exes, int64_t exe, struct pick_list *l,
    struct ops_err *err)
{
	uint8_t name[INDEX_NAME_MAX];
	sqlite3_stmt *st = NULL;
	size_t from = l->n;
	int rc;

	if (index_prepare(d, sql, &st, err) < 0)
		return -1;
	if (bind(st, f, exe, name, err) < 0) {
		(void)sqlite3_finalize(st);
		return -1;
	}
	while ((rc = index_step(d, st, err)) == 1) {
		if (f->newest != 0 && l->n - from >= f->newest &&
		    index_time_back(sqlite3_column_int64(st, 7)) !=
			l->p[l->n - 1].time)
			break;
		if (exes != NULL &&
		    !has_exe(exes, sqlite3_column_int64(st, 10)))
			continue;
		if (add_row(d, l, st, err) < 0) {
			rc = -1;
			break;
		}
	}
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int
take(struct index_db *d, const struct program_filter *f, const struct lead *l,
    const struct exes *exes, struct pick_list *ret, struct ops_err *err)
{
	char sql[SQL_MAX], rest[SQL_MAX / 2];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT " COLUMNS
	    "FROM %s WHERE %s AND %s.time BETWEEN ?7 AND ?8%s "
	    "ORDER BY %s.time DESC",
	    l->from, l->where, l->time, rest_of(f, l, rest), l->time);
	if (!l->exe)
		return take_rows(d, sql, f, exes, 0, ret, err);
	for (size_t i = 0; i < exes->n; i++)
		if (take_rows(d, sql, f, NULL, exes->id[i], ret, err) < 0)
			return -1;
	return 0;
}

/* Who logged in, or who ran it: one after the other, no row twice. */
static int
take_owned(struct index_db *d, const struct program_filter *f,
    const struct exes *exes, struct pick_list *ret, struct ops_err *err)
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
    const struct lead *own, const struct exes *exes, struct pick_list *ret,
    struct ops_err *err)
{
	const struct lead other = { .session = true,
		.time = "a",
		.from = "also a CROSS JOIN program p ON p.id = a.program",
		.where = "a.session = " ASKED " AND +p.session <> " ASKED };

	return take(d, f, own, exes, ret, err) < 0 ||
		       take(d, f, &other, exes, ret, err) < 0
		   ? -1
		   : 0;
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

/* What was lost may have been anything; what runs may still fail. */
static int
take_others(struct index_db *d, const struct program_filter *f,
    const struct exes *exes, struct pick_list *ret, struct ops_err *err)
{
	char sql[SQL_MAX], rest[SQL_MAX / 2];
	const struct lead none = { .failed = true };
	struct program_filter all = *f, nobody = *f, lost;

	all.newest = nobody.newest = 0; /* they don't count */
	if (since_of(f, ret, &nobody.since, err) < 0)
		return -1;
	lost = nobody;
	lost.until = 0; /* when it began to be lost its record says */
	if ((f->coverage || !is_accounted(f)) &&
	    take_rows(d,
		"SELECT " COLUMNS "FROM program p INDEXED BY by_lost WHERE "
		"p.kind = 3 AND p.time BETWEEN ?7 AND ?8",
		&lost, NULL, 0, ret, err) < 0)
		return -1;
	if (f->coverage && !f->failed &&
	    take_rows(d,
		"SELECT " COLUMNS "FROM program p INDEXED BY by_coverage WHERE "
		"p.kind = 6 AND p.time BETWEEN ?7 AND ?8",
		&nobody, NULL, 0, ret, err) < 0)
		return -1;
	if (!f->failed)
		return 0;
	(void)snprintf(sql, sizeof(sql),
	    "SELECT " COLUMNS "FROM process q CROSS JOIN program p ON "
	    "p.id = q.program WHERE p.failed = 0 AND "
	    "p.time BETWEEN ?7 AND ?8%s",
	    rest_of(f, &none, rest));
	return take_rows(d, sql, &all, exes, 0, ret, err);
}

int
pick_rows(struct index_db *d, const struct program_filter *f,
    struct pick_list *ret, struct ops_err *err)
{
	struct pick_list l = { 0 };
	struct exes exes = { 0 };
	const struct exes *fit = f->exe != NULL ? &exes : NULL;
	struct lead lead;
	int rc = -1;

	if (fit != NULL && find_exes(d, f->exe, &exes, err) < 0)
		goto out;
	lead = lead_of(f, exes.n <= EXES_MAX);
	if (strcmp(lead.where, "1") == 0 && f->has_owner)
		rc = take_owned(d, f, fit, &l, err);
	else if (lead.session)
		rc = take_session(d, f, &lead, fit, &l, err);
	else
		rc = take(d, f, &lead, fit, &l, err);
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
