/*
 * personhint - the person that one may have meant who asked for one of whom nothing is
 * found: bob is called bob@laptop here.
 *
 * It knows only what it is shown, which has to be what the reader may list.
 */
#ifndef OPS_CLI_PERSONHINT_H
#define OPS_CLI_PERSONHINT_H

#include <stdbool.h>

#include "cli.h"
#include "record/event.h"

#define PERSONHINT_NEWEST                                                      \
	1000 /* so many sessions, or programs, are looked at */

struct personhint {
	const char *asked;      /* that was found nothing of; NULL: nobody */
	struct event_text best; /* borrowed; absent: none was met yet */
	bool begins;            /* with what was asked for; else it holds it */
};

/* The person behind one of them, the newest first; an absent text is fine. */
void personhint_meet(struct personhint *h, struct event_text person);

/* "no WHAT of bob; did you mean bob@laptop?" on stderr.  false: there is none. */
bool personhint_put(
    const struct cli *cli, const struct personhint *h, const char *what);

#endif
