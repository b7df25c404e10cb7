#include "tree.h"

#include <assert.h>
#include <string.h>

void
tree_init(struct tree *t)
{
	memset(t, 0, sizeof(*t));
}

void
tree_node(
    const uint8_t *left, const uint8_t *right, uint8_t out[static OPS_HASH_LEN])
{
	uint8_t in[1 + 2 * OPS_HASH_LEN];

	in[0] = 0x01;
	memcpy(in + 1, left, OPS_HASH_LEN);
	memcpy(in + 1 + OPS_HASH_LEN, right, OPS_HASH_LEN);
	ops_sha256(in, sizeof(in), out);
}

void
tree_append(struct tree *t, const uint8_t leaf_hash[static OPS_HASH_LEN])
{
	unsigned top = (unsigned)__builtin_popcountll(t->size);
	uint8_t h[OPS_HASH_LEN];

	assert(t->size < UINT64_MAX);
	memcpy(h, leaf_hash, sizeof(h));
	/* Each low bit that carries is a pair of equal subtrees that join. */
	for (uint64_t n = t->size; (n & 1) != 0; n >>= 1)
		tree_node(t->node[--top], h, h);
	memcpy(t->node[top], h, sizeof(h));
	t->size++;
}

void
tree_root(const struct tree *t, uint8_t root[static OPS_HASH_LEN])
{
	unsigned n = (unsigned)__builtin_popcountll(t->size);
	uint8_t h[OPS_HASH_LEN];

	if (n == 0) {
		ops_sha256(NULL, 0, root);
		return;
	}
	memcpy(h, t->node[--n], sizeof(h));
	while (n > 0)
		tree_node(t->node[--n], h, h);
	memcpy(root, h, sizeof(h));
}

void
tree_root_of(
    const uint8_t *hashes, uint64_t n, uint8_t root[static OPS_HASH_LEN])
{
	struct tree t;

	t.size = 0;
	for (uint64_t i = 0; i < n; i++)
		tree_append(&t, hashes + i * OPS_HASH_LEN);
	tree_root(&t, root);
}

/*
 * A walk from one node up to the root of a tree, as in RFC 9162 2.1.3.2: at is
 * the node's place on its level, last that of the level's last node.
 */
struct walk {
	uint64_t at, last;
};

enum side { NEXT_IS_LEFT, NEXT_IS_RIGHT, NO_NEXT };

/* Which side the next hash of the proof stands on; one level up.  A node
 * without a right neighbour rises until it has a left one. */
static enum side
walk_up(struct walk *w)
{
	enum side side = NEXT_IS_RIGHT;

	if (w->last == 0)
		return NO_NEXT;
	if ((w->at & 1) != 0 || w->at == w->last) {
		side = NEXT_IS_LEFT;
		while ((w->at & 1) == 0 && w->at != 0) {
			w->at >>= 1;
			w->last >>= 1;
		}
	}
	w->at >>= 1;
	w->last >>= 1;
	return side;
}

bool
tree_check_inclusion(uint64_t index, uint64_t size,
    const uint8_t leaf_hash[static OPS_HASH_LEN], const uint8_t *proof,
    size_t proof_hashes, const uint8_t root[static OPS_HASH_LEN])
{
	struct walk w = { index, size - 1 };
	uint8_t h[OPS_HASH_LEN];

	if (index >= size || proof_hashes > TREE_PROOF_MAX)
		return false;
	memcpy(h, leaf_hash, sizeof(h));
	for (size_t i = 0; i < proof_hashes; i++, proof += OPS_HASH_LEN) {
		switch (walk_up(&w)) {
		case NEXT_IS_LEFT:
			tree_node(proof, h, h);
			break;
		case NEXT_IS_RIGHT:
			tree_node(h, proof, h);
			break;
		case NO_NEXT:
			return false;
		}
	}
	return w.last == 0 && memcmp(h, root, sizeof(h)) == 0;
}

/* Fold the proof from hash first on into the old and the new root. */
static bool
check_fold(struct walk w, const uint8_t *first, const uint8_t *proof, size_t n,
    const uint8_t *old_root, const uint8_t *root)
{
	uint8_t old_h[OPS_HASH_LEN], new_h[OPS_HASH_LEN];

	memcpy(old_h, first, sizeof(old_h));
	memcpy(new_h, first, sizeof(new_h));
	for (size_t i = 0; i < n; i++, proof += OPS_HASH_LEN) {
		switch (walk_up(&w)) {
		case NEXT_IS_LEFT:
			tree_node(proof, old_h, old_h);
			tree_node(proof, new_h, new_h);
			break;
		case NEXT_IS_RIGHT: /* not yet there when the tree was old */
			tree_node(new_h, proof, new_h);
			break;
		case NO_NEXT:
			return false;
		}
	}
	return w.last == 0 && memcmp(old_h, old_root, sizeof(old_h)) == 0 &&
	       memcmp(new_h, root, sizeof(new_h)) == 0;
}

static bool
is_empty_root(const uint8_t *root)
{
	uint8_t empty[OPS_HASH_LEN];

	ops_sha256(NULL, 0, empty);
	return memcmp(root, empty, sizeof(empty)) == 0;
}

bool
tree_check_consistency(uint64_t old_size, uint64_t size,
    const uint8_t old_root[static OPS_HASH_LEN],
    const uint8_t root[static OPS_HASH_LEN], const uint8_t *proof,
    size_t proof_hashes)
{
	struct walk w = { old_size - 1, size - 1 };

	if (old_size > size || proof_hashes > TREE_PROOF_MAX)
		return false;
	if ((old_size == 0 && !is_empty_root(old_root)) ||
	    (size == 0 && !is_empty_root(root)))
		return false;
	if (old_size == size)
		return proof_hashes == 0 &&
		       memcmp(old_root, root, OPS_HASH_LEN) == 0;
	if (old_size == 0)
		return proof_hashes == 0;
	if (proof_hashes == 0)
		return false;

	while ((w.at & 1) != 0) {
		w.at >>= 1;
		w.last >>= 1;
	}
	/* An old tree that is one full subtree is its own starting point. */
	if ((old_size & (old_size - 1)) == 0)
		return check_fold(
		    w, old_root, proof, proof_hashes, old_root, root);
	return check_fold(
	    w, proof, proof + OPS_HASH_LEN, proof_hashes - 1, old_root, root);
}

/* The largest power of two below n; n > 1. */
static uint64_t
split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* Makers walk down from the root; proofs are read upwards. */
static void
reverse(uint8_t *proof, size_t n)
{
	uint8_t h[OPS_HASH_LEN];

	for (size_t i = 0; i < n / 2; i++) {
		uint8_t *a = proof + i * OPS_HASH_LEN;
		uint8_t *b = proof + (n - 1 - i) * OPS_HASH_LEN;

		memcpy(h, a, sizeof(h));
		memcpy(a, b, sizeof(h));
		memcpy(b, h, sizeof(h));
	}
}

static void
add_root(uint8_t *proof, size_t *count, const uint8_t *hashes, uint64_t n)
{
	assert(*count < TREE_PROOF_MAX);
	tree_root_of(hashes, n, proof + *count * OPS_HASH_LEN);
	(*count)++;
}

size_t
tree_prove_inclusion(
    const uint8_t *hashes, uint64_t n, uint64_t index, uint8_t *proof)
{
	size_t count = 0;

	assert(index < n);
	while (n > 1) {
		uint64_t k = split(n);
		const uint8_t *right = hashes + k * OPS_HASH_LEN;

		if (index < k) {
			add_root(proof, &count, right, n - k);
			n = k;
		} else {
			add_root(proof, &count, hashes, k);
			hashes = right;
			index -= k;
			n -= k;
		}
	}
	reverse(proof, count);
	return count;
}

size_t
tree_prove_consistency(
    const uint8_t *hashes, uint64_t n, uint64_t old_size, uint8_t *proof)
{
	bool known = true; /* this subtree is the old tree itself */
	size_t count = 0;

	assert(old_size <= n);
	if (old_size == 0)
		return 0;
	while (old_size != n) {
		uint64_t k = split(n);
		const uint8_t *right = hashes + k * OPS_HASH_LEN;

		if (old_size <= k) {
			add_root(proof, &count, right, n - k);
			n = k;
		} else {
			add_root(proof, &count, hashes, k);
			hashes = right;
			old_size -= k;
			n -= k;
			known = false;
		}
	}
	if (!known)
		add_root(proof, &count, hashes, n);
	reverse(proof, count);
	return count;
}
