/*
 * sessionarg - how a person names a session, and a place in it.
 *
 *	SESSION[:N][@OFFSET]
 *
 * SESSION is the beginning of an id, "last", "last:USER", "pts/3" or ".".
 * :N is its Nth command (N a decimal number), @OFFSET a time from its start
 * ("83", "1:23", "1:02:03.5").  A user's name may hold "@" and ":": only what
 * looks like a place is cut off.
 *
 * Fuzzed: sessionarg
 */
#ifndef OPS_CLI_SESSIONARG_H
#define OPS_CLI_SESSIONARG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SESSIONARG_NAME_MAX 256

struct sessionarg {
	char name[SESSIONARG_NAME_MAX + 1];
	bool has_number;
	uint64_t number; /* 1.. */
	bool has_offset;
	uint64_t offset; /* ns */
	/* Not in the text: where what it names ends, screen_find() knows; and until
	 * when what is read may still be its. */
	bool has_until;
	uint64_t until, late; /* ns */
};

/* OPS_EUSAGE if s can't name a session. */
int sessionarg_parse(
    const char *s, struct sessionarg *ret, struct ops_err *err);

#endif
