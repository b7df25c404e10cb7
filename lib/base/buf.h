/*
 * buf - a byte buffer that grows up to a stated limit and no further.
 *
 * Zero-initialise with the limit: struct ops_buf b = { .max = 65536 };
 * The bytes are b.data[0 .. b.len); the pointer is valid until the next call
 * that may grow the buffer.  Owner calls ops_buf_free() (fine on { 0 }).
 *
 * OPS_BUF_FIXED(array) is a buffer over the caller's array, which it fills and
 * never leaves: no put allocates, and there is nothing to free.
 *
 * Errors are sticky, so that a row of puts needs one check at the end: after
 * a failed put the buffer stays as it was and `failed` is set until reset.
 */
#ifndef OPS_BUF_H
#define OPS_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct ops_buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes; a put beyond it fails */
	bool failed;
};

#define OPS_BUF_FIXED(array)                                                   \
	{                                                                      \
		.data = (array), .cap = sizeof(array), .max = sizeof(array)    \
	}

/* May n bytes be written behind data + len as it is? */
static inline bool
ops_buf_has_room(const struct ops_buf *b, size_t n)
{
	return !b->failed && b->len <= b->max && n <= b->max - b->len &&
	       n <= b->cap - b->len;
}
/* Make room for n more bytes and return where they go; NULL if there is none.
 * The caller fills them and adds to len. */
uint8_t *ops_buf_reserve(struct ops_buf *b, size_t n);
void ops_buf_put(struct ops_buf *b, const void *p, size_t n);
void ops_buf_put8(struct ops_buf *b, uint8_t v);
void ops_buf_putle16(struct ops_buf *b, uint16_t v);
void ops_buf_putle32(struct ops_buf *b, uint32_t v);
void ops_buf_putle64(struct ops_buf *b, uint64_t v);
void ops_buf_puts(struct ops_buf *b, const char *s); /* without the NUL */
void ops_buf_printf(struct ops_buf *b, const char *fmt, ...) OPS_PRINTF(2, 3);

/* Drop the first n bytes (n <= len). */
void ops_buf_consume(struct ops_buf *b, size_t n);
/* Empty it and clear `failed`; memory is kept. */
void ops_buf_reset(struct ops_buf *b);
void ops_buf_free(struct ops_buf *b);

/* 0, or -1 with OPS_ENOMEM in err if a put failed; `what` names the thing. */
int ops_buf_check(
    const struct ops_buf *b, const char *what, struct ops_err *err);

#endif
