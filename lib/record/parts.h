/*
 * parts - things longer than one record: cut into RECORD_PART records, and
 * joined again (record.h has the bytes).
 *
 * "Payload" here is what the record would carry if records had no limit; for
 * types of the events stream it starts with the session id, which is repeated
 * in each part and stands once in the joined payload.
 *
 * Fuzzed: record
 */
#ifndef OPS_PARTS_H
#define OPS_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record.h"

/* The longest payload parts_put() takes, id included. */
#define PARTS_PAYLOAD_MAX                                                      \
	((size_t)RECORD_PARTS_MAX *                                            \
	    (RECORD_PAYLOAD_MAX - RECORD_PART_HEADER - OPS_ID_LEN))

/* Records that a payload of n bytes of this type takes, 1 if it fits into
 * one; 0 if it is too long for any number, or for a type of fixed size. */
size_t parts_count(uint8_t type, size_t n);

/*
 * Append the encoded records of r to out: r itself, or its parts.  r->flags
 * must be 0; r->len may be over RECORD_PAYLOAD_MAX.  Returns the number of
 * records, or -1: OPS_EUSAGE (too long, or an event without session id),
 * OPS_ENOMEM (out is full or could not grow; out->len is then as before).
 */
long parts_put(
    struct ops_buf *out, const struct record *r, struct ops_err *err);

/* Joins the records of one stream.  Zero-initialise, but set payload.max to
 * the longest payload wanted; parts_free() at the end. */
struct parts {
	struct ops_buf payload;
	uint8_t type;
	uint64_t time;
	unsigned next, of; /* 0, 0: not inside a thing */
};

/*
 * Take the next record of the stream.
 *  1: *ret is whole, with flags 0: r itself if it is no part; else joined,
 *     with a payload that is valid until the next call.
 *  0: more parts must follow.
 * -1: r does not continue what came before (OPS_EFORMAT) or the limit is
 *     reached (OPS_ENOMEM).  What was gathered is dropped and r is not taken:
 *     give it again to go on from there; what fails on an empty joiner (the
 *     middle of a thing) can only be left out.
 */
int parts_join(struct parts *j, const struct record *r, struct record *ret,
    struct ops_err *err);
/* Is the joiner inside a thing?  At the end of a stream it must not be. */
int parts_open(const struct parts *j);
void parts_free(struct parts *j);

#endif
