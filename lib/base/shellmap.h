/*
 * shellmap - which shell is whose, where the user database names the door
 * (/etc/opseal/shells, opseal-door(8)).
 *
 *	NAME:UID:SHELL	# a comment needs a space or a tab before it
 *	*:*:SHELL	whoever has no line
 *
 * NAME has no colon, UID is decimal, SHELL a path from / on.  Spaces and tabs around
 * a line don't count; a last one without a newline is wrong, as of a file that is
 * being written.  Pure; what it finds points into the caller's bytes.
 *
 * Fuzzed: shellmap
 */
#ifndef OPS_SHELLMAP_H
#define OPS_SHELLMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The one word that the door as a shell takes for itself: does it run? */
#define DOOR_RUNS "--opseal-runs"

#define SHELLMAP_MAX 4194304   /* bytes of the file */
#define SHELLMAP_SHELL_MAX 255 /* bytes of a shell's path */
#define SHELLMAP_NAME_MAX 255  /* of a name */

struct shellmap_entry {
	unsigned line; /* from 1 */
	bool any;      /* "*:*:" */
	uint32_t uid;
	const char *name, *shell; /* no NUL behind */
	size_t name_len, shell_len;
	const char *wrong; /* what is wrong with the line, if that was said */
};

/* The next line that has something; *at and ret->line are 0 at first, and the
 * caller's to keep.  1: an entry.  0: that was all.  -1: a line that isn't one, ret
 * has its number and what is wrong with it; go on with the next. */
int shellmap_next(
    const char *p, size_t n, size_t *at, struct shellmap_entry *ret);

/* The entry of that uid: of several the one called name (NULL: none is), else the
 * first; else that of everybody.  Lines that are wrong count for nothing, as nobody
 * may be locked out by his neighbour's.  False: there is none. */
bool shellmap_find(const char *p, size_t n, uint32_t uid, const char *name,
    struct shellmap_entry *ret);

#endif
