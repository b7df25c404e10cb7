/*
 * describe - sessions and records in words and in JSON, the same in every
 * command.  Whatever was recorded is escaped here.
 */
#ifndef OPS_CLI_DESCRIBE_H
#define OPS_CLI_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"
#include "lines.h"
#include "screen.h"
#include "store/check.h"
#include "store/session.h"

/* Exit status as a shell shows it: 128 + N for signal N. */
int describe_exit(uint32_t wait_status);
/* Has it neither ended nor been lost? */
bool describe_goes_on(const struct session *s);
/* Its state in words: of one that goes on and has a gap, both. */
const char *describe_state(const struct session *s);
/* ns from the session's start to its end, or to the newest thing known. */
uint64_t describe_duration(const struct session *s);
/* "0.3s", "12s", "1:23", "1:02:03", "2d 03:04" */
void describe_span(uint64_t ns, char out[static 24]);
/* "1.2 MB", "17 B" */
void describe_bytes(uint64_t n, char out[static 24]);
void describe_put_bytes(struct ops_buf *out, const char *what, uint64_t n);
/* "1 record", "2 records".  Appended to b. */
void describe_count(struct ops_buf *b, uint64_t n, const char *noun);

/* A recorded text, escaped; "-" if absent.  Appended to b. */
void describe_text(struct ops_buf *b, const struct event_text *t);
/* A command: arguments escaped, with spaces between; "login shell" if absent. */
void describe_command(struct ops_buf *b, const struct event_open *o);

/* What is said of an import.  False: it is none, or can't be read. */
bool describe_import(const struct session *s, struct import *ret);
const char *describe_import_format(const struct import *i);

/* "KIND where: detail", no newline. */
void describe_finding(struct ops_buf *out, const struct finding *f);

/* A member of a JSON object; of an id that the kernel may not have set
 * (EVENT_UNSET), null. */
void describe_json_number(struct json *j, const char *key, uint64_t v);
void describe_json_id(struct json *j, const char *key, uint32_t v);
/* A text; null where it is absent. */
void describe_json_text(
    struct json *j, const char *key, const struct event_text *t);
/* The session as one JSON object (design section 7), no newline. */
void describe_session_json(
    const struct session *s, bool utc, struct ops_buf *out);
/* A record as one JSON object and a newline. */
void describe_record_json(const struct session *s,
    const struct screen_record *r, struct ops_buf *out);
/* One line about a record that is no output, for timelines; false: nothing
 * to say about it. */
bool describe_record(const struct screen_record *r, struct ops_buf *out);

/* What stands in [] where something is missing: false where r is no gap. */
#define DESCRIBE_MARK 192
/* Of a record that is a GAP: enum gap_why, or 0. */
uint32_t describe_gap_why(const struct record *r);
bool describe_gap(
    const struct screen_record *r, char out[static DESCRIBE_MARK]);
void describe_hole(const struct screen_hole *h, char out[static DESCRIBE_MARK]);

/* Give a record to the line renderer. */
void describe_line(
    struct lines *l, const struct screen_record *r, struct ops_buf *out);

#endif
