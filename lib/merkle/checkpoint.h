/*
 * checkpoint - C2SP tlog-checkpoint bodies, and their one-line anchor form.
 *
 *	<origin>\n<size decimal>\n<base64 root>\n[extension lines, ignored]
 *
 * The anchor line carries the same and the log's signature, so that a line in
 * a journal proves itself:
 *
 *	opseal-anchor <origin> <size> <base64 root> <base64(keyid || signature)>
 *
 * Fuzzed: checkpoint
 */
#ifndef OPS_CHECKPOINT_H
#define OPS_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "note.h"

#define CHECKPOINT_ANCHOR_MAX 512

struct checkpoint {
	char origin[NOTE_NAME_MAX + 1];
	uint64_t size;
	uint8_t root[OPS_HASH_LEN];
};

/* Append the body of c to out. */
void checkpoint_put(const struct checkpoint *c, struct ops_buf *out);
/* Parse a body (a note's text).  The origin must be a valid key name; size
 * without leading zeros; size 0 must have the empty root; extension lines must
 * not be empty. */
int checkpoint_parse(
    const char *p, size_t n, struct checkpoint *ret, struct ops_err *err);

/* Body and signature: the whole signed note.  k->name must equal origin. */
int checkpoint_sign(const struct checkpoint *c, const struct note_key *k,
    const struct ops_signer *signer, struct ops_buf *out, struct ops_err *err);
/* Parse a signed note and check k's signature (OPS_ETAMPER: it is missing or
 * wrong) and that origin == k->name. */
int checkpoint_open(const char *p, size_t n, const struct note_key *k,
    struct checkpoint *ret, struct ops_err *err);

/* The anchor line of the signed note p[0..n) by k, without newline.  The note is checked
 * first.  One with extension lines has no such form and is refused. */
int checkpoint_anchor_put(const char *p, size_t n, const struct note_key *k,
    struct ops_buf *out, struct ops_err *err);
/* Find and parse an anchor line inside the line p[0..n): at its start or after
 * a space (syslog puts words before it), up to its end (a final \n is fine).
 * 1: *ret and its 64-byte signature and key id.  0: there is none.  -1: it
 * begins like one but is malformed. */
struct checkpoint_anchor {
	struct checkpoint cp;
	uint8_t key_id[4];
	uint8_t sig[OPS_SIG_LEN];
};
int checkpoint_anchor_parse(const char *p, size_t n,
    struct checkpoint_anchor *ret, struct ops_err *err);
/* Is the anchor signed by k (origin, id and signature)? */
bool checkpoint_anchor_check(
    const struct checkpoint_anchor *a, const struct note_key *k);

#endif
