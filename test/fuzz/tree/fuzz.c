/* tree - a made proof holds; the same with any byte, length, place, leaf or
 * root changed doesn't; a proof of random bytes never does. */
#include "../fuzz.h"

#include <stdbool.h>

#include "merkle/tree.h"

#define LEAVES 200

struct proof {
	uint8_t hash[TREE_PROOF_MAX + 1][OPS_HASH_LEN];
	size_t n;
};

static uint8_t leaves[LEAVES][OPS_HASH_LEN];

static void
make_leaves(void)
{
	for (uint32_t i = 0; i < LEAVES; i++)
		ops_sha256(&i, sizeof(i), leaves[i]);
}

/* Change the proof as the input says.  False: it is as it was. */
static bool
mutate(struct proof *p, struct fuzz_in *in)
{
	uint8_t how = fuzz_byte(in), at = fuzz_byte(in), with = fuzz_byte(in);
	size_t i = p->n > 0 ? at % p->n : 0;

	switch (how % 4) {
	case 0: /* other byte */
		if (p->n == 0 || with == 0)
			return false;
		p->hash[i][how / 4 % OPS_HASH_LEN] ^= with;
		return true;
	case 1: /* one hash less */
		if (p->n == 0)
			return false;
		memmove(
		    p->hash[i], p->hash[i + 1], (p->n - i - 1) * OPS_HASH_LEN);
		p->n--;
		return true;
	case 2: /* one hash more */
		memmove(p->hash[i + 1], p->hash[i], (p->n - i) * OPS_HASH_LEN);
		fuzz_take(in, p->hash[i], OPS_HASH_LEN);
		p->n++;
		return true;
	default:
		return false;
	}
}

static void
check_inclusion(struct fuzz_in in)
{
	uint64_t size = 1 + fuzz_byte(&in) % LEAVES;
	uint64_t index = fuzz_byte(&in) % size, other;
	uint8_t root[OPS_HASH_LEN];
	struct proof p = { 0 };

	tree_root_of(leaves[0], size, root);
	p.n = tree_prove_inclusion(leaves[0], size, index, p.hash[0]);
	REQUIRE(tree_check_inclusion(
	    index, size, leaves[index], p.hash[0], p.n, root));
	other = fuzz_byte(&in);
	if (other != index)
		REQUIRE(!tree_check_inclusion(
		    other, size, leaves[index], p.hash[0], p.n, root));
	if (mutate(&p, &in))
		REQUIRE(!tree_check_inclusion(
		    index, size, leaves[index], p.hash[0], p.n, root));
	else {
		root[fuzz_byte(&in) % OPS_HASH_LEN] ^= 1;
		REQUIRE(!tree_check_inclusion(
		    index, size, leaves[index], p.hash[0], p.n, root));
	}
}

static void
check_consistency(struct fuzz_in in)
{
	uint64_t size = 1 + fuzz_byte(&in) % LEAVES;
	uint64_t old = 1 + fuzz_byte(&in) % size;
	uint8_t old_root[OPS_HASH_LEN], root[OPS_HASH_LEN], *changed;
	struct proof p = { 0 };

	tree_root_of(leaves[0], old, old_root);
	tree_root_of(leaves[0], size, root);
	p.n = tree_prove_consistency(leaves[0], size, old, p.hash[0]);
	REQUIRE(
	    tree_check_consistency(old, size, old_root, root, p.hash[0], p.n));
	if (mutate(&p, &in)) {
		REQUIRE(!tree_check_consistency(
		    old, size, old_root, root, p.hash[0], p.n));
		return;
	}
	changed = (fuzz_byte(&in) & 1) != 0 ? old_root : root;
	changed[fuzz_byte(&in) % OPS_HASH_LEN] ^= 1;
	REQUIRE(
	    !tree_check_consistency(old, size, old_root, root, p.hash[0], p.n));
}

/* Any numbers, any hashes: only what says nothing at all may hold. */
static void
check_random(struct fuzz_in in)
{
	uint8_t h[OPS_HASH_LEN], root[OPS_HASH_LEN];
	uint64_t index, size;

	fuzz_take(&in, &index, sizeof(index));
	fuzz_take(&in, &size, sizeof(size));
	fuzz_take(&in, h, sizeof(h));
	ops_sha256(h, sizeof(h), root);
	REQUIRE(!tree_check_inclusion(
	    index, size, h, in.p, in.n / OPS_HASH_LEN, root));
	REQUIRE(!tree_check_consistency(
	    index, size, h, root, in.p, in.n / OPS_HASH_LEN));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;

	if (!made) {
		make_leaves();
		made = true;
	}
	check_inclusion((struct fuzz_in){ data, size });
	check_consistency((struct fuzz_in){ data, size });
	check_random((struct fuzz_in){ data, size });
	return 0;
}
