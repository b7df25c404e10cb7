/*
 * transferred - what programs moved, in words and as JSON: their transfers (see
 * transfer.h) with the kernel's count of bytes, and what a session's connection
 * carried.
 */
#ifndef OPS_CLI_TRANSFERRED_H
#define OPS_CLI_TRANSFERRED_H

#include "base/buf.h"
#include "base/json.h"
#include "store/programs.h"
#include "store/session.h"

/* " [transferred in, 12.3 MB]" behind the command of one that did; else nothing. */
void transferred_mark(const struct program *p, struct ops_buf *out);

/* Member "transfer" of an object that is open, of a program that transfers. */
void transferred_json(const struct program *p, struct json *j);

/* Lines for the session as a whole, with labels of `width` columns; none where
 * nothing is known. */
void transferred_put(const struct session *s, const struct program_list *l,
    int width, struct ops_buf *out);

#endif
