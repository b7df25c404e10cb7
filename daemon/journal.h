/*
 * journal - one entry in systemd's native journal protocol: a datagram of
 * fields, "KEY=value" a line, or where the value holds a newline
 * "KEY", newline, u64 little-endian length, value, newline.  Pure.
 */
#ifndef OPS_DAEMON_JOURNAL_H
#define OPS_DAEMON_JOURNAL_H

#include <stddef.h>

#include "base/buf.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_KEY_MAX 64

/* Append a field.  key: of upper-case letters, digits and underlines, not
 * beginning with one; the program's own, so anything else is a fault of it. */
void journal_put(
    struct ops_buf *out, const char *key, const void *value, size_t n);
void journal_puts(struct ops_buf *out, const char *key, const char *value);

#endif
