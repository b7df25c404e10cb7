#include "personhint.h"

#include <string.h>

void
personhint_meet(struct personhint *h, struct event_text person)
{
	size_t n = h->asked != NULL ? strlen(h->asked) : 0;
	const uint8_t *at;

	if (n == 0 || person.p == NULL || person.n <= n || h->begins)
		return;
	at = memmem(person.p, person.n, h->asked, n);
	if (at == NULL || (h->best.p != NULL && at != person.p))
		return;
	h->best = person;
	h->begins = at == person.p;
}

bool
personhint_put(
    const struct cli *cli, const struct personhint *h, const char *what)
{
	if (h->best.p == NULL)
		return false;
	cli_note(cli, "no %s of %.64s; did you mean %.*s?", what, h->asked,
	    (int)h->best.n, (const char *)h->best.p);
	return true;
}
