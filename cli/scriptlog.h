/*
 * scriptlog - what script(1) writes, read: the first and the last line of its
 * log, and its timing file, classic ("delay bytes") or of several streams (O,
 * I, S and H lines, util-linux 2.35).
 *
 * Bytes in, struct out, no I/O.  All of it is claimed by who had the files.
 * Texts point into what was read.
 *
 * Fuzzed: scriptlog
 */
#ifndef OPS_CLI_SCRIPTLOG_H
#define OPS_CLI_SCRIPTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "record/event.h"

#define SCRIPTLOG_LINE_MAX 4096        /* bytes of any line that is read here */
#define SCRIPTLOG_BYTES_MAX (1u << 30) /* of one entry of the timing */
#define SCRIPTLOG_DELAY_MAX 1000000000u /* seconds, of one entry and of all */

/* "Script started on 2026-11-27 16:15:41+00:00 [COMMAND="ls" TERM=...]\n" */
struct scriptlog_head {
	size_t len; /* of the line, newline included */
	bool has_start;
	uint64_t start;         /* CLOCK_REALTIME ns; only with a time zone */
	struct event_text term; /* each: p NULL if it isn't there */
	struct event_text tty;
	struct event_text command;
	uint16_t cols, rows; /* 0: not said */
};
/* From the first n bytes of a log; more than SCRIPTLOG_LINE_MAX aren't looked
 * at.  -1: OPS_EFORMAT, it is none; *ret is then untouched. */
int scriptlog_head(const uint8_t *p, size_t n, struct scriptlog_head *ret,
    struct ops_err *err);

/* "\nScript done on 2026-11-27 16:15:42+00:00 [COMMAND_EXIT_CODE="3"]\n" */
struct scriptlog_tail {
	size_t len; /* 0: there is none, the log was cut */
	bool has_end;
	uint64_t end;
	bool has_exit;
	uint8_t exit; /* as the shell says it */
};
/* From the n bytes before the end of a log. */
void scriptlog_tail(const uint8_t *p, size_t n, struct scriptlog_tail *ret);

enum scriptlog_kind { SCRIPTLOG_UNKNOWN, SCRIPTLOG_CLASSIC, SCRIPTLOG_MULTI };

/* A timing file being read; zero-initialised it is at its beginning. */
struct scriptlog_timing {
	enum scriptlog_kind kind; /* known after the first line */
	uint64_t line;            /* how many were read */
	uint64_t time;            /* ns: the sum of the delays */
	uint64_t out, in;         /* bytes */
};

struct scriptlog_entry {
	char stream;                   /* 'O', 'I', 'S', 'H' */
	uint64_t bytes;                /* 'O', 'I' */
	struct event_text name, value; /* 'S', 'H' */
	bool has_size;                 /* 'S': a new size of the window */
	uint16_t cols, rows;
};
/*
 * The next line of a timing file whose next n bytes are at p.  Returns how many
 * bytes it takes, newline included, and adds it to t; 0: its end isn't there
 * yet (t and *ret are untouched).  -1: OPS_EFORMAT, with the line's number.
 */
long scriptlog_timing(struct scriptlog_timing *t, const uint8_t *p, size_t n,
    struct scriptlog_entry *ret, struct ops_err *err);

#endif
