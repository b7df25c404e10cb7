#include "indexdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "record/program.h"

#define BUSY_WRITE_MS 5000 /* a reader is done in less */
#define BUSY_READ_MS 200   /* then the records themselves are read */
#define TEXT_MAX 65536     /* bytes of one value */
#define SIGN_BIT (UINT64_C(1) << 63)

/*
 * What may be done: so many operations of SQLite's machine, and so much CPU time, as
 * one of them may have to compare with megabytes.  A look at an index of
 * 50,000 programs took 4 operations and less than 1 us a record, whatever was asked.
 */
#define LOOK_EVERY 100 /* operations */
#define OPS_FIRST 1000000
#define OPS_EACH 1000            /* record */
#define CPU_FIRST (2 * SECOND)   /* ns */
#define CPU_EACH UINT64_C(20000) /* ns a record */
#define ROWS_FIRST 64
#define ROWS_EACH 2                       /* an end is one of two pids */
#define TEXTS_EACH (1 + PROGRAM_ALSO_MAX) /* sessions that a record names */
#define RECORDS_MAX (UINT64_C(1) << 32)
#define SECOND UINT64_C(1000000000)

struct index_db {
	sqlite3 *db;
	bool begins;      /* opened for writing, and not yet known to be ours */
	uint64_t records; /* the store has */
	uint64_t looks;   /* that are left */
	uint64_t until;   /* CPU time of this thread */
};

/* As sqlite_schema must have them, in its order. */
static const char *const tables[] = {
	"CREATE TABLE state(id INTEGER PRIMARY KEY, origin BLOB, boot BLOB,"
	" unsynced TEXT, unended INTEGER, last INTEGER,"
	" last_stream INTEGER, last_at INTEGER, expired INTEGER)",
	"CREATE TABLE stream(id INTEGER PRIMARY KEY, stream BLOB,"
	" next INTEGER, imported INTEGER)",
	"CREATE TABLE session(id INTEGER PRIMARY KEY, session BLOB,"
	" commands INTEGER)",
	"CREATE TABLE exe(id INTEGER PRIMARY KEY, path BLOB)",
	"CREATE TABLE process(pid INTEGER PRIMARY KEY, start INTEGER,"
	" seeded INTEGER, program INTEGER)",
	"CREATE TABLE gone(pid INTEGER PRIMARY KEY, start INTEGER,"
	" ended INTEGER, began INTEGER, elapsed INTEGER, over INTEGER,"
	" program INTEGER)",
	"CREATE TABLE program(id INTEGER PRIMARY KEY, stream INTEGER,"
	" start_at INTEGER, end_stream INTEGER, end_at INTEGER,"
	" next_stream INTEGER, next_at INTEGER, time INTEGER, session INTEGER, "
	"n INTEGER,"
	" login INTEGER, uid INTEGER, euid INTEGER, tty TEXT, kind INTEGER,"
	" failed INTEGER, exe INTEGER, forked INTEGER, hole_stream INTEGER,"
	" hole_at INTEGER, ses INTEGER, names BLOB)",
	"CREATE TABLE called(name BLOB, time INTEGER, program INTEGER,"
	" login INTEGER, uid INTEGER, euid INTEGER, session INTEGER,"
	" ses INTEGER,"
	" PRIMARY KEY(name, time, program)) WITHOUT ROWID",
	/* The same of those that failed. */
	"CREATE TABLE failing(name BLOB, time INTEGER, program INTEGER,"
	" login INTEGER, uid INTEGER, euid INTEGER, session INTEGER,"
	" ses INTEGER,"
	" PRIMARY KEY(name, time, program)) WITHOUT ROWID",
	"CREATE TABLE also(session INTEGER, time INTEGER, program INTEGER,"
	" PRIMARY KEY(session, time, program)) WITHOUT ROWID",
	/* Who was in which session, each once.  What has no audit session has a
	 * blob there: NULL can't be in a key. */
	"CREATE TABLE identity(session INTEGER, ses, login INTEGER,"
	" uid INTEGER,"
	" euid INTEGER, PRIMARY KEY(session, ses, login, uid, euid))"
	" WITHOUT ROWID",
	"CREATE UNIQUE INDEX session_id ON session(session)",
	"CREATE UNIQUE INDEX exe_path ON exe(path)",
	"CREATE INDEX by_time ON program(time)",
	"CREATE INDEX by_login ON program(login, time, session, ses)",
	"CREATE INDEX by_uid ON program(uid, time)",
	/* Behind the time: what else may be asked for, so that a row which
	 * doesn't fit needn't be looked up, each in another page. */
	"CREATE INDEX by_euid ON program(euid, time, login, uid, session, ses)",
	"CREATE INDEX by_tty ON program(tty, time, login, uid, euid, failed,"
	" session, ses)",
	"CREATE INDEX by_session ON program(session, time, ses)",
	/* By persons, whose sessions don't say all. */
	"CREATE INDEX by_ses ON program(ses, time) WHERE ses IS NOT NULL",
	"CREATE INDEX by_exe ON program(exe, time, login, uid, euid, failed,"
	" session, ses)",
	"CREATE INDEX by_failed ON program(time, login, uid, euid, session, "
	"ses)"
	" WHERE failed = 1",
	/* Of root's few fail, and few that fail are root's. */
	"CREATE INDEX by_failed_euid ON program(euid, time, login, uid, "
	"session, ses)"
	" WHERE failed = 1",
	"CREATE INDEX by_lost ON program(time) WHERE kind = 3",
	"CREATE INDEX by_accounted ON program(time) WHERE kind = 5",
	"CREATE INDEX by_coverage ON program(time) WHERE kind = 6",
	"CREATE INDEX identity_ses ON identity(ses)",
};

static int
fail(struct index_db *d, int rc, struct ops_err *err)
{
	enum ops_code code = OPS_EIO;
	const char *why =
	    d->db != NULL ? sqlite3_errmsg(d->db) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_SCHEMA:
	case SQLITE_TOOBIG:
	case SQLITE_CONSTRAINT: /* rows that no writer of ours left */
	case SQLITE_INTERRUPT:  /* see spend() */
		code = OPS_EFORMAT;
		break;
	case SQLITE_NOMEM:
		code = OPS_ENOMEM;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		code = OPS_EBUSY;
		break;
	case SQLITE_CANTOPEN:
		code = OPS_ENOENT;
		break;
	default:
		/* Its header says that it is of a later SQLite, or it isn't the
		 * writer's: trying again would not help. */
		if (d->begins && (rc == SQLITE_ERROR || rc == SQLITE_READONLY))
			code = OPS_EFORMAT;
		break;
	}
	if (rc == SQLITE_INTERRUPT)
		why = "it takes more work than its records could";
	return ops_fail(err, code, "index: %s", why);
}

/* -- the budget -- */

static uint64_t
cpu_time(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void
grant(struct index_db *d)
{
	d->looks = (OPS_FIRST + d->records * OPS_EACH) / LOOK_EVERY;
	d->until = cpu_time() + CPU_FIRST + d->records * CPU_EACH;
}

/* SQLite's progress handler; 1: stop. */
static int
spend(void *arg)
{
	struct index_db *d = arg;

	if (d->looks > 0)
		d->looks--;
	return d->looks == 0 || cpu_time() > d->until;
}

void
index_db_allow(struct index_db *d, uint64_t records)
{
	d->records = records < RECORDS_MAX ? records : RECORDS_MAX;
	grant(d);
}

uint64_t
index_db_rows(const struct index_db *d)
{
	return ROWS_FIRST + d->records * ROWS_EACH;
}

/* -- statements -- */

int
index_exec(struct index_db *d, const char *sql, struct ops_err *err)
{
	int rc;

	grant(d);
	rc = sqlite3_exec(d->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : fail(d, rc, err);
}

int
index_prepare(struct index_db *d, const char *sql, sqlite3_stmt **ret,
    struct ops_err *err)
{
	int rc = sqlite3_prepare_v3(
	    d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? 0 : fail(d, rc, err);
}

int
index_function(struct index_db *d, const char *name, int n, index_call *f,
    void *arg, struct ops_err *err)
{
	/* Not from what the file's schema may call. */
	int rc = sqlite3_create_function_v2(d->db, name, n,
	    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, arg, f,
	    NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(d, rc, err);
}

int
index_step(struct index_db *d, sqlite3_stmt *st, struct ops_err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc != SQLITE_DONE)
		fail(d, rc, err);
	(void)sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

int
index_next(struct index_db *d, sqlite3_stmt *st, struct index_rows *seen,
    struct ops_err *err)
{
	int rc = index_step(d, st, err);
	int64_t id;

	if (rc <= 0)
		return rc;
	id = sqlite3_column_int64(st, 0);
	if ((seen->n == 0 || id > seen->last) &&
	    seen->n < ROWS_FIRST + d->records * TEXTS_EACH) {
		seen->n++;
		seen->last = id;
		return 1;
	}
	(void)sqlite3_reset(st);
	return ops_fail(
	    err, OPS_EFORMAT, "index: more rows than there are records");
}

int
index_run(struct index_db *d, sqlite3_stmt *st, struct ops_err *err)
{
	int rc;

	grant(d);
	rc = index_step(d, st, err);
	if (rc <= 0)
		return rc;
	(void)sqlite3_reset(st);
	return ops_fail(err, OPS_EFORMAT, "index: a row too much");
}

int
index_number(
    struct index_db *d, const char *sql, int64_t *ret, struct ops_err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (index_prepare(d, sql, &st, err) < 0)
		return -1;
	rc = index_step(d, st, err);
	if (rc >= 0)
		*ret = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* -- opening -- */

static int
path_of(const char *store, const char *suffix, char out[static PATH_MAX],
    struct ops_err *err)
{
	char real[PATH_MAX];
	int n;

	/* SQLite refuses a path with symbolic links, the store's own too. */
	if (realpath(store, real) == NULL)
		return ops_fail_errno(err, "%.100s", store);
	n = snprintf(
	    out, PATH_MAX, "%s/" INDEX_DIR "/" INDEX_FILE "%s", real, suffix);
	if (n < 0 || n >= PATH_MAX)
		return ops_fail(err, OPS_EUSAGE, "index: its path is too long");
	return 0;
}

static int
harden(struct index_db *d, bool write, struct ops_err *err)
{
	int rc = sqlite3_extended_result_codes(d->db, 1);

	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(
		    d->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_db_config(
		    d->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_busy_timeout(
		    d->db, write ? BUSY_WRITE_MS : BUSY_READ_MS);
	if (rc != SQLITE_OK)
		return fail(d, rc, err);
	sqlite3_progress_handler(d->db, LOOK_EVERY, spend, d);
	(void)sqlite3_limit(d->db, SQLITE_LIMIT_LENGTH, TEXT_MAX);
	(void)sqlite3_limit(d->db, SQLITE_LIMIT_ATTACHED, 0);
	(void)sqlite3_limit(d->db, SQLITE_LIMIT_TRIGGER_DEPTH, 0);
	(void)sqlite3_limit(d->db, SQLITE_LIMIT_WORKER_THREADS, 0);
	return index_exec(d,
	    "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
	    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384",
	    err);
}

/*
 * What an index of ours never is, before SQLite acts on it: in WAL mode, where it
 * would make files of its own, or with pages that are moved when it is written.
 * https://sqlite.org/fileformat2.html#the_database_header
 */
static int
check_header(struct index_db *d, struct ops_err *err)
{
	uint8_t h[100] = { 0 };
	sqlite3_file *f = NULL;
	int rc = sqlite3_file_control(
	    d->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&f);

	if (rc == SQLITE_OK)
		rc = f->pMethods->xRead(f, h, (int)sizeof(h), 0);
	if (rc == SQLITE_IOERR_SHORT_READ)
		return 0; /* it is new, or SQLite says what it is */
	if (rc != SQLITE_OK)
		return fail(d, rc, err);
	if (h[18] > 1 || h[19] > 1 || !ops_all_zero(h + 52, 4) ||
	    !ops_all_zero(h + 64, 4))
		return ops_fail(err, OPS_EFORMAT, "index: not in our form");
	return 0;
}

/* An empty file gets our tables. */
static int
make_tables(struct index_db *d, struct ops_err *err)
{
	int64_t n;

	if (index_exec(d,
		"PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = FULL;"
		"PRAGMA locking_mode = NORMAL; BEGIN IMMEDIATE",
		err) < 0 ||
	    /* counting is one operation, however long it takes */
	    index_number(
		d, "SELECT EXISTS(SELECT 1 FROM sqlite_schema)", &n, err) < 0)
		return -1;
	for (size_t i = 0; n == 0 && i < OPS_ARRAY_LEN(tables); i++)
		if (index_exec(d, tables[i], err) < 0)
			return -1;
	if (n == 0 && index_exec(d, "PRAGMA user_version = 10", err) < 0)
		return -1;
	static_assert(INDEX_VERSION == 10, "the pragma above");
	return index_exec(d, "COMMIT", err);
}

static int
check_tables(struct index_db *d, struct ops_err *err)
{
	sqlite3_stmt *st = NULL;
	int64_t version;
	size_t n = 0;
	int rc;

	if (index_number(d, "PRAGMA user_version", &version, err) < 0 ||
	    index_prepare(d,
		"SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL "
		"ORDER BY rowid",
		&st, err) < 0)
		return -1;
	while ((rc = index_step(d, st, err)) == 1) {
		const char *sql = (const char *)sqlite3_column_text(st, 0);

		if (n == OPS_ARRAY_LEN(tables) || sql == NULL ||
		    strcmp(sql, tables[n]) != 0)
			break;
		n++;
	}
	(void)sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	if (rc == 1 || n != OPS_ARRAY_LEN(tables) || version != INDEX_VERSION)
		return ops_fail(
		    err, OPS_EFORMAT, "index: not one of this version");
	return 0;
}

int
index_db_open(
    const char *store, bool write, struct index_db **ret, struct ops_err *err)
{
	const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
			  SQLITE_OPEN_NOFOLLOW |
			  (write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
				 : SQLITE_OPEN_READONLY);
	char path[PATH_MAX];
	struct index_db *d;
	int rc;

	if (guard_install(err) < 0 || path_of(store, "", path, err) < 0)
		return -1;
	if (!write && access(path, R_OK) < 0)
		return ops_fail_errno(err, "index");
	if (write && guard_look(path, err) < 0)
		return -1;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	d->begins = write;
	rc = sqlite3_open_v2(path, &d->db, flags, "unix");
	if (rc != SQLITE_OK)
		fail(d, rc, err);
	else if (check_header(d, err) == 0 && harden(d, write, err) == 0 &&
		 (write ? make_tables(d, err) : index_exec(d, "BEGIN", err)) ==
		     0 &&
		 check_tables(d, err) == 0) {
		d->begins = false;
		*ret = d;
		return 0;
	}
	index_db_free(d);
	return -1;
}

void
index_db_free(struct index_db *d)
{
	if (d == NULL)
		return;
	(void)sqlite3_close_v2(d->db);
	free(d);
}

int
index_db_remove(const char *store, struct ops_err *err)
{
	static const char *const suffix[] = { "", "-journal", "-wal", "-shm" };
	char path[PATH_MAX];

	for (size_t i = 0; i < OPS_ARRAY_LEN(suffix); i++) {
		if (path_of(store, suffix[i], path, err) < 0)
			return -1;
		if (unlink(path) < 0 && errno != ENOENT)
			return ops_fail_errno(err, "index");
	}
	return 0;
}

void
index_kernel_boot(char ret[static INDEX_BOOT])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, INDEX_BOOT - 1);

	if (fd >= 0)
		close(fd);
	ret[n > 0 ? n : 0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
}

int
index_sync(const char *store, struct ops_err *err)
{
	char path[PATH_MAX];
	int fd, rc;

	if (path_of(store, "", path, err) < 0)
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ops_fail_errno(err, "index");
	rc = fsync(fd);
	if (rc < 0)
		ops_fail_errno(err, "index: fsync");
	close(fd);
	return rc;
}

/* -- values -- */

int64_t
index_time(uint64_t t)
{
	return (int64_t)(t ^ SIGN_BIT);
}

uint64_t
index_time_back(int64_t t)
{
	return (uint64_t)t ^ SIGN_BIT;
}

size_t
index_name(struct event_text name, uint8_t room[static INDEX_NAME_MAX])
{
	uint8_t hash[OPS_HASH_LEN];

	if (name.n <= INDEX_NAME_MAX) {
		if (name.n > 0)
			memcpy(room, name.p, name.n);
		return name.n;
	}
	ops_sha256(name.p, name.n, hash);
	memcpy(room, hash, sizeof(hash));
	return sizeof(hash);
}
