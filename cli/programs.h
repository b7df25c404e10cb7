/*
 * programs - a program in words and in JSON, the same in every command.
 * Whatever was captured is escaped here.
 */
#ifndef OPS_CLI_PROGRAMS_H
#define OPS_CLI_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "store/programs.h"

#define PROGRAMS_USER 64
/* Name of a uid on this machine, else the number; "-" for EVENT_UNSET. */
void programs_user(uint32_t uid, char out[static PROGRAMS_USER]);

#define PROGRAMS_PLACE 24
/* What to paste behind play or cat: the first characters of its session's id, ":"
 * and its number; "-": it has no session. */
void programs_place(const struct program *p, char out[static PROGRAMS_PLACE]);

/* How it ended: "0", "SIGKILL", "SIGSEGV*" (it left a core), "ENOENT" (it could
 * not be executed), "runs", "exec'd" (another program took its place), "?" (its end
 * was not seen), "-" (it is no program, or its end is not here yet). */
void programs_exit(const struct program *p, char out[static 32]);

/* Its arguments, quoted so that a shell gives them back (word.h); in front the file where that is
 * another one than argv[0] says; behind, in brackets, what is remarkable. */
void programs_command(const struct program *p, struct ops_buf *out);

/* CLOCK_REALTIME of its end, as far as the clock wasn't set since it began; it has
 * ended or was replaced. */
uint64_t programs_ended_at(const struct program *p);
/* How long it ran, ns, if it ended or was replaced: where its start was not seen,
 * its process. */
uint64_t programs_duration(const struct program *p);
/* Effective capabilities that it had not before; 0 also where that isn't known. */
uint64_t programs_caps_gained(const struct program_exec *e);
/* Name of flag 1 << i of enum program_flag; NULL: there are no more. */
const char *programs_flag(unsigned i);

/* Is there a hole of the arguments at this place?  *ret is then where it ends.  They
 * are counted as before secrets were replaced, so of those no place is known. */
bool programs_in_hole(const struct program_exec *e, size_t at, size_t *ret);

/* One JSON object (design section 7), no newline. */
void programs_json(const struct program *p, bool utc, struct ops_buf *out);
/* Who switched recording off or on, and why: members of an object that is open. */
void programs_switched_json(struct json *j, const struct switched *s);

#endif
