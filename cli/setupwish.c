#include "setupwish.h"

#include <stdlib.h>
#include <string.h>

/* One setup is of one door. */
static int
check_door(const struct setupstate *s, const struct setupplan_wish *wish,
    struct ops_err *err)
{
	if (s->door == NULL || s->kind == NULL ||
	    (strcmp(s->door, wish->door) == 0 &&
		strcmp(s->kind, wish->kind) == 0))
		return 0;
	return ops_fail(err, OPS_EUSAGE,
	    "it is set up with another door (%s, %.100s); opseal unsetup "
	    "first, then setup",
	    s->kind, s->door);
}

int
setupwish_make(const struct setup_opts *o, const struct setupstate *s,
    struct setupwish *wish, struct ops_err *err)
{
	bool named = o->users.n > 0 || o->groups.n > 0;
	struct accounts_wish *w = &wish->plan.accounts;

	if (check_door(s, &wish->plan, err) < 0)
		return -1;
	*w = (struct accounts_wish){ .users = &o->users,
		.groups = &o->groups,
		.root = o->root,
		.people =
		    !named && (!o->check || s->people || s->door == NULL) };
	if (named)
		return 0;
	wish->also = calloc(s->n_accounts + 1, sizeof(*wish->also));
	if (wish->also == NULL)
		return ops_fail(err, OPS_ENOMEM, "accounts: no memory");
	for (size_t i = 0; i < s->n_accounts; i++) {
		if (s->accounts[i].uid == 0)
			w->root = true;
		wish->also[i] = s->accounts[i].name;
	}
	w->also = wish->also;
	w->n_also = s->n_accounts;
	return 0;
}

void
setupwish_free(struct setupwish *wish)
{
	free(wish->also);
	wish->also = NULL;
}
