/*
 * typescript - recordings as script(1) of util-linux writes them: the raw log
 * with its first and last line, and the timing file, classic or advanced.
 * Played by scriptreplay(1).  Bytes in, bytes out, no I/O.
 *
 * Output only: input would need a file of its own.  But where an imported log had
 * both in one file they are in it again.
 *
 * Fuzzed: typescript
 */
#ifndef OPS_CLI_TYPESCRIPT_H
#define OPS_CLI_TYPESCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "record/import.h"

struct typescript_meta {
	const char *start; /* "2026-11-23 06:38:58+00:00" */
	const char *end;
	/* Claimed by the user, any bytes; NULL: unknown. */
	const uint8_t *command, *term, *tty;
	size_t command_len, term_len, tty_len;
	unsigned cols, rows; /* 0: not on a terminal */
	uint64_t duration;   /* ns */
	bool has_exit;
	int exit;
	/* It was imported: its own lines are given back; NULL: it was not. */
	const struct import *import;
	bool cut; /* and not to its end, which is left out */
};

enum typescript_timing { TIMING_CLASSIC, TIMING_ADVANCED };

struct typescript {
	enum typescript_timing timing;
	uint64_t last; /* us: offset of the last timing record */
};

/* First line of the log, first records of the timing file.  Values are
 * escaped: neither a newline nor a quote of theirs can end them. */
void typescript_begin(struct typescript *t, const struct typescript_meta *m,
    struct ops_buf *log, struct ops_buf *timing);
/* offset: ns since the start. */
void typescript_output(struct typescript *t, uint64_t offset, const void *p,
    size_t n, struct ops_buf *log, struct ops_buf *timing);
/* The same of what was typed; only where both are in one file. */
void typescript_input(struct typescript *t, uint64_t offset, const void *p,
    size_t n, struct ops_buf *log, struct ops_buf *timing);
void typescript_resize(struct typescript *t, uint64_t offset, unsigned cols,
    unsigned rows, struct ops_buf *timing);
void typescript_end(const struct typescript *t, const struct typescript_meta *m,
    struct ops_buf *log, struct ops_buf *timing);

#endif
