#include "position.h"

#include <stdlib.h>
#include <string.h>

#include "base/crypto.h"

static int
no_fit(struct ops_err *err, const char *why)
{
	return ops_fail(
	    err, OPS_EFORMAT, "index: it does not fit the store: %s", why);
}

void
position_origin(struct store *s, uint8_t ret[static OPS_HASH_LEN])
{
	const struct store_log *log;

	memset(ret, 0, OPS_HASH_LEN);
	if (store_logs(s, &log) > 0)
		ops_sha256(log[0].key.pub, sizeof(log[0].key.pub), ret);
}

/* -- the streams -- */

static int
list_streams(struct store *s, struct position *p, struct ops_err *err)
{
	const struct store_stream *all;
	const struct store_frame *f;
	size_t n = store_streams(s, &all);

	p->s = calloc(n + 1, sizeof(*p->s));
	if (p->s == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	for (size_t i = 0; i < n; i++) {
		struct position_stream *x = &p->s[p->n];
		size_t frames;

		if (all[i].class != CLASS_PROGRAMS)
			continue;
		frames = store_frames(s, all[i].id, &f);
		*x = (struct position_stream){ .stream = i };
		for (size_t j = 0; j < frames; j++) {
			x->all = f[j].leaf.first + f[j].leaf.count;
			if (f[j].sealed)
				x->sealed = x->all;
		}
		x->all += all[i].unsealed;
		p->n++;
	}
	return 0;
}

static struct position_stream *
find_stream(struct store *s, struct position *p, const uint8_t *id, int n)
{
	const struct store_stream *all;

	(void)store_streams(s, &all);
	for (size_t i = 0; n == OPS_ID_LEN && i < p->n; i++)
		if (memcmp(all[p->s[i].stream].id, id, OPS_ID_LEN) == 0)
			return &p->s[i];
	return NULL;
}

/* What an index of all that is sealed may cost. */
static void
allow(struct index_db *d, const struct position *p)
{
	uint64_t records = 0;

	for (size_t i = 0; i < p->n; i++)
		records += p->s[i].sealed;
	index_db_allow(d, records);
}

static int
take_streams(struct index_db *d, struct store *s, struct position *p,
    struct ops_err *err)
{
	struct index_rows seen = { 0 };
	sqlite3_stmt *st = NULL;
	int rc;

	if (index_prepare(d,
		"SELECT id, stream, next, imported FROM stream ORDER BY id",
		&st, err) < 0)
		return -1;
	while ((rc = index_next(d, st, &seen, err)) == 1) {
		struct position_stream *x = find_stream(s, p,
		    sqlite3_column_blob(st, 1), sqlite3_column_bytes(st, 1));
		int64_t next = sqlite3_column_int64(st, 2);

		if (x == NULL || x->id != 0 || next < 0 ||
		    (uint64_t)next > x->sealed)
			break;
		x->id = sqlite3_column_int64(st, 0);
		x->next = (uint64_t)next;
		x->imported = sqlite3_column_int(st, 3) != 0;
	}
	(void)sqlite3_finalize(st);
	return rc == 1 ? no_fit(err, "another stream, or a longer one") : rc;
}

/* Behind the first that isn't read to its end there may be none. */
static int
check_order(const struct position *p, struct ops_err *err)
{
	bool ended = false;

	for (size_t i = 0; i < p->n; i++) {
		if (p->s[i].imported)
			continue;
		if (ended && p->s[i].id != 0)
			return no_fit(err, "an earlier stream has more");
		ended |= p->s[i].next < p->s[i].all;
	}
	return 0;
}

/* -- the state -- */

/* Where capture told something last, by the ids of the index. */
struct last {
	int64_t stream; /* 0: nowhere */
	uint64_t record;
};

static int
find_last(const struct position *p, const struct last *last,
    struct program_capturing *run, struct ops_err *err)
{
	if (run->last == 0 && !run->unended && last->stream == 0)
		return 0;
	for (size_t i = 0; last->stream != 0 && i < p->n; i++)
		if (p->s[i].id == last->stream && last->record < p->s[i].next) {
			run->known = true;
			run->stream = p->s[i].stream;
			run->record = last->record;
			return 0;
		}
	return no_fit(err, "no record where capture was last");
}

/* What was written without a sync is there as long as that kernel runs. */
static bool
is_whole(const char *kernel, sqlite3_stmt *st)
{
	const char *in = (const char *)sqlite3_column_text(st, 2);

	return in == NULL || (*in != '\0' && strcmp(in, kernel) == 0);
}

static int
take_state(const char *kernel, struct index_db *d, struct store *s,
    struct program_walk *w, struct last *last, struct ops_err *err)
{
	struct program_capturing *run = program_walk_capturing(w);
	uint8_t origin[OPS_HASH_LEN];
	sqlite3_stmt *st = NULL;
	bool fits = true, forgets = false;
	int rc;

	position_origin(s, origin);
	if (index_prepare(d,
		"SELECT origin, boot, unsynced, unended, last, "
		"last_stream, last_at, expired FROM state WHERE id = 1",
		&st, err) < 0)
		return -1;
	rc = index_step(d, st, err);
	if (rc == 1) {
		fits = sqlite3_column_bytes(st, 0) == OPS_HASH_LEN &&
		       memcmp(sqlite3_column_blob(st, 0), origin,
			   OPS_HASH_LEN) == 0 &&
		       sqlite3_column_bytes(st, 1) == 4;
		if (fits)
			program_walk_set_boot(w, sqlite3_column_blob(st, 1));
		run->unended = sqlite3_column_int(st, 3) != 0;
		run->last = (uint64_t)sqlite3_column_int64(st, 4);
		last->stream = sqlite3_column_int64(st, 5);
		last->record = (uint64_t)sqlite3_column_int64(st, 6);
		forgets = (uint64_t)sqlite3_column_int64(st, 7) !=
			  store_expired_events(s);
	}
	if (rc == 1 && fits && !is_whole(kernel, st)) {
		(void)sqlite3_finalize(st);
		return no_fit(err, "the machine crashed while it was written");
	}
	(void)sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	/* Nothing of it may be left. */
	if (forgets)
		return ops_fail(err, OPS_EFORMAT,
		    "index: some of what it has has expired since");
	return fits ? 0 : no_fit(err, "another log");
}

static int
take_sessions(struct index_db *d, struct program_walk *w, struct ops_err *err)
{
	struct index_rows seen = { 0 };
	sqlite3_stmt *st = NULL;
	int rc;

	if (index_prepare(d,
		"SELECT id, session, commands FROM session "
		"WHERE commands <> 0 ORDER BY id",
		&st, err) < 0)
		return -1;
	while ((rc = index_next(d, st, &seen, err)) == 1) {
		int64_t n = sqlite3_column_int64(st, 2);
		uint32_t *commands = NULL;

		if (sqlite3_column_bytes(st, 1) == OPS_ID_LEN)
			commands = program_walk_commands(
			    w, sqlite3_column_blob(st, 1));
		if (n == INDEX_UNKNOWN && commands == NULL)
			continue;
		if (commands == NULL || n < 0 || n > UINT32_MAX)
			break;
		*commands = (uint32_t)n;
	}
	(void)sqlite3_finalize(st);
	return rc == 1 ? no_fit(err, "a session that is or was unknown") : rc;
}

/* All rows, as they are deleted without a look: of what isn't seen here, there might
 * be any number. */
static int
take_processes(struct index_db *d, struct program_walk *w, struct ops_err *err)
{
	struct index_rows seen = { 0 };
	sqlite3_stmt *st = NULL;
	int rc;

	if (index_prepare(d,
		"SELECT pid, start, seeded, program FROM process ORDER BY pid",
		&st, err) < 0)
		return -1;
	while ((rc = index_next(d, st, &seen, err)) == 1) {
		const struct program_process p = {
			.pid = (uint32_t)sqlite3_column_int64(st, 0),
			.start = (uint64_t)sqlite3_column_int64(st, 1),
			.seeded = sqlite3_column_int(st, 2) != 0,
			.at = sqlite3_column_type(st, 3) == SQLITE_NULL
				  ? PROGRAM_NONE
				  : (uint64_t)sqlite3_column_int64(st, 3)
		};

		if (seen.last < 1 || seen.last > UINT32_MAX) {
			rc = no_fit(err, "a process without a pid");
			break;
		}
		if (program_walk_know(w, &p, err) < 0) {
			rc = -1;
			break;
		}
	}
	(void)sqlite3_finalize(st);
	return rc;
}

static void
take_gone(sqlite3_stmt *st, struct program_gone *g)
{
	if (!g->captured && sqlite3_column_type(st, 2) != SQLITE_NULL) {
		g->captured = true;
		g->start = (uint64_t)sqlite3_column_int64(st, 1);
		g->end = (uint64_t)sqlite3_column_int64(st, 2);
	}
	if (!g->accounted && sqlite3_column_type(st, 3) != SQLITE_NULL) {
		g->accounted = true;
		g->began = (uint64_t)sqlite3_column_int64(st, 3);
		g->elapsed = (uint64_t)sqlite3_column_int64(st, 4);
		g->over = (uint64_t)sqlite3_column_int64(st, 5);
		g->entry = sqlite3_column_type(st, 6) == SQLITE_NULL
			       ? PROGRAM_NONE
			       : (uint64_t)sqlite3_column_int64(st, 6);
	}
}

int
position_gone(struct index_db *d, sqlite3_stmt *st, struct program_gone *g,
    struct ops_err *err)
{
	int rc;

	(void)sqlite3_bind_int64(st, 1, g->pid);
	rc = index_step(d, st, err);
	if (rc == 1) {
		take_gone(st, g);
		(void)sqlite3_reset(st);
	}
	return rc < 0 ? -1 : 0;
}

int
position_begin(struct store *s, struct position *ret, struct ops_err *err)
{
	struct position p = { 0 };

	if (list_streams(s, &p, err) < 0) {
		position_free(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

int
position_load(struct index_db *d, struct store *s, struct program_walk *w,
    struct position *ret, struct ops_err *err)
{
	char boot[INDEX_BOOT];

	index_kernel_boot(boot);
	return position_load_in(boot, d, s, w, ret, err);
}

int
position_load_in(const char *boot, struct index_db *d, struct store *s,
    struct program_walk *w, struct position *ret, struct ops_err *err)
{
	struct position p;
	struct last last = { 0 };

	if (position_begin(s, &p, err) < 0)
		return -1;
	allow(d, &p);
	if (take_state(boot, d, s, w, &last, err) < 0 ||
	    take_streams(d, s, &p, err) < 0 || check_order(&p, err) < 0 ||
	    find_last(&p, &last, program_walk_capturing(w), err) < 0 ||
	    take_sessions(d, w, err) < 0 || take_processes(d, w, err) < 0) {
		position_free(&p);
		return -1;
	}
	*ret = p;
	return 0;
}

void
position_free(struct position *p)
{
	free(p->s);
	*p = (struct position){ 0 };
}
