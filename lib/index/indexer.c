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
#include "rows.h"

#define BATCH 20000 /* records in a transaction */

enum statement {
	PUT_PROCESS,
	PUT_CAPTURED,
	PUT_ACCOUNTED,
	PUT_STREAM,
	PUT_STATE,
	STATEMENTS
};

static const char *const statements[STATEMENTS] = {
	[PUT_PROCESS] = "INSERT INTO process VALUES(?1, ?2, ?3, ?4)",
	[PUT_CAPTURED] =
	    "INSERT INTO gone(pid, start, ended) VALUES(?1, ?2, ?3)"
	    " ON CONFLICT(pid) DO UPDATE SET start = ?2, ended = "
	    "?3",
	[PUT_ACCOUNTED] =
	    "INSERT INTO gone(pid, began, elapsed, over, program) "
	    "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(pid) DO UPDATE SET "
	    "began = ?2, elapsed = ?3, over = ?4, program = ?5",
	[PUT_STREAM] = "INSERT OR REPLACE INTO stream VALUES(?1, ?2, ?3, ?4)",
	[PUT_STATE] = ("INSERT OR REPLACE INTO state VALUES(1, ?1, ?2, ?3, ?4, "
		       "?5, ?6, ?7, ?8)"),
};

struct indexer {
	const char *store;
	int lock;
	char boot[INDEX_BOOT]; /* the kernel's */
	/* while it updates */
	struct index_db *db;
	struct rows *rows;
	struct program_walk *walk;
	sqlite3_stmt *st[STATEMENTS];
	bool bulk;    /* transactions don't sync */
	bool stopped; /* by calls->goes_on */
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
	program_walk_free(x->walk);
	x->walk = NULL;
	rows_free(x->rows);
	x->rows = NULL;
	index_db_free(x->db);
	x->db = NULL;
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

/* -- transactions -- */

static int
put_processes(struct indexer *x, struct ops_err *err)
{
	sqlite3_stmt *st = x->st[PUT_PROCESS];
	const struct program_process *p;
	size_t i = 0;

	if (index_exec(x->db, "DELETE FROM process WHERE true", err) < 0)
		return -1;
	while ((p = program_walk_process(x->walk, &i)) != NULL) {
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
put_gone(struct indexer *x, struct ops_err *err)
{
	const struct program_gone *g;
	size_t i = 0;

	while ((g = program_walk_gone(x->walk, &i)) != NULL) {
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
put_state(struct indexer *x, struct store *s, struct ops_err *err)
{
	const struct program_capturing *run = program_walk_capturing(x->walk);
	uint8_t origin[OPS_HASH_LEN];
	sqlite3_stmt *st = x->st[PUT_STATE];

	position_origin(s, origin);
	(void)sqlite3_bind_blob(st, 1, origin, sizeof(origin), SQLITE_STATIC);
	(void)sqlite3_bind_blob(
	    st, 2, program_walk_boot(x->walk), 4, SQLITE_STATIC);
	if (x->bulk)
		(void)sqlite3_bind_text(st, 3, x->boot, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(st, 3);
	(void)sqlite3_bind_int(st, 4, run->unended);
	(void)sqlite3_bind_int64(st, 5, (int64_t)run->last);
	(void)sqlite3_bind_int64(
	    st, 6, run->known ? rows_stream_id(x->rows, run->stream) : 0);
	(void)sqlite3_bind_int64(st, 7, (int64_t)run->record);
	(void)sqlite3_bind_int64(st, 8, (int64_t)store_expired_events(s));
	return index_run(x->db, st, err);
}

static int
put_position(struct indexer *x, struct store *s,
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
	return index_run(x->db, st, err) < 0 ? -1 : put_state(x, s, err);
}

/* Some records of one stream; span says how many it were. */
static int
add_batch(struct indexer *x, struct store *s, struct position_stream *at,
    struct program_span *span, struct ops_err *err)
{
	*span = (struct program_span){ .stream = at->stream,
		.from = at->next,
		.most = BATCH,
		.strict = true };
	if (index_exec(x->db, "BEGIN IMMEDIATE", err) < 0 ||
	    program_walk_stream(x->walk, s, span, err) < 0)
		return -1;
	at->next = span->next;
	if (span->next == span->from)
		return index_exec(x->db, "ROLLBACK", err);
	if (put_processes(x, err) < 0 || put_gone(x, err) < 0 ||
	    put_position(x, s, at, err) < 0)
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
	rows_stream(x->rows, at->stream, at->id);
	while (at->next < at->sealed) {
		ask(x, all, c);
		if (x->stopped)
			break;
		if (add_batch(x, s, at, &span, err) < 0)
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
open_db(struct indexer *x, struct store *s, const struct session_list *sessions,
    struct ops_err *err)
{
	const struct store_stream *streams;

	if (index_db_open(x->store, true, &x->db, err) < 0 ||
	    rows_new(x->db, store_streams(s, &streams), &x->rows, err) < 0 ||
	    program_walk_new(sessions, &rows_sink, x->rows, &x->walk, err) < 0)
		return -1;
	rows_of(x->rows, x->walk);
	for (size_t i = 0; i < STATEMENTS; i++)
		if (index_prepare(x->db, statements[i], &x->st[i], err) < 0)
			return -1;
	return 0;
}

/*
 * Much to do: a sync for each transaction would take longer than the rest.  So
 * the file says first that it isn't synced, and in which boot; if another kernel
 * finds it like that, it is begun anew.  A process that dies does no harm.
 */
static int
begin_bulk(
    struct indexer *x, struct store *s, struct position *p, struct ops_err *err)
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
		       put_state(x, s, err) < 0 ||
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
	struct position p = { 0 };
	int rc = -1;

	if (open_db(x, s, sessions, err) < 0 ||
	    position_load_in(x->boot, x->db, s, x->walk, &p, err) < 0)
		goto out;
	for (size_t i = 0; i < p.n; i++)
		rows_stream(x->rows, p.s[i].stream, p.s[i].id);
	x->stopped = false;
	if (begin_bulk(x, s, &p, err) < 0)
		goto out;
	rc = add_all(x, s, &p, c, err);
	/* Where a frame can't be read, what is in front of it counts. */
	if ((rc == 0 || err->code == OPS_ETAMPER) &&
	    end_bulk(x, rc == 0 ? err : NULL) < 0)
		rc = -1;
out:
	close_db(x);
	position_free(&p);
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
