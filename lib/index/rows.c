#include "rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "position.h"
#include "whose.h"

#define KNOWN 4096 /* ids of sessions and paths that are remembered */
#define KNOWN_TEXT 120
#define IDENTITY_BITS 14
#define IDENTITIES (1u << IDENTITY_BITS) /* that are remembered */

enum statement {
	PUT_PROGRAM,
	PUT_CALLED,
	PUT_FAILING,
	GET_NAMES,
	PUT_ALSO,
	PUT_IDENTITY,
	PUT_END,
	PUT_FAILED,
	PUT_NEXT,
	PUT_SESSION,
	GET_SESSION,
	PUT_COMMANDS,
	PUT_EXE,
	GET_EXE,
	GET_GONE,
	PUT_DROPPED,
	STATEMENTS
};

static const char *const statements[STATEMENTS] = {
	[PUT_PROGRAM] = "INSERT INTO program(id, stream, start_at, time, "
			"session, n, login, uid, euid, tty, kind, failed, exe, "
			"forked, hole_stream, hole_at, names, ses) VALUES(?1,"
			"?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,"
			"?17,?18)",
	[PUT_CALLED] = "INSERT OR IGNORE INTO called "
		       "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[PUT_FAILING] = "INSERT OR IGNORE INTO failing "
			"VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[GET_NAMES] = "SELECT names, time, login, uid, euid, session, ses "
		      "FROM program WHERE id = ?1",
	[PUT_ALSO] = "INSERT OR IGNORE INTO also VALUES(?1, ?2, ?3)",
	[PUT_IDENTITY] = "INSERT OR IGNORE INTO identity "
			 "VALUES(?1, ?2, ?3, ?4, ?5)",
	/* The place of the names is now that of the end. */
	[PUT_END] = "UPDATE program SET end_stream = ?2, end_at = ?3, "
		    "names = NULL WHERE id = ?1",
	/* Apart, since whether it failed stands in indices. */
	[PUT_FAILED] = "UPDATE program SET end_stream = ?2, end_at = ?3, "
		       "names = NULL, failed = 1 WHERE id = ?1",
	[PUT_NEXT] = "UPDATE program SET next_stream = ?2, next_at = ?3, "
		     "names = NULL WHERE id = ?1",
	[PUT_SESSION] = "INSERT OR IGNORE INTO session(session, commands) "
			"VALUES(?1, ?2)",
	[GET_SESSION] = "SELECT id FROM session WHERE session = ?1",
	[PUT_COMMANDS] = "UPDATE session SET commands = ?2 WHERE id = ?1",
	[PUT_EXE] = "INSERT OR IGNORE INTO exe(path) VALUES(?1)",
	[GET_EXE] = "SELECT id FROM exe WHERE path = ?1",
	[GET_GONE] = POSITION_GONE,
	/* Its names stay, and so its row. */
	[PUT_DROPPED] = "UPDATE program SET kind = 0 WHERE id = ?1",
};

/* Ids of texts that came lately, by a hash of them. */
struct known {
	uint8_t text[KNOWN_TEXT];
	size_t n;
	int64_t id; /* 0: the place is free */
};

/* One who came lately. */
struct identity {
	bool known, has_ses;
	uint32_t login, uid, euid;
	int64_t session, ses;
};

struct rows {
	struct index_db *db;
	struct program_walk *walk;
	sqlite3_stmt *st[STATEMENTS];
	struct known *session, *exe;
	struct identity *identity; /* by a hash of them */
	int64_t last;              /* row */
	int64_t *id; /* of the streams, by their place in the store */
};

void
rows_free(struct rows *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		(void)sqlite3_finalize(r->st[i]);
	free(r->session);
	free(r->exe);
	free(r->identity);
	free(r->id);
	free(r);
}

int
rows_new(
    struct index_db *db, size_t streams, struct rows **ret, struct ops_err *err)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	r->db = db;
	r->session = calloc(KNOWN, sizeof(*r->session));
	r->exe = calloc(KNOWN, sizeof(*r->exe));
	r->identity = calloc(IDENTITIES, sizeof(*r->identity));
	r->id = calloc(streams + 1, sizeof(*r->id));
	if (r->session == NULL || r->exe == NULL || r->identity == NULL ||
	    r->id == NULL) {
		ops_fail(err, OPS_ENOMEM, "index: no memory");
		goto fail;
	}
	for (size_t i = 0; i < STATEMENTS; i++)
		if (index_prepare(db, statements[i], &r->st[i], err) < 0)
			goto fail;
	if (index_number(db, "SELECT max(id) FROM program", &r->last, err) < 0)
		goto fail;
	*ret = r;
	return 0;
fail:
	rows_free(r);
	return -1;
}

void
rows_of(struct rows *r, struct program_walk *walk)
{
	r->walk = walk;
}

void
rows_stream(struct rows *r, size_t stream, int64_t id)
{
	r->id[stream] = id;
}

int64_t
rows_stream_id(const struct rows *r, size_t stream)
{
	return r->id[stream];
}

/* -- ids of texts -- */

static struct known *
place_of(struct known *k, const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	return &k[h % KNOWN];
}

/* The id of a text in its table, which gets it if it hasn't. */
static int
id_of(struct rows *r, struct known *known, enum statement put,
    enum statement get, struct event_text t, int64_t *ret, struct ops_err *err)
{
	struct known *k = place_of(known, t.p, t.n);
	int64_t id = 0;
	int rc;

	if (k->id != 0 && k->n == t.n &&
	    (t.n == 0 || memcmp(k->text, t.p, t.n) == 0)) {
		*ret = k->id;
		return 0;
	}
	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *st = r->st[i == 0 ? put : get];

		/* no bytes at all are not NULL */
		if (t.n > 0)
			(void)sqlite3_bind_blob(
			    st, 1, t.p, (int)t.n, SQLITE_STATIC);
		else
			(void)sqlite3_bind_zeroblob(st, 1, 0);
		if (put == PUT_SESSION && i == 0)
			(void)sqlite3_bind_int64(st, 2,
			    program_walk_commands(r->walk, t.p) != NULL
				? 0
				: INDEX_UNKNOWN);
		rc = index_step(r->db, st, err);
		if (rc < 0)
			return -1;
		if (rc == 1)
			id = sqlite3_column_int64(st, 0);
		(void)sqlite3_reset(st);
	}
	if (id == 0)
		return ops_fail(
		    err, OPS_EFORMAT, "index: a text without an id");
	*ret = id;
	if (t.n <= KNOWN_TEXT) {
		k->n = t.n;
		k->id = id;
		if (t.n > 0)
			memcpy(k->text, t.p, t.n);
	}
	return 0;
}

/* -- the sink -- */

static uint32_t
uid_of(const struct program *p)
{
	return p->kind == PROGRAM_FAILED ? p->failed.uid : p->exec.uid;
}

static uint32_t
euid_of(const struct program *p)
{
	return p->kind == PROGRAM_FAILED ? p->failed.euid : p->exec.euid;
}

/* The numbers that filters ask for, from this parameter on; nothing of it for what
 * is of nobody. */
static void
bind_who(sqlite3_stmt *st, int first, const struct program *p)
{
	if (program_of_nobody(p))
		return;
	(void)sqlite3_bind_int64(st, first, p->login);
	(void)sqlite3_bind_int64(st, first + 1, uid_of(p));
	(void)sqlite3_bind_int64(st, first + 2, euid_of(p));
}

/* False: it has none.  What was imported is in its session, but not by who had
 * that. */
static bool
ses_of(const struct program *p, int64_t *ret)
{
	*ret = program_imported(p) ? WHOSE_NOBODY : (int64_t)p->ses;
	return program_imported(p) || p->ses != 0;
}

static void
bind_ses(sqlite3_stmt *st, int at, const struct program *p)
{
	int64_t ses;

	if (ses_of(p, &ses))
		(void)sqlite3_bind_int64(st, at, ses);
}

/* Who it was, once for each session and audit session.  What is remembered here is in
 * the table: a transaction is rolled back only where nothing was added. */
static int
put_identity(struct rows *r, const struct program *p, int64_t session,
    struct ops_err *err)
{
	struct identity who = { .known = true,
		.login = p->login,
		.uid = uid_of(p),
		.euid = euid_of(p),
		.session = session };
	sqlite3_stmt *st = r->st[PUT_IDENTITY];
	struct identity *seen;
	uint64_t h;

	if (program_of_nobody(p))
		return 0;
	who.has_ses = ses_of(p, &who.ses);
	h = (uint64_t)session * 31 + (uint64_t)who.ses + who.login +
	    UINT64_C(7919) * who.uid + UINT64_C(104729) * who.euid;
	h *= UINT64_C(0x9e3779b97f4a7c15); /* 2^64 by the golden ratio */
	seen = &r->identity[h >> (64 - IDENTITY_BITS)];
	if (seen->known && seen->session == session && seen->ses == who.ses &&
	    seen->has_ses == who.has_ses && seen->login == who.login &&
	    seen->uid == who.uid && seen->euid == who.euid)
		return 0;
	(void)sqlite3_bind_int64(st, 1, session);
	(void)sqlite3_bind_zeroblob(st, 2, 0);
	if (who.has_ses)
		(void)sqlite3_bind_int64(st, 2, who.ses);
	(void)sqlite3_bind_int64(st, 3, who.login);
	(void)sqlite3_bind_int64(st, 4, who.uid);
	(void)sqlite3_bind_int64(st, 5, who.euid);
	if (index_run(r->db, st, err) < 0)
		return -1;
	*seen = who;
	return 0;
}

/* A name, as index_name() has it. */
struct name {
	uint8_t n, text[INDEX_NAME_MAX];
};

/* Those that it goes by; how many. */
static size_t
names_of(const struct program *p, struct name ret[static PROGRAM_NAMES])
{
	struct event_text names[PROGRAM_NAMES];
	size_t n = program_names(p, names), kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct name *name = &ret[kept];

		name->n = (uint8_t)index_name(names[i], name->text);
		/* Mostly all are one. */
		if (kept == 0 || name->n != ret[0].n ||
		    memcmp(name->text, ret[0].text, name->n) != 0)
			kept++;
	}
	return kept;
}

/* st has all but the name. */
static int
put_names(struct rows *r, sqlite3_stmt *st, const struct name *names, size_t n,
    struct ops_err *err)
{
	for (size_t i = 0; i < n; i++) {
		/* no bytes at all are not NULL */
		if (names[i].n > 0)
			(void)sqlite3_bind_blob(
			    st, 1, names[i].text, names[i].n, SQLITE_STATIC);
		else
			(void)sqlite3_bind_zeroblob(st, 1, 0);
		if (index_run(r->db, st, err) < 0)
			return -1;
	}
	return 0;
}

static int
put_called(struct rows *r, const struct program *p, int64_t row,
    int64_t session, const struct name *names, size_t n, struct ops_err *err)
{
	static const enum statement into[] = { PUT_CALLED, PUT_FAILING };

	for (size_t i = 0; i < (program_failed(p) ? 2 : 1); i++) {
		sqlite3_stmt *st = r->st[into[i]];

		(void)sqlite3_clear_bindings(st);
		bind_who(st, 4, p);
		(void)sqlite3_bind_int64(st, 7, session);
		bind_ses(st, 8, p);
		(void)sqlite3_bind_int64(st, 2, index_time(p->time));
		(void)sqlite3_bind_int64(st, 3, row);
		if (put_names(r, st, names, n, err) < 0)
			return -1;
	}
	return 0;
}

/* The names of one that may still fail stay in its row until it ends: each with its
 * length in front. */
#define KEPT_MAX (PROGRAM_NAMES * (1 + INDEX_NAME_MAX))
static size_t
keep_names(const struct name *names, size_t n, uint8_t ret[static KEPT_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		ret[len++] = names[i].n;
		memcpy(ret + len, names[i].text, names[i].n);
		len += names[i].n;
	}
	return len;
}

static int
kept_names(const uint8_t *p, size_t len, struct name ret[static PROGRAM_NAMES],
    size_t *n, struct ops_err *err)
{
	*n = 0;
	for (size_t i = 0; i < len; i += 1u + p[i]) {
		if (*n == PROGRAM_NAMES || p[i] > INDEX_NAME_MAX ||
		    p[i] > len - i - 1)
			return ops_fail(
			    err, OPS_EFORMAT, "index: names without an end");
		ret[*n].n = p[i];
		memcpy(ret[*n].text, p + i + 1, p[i]);
		(*n)++;
	}
	return 0;
}

/* It has failed: its names, and who it was, as they were put in its row. */
static int
put_failing(struct rows *r, int64_t row, struct ops_err *err)
{
	sqlite3_stmt *get = r->st[GET_NAMES], *put = r->st[PUT_FAILING];
	struct name names[PROGRAM_NAMES] = { 0 };
	size_t n = 0;
	int rc;

	(void)sqlite3_bind_int64(get, 1, row);
	rc = index_step(r->db, get, err);
	if (rc <= 0)
		return rc;
	rc = kept_names(sqlite3_column_blob(get, 0),
	    (size_t)sqlite3_column_bytes(get, 0), names, &n, err);
	(void)sqlite3_clear_bindings(put);
	(void)sqlite3_bind_int64(put, 2, sqlite3_column_int64(get, 1));
	(void)sqlite3_bind_int64(put, 3, row);
	for (int i = 0; i < 5; i++)
		(void)sqlite3_bind_value(
		    put, 4 + i, sqlite3_column_value(get, 2 + i));
	(void)sqlite3_reset(get);
	return rc < 0 ? -1 : put_names(r, put, names, n, err);
}

static int
put_session(
    struct rows *r, const struct program *p, int64_t *ret, struct ops_err *err)
{
	sqlite3_stmt *st = r->st[PUT_COMMANDS];

	*ret = 0;
	if (ops_all_zero(p->session, OPS_ID_LEN))
		return 0;
	if (id_of(r, r->session, PUT_SESSION, GET_SESSION,
		(struct event_text){ p->session, OPS_ID_LEN }, ret, err) < 0)
		return -1;
	if (p->number == 0)
		return 0;
	(void)sqlite3_bind_int64(st, 1, *ret);
	(void)sqlite3_bind_int64(st, 2, p->number);
	return index_run(r->db, st, err);
}

/* The other sessions that show its terminal. */
static int
put_also(
    struct rows *r, const struct program *p, int64_t row, struct ops_err *err)
{
	const struct event_text *also = &p->exec.also;
	sqlite3_stmt *st = r->st[PUT_ALSO];
	int64_t id = 0;

	for (size_t i = 0; i < also->n; i += OPS_ID_LEN) {
		if (id_of(r, r->session, PUT_SESSION, GET_SESSION,
			(struct event_text){ also->p + i, OPS_ID_LEN }, &id,
			err) < 0)
			return -1;
		(void)sqlite3_bind_int64(st, 1, id);
		(void)sqlite3_bind_int64(st, 2, index_time(p->time));
		(void)sqlite3_bind_int64(st, 3, row);
		if (index_run(r->db, st, err) < 0)
			return -1;
	}
	return 0;
}

static bool
has_forked(const struct program *p)
{
	return (p->kind == PROGRAM_ACCOUNTED || p->kind == PROGRAM_ENDED) &&
	       (p->exec.flags & PROGRAM_FORKED) != 0;
}

static int
sink_add(void *arg, const struct program *p, uint64_t *at, struct ops_err *err)
{
	struct rows *r = arg;
	sqlite3_stmt *st = r->st[PUT_PROGRAM];
	char tty[PROGRAM_TTY_NAME];
	struct name names[PROGRAM_NAMES] = { 0 };
	uint8_t kept[KEPT_MAX];
	size_t n = names_of(p, names);
	int64_t session, exe = 0, row = r->last + 1;

	if (put_session(r, p, &session, err) < 0)
		return -1;
	(void)sqlite3_clear_bindings(st);
	if (!program_of_nobody(p)) {
		if (id_of(r, r->exe, PUT_EXE, GET_EXE, program_path(p), &exe,
			err) < 0)
			return -1;
		(void)sqlite3_bind_int64(st, 13, exe);
		program_tty(program_terminal(p), tty);
		(void)sqlite3_bind_text(st, 10, tty, -1, SQLITE_STATIC);
	}
	bind_who(st, 7, p);
	(void)sqlite3_bind_int64(st, 1, row);
	(void)sqlite3_bind_int64(st, 2, r->id[p->stream]);
	(void)sqlite3_bind_int64(st, 3, (int64_t)p->record);
	(void)sqlite3_bind_int64(st, 4, index_time(p->time));
	(void)sqlite3_bind_int64(st, 5, session);
	(void)sqlite3_bind_int64(st, 6, p->number);
	(void)sqlite3_bind_int64(st, 11, p->kind);
	(void)sqlite3_bind_int64(st, 12, program_failed(p));
	(void)sqlite3_bind_int64(st, 14, has_forked(p));
	if (p->is_hole) {
		(void)sqlite3_bind_int64(st, 15, r->id[p->hole_stream]);
		(void)sqlite3_bind_int64(st, 16, (int64_t)p->hole_record);
	}
	bind_ses(st, 18, p);
	if (p->kind == PROGRAM_RAN)
		(void)sqlite3_bind_blob(st, 17, kept,
		    (int)keep_names(names, n, kept), SQLITE_STATIC);
	if (index_run(r->db, st, err) < 0 ||
	    put_identity(r, p, session, err) < 0 ||
	    put_called(r, p, row, session, names, n, err) < 0 ||
	    put_also(r, p, row, err) < 0)
		return -1;
	r->last = row;
	*at = (uint64_t)row;
	return 0;
}

static int
put_place(struct rows *r, sqlite3_stmt *st, uint64_t at,
    const struct program *p, struct ops_err *err)
{
	(void)sqlite3_bind_int64(st, 1, (int64_t)at);
	(void)sqlite3_bind_int64(st, 2, r->id[p->stream]);
	(void)sqlite3_bind_int64(st, 3, (int64_t)p->record);
	return index_run(r->db, st, err);
}

static int
sink_replaced(
    void *arg, uint64_t at, const struct program *p, struct ops_err *err)
{
	struct rows *r = arg;

	return put_place(r, r->st[PUT_NEXT], at, p, err);
}

static int
sink_ended(void *arg, uint64_t at, const struct program *p, struct ops_err *err)
{
	struct rows *r = arg;

	if (p->end.status == 0)
		return put_place(r, r->st[PUT_END], at, p, err);
	return put_failing(r, (int64_t)at, err) < 0
		   ? -1
		   : put_place(r, r->st[PUT_FAILED], at, p, err);
}

static int
sink_dropped(void *arg, uint64_t at, struct ops_err *err)
{
	struct rows *r = arg;

	(void)sqlite3_bind_int64(r->st[PUT_DROPPED], 1, (int64_t)at);
	return index_run(r->db, r->st[PUT_DROPPED], err);
}

static int
sink_gone(void *arg, struct program_gone *g, struct ops_err *err)
{
	struct rows *r = arg;

	return position_gone(r->db, r->st[GET_GONE], g, err);
}

static int
sink_forget(void *arg, struct ops_err *err)
{
	struct rows *r = arg;

	return index_exec(r->db, "DELETE FROM gone WHERE true", err);
}

const struct program_sink rows_sink = { .add = sink_add,
	.replaced = sink_replaced,
	.ended = sink_ended,
	.dropped = sink_dropped,
	.gone = sink_gone,
	.forget = sink_forget };
