/*
 * passwd - the lines of /etc/passwd, passwd(5), and the shells in them.
 *
 * Pure.  What it finds points into the caller's bytes.
 *
 * Fuzzed: passwd
 */
#ifndef OPS_CLI_PASSWD_H
#define OPS_CLI_PASSWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define PASSWD_MAX 33554432 /* bytes of the file */

struct passwd_line {
	const char *name, *home, *shell; /* no NUL behind */
	size_t name_len, home_len, shell_len;
	uint32_t uid, gid;
	size_t shell_at, end; /* where the shell is, and the end of the line */
};

/* The next line; *at is 0 at first, and the caller's to keep.  1: an account.
 * 0: that was all.  -1: a line that is none (NIS's "+", or a damaged one), which
 * is nobody's; go on with the next. */
int passwd_next(const char *p, size_t n, size_t *at, struct passwd_line *ret);

bool passwd_is(const struct passwd_line *l, const char *name, uint32_t uid);

struct passwd_change {
	const char *name;
	uint32_t uid;
	const char *from; /* only where this is the shell now; NULL: any */
	const char *to;
};
/* Append p[0..n) to out with the shells of these accounts changed.  Nothing else
 * changes by a byte.  Gives how many lines were. */
size_t passwd_change(const char *p, size_t n, const struct passwd_change *c,
    size_t n_changes, struct ops_buf *out);

#endif
