/*
 * text - byte strings as text: hex, base64, base32 ids, and escaping.
 *
 * Encoders write into caller-provided space and always NUL-terminate;
 * decoders are strict (canonical padding, no spaces) because their input is
 * signed or hashed: one byte string per meaning.
 *
 * Fuzzed: text
 */
#ifndef OPS_TEXT_H
#define OPS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ops_buf;

#define OPS_ID_LEN 10      /* bytes of a stream or session id (80 bits) */
#define OPS_ID_TEXT_LEN 16 /* base32 characters of an id */

/* out has 2 * n + 1 bytes. */
void ops_hex(const uint8_t *p, size_t n, char *out);
/* Decode exactly 2 * n lower- or upper-case digits.  0 or -1. */
int ops_unhex(const char *s, size_t s_len, uint8_t *out, size_t n);

/* Bytes needed for the base64 text of n bytes, with padding and NUL. */
#define OPS_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)
void ops_base64(const uint8_t *p, size_t n, char *out);
/* Decode canonical padded base64 of s_len characters.  Returns the number of
 * bytes, at most cap, or -1. */
ssize_t ops_unbase64(const char *s, size_t s_len, uint8_t *out, size_t cap);

/* The n bytes at p are a uid or gid in decimal, of ten digits at most.  UINT32_MAX is
 * none: (uid_t)-1 says "no change" to the kernel. */
bool ops_uid_parse(const char *p, size_t n, uint32_t *ret);

/* Lower-case base32 (RFC 4648 alphabet a-z2-7) without padding. */
void ops_id_text(
    const uint8_t id[static OPS_ID_LEN], char out[static OPS_ID_TEXT_LEN + 1]);
/* Exactly OPS_ID_TEXT_LEN characters.  0 or -1. */
int ops_id_parse(const char *s, uint8_t id[static OPS_ID_LEN]);

/*
 * Append bytes[0..n) so that they can be printed on any terminal and read back:
 * C0, DEL, C1 (also as UTF-8), bidi controls, U+2028, U+2029, what can't be seen and
 * invalid UTF-8 as \xHH, a byte at a time (\n \t \r \\ by name); everything else
 * as it is.  Promise P8 of doc/design depends on this.
 */
void ops_escape(struct ops_buf *out, const void *bytes, size_t n);

/* Length of the valid UTF-8 sequence at p (1..4), 0 if none starts here and
 * none can, -1 if the n bytes are a proper prefix of one.  Overlong forms,
 * surrogates and values over U+10FFFF are invalid. */
int ops_utf8_len(const uint8_t *p, size_t n);
/* Is all of it valid UTF-8? */
bool ops_utf8_valid(const uint8_t *p, size_t n);
/* The code point of the valid sequence of len bytes at p. */
uint32_t ops_utf8_value(const uint8_t *p, size_t len);
/* Length of the character at p if it can be shown on a terminal as it is: valid
 * UTF-8 that neither steers it nor reorders what it shows (a backslash is fine).
 * Else 0. */
size_t ops_text_safe_len(const uint8_t *p, size_t n);
/* The same, and it can be seen: for names, where nothing may hide. */
size_t ops_text_visible_len(const uint8_t *p, size_t n);

/* How many characters must be changed, put in or left out to make a from b, as
 * "did you mean" needs it.  Words over 63 bytes are far from everything:
 * SIZE_MAX. */
size_t ops_edit_distance(
    const char *a, size_t a_len, const char *b, size_t b_len);

#endif
