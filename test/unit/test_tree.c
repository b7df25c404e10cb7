#include "check.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/text.h"
#include "merkle/tree.h"

#define LEAVES 300

static uint8_t leaves[LEAVES][OPS_HASH_LEN];

static void
leaf_hash(const void *p, size_t n, uint8_t out[static OPS_HASH_LEN])
{
	struct ops_part parts[] = { { "\0", 1 }, { p, n } };

	ops_sha256_parts(parts, 2, out);
}

/* The leaves of merkle.json: "leaf-0", "leaf-1", ... */
static int
set_up(void **state)
{
	char text[32];

	(void)state;
	for (size_t i = 0; i < LEAVES; i++) {
		int n = snprintf(text, sizeof(text), "leaf-%zu", i);

		leaf_hash(text, (size_t)n, leaves[i]);
	}
	return 0;
}

/* RFC 6962 2.1, word for word: the independent witness of these tests. */
static void
mth(uint8_t (*d)[OPS_HASH_LEN], size_t n, uint8_t out[OPS_HASH_LEN])
{
	uint8_t pair[2][OPS_HASH_LEN];
	struct ops_part parts[] = { { "\1", 1 }, { pair, sizeof(pair) } };
	size_t k = 1;

	if (n == 0) {
		ops_sha256("", 0, out);
		return;
	}
	if (n == 1) {
		memcpy(out, d[0], OPS_HASH_LEN);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	mth(d, k, pair[0]);
	mth(d + k, n - k, pair[1]);
	ops_sha256_parts(parts, 2, out);
}

/*
 * merkle.json is read as a row of tokens: strings and numbers; all else is
 * skipped.  Enough, since the order of its members is known.
 */
struct reader {
	char *text, *p;
};

static void
reader_open(struct reader *r)
{
	FILE *f = fopen(TEST_DATA "/vectors/merkle.json", "re");
	size_t n;

	assert_non_null(f);
	r->text = calloc(1, 65536);
	assert_non_null(r->text);
	n = fread(r->text, 1, 65535, f);
	assert_true(n > 1000 && n < 65535);
	fclose(f);
	r->p = r->text;
}

/* Go to just behind the member called name. */
static void
reader_find(struct reader *r, const char *name)
{
	char quoted[40];

	snprintf(quoted, sizeof(quoted), "\"%s\":", name);
	r->p = strstr(r->p, quoted);
	assert_non_null(r->p);
	r->p += strlen(quoted);
}

/* The next of the characters `of`, which is skipped. */
static char
reader_next(struct reader *r, const char *of)
{
	r->p += strcspn(r->p, of);
	assert_true(*r->p != '\0');
	return *r->p++;
}

static uint64_t
reader_number(struct reader *r, const char *name)
{
	reader_find(r, name);
	return strtoull(r->p, &r->p, 10);
}

static void
reader_hash(struct reader *r, uint8_t out[OPS_HASH_LEN])
{
	assert_int_equal(ops_unhex(r->p, 64, out, OPS_HASH_LEN), 0);
	assert_int_equal(r->p[64], '"');
	r->p += 65;
}

/* An array of hashes. */
static size_t
reader_hashes(struct reader *r, const char *name,
    uint8_t out[TREE_PROOF_MAX][OPS_HASH_LEN])
{
	size_t n = 0;

	reader_find(r, name);
	assert_int_equal(reader_next(r, "["), '[');
	while (reader_next(r, "\"]") == '"')
		reader_hash(r, out[n++]);
	return n;
}

static void
test_vector_roots(void **state)
{
	uint8_t want[OPS_HASH_LEN], got[OPS_HASH_LEN];
	struct reader r;
	struct tree t;
	size_t count = 0;

	(void)state;
	reader_open(&r);
	reader_find(&r, "roots");
	tree_init(&t);
	while (reader_next(&r, "\"}") == '"') {
		assert_int_equal(strtoul(r.p, &r.p, 10), count);
		r.p++;
		reader_next(&r, "\"");
		reader_hash(&r, want);
		tree_root(&t, got);
		assert_memory_equal(got, want, sizeof(want));
		tree_root_of(leaves[0], count, got);
		assert_memory_equal(got, want, sizeof(want));
		tree_append(&t, leaves[count++]);
	}
	assert_int_equal(count, 71);
	free(r.text);
}

static void
test_vector_inclusion(void **state)
{
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN], root[OPS_HASH_LEN];
	uint8_t made[TREE_PROOF_MAX][OPS_HASH_LEN];
	struct reader r;
	size_t count = 0;
	char *end;

	(void)state;
	reader_open(&r);
	reader_find(&r, "inclusion");
	end = strstr(r.p, "\"consistency\":");
	for (char *more;
	     (more = strstr(r.p, "\"index\":")) != NULL && more < end;
	     count++) {
		uint64_t index = reader_number(&r, "index");
		uint64_t size = reader_number(&r, "size");
		size_t n = reader_hashes(&r, "path", proof);

		mth(leaves, size, root);
		assert_true(tree_check_inclusion(
		    index, size, leaves[index], proof[0], n, root));
		assert_int_equal(
		    tree_prove_inclusion(leaves[0], size, index, made[0]), n);
		assert_memory_equal(made, proof, n * OPS_HASH_LEN);
	}
	assert_int_equal(count, 8);
	free(r.text);
}

static void
test_vector_consistency(void **state)
{
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN],
	    made[TREE_PROOF_MAX][OPS_HASH_LEN];
	uint8_t old_root[OPS_HASH_LEN], root[OPS_HASH_LEN];
	struct reader r;
	size_t count = 0;

	(void)state;
	reader_open(&r);
	reader_find(&r, "consistency");
	for (; strstr(r.p, "\"old\":") != NULL; count++) {
		uint64_t old = reader_number(&r, "old");
		uint64_t size = reader_number(&r, "new");
		size_t n = reader_hashes(&r, "proof", proof);

		mth(leaves, old, old_root);
		mth(leaves, size, root);
		assert_true(tree_check_consistency(
		    old, size, old_root, root, proof[0], n));
		assert_int_equal(
		    tree_prove_consistency(leaves[0], size, old, made[0]), n);
		assert_memory_equal(made, proof, n * OPS_HASH_LEN);
	}
	assert_int_equal(count, 8);
	free(r.text);
}

/* The test tree of Certificate Transparency */
static void
test_ct(void **state)
{
	static const char *const hex[] = { "", "00", "10", "2021", "3031",
		"40414243", "5051525354555657",
		"606162636465666768696a6b6c6d6e6f" };
	static const char *const roots[] = {
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa0"
		"1d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c1"
		"25",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e"
		"77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614"
		"b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264"
		"d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087"
		"ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c"
		"8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff46043"
		"28",
	};
	uint8_t leaf[16], h[OPS_HASH_LEN];
	char text[2 * OPS_HASH_LEN + 1];
	struct tree t;

	(void)state;
	tree_init(&t);
	for (size_t i = 0; i < 8; i++) {
		size_t n = strlen(hex[i]) / 2;

		assert_int_equal(ops_unhex(hex[i], 2 * n, leaf, n), 0);
		leaf_hash(leaf, n, h);
		tree_append(&t, h);
		tree_root(&t, h);
		ops_hex(h, sizeof(h), text);
		assert_string_equal(text, roots[i]);
	}
}

static void
test_root_sizes(void **state)
{
	uint8_t want[OPS_HASH_LEN], got[OPS_HASH_LEN];
	struct tree t;

	(void)state;
	tree_init(&t);
	for (size_t n = 0; n < LEAVES; n++) {
		mth(leaves, n, want);
		tree_root(&t, got);
		assert_memory_equal(got, want, sizeof(want));
		tree_root_of(leaves[0], n, got);
		assert_memory_equal(got, want, sizeof(want));
		tree_append(&t, leaves[n]);
	}
}

#define ALL 40

/* Every index and every size: the proof made holds, and for no other place. */
static void
test_inclusion_all(void **state)
{
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN], root[OPS_HASH_LEN];

	(void)state;
	for (size_t size = 1; size <= ALL; size++) {
		mth(leaves, size, root);
		for (size_t i = 0; i < size; i++) {
			size_t n =
			    tree_prove_inclusion(leaves[0], size, i, proof[0]);

			assert_true(tree_check_inclusion(
			    i, size, leaves[i], proof[0], n, root));
			for (size_t k = 0; k <= ALL; k++) {
				if (k != i)
					assert_false(
					    tree_check_inclusion(k, size,
						leaves[i], proof[0], n, root));
				if (k != i && k < size)
					assert_false(
					    tree_check_inclusion(i, size,
						leaves[k], proof[0], n, root));
			}
		}
	}
}

/*
 * The same proof may hold for another size: only the shape of the way up from
 * the leaf is proven.  Where the walk has another shape it must fail.
 */
static void
test_inclusion_wrong_size(void **state)
{
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN], root[OPS_HASH_LEN];
	uint8_t other[TREE_PROOF_MAX][OPS_HASH_LEN];

	(void)state;
	for (size_t size = 1; size <= ALL; size++) {
		mth(leaves, size, root);
		for (size_t i = 0; i < size; i++) {
			size_t n =
			    tree_prove_inclusion(leaves[0], size, i, proof[0]);

			assert_false(tree_check_inclusion(
			    i, 0, leaves[i], proof[0], n, root));
			for (size_t k = i + 1; k <= ALL; k++) {
				size_t m = tree_prove_inclusion(
				    leaves[0], k, i, other[0]);

				if (m != n)
					assert_false(tree_check_inclusion(i, k,
					    leaves[i], proof[0], n, root));
			}
		}
	}
}

static void
check_mutations(uint8_t (*proof)[OPS_HASH_LEN], size_t n, size_t index,
    size_t size, const uint8_t *root)
{
	uint8_t bad[TREE_PROOF_MAX + 1][OPS_HASH_LEN];

	for (size_t i = 0; i < n * OPS_HASH_LEN; i++) {
		proof[i / OPS_HASH_LEN][i % OPS_HASH_LEN] ^= 0x10;
		assert_false(tree_check_inclusion(
		    index, size, leaves[index], proof[0], n, root));
		proof[i / OPS_HASH_LEN][i % OPS_HASH_LEN] ^= 0x10;
	}
	for (size_t i = 0; i < n; i++) { /* without hash i */
		memcpy(bad, proof, i * OPS_HASH_LEN);
		memcpy(bad + i, proof + i + 1, (n - i - 1) * OPS_HASH_LEN);
		assert_false(tree_check_inclusion(
		    index, size, leaves[index], bad[0], n - 1, root));
	}
	for (size_t i = 0; i <= n; i++) { /* with one more at i */
		memcpy(bad, proof, i * OPS_HASH_LEN);
		memcpy(bad + i, leaves[7], OPS_HASH_LEN);
		memcpy(bad + i + 1, proof + i, (n - i) * OPS_HASH_LEN);
		assert_false(tree_check_inclusion(
		    index, size, leaves[index], bad[0], n + 1, root));
	}
	for (size_t i = 0; i + 1 < n; i++) { /* two swapped */
		memcpy(bad, proof, n * OPS_HASH_LEN);
		memcpy(bad + i, proof + i + 1, OPS_HASH_LEN);
		memcpy(bad + i + 1, proof + i, OPS_HASH_LEN);
		assert_false(tree_check_inclusion(
		    index, size, leaves[index], bad[0], n, root));
	}
}

static void
test_inclusion_mutations(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 7, 8, 13, 33, 64, 70, 257 };
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN], root[OPS_HASH_LEN];

	(void)state;
	for (size_t s = 0; s < OPS_ARRAY_LEN(sizes); s++) {
		size_t size = sizes[s];

		mth(leaves, size, root);
		for (size_t i = 0; i < size; i += 1 + size / 9) {
			size_t n =
			    tree_prove_inclusion(leaves[0], size, i, proof[0]);

			check_mutations(proof, n, i, size, root);
			root[i % OPS_HASH_LEN] ^= 1;
			assert_false(tree_check_inclusion(
			    i, size, leaves[i], proof[0], n, root));
			root[i % OPS_HASH_LEN] ^= 1;
		}
	}
}

/* All pairs of sizes: the proof holds for this pair alone. */
static void
test_consistency_all(void **state)
{
	uint8_t roots[ALL + 1][OPS_HASH_LEN];
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN];

	(void)state;
	for (size_t n = 0; n <= ALL; n++)
		mth(leaves, n, roots[n]);
	for (size_t size = 0; size <= ALL; size++) {
		for (size_t old = 0; old <= size; old++) {
			const size_t turned[2] = { size, old };
			size_t n = tree_prove_consistency(
			    leaves[0], size, old, proof[0]);

			assert_true(tree_check_consistency(
			    old, size, roots[old], roots[size], proof[0], n));
			if (old != size)
				assert_false(
				    tree_check_consistency(turned[0], turned[1],
					roots[size], roots[old], proof[0], n));
			for (size_t k = 0; k <= ALL; k++) {
				if (k != old)
					assert_false(tree_check_consistency(old,
					    size, roots[k], roots[size],
					    proof[0], n));
				/* Every tree continues the empty one. */
				if (k != size && old > 0)
					assert_false(tree_check_consistency(old,
					    size, roots[old], roots[k],
					    proof[0], n));
			}
		}
	}
}

/* A proof about one size, shown for another whose way up is longer. */
static void
test_consistency_wrong_size(void **state)
{
	uint8_t roots[ALL + 1][OPS_HASH_LEN],
	    other[TREE_PROOF_MAX][OPS_HASH_LEN];
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN];

	(void)state;
	for (size_t n = 0; n <= ALL; n++)
		mth(leaves, n, roots[n]);
	for (size_t old = 1; old <= ALL; old++) {
		for (size_t size = old + 1; size <= ALL; size++) {
			size_t n = tree_prove_consistency(
			    leaves[0], size, old, proof[0]);

			for (size_t k = old; k <= ALL; k++) {
				size_t m = tree_prove_consistency(
				    leaves[0], k, old, other[0]);

				if (m != n)
					assert_false(tree_check_consistency(old,
					    k, roots[old], roots[size],
					    proof[0], n));
			}
		}
	}
}

static void
test_consistency_mutations(void **state)
{
	uint8_t proof[TREE_PROOF_MAX][OPS_HASH_LEN],
	    bad[TREE_PROOF_MAX + 1][OPS_HASH_LEN];
	uint8_t old_root[OPS_HASH_LEN], root[OPS_HASH_LEN];

	(void)state;
	for (size_t old = 1; old < 70; old += 3) {
		const size_t size = 70;
		size_t n =
		    tree_prove_consistency(leaves[0], size, old, proof[0]);

		mth(leaves, old, old_root);
		mth(leaves, size, root);
		assert_true(n > 0);
		for (size_t i = 0; i < n * OPS_HASH_LEN; i++) {
			proof[i / OPS_HASH_LEN][i % OPS_HASH_LEN] ^= 1;
			assert_false(tree_check_consistency(
			    old, size, old_root, root, proof[0], n));
			proof[i / OPS_HASH_LEN][i % OPS_HASH_LEN] ^= 1;
		}
		for (size_t i = 0; i < n; i++) {
			memcpy(bad, proof, i * OPS_HASH_LEN);
			memcpy(
			    bad + i, proof + i + 1, (n - i - 1) * OPS_HASH_LEN);
			assert_false(tree_check_consistency(
			    old, size, old_root, root, bad[0], n - 1));
		}
		for (size_t i = 0; i <= n; i++) {
			memcpy(bad, proof, i * OPS_HASH_LEN);
			memcpy(bad + i, leaves[7], OPS_HASH_LEN);
			memcpy(bad + i + 1, proof + i, (n - i) * OPS_HASH_LEN);
			assert_false(tree_check_consistency(
			    old, size, old_root, root, bad[0], n + 1));
		}
		assert_false(tree_check_consistency(
		    old - 1, size, old_root, root, proof[0], n));
		assert_false(
		    tree_check_consistency(0, size, old_root, root, NULL, 0));
	}
	/* Equal sizes need no proof, and take none. */
	mth(leaves, 70, root);
	assert_false(tree_check_consistency(70, 70, root, root, proof[0], 1));
	assert_false(tree_check_consistency(70, 70, root, leaves[0], NULL, 0));
}

/* Sizes that no memory holds: the first and the last leaf of 2^64 - 1. */
static void
test_huge(void **state)
{
	uint8_t proof[TREE_PROOF_MAX + 1][OPS_HASH_LEN], h[OPS_HASH_LEN];

	(void)state;
	for (size_t i = 0; i <= TREE_PROOF_MAX; i++)
		memcpy(proof[i], leaves[i], OPS_HASH_LEN);
	memcpy(h, leaves[100], sizeof(h));
	for (size_t i = 0; i < 64; i++)
		tree_node(h, proof[i], h);
	assert_true(
	    tree_check_inclusion(0, UINT64_MAX, leaves[100], proof[0], 64, h));
	assert_false(
	    tree_check_inclusion(0, UINT64_MAX, leaves[100], proof[0], 63, h));
	assert_false(
	    tree_check_inclusion(0, UINT64_MAX, leaves[100], proof[0], 65, h));
	assert_false(tree_check_inclusion(
	    UINT64_MAX, UINT64_MAX, leaves[100], proof[0], 64, h));
	memcpy(h, leaves[100], sizeof(h));
	for (size_t i = 0; i < 63; i++)
		tree_node(proof[i], h, h);
	assert_true(tree_check_inclusion(
	    UINT64_MAX - 1, UINT64_MAX, leaves[100], proof[0], 63, h));
	assert_false(tree_check_consistency(
	    UINT64_MAX - 1, UINT64_MAX, h, h, proof[0], 64));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector_roots),
		cmocka_unit_test(test_vector_inclusion),
		cmocka_unit_test(test_vector_consistency),
		cmocka_unit_test(test_ct),
		cmocka_unit_test(test_root_sizes),
		cmocka_unit_test(test_inclusion_all),
		cmocka_unit_test(test_inclusion_wrong_size),
		cmocka_unit_test(test_inclusion_mutations),
		cmocka_unit_test(test_consistency_all),
		cmocka_unit_test(test_consistency_wrong_size),
		cmocka_unit_test(test_consistency_mutations),
		cmocka_unit_test(test_huge),
	};

	return cmocka_run_group_tests_name("tree", tests, set_up, NULL);
}
