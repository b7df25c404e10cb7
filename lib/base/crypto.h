/*
 * crypto - the few primitives opseal needs, over OpenSSL's libcrypto.
 *
 * Algorithms are fetched once per process (the one-shot calls of OpenSSL 3
 * look them up each time and are slow).  Everything here is thread-safe
 * except that one struct ops_sha256 belongs to one thread at a time.
 *
 * A failing primitive (no memory, a broken provider) ends the process: there
 * is no sensible way on, and no caller would get its error path right.
 */
#ifndef OPS_CRYPTO_H
#define OPS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPS_HASH_LEN 32
#define OPS_SEED_LEN 32 /* Ed25519 private seed, RFC 8032 */
#define OPS_PUB_LEN 32
#define OPS_SIG_LEN 64

struct ops_sha256; /* an incremental SHA-256 */

struct ops_sha256 *ops_sha256_new(void);
void ops_sha256_free(struct ops_sha256 *h); /* NULL is fine */
void ops_sha256_init(struct ops_sha256 *h);
void ops_sha256_update(struct ops_sha256 *h, const void *p, size_t n);
void ops_sha256_final(struct ops_sha256 *h, uint8_t out[static OPS_HASH_LEN]);

/* One byte string. */
void ops_sha256(const void *p, size_t n, uint8_t out[static OPS_HASH_LEN]);

/* Several byte strings, as if concatenated.  n_parts <= 8. */
struct ops_part {
	const void *p;
	size_t n;
};
void ops_sha256_parts(const struct ops_part *parts, size_t n_parts,
    uint8_t out[static OPS_HASH_LEN]);

/* HMAC-SHA-256, RFC 2104.  key_len <= 64. */
void ops_hmac_sha256(const uint8_t *key, size_t key_len, const void *msg,
    size_t n, uint8_t out[static OPS_HASH_LEN]);

/*
 * A prepared HMAC key: the two padded key blocks are hashed once, which
 * halves the cost where many short messages share one key (record salts).
 */
struct ops_hmac_key;
struct ops_hmac_key *ops_hmac_key_new(const uint8_t *key, size_t key_len);
void ops_hmac_key_free(struct ops_hmac_key *k);
void ops_hmac_key_mac(struct ops_hmac_key *k, const void *msg, size_t n,
    uint8_t out[static OPS_HASH_LEN]);

/* Ed25519, RFC 8032.  A signing key is held prepared; the seed is wiped. */
struct ops_signer;
struct ops_signer *ops_signer_new(const uint8_t seed[static OPS_SEED_LEN]);
void ops_signer_free(struct ops_signer *s);
const uint8_t *ops_signer_pub(
    const struct ops_signer *s); /* OPS_PUB_LEN, owned by s */
void ops_signer_sign(const struct ops_signer *s, const void *msg, size_t n,
    uint8_t sig[static OPS_SIG_LEN]);

/* Is sig a valid Ed25519 signature of msg by pub?  Refuses small-order and
 * non-canonical public keys and a non-canonical S, so that two verifiers
 * agree on what is valid. */
bool ops_verify(const uint8_t pub[static OPS_PUB_LEN], const void *msg,
    size_t n, const uint8_t sig[static OPS_SIG_LEN]);

/* Cryptographically secure random bytes (getrandom(2)). */
void ops_random(void *p, size_t n);

/* CRC32C (Castagnoli), as in RFC 3720 appendix B.4; start with crc = 0. */
uint32_t ops_crc32c(uint32_t crc, const void *p, size_t n);

#endif
