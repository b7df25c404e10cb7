/* Covers: crypto, crc32c */
#include "check.h"

#include <pthread.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/crypto.h"
#include "base/text.h"

static void
from_hex(const char *hex, uint8_t *out, size_t n)
{
	assert_int_equal(ops_unhex(hex, strlen(hex), out, n), 0);
}

/* FIPS 180-2, appendix B */
static const struct {
	const char *msg, *hash;
} hashes[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
	      "5" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001"
		 "5ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c"
	    "1" },
};

static void
test_sha256(void **state)
{
	struct ops_sha256 *h = ops_sha256_new();
	uint8_t want[OPS_HASH_LEN], got[OPS_HASH_LEN];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(hashes); i++) {
		const char *msg = hashes[i].msg;
		size_t n = strlen(msg);

		from_hex(hashes[i].hash, want, sizeof(want));
		ops_sha256(msg, n, got);
		CHECK(memcmp(got, want, sizeof(got)) == 0, msg, "one-shot");
		for (size_t cut = 0; cut <= n; cut++) {
			struct ops_part parts[3] = { { msg, cut }, { NULL, 0 },
				{ msg + cut, n - cut } };

			ops_sha256_parts(parts, 3, got);
			CHECK(
			    memcmp(got, want, sizeof(got)) == 0, msg, "parts");
			ops_sha256_init(h);
			ops_sha256_update(h, msg, cut);
			/* One that is under way isn't disturbed. */
			ops_sha256("x", 1, got);
			ops_sha256_update(h, msg + cut, n - cut);
			ops_sha256_final(h, got);
			CHECK(
			    memcmp(got, want, sizeof(got)) == 0, msg, "steps");
		}
	}
	ops_sha256_free(h);
	ops_sha256_free(NULL);
}

/* Ready for use right after new, without init. */
static void
test_sha256_new(void **state)
{
	struct ops_sha256 *h = ops_sha256_new();
	uint8_t want[OPS_HASH_LEN], got[OPS_HASH_LEN];

	(void)state;
	ops_sha256_update(h, "abc", 3);
	ops_sha256_final(h, got);
	from_hex(hashes[1].hash, want, sizeof(want));
	assert_memory_equal(got, want, sizeof(want));
	ops_sha256_free(h);
}

static void *
hash_many(void *arg)
{
	struct ops_hmac_key *k = ops_hmac_key_new((const uint8_t *)"k", 1);
	uint8_t h[OPS_HASH_LEN] = { 0 };

	for (int i = 0; i < 500; i++) {
		ops_sha256(h, sizeof(h), h);
		ops_hmac_key_mac(k, h, sizeof(h), h);
	}
	ops_hmac_key_free(k);
	memcpy(arg, h, sizeof(h));
	return NULL;
}

/* Contexts are a thread's own and freed at its end (LSan watches). */
static void
test_threads(void **state)
{
	uint8_t want[OPS_HASH_LEN], got[4][OPS_HASH_LEN];
	pthread_t t[4];

	(void)state;
	hash_many(want);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, hash_many, got[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_memory_equal(got[i], want, sizeof(want));
	}
}

/* RFC 4231, test cases 1 to 4 */
static void
test_hmac(void **state)
{
	static const struct {
		const char *key, *msg, *mac;
	} rows[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		    "4869205468657265",
		    "b0344c61d8db38535ca8afceaf0bf12b"
		    "881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665",
		    "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		    "5bdcc146bf60754e6a042426089575c7"
		    "5a003f089d2739839dec58b964ec3843" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "dddddddddddddddddddddddddddddddddddddddddddddddddd"
		    "dddddddddddddddddddddddddddddddddddddddddddddddddd",
		    "773ea91e36800e46854db8ebd09181a7"
		    "2959098b3ef8c122d9635514ced565fe" },
		{ "0102030405060708090a0b0c0d0e0f10111213141516171819",
		    "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
		    "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
		    "82558a389a443c0ea4cc819899f2083a"
		    "85f0faa3e578f8077a2e3ff46729665b" },
	};

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		uint8_t key[64], msg[64], want[OPS_HASH_LEN], got[OPS_HASH_LEN];
		size_t key_len = strlen(rows[i].key) / 2;
		size_t n = strlen(rows[i].msg) / 2;
		struct ops_hmac_key *k;

		from_hex(rows[i].key, key, key_len);
		from_hex(rows[i].msg, msg, n);
		from_hex(rows[i].mac, want, sizeof(want));
		ops_hmac_sha256(key, key_len, msg, n, got);
		assert_memory_equal(got, want, sizeof(want));
		k = ops_hmac_key_new(key, key_len);
		for (int again = 0; again < 3; again++) {
			memset(got, 0, sizeof(got));
			ops_hmac_key_mac(k, msg, n, got);
			assert_memory_equal(got, want, sizeof(want));
		}
		ops_hmac_key_free(k);
	}
	ops_hmac_key_free(NULL);
}

/* Prepared and one-shot agree for every key length. */
static void
test_hmac_key_lengths(void **state)
{
	uint8_t key[64], a[OPS_HASH_LEN], b[OPS_HASH_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7 + 1);
	for (size_t n = 0; n <= sizeof(key); n++) {
		struct ops_hmac_key *k = ops_hmac_key_new(key, n);

		ops_hmac_sha256(key, n, key, n, a);
		ops_hmac_key_mac(k, key, n, b);
		assert_memory_equal(a, b, sizeof(a));
		ops_hmac_key_free(k);
	}
}

/* RFC 8032 section 7.1, tests 1 to 3 */
static const struct {
	const char *seed, *pub, *msg, *sig;
} signatures[] = {
	{ "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
	    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
	    "",
	    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100"
	    "b" },
	{ "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
	    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
	    "72",
	    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c0"
	    "0" },
	{ "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
	    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	    "af82",
	    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40"
	    "a" },
};

static void
test_ed25519(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(signatures); i++) {
		uint8_t seed[32], pub[32], msg[2], want[64], sig[64];
		size_t n = strlen(signatures[i].msg) / 2;
		struct ops_signer *s;

		from_hex(signatures[i].seed, seed, sizeof(seed));
		from_hex(signatures[i].pub, pub, sizeof(pub));
		from_hex(signatures[i].msg, msg, n);
		from_hex(signatures[i].sig, want, sizeof(want));
		s = ops_signer_new(seed);
		assert_memory_equal(ops_signer_pub(s), pub, sizeof(pub));
		ops_signer_sign(s, msg, n, sig);
		assert_memory_equal(sig, want, sizeof(want));
		assert_true(ops_verify(pub, msg, n, sig));
		ops_signer_free(s);
	}
	ops_signer_free(NULL);
}

/* No bit of signature, key or message may change. */
static void
test_ed25519_flips(void **state)
{
	uint8_t pub[32], msg[2], sig[64];

	(void)state;
	from_hex(signatures[2].pub, pub, sizeof(pub));
	from_hex(signatures[2].msg, msg, sizeof(msg));
	from_hex(signatures[2].sig, sig, sizeof(sig));
	for (size_t bit = 0; bit < 8 * sizeof(sig); bit++) {
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ops_verify(pub, msg, sizeof(msg), sig));
		sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(pub); bit++) {
		pub[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ops_verify(pub, msg, sizeof(msg), sig));
		pub[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof(msg); bit++) {
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(ops_verify(pub, msg, sizeof(msg), sig));
		msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(ops_verify(pub, msg, 1, sig));
	assert_true(ops_verify(pub, msg, sizeof(msg), sig));
}

/* S + L is the same number modulo the group's order; it must not pass. */
static void
test_ed25519_malleable(void **state)
{
	uint8_t pub[32], msg[1], sig[64], order[32];
	unsigned carry = 0;

	(void)state;
	from_hex(signatures[1].pub, pub, sizeof(pub));
	from_hex(signatures[1].msg, msg, sizeof(msg));
	from_hex(signatures[1].sig, sig, sizeof(sig));
	from_hex("edd3f55c1a631258d69cf7a2def9de14"
		 "00000000000000000000000000000010",
	    order, sizeof(order));
	for (size_t i = 0; i < 32; i++) {
		carry += (unsigned)sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(carry, 0);
	assert_false(ops_verify(pub, msg, sizeof(msg), sig));
}

/* With such keys the signature (R = A or the neutral element, S = 0) is valid
 * for many messages by the bare equation. */
static void
test_ed25519_bad_keys(void **state)
{
	static const char *const keys[] = {
		/* order 1, 2, 4, 8, 8; each with both signs below */
		"01000000000000000000000000000000000000000000000000000000000000"
		"00",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
		"00000000000000000000000000000000000000000000000000000000000000"
		"00",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc"
		"05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03"
		"7a",
		/* p, p + 1, and 2^255 - 1: y not reduced */
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
		"7f",
	};
	uint8_t neutral[64] = { 1 };

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(keys); i++) {
		for (unsigned sign = 0; sign < 2; sign++) {
			uint8_t pub[32], sig[64] = { 0 };

			from_hex(keys[i], pub, sizeof(pub));
			pub[31] |= (uint8_t)(sign << 7);
			memcpy(sig, pub, sizeof(pub));
			for (uint8_t m = 0; m < 16; m++) {
				CHECK(!ops_verify(pub, &m, 1, neutral), keys[i],
				    "neutral R");
				CHECK(!ops_verify(pub, &m, 1, sig), keys[i],
				    "R = A");
			}
		}
	}
}

/* RFC 3720 appendix B.4, and the check value of the Rocksoft catalogue */
static void
test_crc32c(void **state)
{
	static const uint8_t pdu[48] = { 0x01, 0xc0, [16] = 0x14, [22] = 0x04,
		[27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02 };
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
	const struct {
		const uint8_t *p;
		size_t n;
		uint32_t crc;
	} rows[] = {
		{ zeros, 32, 0x8a9136aa },
		{ ones, 32, 0x62a8ab43 },
		{ up, 32, 0x46dd794e },
		{ down, 32, 0x113fdb5c },
		{ pdu, 48, 0xd9963a56 },
		{ (const uint8_t *)"123456789", 9, 0xe3069283 },
		{ zeros, 0, 0 },
	};

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (uint8_t i = 0; i < 32; i++) {
		up[i] = i;
		down[i] = 31 - i;
	}
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		assert_int_equal(
		    ops_crc32c(0, rows[i].p, rows[i].n), rows[i].crc);
		assert_int_equal(
		    ops_crc32c_table(0, rows[i].p, rows[i].n), rows[i].crc);
	}
}

/* Any length, any alignment, any split: both forms give the same. */
static void
test_crc32c_splits(void **state)
{
	uint8_t data[200];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 151 + 17);
	for (size_t at = 0; at < 9; at++) {
		for (size_t n = 0; n + at <= 100; n++) {
			uint32_t want = ops_crc32c_table(0, data + at, n);

			assert_int_equal(ops_crc32c(0, data + at, n), want);
			for (size_t cut = 0; cut <= n; cut += 5) {
				uint32_t a = ops_crc32c(0, data + at, cut);
				uint32_t b = ops_crc32c_table(
				    a, data + at + cut, n - cut);

				assert_int_equal(b, want);
				assert_int_equal(
				    ops_crc32c(a, data + at + cut, n - cut),
				    want);
			}
		}
	}
}

static void
test_random(void **state)
{
	uint8_t a[1000] = { 0 }, b[1000] = { 0 };
	unsigned zeros = 0;

	(void)state;
	ops_random(a, sizeof(a));
	ops_random(b, sizeof(b));
	ops_random(NULL, 0);
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_sha256_new),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_hmac_key_lengths),
		cmocka_unit_test(test_ed25519),
		cmocka_unit_test(test_ed25519_flips),
		cmocka_unit_test(test_ed25519_malleable),
		cmocka_unit_test(test_ed25519_bad_keys),
		cmocka_unit_test(test_crc32c),
		cmocka_unit_test(test_crc32c_splits),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
