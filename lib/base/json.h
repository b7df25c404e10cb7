/*
 * json - write JSON (RFC 8259) into a buffer, one value after another.
 *
 *	struct json j = { .out = &buf };
 *	json_begin_object(&j);
 *	json_key(&j, "argv");
 *	json_begin_array(&j);
 *	json_text(&j, p, n);
 *	json_end_array(&j);
 *	json_end_object(&j);		{"argv":["..."]}
 *
 * Commas and colons are put where they belong; line ends are the caller's.
 * Any bytes give valid JSON: invalid UTF-8 becomes U+FFFD, a byte at a time.
 * And safe for a terminal: what ops_escape() escapes becomes \u00XX here.
 * Wrong nesting (a key in an array, a value without its key) is a fault of the
 * program and ends it.  Errors of the buffer are sticky: ops_buf_check().
 *
 * Fuzzed: json
 */
#ifndef OPS_JSON_H
#define OPS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

#define JSON_DEPTH_MAX 32

/* Zero but for out; borrowed.  May be used for any number of values. */
struct json {
	struct ops_buf *out;
	unsigned depth;
	uint64_t objects; /* bit d: the value open at depth d is an object */
	uint64_t filled;  /* bit d: it has a member already */
	bool has_key;     /* a key stands there, waiting for its value */
};

void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);

/* The key of the next value; only inside an object. */
void json_key(struct json *j, const char *key);

void json_text(struct json *j, const void *p, size_t n);
void json_str(struct json *j, const char *s); /* NULL gives null */
void json_base64(struct json *j, const void *bytes, size_t n);
void json_uint(struct json *j, uint64_t v);
void json_int(struct json *j, int64_t v);
void json_bool(struct json *j, bool v);
void json_nil(struct json *j); /* null */
/* Nanoseconds as decimal seconds with nine decimals, exactly. */
void json_seconds(struct json *j, uint64_t ns);

/* A member of an object that holds any bytes: "key":text, and if p[0..n) isn't
 * valid UTF-8 also "key_b64":base64. */
void json_text_bytes(struct json *j, const char *key, const void *p, size_t n);

#endif
