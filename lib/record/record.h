/*
 * record - one thing that happened.
 *
 *	offset size
 *	0      1    type (enum record_type)
 *	1      1    flags (RECORD_PART; all other bits zero)
 *	2      2    length of the payload, little-endian, <= RECORD_PAYLOAD_MAX
 *	4      8    time: CLOCK_BOOTTIME in ns, as stated by the source
 *	12     n    payload
 *
 * A record's number is its place in its stream, counted from 0; it is not
 * part of the bytes.  A thing longer than one record is cut into parts, each
 * a record of the same type and time with RECORD_PART set, standing directly
 * after each other; the payload of a part starts with u16 part (from 0) and
 * u16 parts (2..RECORD_PARTS_MAX), and the thing is the concatenation of what
 * follows.  Types of a fixed size have no parts.  See parts.h.
 *
 * Payloads of the screen stream are raw (below).  Payloads of the events
 * stream start with the 10-byte id of the session they belong to (all zero:
 * none), then a CBOR map (event.h).  Those of RECORD_PART events carry the id
 * in each part, after the two u16.
 *
 * Fuzzed: record
 */
#ifndef OPS_RECORD_H
#define OPS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

#define RECORD_MAX 16384 /* bytes, header included */
#define RECORD_HEADER 12
#define RECORD_PAYLOAD_MAX (RECORD_MAX - RECORD_HEADER)
#define RECORD_PART 0x01
#define RECORD_PART_HEADER 4  /* u16 part, u16 parts */
#define RECORD_PARTS_MAX 1024 /* parts of one thing: 16 MiB */

/* What a stream holds. */
enum stream_class {
	CLASS_SCREEN = 1,   /* a session's terminal */
	CLASS_EVENTS = 2,   /* sessions, and the daemon itself; one a boot */
	CLASS_PROGRAMS = 3, /* programs that ran, one a run of capture */
	CLASSES,
};
/* The folder below data/ that has streams of this class; "?" for none. */
const char *stream_class_name(uint8_t class);

enum record_type {
	/* screen stream */
	REC_OUTPUT = 1, /* bytes as read from the inner pty */
	REC_INPUT = 2,  /* bytes typed (input = on) */
	REC_MASKED = 3, /* input not kept: u8 why (enum masked_why) */
	REC_RESIZE = 4, /* u16 columns, u16 rows */
	REC_STOP = 5,   /* u8 signal: the session was stopped */
	REC_CONT = 6,   /* empty: it went on */
	REC_ECHO = 7,   /* u8: 1 ECHO, 2 ICANON bits now set on the inner pty */
	/* u64 bytes not kept, u64 from, u64 until (BOOTTIME), and unless the
	 * log could not be written u8 why (enum gap_why) */
	REC_GAP = 8,
	REC_EXIT =
	    9, /* u32 raw wait status of the session leader, see wait(2) */

	/* events stream: session id, then a CBOR map; see event.h */
	REC_SESSION_OPEN = 64,
	REC_SESSION_CLOSE = 65,
	REC_ACCESS = 66,    /* somebody read */
	REC_GAP_EVENT = 67, /* a GAP happened in this session */
	REC_BYPASS =
	    68, /* SCREEN-BYPASS: somebody else holds the outer terminal */
	REC_DAEMON =
	    69, /* opseald started, stopped, lost or regained its disk */
	REC_LOGIN = 71,  /* somebody logged in; see login.h */
	REC_LOGOUT = 72, /* and out */
	REC_NOTE = 73,   /* words about a session; see remark.h */
	/* programs stream: session id, then a CBOR map; see program.h */
	REC_CAPTURE = 96, /* capture began or ended */
	REC_EXEC = 97,
	REC_ARGS = 98, /* more of an exec's arguments */
	REC_ENDED = 99,
	REC_FAILED = 100, /* an exec that failed; claimed */
	REC_LOSS = 101,   /* what could not be captured, counted */
	REC_ACCOUNTED =
	    102, /* an end that the kernel's accounting alone tells of */
	REC_COVERAGE = 103, /* what the two sources saw, counted */
};

enum masked_why {
	MASKED_ECHO_OFF = 1, /* ECHO off, ICANON on: a password prompt */
	MASKED_NO_ECHO = 2,  /* raw mode, and the output did not echo it */
};

struct record {
	uint8_t type;
	uint8_t flags;
	uint64_t time;
	const uint8_t *payload; /* borrowed */
	size_t len;
};

/* The class of streams that this type belongs to; 0: no type. */
uint8_t record_type_class(uint8_t type);

/* Write header and payload to out (room for RECORD_HEADER + r->len).
 * r->len <= RECORD_PAYLOAD_MAX.  Returns the number of bytes. */
size_t record_encode(const struct record *r, uint8_t *out);

/*
 * Decode one record from the n bytes at p.  Returns the number of bytes it
 * takes, or -1: OPS_ETRUNC if a longer input could be valid, OPS_EFORMAT if
 * none could (unknown type, unknown flag, length over the limit, a payload
 * whose size its type forbids, an impossible part).  ret->payload points into p.
 * Bytes after the record are the caller's; *ret is untouched on failure.
 */
long record_decode(
    const uint8_t *p, size_t n, struct record *ret, struct ops_err *err);

#endif
