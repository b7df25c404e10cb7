#include "whose.h"

#include <stdlib.h>

static int
add_sessions(struct whose *w, const struct session_list *all,
    const char *person, struct ops_err *err)
{
	w->session = calloc(all->n + 1, sizeof(*w->session));
	if (w->session == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	for (size_t i = 0; i < all->n; i++)
		if (all->s[i].has_login &&
		    login_is_person(&all->s[i].login, person))
			w->session[w->sessions++] = &all->s[i];
	return 0;
}

static int
by_key(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Which login an audit session is of, only its key decides, as where programs
 * are joined to logins. */
static int
add_ses(struct whose *w, const struct logins *all, const char *person,
    struct ops_err *err)
{
	size_t n = 0;

	w->ses = calloc(all->n + 1, sizeof(*w->ses));
	if (w->ses == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	for (size_t i = 0; i < all->n; i++) {
		const struct login_seen *l = &all->l[i];

		if (l->l.ses != EVENT_UNSET &&
		    login_is_person(
			logins_of_ses(all, l->boot, l->l.ses), person))
			w->ses[w->n++] = logins_key(l->boot, l->l.ses);
	}
	if (w->n > 1)
		qsort(w->ses, w->n, sizeof(*w->ses), by_key);
	for (size_t i = 0; i < w->n; i++)
		if (n == 0 || w->ses[n - 1] != w->ses[i])
			w->ses[n++] = w->ses[i];
	w->n = n;
	return 0;
}

int
whose_find(const struct session_list *all, const char *person,
    struct whose *ret, struct ops_err *err)
{
	*ret = (struct whose){ 0 };
	if (add_sessions(ret, all, person, err) < 0 ||
	    add_ses(ret, &all->logins, person, err) < 0) {
		whose_free(ret);
		return -1;
	}
	return 0;
}

static int
by_row(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void
is_whose(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct whose *w = sqlite3_user_data(c);
	const int64_t row = sqlite3_value_int64(v[0]);
	const uint64_t ses = (uint64_t)sqlite3_value_int64(v[1]);
	bool is = bsearch(&row, w->row, w->rows, sizeof(row), by_row) != NULL;

	(void)n;
	if (!is && sqlite3_value_type(v[1]) != SQLITE_NULL)
		is = bsearch(&ses, w->ses, w->n, sizeof(ses), by_key) != NULL;
	sqlite3_result_int(c, is);
}

static int
find_row(struct whose *w, struct index_db *d, sqlite3_stmt *st, size_t i,
    struct ops_err *err)
{
	int rc = sqlite3_bind_blob(
	    st, 1, w->session[i]->id, OPS_ID_LEN, SQLITE_STATIC);

	if (rc != SQLITE_OK)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	rc = index_step(d, st, err);
	if (rc == 1)
		w->row[w->rows++] = sqlite3_column_int64(st, 0);
	(void)sqlite3_reset(st);
	return rc < 0 ? -1 : 0;
}

int
whose_offer(struct whose *w, struct index_db *d, struct ops_err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	w->row = calloc(w->sessions + 1, sizeof(*w->row));
	if (w->row == NULL)
		return ops_fail(err, OPS_ENOMEM, "index: no memory");
	rc = index_prepare(
	    d, "SELECT id FROM session WHERE session = ?1", &st, err);
	for (size_t i = 0; rc == 0 && i < w->sessions; i++)
		rc = find_row(w, d, st, i, err);
	(void)sqlite3_finalize(st);
	if (rc < 0)
		return -1;
	if (w->rows > 1)
		qsort(w->row, w->rows, sizeof(*w->row), by_row);
	return index_function(d, "whose", 2, is_whose, w, err);
}

void
whose_withdraw(struct index_db *d)
{
	(void)index_function(d, "whose", 2, NULL, NULL, NULL);
}

void
whose_free(struct whose *w)
{
	free(w->session);
	free(w->ses);
	free(w->row);
	*w = (struct whose){ 0 };
}
