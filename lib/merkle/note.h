/*
 * note - C2SP signed notes (c2sp.org/signed-note) and verifier keys.
 *
 *	<text, ends in \n> \n
 *	— <key name> <base64(keyid[4] || signature)>\n		one or more
 *
 * keyid = first 4 bytes of SHA-256(name || 0x0A || type || public key).
 * Only type 0x01 (Ed25519) is made and checked here; 0x04 (cosignature/v1) is
 * checked; other types are kept as unknown signatures.
 *
 * Fuzzed: note
 */
#ifndef OPS_NOTE_H
#define OPS_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"

#define NOTE_MAX 65536
#define NOTE_NAME_MAX 128
#define NOTE_SIGS_MAX 64
#define NOTE_SIG_MAX 4096 /* bytes of one decoded signature; 0x06 has 2420 */

enum note_key_type { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 };

struct note_key {
	char name[NOTE_NAME_MAX + 1];
	uint8_t type;
	uint8_t pub[OPS_PUB_LEN];
	uint8_t id[4];
};

/* Is it a valid key name: 1..NOTE_NAME_MAX bytes of UTF-8, no Unicode space, no
 * control character, no '+'? */
bool note_name_valid(const char *name, size_t n);
/* Is it a valid text: UTF-8, no ASCII control character but \n, \n at its end? */
bool note_text_valid(const char *p, size_t n);

/* Fill in a key.  Fails if the name isn't valid or the type not one of ours. */
int note_key_init(struct note_key *k, const char *name, uint8_t type,
    const uint8_t pub[static OPS_PUB_LEN], struct ops_err *err);
/* "name+hex8(keyid)+base64(type || pub)"; appended to out. */
void note_vkey_put(const struct note_key *k, struct ops_buf *out);
/* Parse that text; id and key must agree, digits must be lower-case. */
int note_vkey_parse(
    const char *s, size_t n, struct note_key *ret, struct ops_err *err);

struct note_sig {
	const char *name; /* borrowed from the note */
	size_t name_len;
	uint8_t id[4];
	uint8_t sig[NOTE_SIG_MAX];
	size_t sig_len;
};
struct note {
	const char *text; /* borrowed; with its final newline */
	size_t text_len;
	size_t sigs;
	struct note_sig *sig; /* owned; note_free() */
};

/* Parse; strict: valid UTF-8, no control characters but \n, canonical base64,
 * 1..NOTE_SIGS_MAX signatures, nothing after them. */
int note_parse(const char *p, size_t n, struct note *ret, struct ops_err *err);
void note_free(struct note *n);

/* Does the signature line name k (by name and id)?  Says nothing about whether
 * it is good. */
bool note_sig_names(const struct note_sig *s, const struct note_key *k);

/* 1: at least one signature by k, and all with k's name and id are good.
 * 0: none by k.  -1: a signature with k's name and id is bad (OPS_ETAMPER).
 * For a cosignature key *time is its (latest) time stamp in seconds since the
 * epoch; NULL: not wanted. */
int note_check(const struct note *n, const struct note_key *k, uint64_t *time,
    struct ops_err *err);

/* Append text (must be valid), a blank line and k's signature line.  k must be
 * of type NOTE_ED25519 and signer's own. */
int note_sign(const char *text, size_t text_len, const struct note_key *k,
    const struct ops_signer *signer, struct ops_buf *out, struct ops_err *err);

#endif
