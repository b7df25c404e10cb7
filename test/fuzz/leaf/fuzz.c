/*
 * leaf - any bytes as one leaf and as a leaves file: what is taken is exactly
 * what the encoder writes, and a signed message holds all but the signature.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
as_leaf(const uint8_t *p, size_t n)
{
	struct ops_buf msg = { .max = 2048 };
	uint8_t root[OPS_HASH_LEN] = { 0 }, again[LEAF_MAX];
	struct ops_err err = { 0 };
	struct leaf l;
	bool is_signed;

	if (leaf_decode(p, n, &l, &err) < 0) {
		must(err.code == OPS_EFORMAT || err.code == OPS_ENEWER);
		return;
	}
	must(leaf_encode(&l, again, NULL) == (long)n);
	must(memcmp(again, p, n) == 0);
	is_signed = l.type == LEAF_BOOT || l.type == LEAF_SEAL;
	must((leaf_signed_message(&l, "o", 1, root, &msg, NULL) == 0) ==
	     is_signed);
	if (is_signed)
		must(msg.len == 15 + 2 + 8 + 32 + n - (1 + 2 + OPS_SIG_LEN));
	ops_buf_free(&msg);
}

static void
as_file(const uint8_t *p, size_t n)
{
	struct ops_buf b = { .max = LEAF_FILE_HEADER + LEAF_MAX };
	const uint8_t *leaf;
	size_t len;
	long used;

	while ((used = leaf_file_next(p, n, &leaf, &len, NULL)) > 0) {
		must((size_t)used == LEAF_FILE_HEADER + len);
		must(leaf == p + LEAF_FILE_HEADER && (size_t)used <= n);
		ops_buf_reset(&b);
		leaf_file_put(&b, leaf, len);
		must(b.len == (size_t)used && memcmp(b.data, p, b.len) == 0);
		as_leaf(leaf, len);
		p += used;
		n -= (size_t)used;
	}
	ops_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_leaf(data, size);
	as_file(data, size);
	return 0;
}
