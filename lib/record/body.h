/*
 * body - payloads of the events and programs streams: the id of the session
 * that a record belongs to (all zero: none), then one CBOR map.
 *
 * Fuzzed: event, program
 */
#ifndef OPS_BODY_H
#define OPS_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "map.h"

/* All zero. */
extern const uint8_t body_no_session[OPS_ID_LEN];

/* Append the payload made from the struct at `from`. */
void body_put(struct ops_buf *b, const uint8_t id[static OPS_ID_LEN],
    const struct map_field *f, size_t n, const void *from);

/* Decode into to[0..size), which stays as it was on failure (OPS_EFORMAT, also
 * for leftover bytes).  scratch has the same size.  Views point into p. */
int body_get(const uint8_t *p, size_t n, const struct map_field *f,
    size_t n_fields, void *scratch, size_t size, void *to, struct ops_err *err);

/* The session id in front; OPS_EFORMAT if too short. */
int body_session(const uint8_t *p, size_t n, uint8_t id[static OPS_ID_LEN],
    struct ops_err *err);

#endif
