/*
 * ending - the exit status of a command that was recorded without a terminal,
 * where its CLOSE has none: the recorder could not learn it (before Linux 6.15),
 * but capture saw the same process end.
 *
 * Pure: no I/O.
 */
#ifndef OPS_CLI_ENDING_H
#define OPS_CLI_ENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/programs.h"
#include "store/session.h"

/* Does one of these n need it?  Then programs from *since on (CLOCK_REALTIME) are
 * to be asked for. */
bool ending_wanted(const struct session *s, size_t n, uint64_t *since);
/* The program that the session's own process ended as; NULL: not seen. */
const struct program *ending_of(
    const struct session *s, const struct program_list *l);
/* Fill their close.status as programs say, each from its own process. */
void ending_fill(struct session *s, size_t n, const struct program_list *l);

#endif
