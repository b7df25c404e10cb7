#include "whose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With more sessions than that it isn't looked which of them have anything. */
#define ASK_MAX 4096

static int
by_id(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool
has(const struct whose_ids *x, int64_t id)
{
	return x->n > 0 && bsearch(&id, x->id, x->n, sizeof(id), by_id) != NULL;
}

static int
make_room(struct whose_ids *x, size_t n, struct ops_err *err)
{
	x->id = calloc(n + 1, sizeof(*x->id));
	return x->id != NULL ? 0
			     : ops_fail(err, OPS_ENOMEM, "index: no memory");
}

static int
add_id(struct whose_ids *x, size_t *cap, int64_t id, struct ops_err *err)
{
	if (x->n == *cap) {
		size_t more = *cap == 0 ? 64 : 2 * *cap;
		int64_t *grown = reallocarray(x->id, more, sizeof(*grown));

		if (grown == NULL)
			return ops_fail(err, OPS_ENOMEM, "index: no memory");
		x->id = grown;
		*cap = more;
	}
	x->id[x->n++] = id;
	return 0;
}

static void
sort(struct whose_ids *x)
{
	size_t n = 0;

	if (x->n > 1)
		qsort(x->id, x->n, sizeof(*x->id), by_id);
	for (size_t i = 0; i < x->n; i++)
		if (n == 0 || x->id[n - 1] != x->id[i])
			x->id[n++] = x->id[i];
	x->n = n;
}

/* Which login an audit session is of, only its key decides, as where programs
 * are joined to logins. */
static int
find_ses(struct whose *w, const struct logins *all,
    const struct program_filter *f, struct ops_err *err)
{
	if (make_room(&w->ses, all->n, err) < 0)
		return -1;
	for (size_t i = 0; i < all->n; i++) {
		const uint8_t *boot = all->l[i].boot;
		uint32_t ses = all->l[i].l.ses;

		if (ses != EVENT_UNSET &&
		    program_login_fits(logins_of_ses(all, boot, ses), f) !=
			w->others)
			w->ses.id[w->ses.n++] = (int64_t)logins_key(boot, ses);
	}
	sort(&w->ses);
	return 0;
}

static int
find_session(struct whose *w, struct index_db *d, sqlite3_stmt *st,
    const struct session *s, struct ops_err *err)
{
	int rc = sqlite3_bind_blob(st, 1, s->id, OPS_ID_LEN, SQLITE_STATIC);

	if (rc != SQLITE_OK)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	rc = index_step(d, st, err);
	if (rc == 1)
		w->known.id[w->known.n++] = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

static int
find_sessions(struct whose *w, struct index_db *d,
    const struct session_list *all, const struct program_filter *f,
    struct ops_err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (make_room(&w->known, all->n, err) < 0)
		return -1;
	rc = index_prepare(
	    d, "SELECT id FROM session WHERE session = ?1", &st, err);
	for (size_t i = 0; rc == 0 && i < all->n; i++) {
		const struct session *s = &all->s[i];

		if (s->has_login &&
		    program_login_fits(&s->login, f) != w->others)
			rc = find_session(w, d, st, s, err);
	}
	(void)sqlite3_finalize(st);
	sort(&w->known);
	return rc;
}

/* All sessions of the index but those that don't fit, and what is in none.  Not
 * counted first: a count of a damaged tree has no end. */
static int
find_others(struct whose *w, struct index_db *d, struct ops_err *err)
{
	struct index_rows seen = { 0 };
	sqlite3_stmt *st = NULL;
	size_t cap = 0;
	int rc = add_id(&w->asked, &cap, 0, err);

	if (rc < 0 || index_prepare(d, "SELECT id FROM session ORDER BY id",
			  &st, err) < 0)
		return -1;
	while ((rc = index_next(d, st, &seen, err)) == 1) {
		int64_t id = sqlite3_column_int64(st, 0);

		if (!has(&w->known, id) &&
		    add_id(&w->asked, &cap, id, err) < 0) {
			rc = -1;
			break;
		}
	}
	(void)sqlite3_finalize(st);
	return rc;
}

/* A session may have another login than its audit session. */
static bool
fits(const struct whose *w, int64_t session, bool has_ses, int64_t ses)
{
	bool known = session != 0 && has(&w->known, session);
	bool is_ses = has_ses && has(&w->ses, ses);

	if (has_ses && ses == WHOSE_NOBODY)
		return w->others;
	return w->others ? !known && !(session == 0 && is_ses)
			 : known || is_ses;
}

static void
is_whose(sqlite3_context *c, int n, sqlite3_value **v)
{
	(void)n;
	/* None is NULL, and in a key a blob. */
	sqlite3_result_int(
	    c, fits(sqlite3_user_data(c), sqlite3_value_int64(v[0]),
		   sqlite3_value_type(v[1]) == SQLITE_INTEGER,
		   sqlite3_value_int64(v[1])));
}

static int
copy(struct whose_ids *to, const struct whose_ids *from, struct ops_err *err)
{
	if (make_room(to, from->n, err) < 0)
		return -1;
	for (size_t i = 0; i < from->n; i++)
		to->id[to->n++] = from->id[i];
	return 0;
}

/* All that may be of those persons. */
static int
ask_all(struct whose *w, struct index_db *d, struct ops_err *err)
{
	const struct whose_ids nobody = { &(int64_t){ WHOSE_NOBODY }, 1 };

	if ((w->others ? find_others(w, d, err)
		       : copy(&w->asked, &w->known, err)) < 0)
		return -1;
	return copy(&w->asked_ses, w->others ? &nobody : &w->ses, err);
}

/* Did somebody run anything there whom the filter asks for?  by: the session, or the
 * audit session. */
static sqlite3_stmt *
ask_identity(struct index_db *d, const char *by, const struct program_filter *f,
    struct ops_err *err)
{
	sqlite3_stmt *st = NULL;
	char sql[256];

	(void)snprintf(sql, sizeof(sql),
	    "SELECT 1 FROM identity WHERE %s = ?1%s%s%s AND "
	    "whose(session, ses) LIMIT 1",
	    by, f->has_login ? " AND +login = ?2" : "",
	    f->has_owner ? " AND (+login = ?3 OR +uid = ?3)" : "",
	    f->has_euid ? " AND +euid = ?4" : "");
	if (index_prepare(d, sql, &st, err) < 0)
		return NULL;
	if (f->has_login)
		(void)sqlite3_bind_int64(st, 2, f->login);
	if (f->has_owner)
		(void)sqlite3_bind_int64(st, 3, f->owner);
	if (f->has_euid)
		(void)sqlite3_bind_int64(st, 4, f->euid);
	return st;
}

struct few {
	int64_t id[WHOSE_FEW];
	size_t n;
};

/* Those of a list in which there is anything.  1: they are few.  0: they aren't; what
 * is in no session isn't, ever. */
static int
find_few(struct index_db *d, const char *by, const struct whose_ids *all,
    const struct program_filter *f, struct few *ret, struct ops_err *err)
{
	sqlite3_stmt *st = ask_identity(d, by, f, err);
	bool few = true;
	int rc = st == NULL ? -1 : 0;

	for (size_t i = 0; rc >= 0 && few && i < all->n; i++) {
		(void)sqlite3_reset(st);
		(void)sqlite3_bind_int64(st, 1, all->id[i]);
		rc = index_step(d, st, err);
		if (rc != 1)
			continue;
		few = ret->n < WHOSE_FEW &&
		      (all->id[i] != 0 || strcmp(by, "ses") == 0);
		if (few)
			ret->id[ret->n++] = all->id[i];
	}
	(void)sqlite3_finalize(st);
	return rc < 0 ? -1 : few;
}

/* Only what there is anything in, if that is little. */
static int
narrow(struct whose *w, struct index_db *d, const struct program_filter *f,
    struct ops_err *err)
{
	struct few session = { .n = 0 }, ses = { .n = 0 };
	int rc;

	if (w->asked.n + w->asked_ses.n > ASK_MAX)
		return 0;
	rc = find_few(d, "session", &w->asked, f, &session, err);
	if (rc == 1)
		rc = find_few(d, "ses", &w->asked_ses, f, &ses, err);
	if (rc != 1)
		return rc;
	w->few = true;
	/* They are no more than there were, and in their order. */
	w->asked.n = session.n;
	w->asked_ses.n = ses.n;
	memcpy(w->asked.id, session.id, session.n * sizeof(session.id[0]));
	memcpy(w->asked_ses.id, ses.id, ses.n * sizeof(ses.id[0]));
	return 0;
}

int
whose_find(struct whose *ret, struct index_db *d,
    const struct session_list *all, const struct program_filter *f,
    struct ops_err *err)
{
	*ret = (struct whose){ .others = program_login_fits(NULL, f) };
	if (find_sessions(ret, d, all, f, err) < 0 ||
	    find_ses(ret, &all->logins, f, err) < 0 ||
	    index_function(d, "whose", 2, is_whose, ret, err) < 0 ||
	    ask_all(ret, d, err) < 0)
		return -1;
	return narrow(ret, d, f, err);
}

void
whose_free(struct whose *w, struct index_db *d)
{
	(void)index_function(d, "whose", 2, NULL, NULL, NULL);
	free(w->known.id);
	free(w->ses.id);
	free(w->asked.id);
	free(w->asked_ses.id);
	*w = (struct whose){ 0 };
}
