/*
 * map - structs as CBOR maps, driven by a table of their fields.
 *
 * Events and leaves are described once, as rows (key, kind, member), and this
 * module writes and reads them.  Rows stand in ascending order of their keys.
 * Pure; nothing is allocated when reading.
 *
 * Fuzzed: event, leaf
 */
#ifndef OPS_MAP_H
#define OPS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "cbor.h"

enum map_kind {
	MAP_UINT = 1, /* uint8_t, uint16_t, uint32_t, uint64_t, by size */
	MAP_FLAG,     /* bool: the integer 1 if true, else absent */
	MAP_BYTES,    /* uint8_t[size]: byte string of exactly that length */
	MAP_SOME,     /* the same, absent if all bytes are zero */
	MAP_TEXT,     /* char[size], NUL-terminated: text of at most size - 1 */
	MAP_VIEW,     /* struct event_text: byte string of at most size bytes
			 (cut when writing), absent if its p is NULL */
	MAP_ARRAY,    /* array of the fields in sub, by place instead of key */
};

struct map_field {
	uint16_t key;
	uint8_t kind;  /* enum map_kind */
	uint16_t off;  /* of the member in the struct */
	uint16_t size; /* of the member; MAP_VIEW: the limit */
	uint16_t has;  /* MAP_HAS(): a bool that says if it is there; 0: it
			  must be (except MAP_FLAG, MAP_SOME, MAP_VIEW) */
	const struct map_field *sub;
	uint8_t n_sub;
};

#define MAP_AT(s, m) offsetof(struct s, m), sizeof(((struct s *)0)->m)
#define MAP_HAS(s, m) (offsetof(struct s, m) + 1)

/* Append the map of what is present in the struct at `from`.  The caller has
 * checked that MAP_TEXT members are terminated valid UTF-8. */
void map_put(
    struct ops_buf *b, const struct map_field *f, size_t n, const void *from);

/*
 * Read one map into the struct at `to`, which the caller has zeroed; it is
 * unspecified after a failure.  A missing field, a wrong type, a number over
 * its member's range or a wrong length is OPS_EFORMAT.  Unknown keys are
 * skipped or refused.  Views point into the input.
 */
enum map_unknown { MAP_SKIP_UNKNOWN, MAP_REFUSE_UNKNOWN };
int map_get(struct cbor_reader *r, const struct map_field *f, size_t n,
    enum map_unknown unknown, void *to, struct ops_err *err);

#endif
