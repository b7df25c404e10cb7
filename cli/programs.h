/*
 * programs - a program in words and in JSON, the same in every command.
 * Whatever was captured is escaped here.
 */
#ifndef OPS_CLI_PROGRAMS_H
#define OPS_CLI_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/programs.h"

#define PROGRAMS_USER 64
/* Name of a uid on this machine, else the number; "-" for EVENT_UNSET. */
void programs_user(uint32_t uid, char out[static PROGRAMS_USER]);

#define PROGRAMS_PLACE 24
/* What to paste behind play or cat: the first characters of its session's id, ":"
 * and its number; "-": it has no session. */
void programs_place(const struct program *p, char out[static PROGRAMS_PLACE]);

/* How it ended: "0", "SIGKILL", "SIGSEGV*" (it left a core), "ENOENT" (it could
 * not be executed), "-" (it hasn't ended, or another program took its place). */
void programs_exit(const struct program *p, char out[static 32]);

/* Its arguments, quoted where a person would; in front the file where that is
 * another one than argv[0] says; behind, in brackets, what is remarkable. */
void programs_command(const struct program *p, struct ops_buf *out);

/* One JSON object (design section 7), no newline. */
void programs_json(const struct program *p, bool utc, struct ops_buf *out);

#endif
