#include "indexer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "indexdb.h"
#include "position.h"
#include "record/acct.h"
#include "whose.h"

#define BATCH 20000 /* records in a transaction */
#define KNOWN 4096  /* ids of sessions and paths that are remembered */
#define KNOWN_TEXT 120

enum statement {
	PUT_PROGRAM,
	PUT_CALLED,
	PUT_FAILING,
	GET_NAMES,
	PUT_ALSO,
	PUT_END,
	PUT_FAILED,
	PUT_NEXT,
	PUT_SESSION,
	GET_SESSION,
	PUT_COMMANDS,
	PUT_EXE,
	GET_EXE,
	PUT_PROCESS,
	PUT_CAPTURED,
	PUT_ACCOUNTED,
	GET_GONE,
	PUT_DROPPED,
	PUT_STREAM,
	PUT_STATE,
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
	[PUT_PROCESS] = "INSERT INTO process VALUES(?1, ?2, ?3, ?4)",
	[PUT_CAPTURED] =
	    "INSERT INTO gone(pid, start, ended) VALUES(?1, ?2, ?3)"
	    " ON CONFLICT(pid) DO UPDATE SET start = ?2, ended = "
	    "?3",
	[PUT_ACCOUNTED] =
	    "INSERT INTO gone(pid, began, elapsed, over, program) "
	    "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(pid) DO UPDATE SET "
	    "began = ?2, elapsed = ?3, over = ?4, program = ?5",
	[GET_GONE] = POSITION_GONE,
	/* Its names stay, and so its row. */
	[PUT_DROPPED] = "UPDATE program SET kind = 0 WHERE id = ?1",
	[PUT_STREAM] = "INSERT OR REPLACE INTO stream VALUES(?1, ?2, ?3, ?4)",
	[PUT_STATE] = "INSERT OR REPLACE INTO state "
		      "VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
};

/* Ids of texts that came lately, by a hash of them. */
struct known {
	uint8_t text[KNOWN_TEXT];
	size_t n;
	int64_t id; /* 0: the place is free */
};

struct indexer {
	const char *store;
	int lock;
	char boot[INDEX_BOOT]; /* the kernel's */
	/* while it updates */
	struct index_db *db;
	struct program_walk *walk;
	sqlite3_stmt *st[STATEMENTS];
	struct known *session, *exe;
	int64_t rows; /* the last id */
	bool bulk;    /* transactions don't sync */
	bool stopped; /* by calls->goes_on */
	int64_t *id;  /* of the streams, by their place in the store */
};

/* -- the lock and the request -- */

static int
path_of(const char *store, const char *name, char out[static PATH_MAX],
    struct ops_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/" INDEX_DIR "%s", store, name);

	if (n < 0 || n >= PATH_MAX)
		return ops_fail(err, OPS_EUSAGE, "index: its path is too long");
	return 0;
}

int
indexer_new(const char *store, struct indexer **ret, struct ops_err *err)
{
	struct indexer *x = calloc(1, sizeof(*x));
	char path[PATH_MAX];

	if (x == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	x->store = store;
	index_kernel_boot(x->boot);
	x->lock = -1;
	if (path_of(store, "", path, err) < 0)
		goto fail;
	if (mkdir(path, 0700) < 0 && errno != EEXIST) {
		ops_fail_errno(err, "index: %.100s", path);
		goto fail;
	}
	if (path_of(store, "/lock", path, err) < 0)
		goto fail;
	/* Not for writing: a disk could not be mounted read-only then. */
	x->lock = open(path,
	    O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (x->lock < 0) {
		ops_fail_errno(err, "index: lock");
		goto fail;
	}
	if (flock(x->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			ops_fail(
			    err, OPS_EBUSY, "index: somebody else writes it");
		else
			ops_fail_errno(err, "index: flock");
		goto fail;
	}
	*ret = x;
	return 0;
fail:
	indexer_free(x);
	return -1;
}

static void
close_db(struct indexer *x)
{
	for (size_t i = 0; i < STATEMENTS; i++) {
		(void)sqlite3_finalize(x->st[i]);
		x->st[i] = NULL;
	}
	index_db_free(x->db);
	x->db = NULL;
	free(x->session);
	free(x->exe);
	free(x->id);
	x->session = x->exe = NULL;
	x->id = NULL;
}

void
indexer_free(struct indexer *x)
{
	if (x == NULL)
		return;
	close_db(x);
	if (x->lock >= 0)
		close(x->lock);
	free(x);
}

bool
indexer_holds(const struct indexer *x)
{
	char path[PATH_MAX];
	struct stat mine, there;

	return path_of(x->store, "/lock", path, NULL) == 0 &&
	       fstat(x->lock, &mine) == 0 && lstat(path, &there) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int
indexer_forget(struct indexer *x, struct ops_err *err)
{
	close_db(x);
	return index_db_remove(x->store, err);
}

int
indexer_ask(const char *store, struct ops_err *err)
{
	char path[PATH_MAX];
	int fd;

	if (path_of(store, "/rebuild", path, err) < 0)
		return -1;
	fd = open(path,
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return ops_fail_errno(err, "index: request");
	close(fd);
	return 0;
}

bool
indexer_is_asked(const char *store)
{
	char path[PATH_MAX];

	return path_of(store, "/rebuild", path, NULL) == 0 &&
	       access(path, F_OK) == 0;
}

int
indexer_answer(const char *store, struct ops_err *err)
{
	char path[PATH_MAX];

	if (path_of(store, "/rebuild", path, err) < 0)
		return -1;
	if (unlink(path) < 0 && errno != ENOENT)
		return ops_fail_errno(err, "index: request");
	return 0;
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
id_of(struct indexer *x, struct known *known, enum statement put,
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
		sqlite3_stmt *st = x->st[i == 0 ? put : get];

		/* no bytes at all are not NULL */
		if (t.n > 0)
			(void)sqlite3_bind_blob(
			    st, 1, t.p, (int)t.n, SQLITE_STATIC);
		else
			(void)sqlite3_bind_zeroblob(st, 1, 0);
		if (put == PUT_SESSION && i == 0)
			(void)sqlite3_bind_int64(st, 2,
			    program_walk_commands(x->walk, t.p) != NULL
				? 0
				: INDEX_UNKNOWN);
		rc = index_step(x->db, st, err);
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

/* The numbers that filters ask for, from this parameter on; nothing of it for what
 * is of nobody. */
static void
bind_who(sqlite3_stmt *st, int first, const struct program *p)
{
	bool tried = p->kind == PROGRAM_FAILED;

	if (program_of_nobody(p))
		return;
	(void)sqlite3_bind_int64(st, first, p->login);
	(void)sqlite3_bind_int64(
	    st, first + 1, tried ? p->failed.uid : p->exec.uid);
	(void)sqlite3_bind_int64(
	    st, first + 2, tried ? p->failed.euid : p->exec.euid);
}

/* What was imported is in its session, but not by who had that. */
static void
bind_ses(sqlite3_stmt *st, int at, const struct program *p)
{
	if (program_imported(p))
		(void)sqlite3_bind_int64(st, at, WHOSE_NOBODY);
	else if (p->ses != 0)
		(void)sqlite3_bind_int64(st, at, (int64_t)p->ses);
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
put_names(struct indexer *x, sqlite3_stmt *st, const struct name *names,
    size_t n, struct ops_err *err)
{
	for (size_t i = 0; i < n; i++) {
		/* no bytes at all are not NULL */
		if (names[i].n > 0)
			(void)sqlite3_bind_blob(
			    st, 1, names[i].text, names[i].n, SQLITE_STATIC);
		else
			(void)sqlite3_bind_zeroblob(st, 1, 0);
		if (index_run(x->db, st, err) < 0)
			return -1;
	}
	return 0;
}

static int
put_called(struct indexer *x, const struct program *p, int64_t row,
    int64_t session, const struct name *names, size_t n, struct ops_err *err)
{
	static const enum statement into[] = { PUT_CALLED, PUT_FAILING };

	for (size_t i = 0; i < (program_failed(p) ? 2 : 1); i++) {
		sqlite3_stmt *st = x->st[into[i]];

		(void)sqlite3_clear_bindings(st);
		bind_who(st, 4, p);
		(void)sqlite3_bind_int64(st, 7, session);
		bind_ses(st, 8, p);
		(void)sqlite3_bind_int64(st, 2, index_time(p->time));
		(void)sqlite3_bind_int64(st, 3, row);
		if (put_names(x, st, names, n, err) < 0)
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
put_failing(struct indexer *x, int64_t row, struct ops_err *err)
{
	sqlite3_stmt *get = x->st[GET_NAMES], *put = x->st[PUT_FAILING];
	struct name names[PROGRAM_NAMES] = { 0 };
	size_t n = 0;
	int rc;

	(void)sqlite3_bind_int64(get, 1, row);
	rc = index_step(x->db, get, err);
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
	return rc < 0 ? -1 : put_names(x, put, names, n, err);
}

static int
put_session(struct indexer *x, const struct program *p, int64_t *ret,
    struct ops_err *err)
{
	sqlite3_stmt *st = x->st[PUT_COMMANDS];

	*ret = 0;
	if (ops_all_zero(p->session, OPS_ID_LEN))
		return 0;
	if (id_of(x, x->session, PUT_SESSION, GET_SESSION,
		(struct event_text){ p->session, OPS_ID_LEN }, ret, err) < 0)
		return -1;
	if (p->number == 0)
		return 0;
	(void)sqlite3_bind_int64(st, 1, *ret);
	(void)sqlite3_bind_int64(st, 2, p->number);
	return index_run(x->db, st, err);
}

/* The other sessions that show its terminal. */
static int
put_also(struct indexer *x, const struct program *p, int64_t row,
    struct ops_err *err)
{
	const struct event_text *also = &p->exec.also;
	sqlite3_stmt *st = x->st[PUT_ALSO];
	int64_t id = 0;

	for (size_t i = 0; i < also->n; i += OPS_ID_LEN) {
		if (id_of(x, x->session, PUT_SESSION, GET_SESSION,
			(struct event_text){ also->p + i, OPS_ID_LEN }, &id,
			err) < 0)
			return -1;
		(void)sqlite3_bind_int64(st, 1, id);
		(void)sqlite3_bind_int64(st, 2, index_time(p->time));
		(void)sqlite3_bind_int64(st, 3, row);
		if (index_run(x->db, st, err) < 0)
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
	struct indexer *x = arg;
	sqlite3_stmt *st = x->st[PUT_PROGRAM];
	char tty[PROGRAM_TTY_NAME];
	struct name names[PROGRAM_NAMES] = { 0 };
	uint8_t kept[KEPT_MAX];
	size_t n = names_of(p, names);
	int64_t session, exe = 0, row = x->rows + 1;

	if (put_session(x, p, &session, err) < 0)
		return -1;
	(void)sqlite3_clear_bindings(st);
	if (!program_of_nobody(p)) {
		if (id_of(x, x->exe, PUT_EXE, GET_EXE, program_path(p), &exe,
			err) < 0)
			return -1;
		(void)sqlite3_bind_int64(st, 13, exe);
		program_tty(program_terminal(p), tty);
		(void)sqlite3_bind_text(st, 10, tty, -1, SQLITE_STATIC);
	}
	bind_who(st, 7, p);
	(void)sqlite3_bind_int64(st, 1, row);
	(void)sqlite3_bind_int64(st, 2, x->id[p->stream]);
	(void)sqlite3_bind_int64(st, 3, (int64_t)p->record);
	(void)sqlite3_bind_int64(st, 4, index_time(p->time));
	(void)sqlite3_bind_int64(st, 5, session);
	(void)sqlite3_bind_int64(st, 6, p->number);
	(void)sqlite3_bind_int64(st, 11, p->kind);
	(void)sqlite3_bind_int64(st, 12, program_failed(p));
	(void)sqlite3_bind_int64(st, 14, has_forked(p));
	if (p->is_hole) {
		(void)sqlite3_bind_int64(st, 15, x->id[p->hole_stream]);
		(void)sqlite3_bind_int64(st, 16, (int64_t)p->hole_record);
	}
	bind_ses(st, 18, p);
	if (p->kind == PROGRAM_RAN)
		(void)sqlite3_bind_blob(st, 17, kept,
		    (int)keep_names(names, n, kept), SQLITE_STATIC);
	if (index_run(x->db, st, err) < 0 ||
	    put_called(x, p, row, session, names, n, err) < 0 ||
	    put_also(x, p, row, err) < 0)
		return -1;
	x->rows = row;
	*at = (uint64_t)row;
	return 0;
}

static int
put_place(struct indexer *x, sqlite3_stmt *st, uint64_t at,
    const struct program *p, struct ops_err *err)
{
	(void)sqlite3_bind_int64(st, 1, (int64_t)at);
	(void)sqlite3_bind_int64(st, 2, x->id[p->stream]);
	(void)sqlite3_bind_int64(st, 3, (int64_t)p->record);
	return index_run(x->db, st, err);
}

static int
sink_replaced(
    void *arg, uint64_t at, const struct program *p, struct ops_err *err)
{
	struct indexer *x = arg;

	return put_place(x, x->st[PUT_NEXT], at, p, err);
}

static int
sink_ended(void *arg, uint64_t at, const struct program *p, struct ops_err *err)
{
	struct indexer *x = arg;

	if (p->end.status == 0)
		return put_place(x, x->st[PUT_END], at, p, err);
	return put_failing(x, (int64_t)at, err) < 0
		   ? -1
		   : put_place(x, x->st[PUT_FAILED], at, p, err);
}

static int
sink_dropped(void *arg, uint64_t at, struct ops_err *err)
{
	struct indexer *x = arg;

	(void)sqlite3_bind_int64(x->st[PUT_DROPPED], 1, (int64_t)at);
	return index_run(x->db, x->st[PUT_DROPPED], err);
}

static int
sink_gone(void *arg, struct program_gone *g, struct ops_err *err)
{
	struct indexer *x = arg;

	return position_gone(x->db, x->st[GET_GONE], g, err);
}

static int
sink_forget(void *arg, struct ops_err *err)
{
	struct indexer *x = arg;

	return index_exec(x->db, "DELETE FROM gone WHERE true", err);
}

static const struct program_sink index_sink = { .add = sink_add,
	.replaced = sink_replaced,
	.ended = sink_ended,
	.dropped = sink_dropped,
	.gone = sink_gone,
	.forget = sink_forget };

/* -- transactions -- */

static int
put_processes(
    struct indexer *x, const struct program_walk *w, struct ops_err *err)
{
	sqlite3_stmt *st = x->st[PUT_PROCESS];
	const struct program_process *p;
	size_t i = 0;

	if (index_exec(x->db, "DELETE FROM process WHERE true", err) < 0)
		return -1;
	while ((p = program_walk_process(w, &i)) != NULL) {
		(void)sqlite3_bind_int64(st, 1, p->pid);
		(void)sqlite3_bind_int64(st, 2, (int64_t)p->start);
		(void)sqlite3_bind_int(st, 3, p->seeded);
		if (p->at == PROGRAM_NONE)
			(void)sqlite3_bind_null(st, 4);
		else
			(void)sqlite3_bind_int64(st, 4, (int64_t)p->at);
		if (index_run(x->db, st, err) < 0)
			return -1;
	}
	return 0;
}

static int
put_gone(struct indexer *x, struct program_walk *w, struct ops_err *err)
{
	const struct program_gone *g;
	size_t i = 0;

	while ((g = program_walk_gone(w, &i)) != NULL) {
		sqlite3_stmt *captured = x->st[PUT_CAPTURED];
		sqlite3_stmt *accounted = x->st[PUT_ACCOUNTED];

		(void)sqlite3_bind_int64(captured, 1, g->pid);
		(void)sqlite3_bind_int64(captured, 2, (int64_t)g->start);
		(void)sqlite3_bind_int64(captured, 3, (int64_t)g->end);
		(void)sqlite3_bind_int64(accounted, 1, g->pid);
		(void)sqlite3_bind_int64(accounted, 2, (int64_t)g->began);
		(void)sqlite3_bind_int64(accounted, 3, (int64_t)g->elapsed);
		(void)sqlite3_bind_int64(accounted, 4, (int64_t)g->over);
		if (g->entry != PROGRAM_NONE)
			(void)sqlite3_bind_int64(
			    accounted, 5, (int64_t)g->entry);
		else
			(void)sqlite3_bind_null(accounted, 5);
		if ((g->new_captured && index_run(x->db, captured, err) < 0) ||
		    (g->new_accounted && index_run(x->db, accounted, err) < 0))
			return -1;
	}
	return 0;
}

static int
put_state(struct indexer *x, struct store *s, struct program_walk *w,
    struct ops_err *err)
{
	const struct program_capturing *run = program_walk_capturing(w);
	uint8_t origin[OPS_HASH_LEN];
	sqlite3_stmt *st = x->st[PUT_STATE];

	position_origin(s, origin);
	(void)sqlite3_bind_blob(st, 1, origin, sizeof(origin), SQLITE_STATIC);
	(void)sqlite3_bind_blob(st, 2, program_walk_boot(w), 4, SQLITE_STATIC);
	if (x->bulk)
		(void)sqlite3_bind_text(st, 3, x->boot, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(st, 3);
	(void)sqlite3_bind_int(st, 4, run->unended);
	(void)sqlite3_bind_int64(st, 5, (int64_t)run->last);
	(void)sqlite3_bind_int64(st, 6, run->known ? x->id[run->stream] : 0);
	(void)sqlite3_bind_int64(st, 7, (int64_t)run->record);
	(void)sqlite3_bind_int64(st, 8, (int64_t)store_expired_events(s));
	return index_run(x->db, st, err);
}

static int
put_position(struct indexer *x, struct store *s, struct program_walk *w,
    const struct position_stream *at, struct ops_err *err)
{
	const struct store_stream *all;
	sqlite3_stmt *st = x->st[PUT_STREAM];

	(void)store_streams(s, &all);
	(void)sqlite3_bind_int64(st, 1, at->id);
	(void)sqlite3_bind_blob(
	    st, 2, all[at->stream].id, OPS_ID_LEN, SQLITE_STATIC);
	(void)sqlite3_bind_int64(st, 3, (int64_t)at->next);
	(void)sqlite3_bind_int(st, 4, at->imported);
	return index_run(x->db, st, err) < 0 ? -1 : put_state(x, s, w, err);
}

/* Some records of one stream; span says how many it were. */
static int
add_batch(struct indexer *x, struct store *s, struct program_walk *w,
    struct position_stream *at, struct program_span *span, struct ops_err *err)
{
	*span = (struct program_span){ .stream = at->stream,
		.from = at->next,
		.most = BATCH,
		.strict = true };
	if (index_exec(x->db, "BEGIN IMMEDIATE", err) < 0 ||
	    program_walk_stream(w, s, span, err) < 0)
		return -1;
	at->next = span->next;
	if (span->next == span->from)
		return index_exec(x->db, "ROLLBACK", err);
	if (put_processes(x, w, err) < 0 || put_gone(x, w, err) < 0 ||
	    put_position(x, s, w, at, err) < 0)
		return -1;
	return index_exec(x->db, "COMMIT", err);
}

/* Its first record says so: the writer takes no others into one stream. */
static bool
is_import(const struct indexer *x, struct store *s, size_t stream)
{
	const struct store_stream *all;
	struct stream_reader *r;
	struct stream_pos pos;
	struct record rec;
	struct program p;
	bool is;
	int rc;

	(void)store_streams(s, &all);
	if (stream_open(s, all[stream].id, 0, &r, NULL) < 0)
		return false;
	do
		rc = stream_next(r, &rec, &pos, NULL);
	while (rc < 0 && stream_failed(r) != NULL &&
	       store_expired(s, stream_failed(r)) != NULL);
	is = rc == 1 && program_walk_entry(x->walk, &rec, &pos, &p) == 1 &&
	     program_imported(&p);
	stream_free(r);
	return is;
}

static void
ask(struct indexer *x, const struct position *all,
    const struct indexer_calls *c)
{
	uint64_t done = 0, of = 0;

	for (size_t i = 0; i < all->n; i++) {
		of += all->s[i].sealed;
		done += all->s[i].next;
	}
	if (c->goes_on != NULL && !c->goes_on(c->arg, done, of))
		x->stopped = true;
}

static int
add_stream(struct indexer *x, struct store *s, const struct position *all,
    size_t i, const struct indexer_calls *c, struct ops_err *err)
{
	struct position_stream *at = &all->s[i];
	struct program_span span;

	if (at->id == 0)
		at->id = (int64_t)i + 1;
	x->id[at->stream] = at->id;
	while (at->next < at->sealed) {
		ask(x, all, c);
		if (x->stopped)
			break;
		if (add_batch(x, s, x->walk, at, &span, err) < 0)
			return -1;
		if (span.missing > 0)
			return ops_fail(err, OPS_ETAMPER,
			    "index: it ends where a frame can't be read");
		if (span.next == span.from)
			break;
	}
	return 0;
}

/* One after the other, but for what was imported. */
static int
add_all(struct indexer *x, struct store *s, const struct position *all,
    const struct indexer_calls *c, struct ops_err *err)
{
	bool waits = false;

	for (size_t i = 0; i < all->n && !x->stopped; i++) {
		struct position_stream *at = &all->s[i];

		if (at->id == 0)
			at->imported = is_import(x, s, at->stream);
		if (waits && !at->imported)
			continue;
		if (add_stream(x, s, all, i, c, err) < 0)
			return -1;
		waits |= !at->imported && at->next < at->all;
	}
	if (!x->stopped)
		ask(x, all, c); /* that is all of them */
	return 0;
}

/* -- an update -- */

static int
open_db(struct indexer *x, struct ops_err *err)
{
	if (index_db_open(x->store, true, &x->db, err) < 0)
		return -1;
	for (size_t i = 0; i < STATEMENTS; i++)
		if (index_prepare(x->db, statements[i], &x->st[i], err) < 0)
			return -1;
	x->session = calloc(KNOWN, sizeof(*x->session));
	x->exe = calloc(KNOWN, sizeof(*x->exe));
	if (x->session == NULL || x->exe == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	return index_number(
	    x->db, "SELECT max(id) FROM program", &x->rows, err);
}

/*
 * Much to do: a sync for each transaction would take longer than the rest.  So
 * the file says first that it isn't synced, and in which boot; if another kernel
 * finds it like that, it is begun anew.  A process that dies does no harm.
 */
static int
begin_bulk(struct indexer *x, struct store *s, struct program_walk *w,
    struct position *p, struct ops_err *err)
{
	uint64_t left = 0;
	int64_t unsynced;

	for (size_t i = 0; i < p->n; i++)
		left += p->s[i].sealed - p->s[i].next;
	x->bulk = left > BATCH && x->boot[0] != '\0';
	/* One that was cut short, in this boot. */
	if (index_number(x->db,
		"SELECT count(*) FROM state WHERE unsynced IS NOT NULL",
		&unsynced, err) < 0 ||
	    (unsynced != 0 && index_sync(x->store, err) < 0))
		return -1;
	if (!x->bulk)
		return 0;
	return index_exec(x->db, "BEGIN IMMEDIATE", err) < 0 ||
		       put_state(x, s, w, err) < 0 ||
		       index_exec(x->db,
			   "COMMIT; PRAGMA synchronous = OFF;"
			   "PRAGMA cache_size = -65536",
			   err) < 0
		   ? -1
		   : 0;
}

static int
end_bulk(struct indexer *x, struct ops_err *err)
{
	if (!x->bulk)
		return 0;
	x->bulk = false;
	return index_sync(x->store, err) < 0
		   ? -1
		   : index_exec(x->db,
			 "PRAGMA synchronous = FULL;"
			 "UPDATE state SET unsynced = NULL",
			 err);
}

static int
update(struct indexer *x, struct store *s, const struct session_list *sessions,
    const struct indexer_calls *c, struct ops_err *err)
{
	const struct store_stream *streams;
	struct program_walk *w = NULL;
	struct position p = { 0 };
	int rc = -1;

	if (program_walk_new(sessions, &index_sink, x, &w, err) < 0)
		return -1;
	if (open_db(x, err) < 0 ||
	    position_load_in(x->boot, x->db, s, w, &p, err) < 0)
		goto out;
	x->id = calloc(store_streams(s, &streams) + 1, sizeof(*x->id));
	if (x->id == NULL) {
		ops_fail(err, OPS_ENOMEM, "index: no memory");
		goto out;
	}
	for (size_t i = 0; i < p.n; i++)
		x->id[p.s[i].stream] = p.s[i].id;
	x->walk = w;
	x->stopped = false;
	if (begin_bulk(x, s, w, &p, err) < 0)
		goto out;
	rc = add_all(x, s, &p, c, err);
	/* Where a frame can't be read, what is in front of it counts. */
	if ((rc == 0 || err->code == OPS_ETAMPER) &&
	    end_bulk(x, rc == 0 ? err : NULL) < 0)
		rc = -1;
out:
	close_db(x);
	position_free(&p);
	program_walk_free(w);
	return rc < 0 ? -1 : 0;
}

int
indexer_update(struct indexer *x, struct vfs *v,
    const struct indexer_calls *calls, struct ops_err *err)
{
	struct session_list sessions = { 0 };
	struct ops_err why = { 0 };
	struct store *s;
	int rc = -1;

	if (store_open(v, STORE_NO_WAL, &s, err) < 0)
		return -1;
	if (session_list_load(s, NULL, &sessions, err) < 0)
		goto out;
	if (sessions.missing.frames > 0) {
		ops_fail(err, OPS_ETAMPER, "index: events can't be read: %s",
		    sessions.missing.why);
		goto out;
	}
	rc = update(x, s, &sessions, calls, &why);
	if (rc < 0 && why.code == OPS_EFORMAT) {
		if (calls->anew != NULL)
			calls->anew(calls->arg, why.msg);
		rc = indexer_forget(x, &why);
		if (rc == 0)
			rc = update(x, s, &sessions, calls, &why);
	}
	if (rc < 0 && err != NULL)
		*err = why;
out:
	session_list_free(&sessions);
	store_free(s);
	return rc;
}
