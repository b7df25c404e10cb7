/*
 * trouble - why the writer isn't there, for whoever asks meanwhile.
 *
 * A page that the supervisor fills in and the query role reads: while the
 * writer is down nobody answers on its socket, and only the supervisor knows
 * what it died of (see page.h).
 */
#ifndef OPS_DAEMON_TROUBLE_H
#define OPS_DAEMON_TROUBLE_H

#include <stdbool.h>

#include "base/err.h"
#include "page.h"

#define TROUBLE_MAX 512 /* bytes of text, NUL included */

/* An empty one. */
int trouble_new(struct page *ret, struct ops_err *err);
/* "": there is none any more.  What is too long is cut. */
void trouble_say(struct page *page, const char *text);
/* By the descriptor alone: true if there is any. */
bool trouble_read(int fd, char out[static TROUBLE_MAX]);

#endif
