/*
 * pager - $PAGER (or less) between stdout and a terminal.
 *
 * The pager gets text that is escaped already.  Where stdout is no terminal,
 * or PAGER is empty or "cat", or it can't be started, nothing happens.
 */
#ifndef OPS_CLI_PAGER_H
#define OPS_CLI_PAGER_H

struct pager;

/* From here on stdout goes to the pager.  NULL: it doesn't. */
struct pager *pager_start(void);
/* Close stdout and wait until the reader is done.  NULL is fine. */
void pager_end(struct pager *p);

#endif
