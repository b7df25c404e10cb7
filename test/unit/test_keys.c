#include "check.h"
#include "memfs.h"
#include "store/keys.h"

static uint8_t
other(uint8_t b)
{
	return (uint8_t)~b;
}

static void
test_log_key(void **state)
{
	struct memfs *m = memfs_new();
	struct ops_signer *a = NULL, *b = NULL;
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(keys_prepare(&m->vfs, &err), 0);
	assert_int_equal(keys_log_load(&m->vfs, 0, &b, &err), -1);
	assert_int_equal(err.code, OPS_ENOENT);
	assert_int_equal(keys_log_create(&m->vfs, 0, &a, &err), 0);
	assert_int_equal(keys_log_load(&m->vfs, 0, &b, &err), 0);
	assert_memory_equal(ops_signer_pub(a), ops_signer_pub(b), OPS_PUB_LEN);
	ops_signer_free(a);
	ops_signer_free(b);
	vfs_free(&m->vfs);
}

static void
test_log_key_sizes(void **state)
{
	struct memfs *m = memfs_new();
	struct ops_signer *s = NULL;
	uint8_t bytes[33] = { 1 };

	(void)state;
	keys_prepare(&m->vfs, NULL);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct ops_err err = { 0 };

		if (n == OPS_SEED_LEN)
			continue;
		assert_int_equal(
		    vfs_replace_file(&m->vfs, "keys/log-3", bytes, n, NULL), 0);
		assert_int_equal(keys_log_load(&m->vfs, 3, &s, &err), -1);
		assert_int_equal(err.code, OPS_EFORMAT);
		assert_null(s);
	}
	vfs_free(&m->vfs);
}

/* Stage, find, drop: exactly the named key is found, also after a reload. */
static void
test_resume(void **state)
{
	struct memfs *m = memfs_new();
	struct resume_keys k = { 0 }, again;
	struct ops_err err = { 0 };
	uint8_t pub[2][OPS_PUB_LEN];

	(void)state;
	keys_prepare(&m->vfs, NULL);
	assert_int_equal(resume_load(&m->vfs, &k, &err), 0);
	assert_true(k.slot[0] == NULL && k.slot[1] == NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(resume_stage(&m->vfs, &k, i, &err), 0);
		memcpy(pub[i], ops_signer_pub(k.slot[i]), OPS_PUB_LEN);
	}
	assert_int_equal(memfs_file_size(m, "keys/resume"), 2 * RESUME_SLOT);
	assert_int_equal(resume_load(&m->vfs, &again, &err), 0);
	assert_int_equal(resume_find(&again, pub[0]), 0);
	assert_int_equal(resume_find(&again, pub[1]), 1);
	resume_free(&again);
	assert_int_equal(resume_drop(&m->vfs, &k, 0, &err), 0);
	assert_int_equal(resume_find(&k, pub[0]), -1);
	/* Its secret is gone from the disk, too. */
	for (uint64_t i = 0; i < RESUME_SLOT; i++)
		assert_int_equal(memfs_peek(m, "keys/resume", i), 0);
	assert_int_equal(resume_load(&m->vfs, &again, &err), 0);
	assert_int_equal(resume_find(&again, pub[0]), -1);
	assert_int_equal(resume_find(&again, pub[1]), 1);
	resume_free(&again);
	resume_free(&k);
	vfs_free(&m->vfs);
}

/* A flipped byte anywhere in a slot: that slot is no key, the other is. */
static void
test_every_byte(void **state)
{
	struct memfs *m = memfs_new();
	struct resume_keys k = { 0 };

	(void)state;
	keys_prepare(&m->vfs, NULL);
	resume_load(&m->vfs, &k, NULL);
	resume_stage(&m->vfs, &k, 0, NULL);
	resume_stage(&m->vfs, &k, 1, NULL);
	for (uint64_t i = 0; i < 2ull * RESUME_SLOT; i++) {
		struct resume_keys r;
		uint8_t was = memfs_peek(m, "keys/resume", i);

		memfs_poke(m, "keys/resume", i, other(was));
		assert_int_equal(resume_load(&m->vfs, &r, NULL), 0);
		assert_null(r.slot[i / RESUME_SLOT]);
		assert_non_null(r.slot[1 - i / RESUME_SLOT]);
		resume_free(&r);
		memfs_poke(m, "keys/resume", i, was);
	}
	resume_free(&k);
	vfs_free(&m->vfs);
}

/* A power cut in the middle of staging leaves the other slot as it was. */
static void
test_power_cut(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct memfs *m = memfs_new(), *c;
		struct resume_keys k = { 0 }, r;
		uint8_t pub[OPS_PUB_LEN];

		keys_prepare(&m->vfs, NULL);
		resume_load(&m->vfs, &k, NULL);
		resume_stage(&m->vfs, &k, 0, NULL);
		memcpy(pub, ops_signer_pub(k.slot[0]), OPS_PUB_LEN);
		m->fail_mask = 1u << MEMFS_SYNC;
		m->fail_times = 1;
		m->fail_after = 0;
		assert_int_equal(resume_stage(&m->vfs, &k, 1, NULL), -1);
		c = memfs_crash(m, &seed);
		assert_int_equal(resume_load(&c->vfs, &r, NULL), 0);
		assert_int_equal(resume_find(&r, pub), 0);
		resume_free(&r);
		resume_free(&k);
		vfs_free(&c->vfs);
		vfs_free(&m->vfs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_key),
		cmocka_unit_test(test_log_key_sizes),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_power_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
