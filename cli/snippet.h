/* snippet - lines to paste where nothing but a shell's own files can be had: the
 * weakest door, since who may leave them out is not recorded. */
#ifndef OPS_CLI_SNIPPET_H
#define OPS_CLI_SNIPPET_H

#include "cli.h"

/* "profile", "ssm".  Gives the exit status. */
int snippet_print(struct cli *cli, const char *which);

#endif
