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

void
whose_free(struct whose *w)
{
	free(w->session);
	free(w->ses);
	*w = (struct whose){ 0 };
}
