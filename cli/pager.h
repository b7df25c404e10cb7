/*
 * pager - $PAGER between stdout and a terminal; where that isn't set, less(1) if
 * there is one.
 *
 * The pager gets text that is escaped already.  Where stdout is no terminal,
 * or PAGER is empty or "cat", or no process can be made, nothing happens.
 *
 * While it goes on SIGPIPE is handled here: a reader who quits ends this program, as
 * ever, and a pager that couldn't be run ends it with CLI_TROUBLE and a line on stderr.
 */
#ifndef OPS_CLI_PAGER_H
#define OPS_CLI_PAGER_H

struct pager;

/* From here on stdout goes to the pager.  NULL: it doesn't. */
struct pager *pager_start(void);
/* Put stdout back and wait until the reader is done.  NULL is fine.  -1: the pager
 * couldn't be run, which was said on stderr. */
int pager_end(struct pager *p);

#endif
