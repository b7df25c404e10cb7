/*
 * tree - the RFC 6962 Merkle tree: append, root, inclusion, consistency.
 *
 *	MTH({})    = SHA-256("")
 *	leaf hash  = SHA-256(0x00 || leaf)
 *	node       = SHA-256(0x01 || left || right)
 *
 * Appending keeps a compact range: one hash a set bit of the size, largest
 * subtree first.  Proofs are made from a source of leaf hashes and checked
 * from nothing but the proof (RFC 9162 sections 2.1.3 and 2.1.4).  Pure.
 *
 * Fuzzed: tree
 */
#ifndef OPS_TREE_H
#define OPS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/crypto.h"
#include "base/err.h"

#define TREE_PROOF_MAX 64 /* hashes in any proof */

/* An append-only tree's frontier; plain data, copy freely. */
struct tree {
	uint64_t size;
	uint8_t node[64]
		    [OPS_HASH_LEN]; /* popcount(size) of them, large to small */
};

void tree_init(struct tree *t);
void tree_append(struct tree *t, const uint8_t leaf_hash[static OPS_HASH_LEN]);
void tree_root(const struct tree *t, uint8_t root[static OPS_HASH_LEN]);
void tree_node(const uint8_t *left, const uint8_t *right,
    uint8_t out[static OPS_HASH_LEN]);

/* MTH over n leaf hashes lying one after another (n * OPS_HASH_LEN bytes). */
void tree_root_of(
    const uint8_t *hashes, uint64_t n, uint8_t root[static OPS_HASH_LEN]);

/* Check that leaf_hash stands at index in the tree (size, root). */
bool tree_check_inclusion(uint64_t index, uint64_t size,
    const uint8_t leaf_hash[static OPS_HASH_LEN], const uint8_t *proof,
    size_t proof_hashes, const uint8_t root[static OPS_HASH_LEN]);
/* Check that (old_size, old_root) is a prefix of (size, root). */
bool tree_check_consistency(uint64_t old_size, uint64_t size,
    const uint8_t old_root[static OPS_HASH_LEN],
    const uint8_t root[static OPS_HASH_LEN], const uint8_t *proof,
    size_t proof_hashes);

/* Make proofs from all leaf hashes (n of them).  proof has room for
 * TREE_PROOF_MAX hashes; returns how many.  index < n; old_size <= n. */
size_t tree_prove_inclusion(
    const uint8_t *hashes, uint64_t n, uint64_t index, uint8_t *proof);
size_t tree_prove_consistency(
    const uint8_t *hashes, uint64_t n, uint64_t old_size, uint8_t *proof);

#endif
