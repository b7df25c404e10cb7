#include "check.h"

#include "anchors.h"
#include "base/buf.h"

static struct ops_signer *signer;
static struct note_key key;

static int
setup(void **state)
{
	static const uint8_t seed[OPS_SEED_LEN] = { 7 };

	(void)state;
	signer = ops_signer_new(seed);
	return note_key_init(
	    &key, "opseal/abc/0", NOTE_ED25519, ops_signer_pub(signer), NULL);
}

static int
teardown(void **state)
{
	(void)state;
	ops_signer_free(signer);
	return 0;
}

static struct ops_buf
note_of(uint64_t size)
{
	struct ops_buf out = { .max = NOTE_MAX };
	struct checkpoint cp = { .origin = "opseal/abc/0", .size = size };

	memset(cp.root, 9, sizeof(cp.root));
	assert_int_equal(checkpoint_sign(&cp, &key, signer, &out, NULL), 0);
	return out;
}

static void
put_line(struct ops_buf *text, const char *before, uint64_t size)
{
	struct ops_buf note = note_of(size);

	ops_buf_puts(text, before);
	assert_int_equal(checkpoint_anchor_put((const char *)note.data,
			     note.len, &key, text, NULL),
	    0);
	ops_buf_free(&note);
}

static void
test_note(void **state)
{
	struct ops_buf note = note_of(42);
	struct anchors as = { 0 };

	(void)state;
	assert_int_equal(
	    anchors_parse((char *)note.data, note.len, &as, NULL), 0);
	assert_int_equal(as.n, 1);
	assert_int_equal(as.v[0].a.cp.size, 42);
	assert_true(checkpoint_anchor_check(&as.v[0].a, &key));
	anchors_free(&as);
	ops_buf_free(&note);
}

/* Lines of any log file, others between them, with and without a last \n. */
static void
test_lines(void **state)
{
	struct ops_buf text = { .max = 65536 };
	struct anchors as = { 0 };

	(void)state;
	ops_buf_puts(&text, "-- Journal begins --\n\n");
	put_line(&text, "2026-11-23T09:14:07+0000 host opseal[12]: ", 5);
	ops_buf_puts(&text, "\n<13>something else\nopseal-anchor broken\n");
	put_line(&text, "Nov 23 09:14:07 host opseal: ", 6);
	ops_buf_puts(&text, "\n");
	put_line(&text, "", 7);
	assert_int_equal(
	    anchors_parse((char *)text.data, text.len, &as, NULL), 0);
	assert_int_equal(as.n, 3);
	assert_int_equal(as.malformed, 1);
	assert_string_equal(as.v[0].time, "2026-11-23T09:14:07+0000");
	assert_string_equal(as.v[1].time, "");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(as.v[i].a.cp.size, 5 + i);
		assert_true(checkpoint_anchor_check(&as.v[i].a, &key));
	}
	anchors_free(&as);
	ops_buf_free(&text);
}

static void
test_nothing(void **state)
{
	struct anchors as = { 0 };

	(void)state;
	assert_int_equal(anchors_parse("", 0, &as, NULL), 0);
	assert_int_equal(anchors_parse("a\nb\n", 4, &as, NULL), 0);
	assert_int_equal(as.n, 0);
	assert_int_equal(as.malformed, 0);
	anchors_free(&as);
}

/* A changed byte of a note or a line never gives a checkpoint of this key. */
static void
test_every_flip(void **state)
{
	struct ops_buf note = note_of(42), line = { .max = 4096 };

	(void)state;
	put_line(&line, "", 42);
	for (size_t k = 0; k < 2; k++) {
		struct ops_buf *b = k == 0 ? &note : &line;

		for (size_t i = 0; i < b->len; i++) {
			struct anchors as = { 0 };

			b->data[i] ^= 1;
			assert_int_equal(
			    anchors_parse((char *)b->data, b->len, &as, NULL),
			    0);
			for (size_t n = 0; n < as.n; n++)
				assert_false(
				    checkpoint_anchor_check(&as.v[n].a, &key));
			b->data[i] ^= 1;
			anchors_free(&as);
		}
	}
	ops_buf_free(&note);
	ops_buf_free(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_every_flip),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
