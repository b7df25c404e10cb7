/*
 * sshkey - public keys and certificates of OpenSSH, as far as it takes to say
 * which key it was.
 *
 * The formats are those of RFC 4253 section 6.6, RFC 5656, RFC 8709 and of
 * OpenSSH's PROTOCOL.certkeys and PROTOCOL.u2f.  No signature is checked:
 * sshd has done so before it lets anybody in.
 *
 * Pure; views point into the input.
 *
 * Fuzzed: sshkey
 */
#ifndef OPS_SSHKEY_H
#define OPS_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"
#include "event.h"

#define SSHKEY_MAX 16384 /* bytes of a key; sshd takes certificates of 8 KiB */
#define SSHKEY_FIELDS_MAX 4
#define SSHKEY_PRINCIPALS_MAX 256 /* as sshd has it */

/* Of "SHA256:" and the base64 text of a hash without padding, with the NUL. */
#define SSHKEY_FINGERPRINT_SIZE 51

struct sshkey {
	struct event_text
	    type; /* "ssh-ed25519", and of a certificate its own */
	bool is_cert;
	/* What the key is, without what a certificate adds; see
	 * sshkey_fingerprint().  Absent unless is_cert: then it is all of it. */
	struct event_text plain;  /* its type: "ssh-ed25519" */
	struct event_text fields; /* what comes behind that */
	/* Of a certificate: */
	uint64_t serial;
	struct event_text id;         /* key id; p is never NULL */
	struct event_text principals; /* each a u32 length and its bytes */
	struct event_text ca;         /* the key that signed it */
};

/* Exactly n bytes: a key, or a user's certificate.  Of a kind that isn't known
 * only the type is told, and it counts as a key.  OPS_EFORMAT. */
int sshkey_parse(
    const uint8_t *p, size_t n, struct sshkey *ret, struct ops_err *err);

/* As `ssh-keygen -l` prints it: of a certificate, that of the key in it.  p and
 * n as they were parsed. */
void sshkey_fingerprint(const struct sshkey *k, const uint8_t *p, size_t n,
    char out[static SSHKEY_FINGERPRINT_SIZE]);
void sshkey_hash(
    const void *p, size_t n, char out[static SSHKEY_FINGERPRINT_SIZE]);

/* Principal number i; false: there are no more. */
bool sshkey_principal(const struct sshkey *k, size_t i, struct event_text *ret);

/*
 * What sshd tells PAM in SSH_AUTH_INFO_0: a line for each method that it took,
 * "password" or "publickey ssh-ed25519 AAAA...".
 */
#define SSHAUTH_MAX 65536   /* bytes of it */
#define SSHAUTH_METHODS 256 /* bytes of the methods, commas between */
struct sshauth {
	char methods[SSHAUTH_METHODS + 1]; /* ""; cut at a name's end */
	struct event_text type; /* of the first key; absent: there was none */
	struct event_text key;  /* its base64 text */
};
/* Lines that say nothing are skipped, and so is what stands behind a key.
 * OPS_EFORMAT: too long. */
int sshauth_parse(
    const char *p, size_t n, struct sshauth *ret, struct ops_err *err);

/* The comment of the key with this base64 text in a file as authorized_keys(5)
 * has them, without blanks around it; false: none, or it isn't there. */
#define SSHKEY_FILE_MAX 1048576 /* bytes of such a file */
bool sshkey_comment(
    const char *p, size_t n, struct event_text key, struct event_text *ret);

#endif
