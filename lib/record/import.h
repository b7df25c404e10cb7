/*
 * import - what a SESSION-OPEN says of a session that was not recorded here but
 * read from a file: key 25, a map of its own (doc/format.md, section 5b).
 *
 * What is in the file is *claimed*: whoever could write it could make it up.
 * That this very file was read, then and by whom, is what the log proves.
 *
 * Pure; texts point into what was read.
 *
 * Fuzzed: event
 */
#ifndef OPS_IMPORT_H
#define OPS_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "event.h"

#define IMPORT_HEAD_MAX 4096 /* bytes that stand before what was shown */
#define IMPORT_TAIL_MAX 1024 /* and after it */
/* A command that was imported: it is in the head, too. */
#define IMPORT_COMMAND_MAX 1024

enum import_format {
	IMPORT_TYPESCRIPT = 1, /* of script(1) */
	IMPORT_PACCT = 2,      /* acct(5): programs that carry its id */
};

struct import {
	uint32_t format;              /* 1  enum import_format */
	struct event_text file;       /* 2  the path as it was given */
	uint64_t size;                /* 3 */
	uint64_t mtime;               /* 4  CLOCK_REALTIME ns */
	uint8_t sha256[OPS_HASH_LEN]; /* 5  of the whole file */
	bool has_start;
	uint64_t start;           /* 6  claimed: CLOCK_REALTIME ns */
	uint64_t duration;        /* 7  claimed: ns */
	bool untimed;             /* 8  the file says nothing of times within */
	struct event_text head;   /* 9  its first line, newline included */
	struct event_text tail;   /* 10 what stands behind the last output */
	struct event_text timing; /* 11 path of the timing file */
	uint8_t timing_sha256[OPS_HASH_LEN]; /* 12 of all of it */
	bool multi;                          /* 13 of several streams */
	struct event_text timing_head;       /* 14 its lines before the first */
	struct event_text timing_tail;       /* 15 and behind the last */
	bool both; /* 16 what was typed stands in the same file */
};

/* Append the map.  Texts over their limit are cut there. */
void import_put(struct ops_buf *b, const struct import *i);
/* Exactly n bytes.  Unknown keys are skipped; anything wrong is OPS_EFORMAT
 * with *ret untouched. */
int import_get(
    const uint8_t *p, size_t n, struct import *ret, struct ops_err *err);

#endif
