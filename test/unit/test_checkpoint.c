#include "check.h"

#include "base/bytes.h"
#include "base/text.h"
#include "merkle/checkpoint.h"

/* test/data/vectors/note-and-cosignature.txt */
#define LOG_VKEY                                                               \
	"oplog.example/host1+bdd0779a+"                                        \
	"AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
#define ROOT "XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg="
#define EMPTY_ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define BODY "oplog.example/host1\n8\n" ROOT "\n"
#define SIG                                                                    \
	"vdB3mvIeEIc5h9XcRzu2piZ2PTzPAAADRy9y7FAtirT/KPb5hNsEz8ceXCd/"         \
	"G1ktmN/4WPjXVL+drxdI1hDe4I3BywE="
#define NOTE BODY "\n\xe2\x80\x94 oplog.example/host1 " SIG "\n"
#define ANCHOR "opseal-anchor oplog.example/host1 8 " ROOT " " SIG

static struct note_key key;
static struct ops_signer *signer;

static int
set_up(void **state)
{
	uint8_t seed[OPS_SEED_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)i;
	signer = ops_signer_new(seed);
	return note_vkey_parse(LOG_VKEY, strlen(LOG_VKEY), &key, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	ops_signer_free(signer);
	return 0;
}

static void
test_body(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct ops_err err = { 0 };
	struct checkpoint c;
	char hex[2 * OPS_HASH_LEN + 1];

	(void)state;
	assert_int_equal(checkpoint_parse(BODY, strlen(BODY), &c, &err), 0);
	assert_string_equal(c.origin, "oplog.example/host1");
	assert_int_equal(c.size, 8);
	ops_hex(c.root, sizeof(c.root), hex);
	assert_string_equal(hex,
	    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
	checkpoint_put(&c, &b);
	assert_int_equal(b.len, strlen(BODY));
	assert_memory_equal(b.data, BODY, b.len);
	ops_buf_free(&b);
}

/* clang-format off */
static const struct {
	const char *name, *in;
	bool ok;
} bodies[] = {
	{ "size 0",		"o\n0\n" EMPTY_ROOT "\n",		true },
	{ "largest size",	"o\n18446744073709551615\n" ROOT "\n",	true },
	{ "extensions",		"o\n8\n" ROOT "\nmore\nand more\n",	true },
	{ "size 0, other root",	"o\n0\n" ROOT "\n",			false },
	{ "size too large",	"o\n18446744073709551616\n" ROOT "\n",	false },
	{ "leading zero",	"o\n08\n" ROOT "\n",			false },
	{ "two zeros",		"o\n00\n" EMPTY_ROOT "\n",		false },
	{ "sign",		"o\n+8\n" ROOT "\n",			false },
	{ "minus",		"o\n-8\n" ROOT "\n",			false },
	{ "space",		"o\n 8\n" ROOT "\n",			false },
	{ "hex",		"o\n0x8\n" ROOT "\n",			false },
	{ "no size",		"o\n\n" ROOT "\n",			false },
	{ "no origin",		"\n8\n" ROOT "\n",			false },
	{ "space in origin",	"o p\n8\n" ROOT "\n",			false },
	{ "no root",		"o\n8\n\n",				false },
	{ "two lines",		"o\n8\n",				false },
	{ "root cut",		"o\n8\nXcnaeacG\n",			false },
	{ "root too long",	"o\n8\n" "AAAA" ROOT "\n",		false },
	{ "root not canonical",	"o\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyh=\n", false },
	{ "space behind root",	"o\n8\n" ROOT " \n",			false },
	{ "empty extension",	"o\n8\n" ROOT "\n\n",			false },
	{ "gap in extensions",	"o\n8\n" ROOT "\nmore\n\nmore\n",	false },
	{ "last line cut",	"o\n8\n" ROOT,				false },
	{ "extension cut",	"o\n8\n" ROOT "\nmore",			false },
	{ "carriage returns",	"o\r\n8\r\n" ROOT "\r\n",		false },
	{ "nothing",		"",					false },
};
/* clang-format on */

static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(bodies); i++) {
		size_t n = strlen(bodies[i].in);
		char *p = (char *)heap_copy(bodies[i].in, n);
		struct checkpoint c = { .size = 42 };
		struct ops_err err = { 0 };
		int rc = checkpoint_parse(p, n, &c, &err);

		CHECK((rc == 0) == bodies[i].ok, bodies[i].name, err.msg);
		if (rc < 0) {
			CHECK(err.code == OPS_EFORMAT, bodies[i].name, err.msg);
			CHECK(c.size == 42, bodies[i].name, "touched");
		}
		free(p);
	}
}

static void
test_sign_open(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct ops_err err = { 0 };
	struct checkpoint c, back;

	(void)state;
	assert_int_equal(checkpoint_parse(BODY, strlen(BODY), &c, &err), 0);
	assert_int_equal(checkpoint_sign(&c, &key, signer, &b, &err), 0);
	assert_int_equal(b.len, strlen(NOTE));
	assert_memory_equal(b.data, NOTE, b.len);
	memset(&back, 0x5a, sizeof(back));
	assert_int_equal(
	    checkpoint_open((char *)b.data, b.len, &key, &back, &err), 0);
	assert_memory_equal(&back, &c, sizeof(c));
	ops_buf_free(&b);

	back.origin[0] = 'x';
	assert_int_equal(checkpoint_sign(&back, &key, signer, &b, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	back = c;
	back.size = 0;
	assert_int_equal(checkpoint_sign(&back, &key, signer, &b, &err), -1);
	assert_int_equal(b.len, 0);
}

/* Signed by the right key, but for another log; or not signed by it. */
static void
test_open_refuses(void **state)
{
	static const char other[] = "other.example\n8\n" ROOT "\n";
	struct ops_buf b = { .max = 1000 };
	struct ops_err err = { 0 };
	struct note_key k;
	struct checkpoint c;

	(void)state;
	assert_int_equal(
	    note_sign(other, strlen(other), &key, signer, &b, &err), 0);
	assert_int_equal(
	    checkpoint_open((char *)b.data, b.len, &key, &c, &err), -1);
	assert_int_equal(err.code, OPS_ETAMPER);
	assert_string_equal(err.msg,
	    "checkpoint: origin is other.example, the key is of "
	    "oplog.example/host1");
	ops_buf_free(&b);

	assert_int_equal(note_key_init(&k, "oplog.example/host1", NOTE_ED25519,
			     (const uint8_t *)BODY, &err),
	    0);
	assert_int_equal(checkpoint_open(NOTE, strlen(NOTE), &k, &c, &err), -1);
	assert_int_equal(err.code, OPS_ETAMPER);
	assert_string_equal(
	    err.msg, "checkpoint: not signed by oplog.example/host1");
}

static void
test_every_flip(void **state)
{
	const size_t len = strlen(NOTE);
	struct checkpoint c;

	(void)state;
	assert_int_equal(checkpoint_open(NOTE, len, &key, &c, NULL), 0);
	for (size_t i = 0; i < len; i++) {
		for (int flip = 1; flip < 256; flip <<= 1) {
			char *p = (char *)heap_copy(NOTE, len);

			p[i] = (char)(p[i] ^ flip);
			if (checkpoint_open(p, len, &key, &c, NULL) == 0)
				fail_msg("byte %zu ^ %d", i, flip);
			free(p);
		}
	}
	for (size_t n = 0; n < len; n++) {
		char *p = (char *)heap_copy(NOTE, n);

		if (checkpoint_open(p, n, &key, &c, NULL) == 0)
			fail_msg("cut at %zu", n);
		free(p);
	}
}

static void
test_anchor(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct ops_err err = { 0 };
	struct checkpoint_anchor a;

	(void)state;
	assert_int_equal(
	    checkpoint_anchor_put(NOTE, strlen(NOTE), &key, &b, &err), 0);
	assert_int_equal(b.len, strlen(ANCHOR));
	assert_memory_equal(b.data, ANCHOR, b.len);
	assert_true(b.len <= CHECKPOINT_ANCHOR_MAX);
	assert_int_equal(
	    checkpoint_anchor_parse((char *)b.data, b.len, &a, &err), 1);
	assert_string_equal(a.cp.origin, "oplog.example/host1");
	assert_int_equal(a.cp.size, 8);
	assert_true(checkpoint_anchor_check(&a, &key));
	ops_buf_free(&b);

	a.cp.size++;
	assert_false(checkpoint_anchor_check(&a, &key));
	a.cp.size--;
	a.key_id[0] ^= 1;
	assert_false(checkpoint_anchor_check(&a, &key));
	a.key_id[0] ^= 1;
	a.cp.origin[0] ^= 1;
	assert_false(checkpoint_anchor_check(&a, &key));
	a.cp.origin[0] ^= 1;
	assert_true(checkpoint_anchor_check(&a, &key));
}

/* The longest of everything stays within the limit and within 512 bytes. */
static void
test_anchor_longest(void **state)
{
	struct ops_buf note = { .max = 4096 }, line = { .max = 4096 };
	struct checkpoint c = { .size = UINT64_MAX };
	struct checkpoint_anchor a;
	struct ops_err err = { 0 };
	struct note_key k;

	(void)state;
	memset(c.origin, 'o', NOTE_NAME_MAX);
	assert_int_equal(note_key_init(&k, c.origin, NOTE_ED25519,
			     ops_signer_pub(signer), &err),
	    0);
	assert_int_equal(checkpoint_sign(&c, &k, signer, &note, &err), 0);
	assert_int_equal(
	    checkpoint_anchor_put((char *)note.data, note.len, &k, &line, &err),
	    0);
	assert_true(line.len <= CHECKPOINT_ANCHOR_MAX);
	assert_int_equal(
	    checkpoint_anchor_parse((char *)line.data, line.len, &a, &err), 1);
	assert_true(checkpoint_anchor_check(&a, &k));
	ops_buf_free(&note);
	ops_buf_free(&line);
}

static void
test_anchor_put_refuses(void **state)
{
	static const char more[] = BODY "extension\n";
	struct ops_buf note = { .max = 4096 }, line = { .max = 4096 };
	struct ops_err err = { 0 };
	struct checkpoint c;
	char *bad = (char *)heap_copy(NOTE, strlen(NOTE));

	(void)state;
	assert_int_equal(
	    note_sign(more, strlen(more), &key, signer, &note, &err), 0);
	assert_int_equal(
	    checkpoint_open((char *)note.data, note.len, &key, &c, &err), 0);
	assert_int_equal(checkpoint_anchor_put(
			     (char *)note.data, note.len, &key, &line, &err),
	    -1);
	assert_int_equal(err.code, OPS_EFORMAT);
	bad[20] = '9';
	assert_int_equal(
	    checkpoint_anchor_put(bad, strlen(NOTE), &key, &line, &err), -1);
	assert_int_equal(err.code, OPS_ETAMPER);
	ops_buf_puts(&line, "kept");
	line.max = 100;
	assert_int_equal(
	    checkpoint_anchor_put(NOTE, strlen(NOTE), &key, &line, &err), -1);
	assert_int_equal(err.code, OPS_ENOMEM);
	assert_int_equal(line.len, 4);
	ops_buf_free(&note);
	ops_buf_free(&line);
	free(bad);
}

/* clang-format off */
static const struct {
	const char *name, *in;
	int rc;
} lines[] = {
	{ "alone",		ANCHOR,					1 },
	{ "with line end",	ANCHOR "\n",				1 },
	{ "from syslog",	"Nov 23 09:14:07 h opseald[12]: " ANCHOR,	1 },
	{ "after the word",	"opseal-anchor " ANCHOR,		1 },
	{ "after a broken one",	"x opseal-anchor o 8: " ANCHOR,		1 },
	{ "nothing",		"",					0 },
	{ "other line",		"Nov 23 09:14:07 h sshd[1]: hello",	0 },
	{ "part of a word",	"x" ANCHOR,				0 },
	{ "the word alone",	"opseal-anchor",			0 },
	{ "other word",		"opseal-anchors of it",			0 },
	{ "no fields",		"opseal-anchor ",			-1 },
	{ "one field",		"opseal-anchor o",			-1 },
	{ "no signature",	"opseal-anchor o 8 " ROOT,		-1 },
	{ "empty signature",	"opseal-anchor o 8 " ROOT " ",		-1 },
	{ "short signature",	"opseal-anchor o 8 " ROOT " AAAA",	-1 },
	{ "long signature",	ANCHOR "AAAA",				-1 },
	{ "words behind",	ANCHOR " more",				-1 },
	{ "space behind",	ANCHOR " ",				-1 },
	{ "two spaces",		"opseal-anchor  o 8 " ROOT " " SIG,	-1 },
	{ "leading zero",	"opseal-anchor o 08 " ROOT " " SIG,	-1 },
	{ "size 0, other root",	"opseal-anchor o 0 " ROOT " " SIG,	-1 },
	{ "plus in origin",	"opseal-anchor o+p 8 " ROOT " " SIG,	-1 },
	{ "tab",		"opseal-anchor o\t8 " ROOT " " SIG,	-1 },
};
/* clang-format on */

static void
test_anchor_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(lines); i++) {
		size_t n = strlen(lines[i].in);
		char *p = (char *)heap_copy(lines[i].in, n);
		struct checkpoint_anchor a = { .cp.size = 42 };
		struct ops_err err = { 0 };
		int rc = checkpoint_anchor_parse(p, n, &a, &err);

		CHECK(rc == lines[i].rc, lines[i].name, err.msg);
		if (rc == 1)
			CHECK(checkpoint_anchor_check(&a, &key), lines[i].name,
			    "signature");
		else
			CHECK(a.cp.size == 42, lines[i].name, "touched");
		free(p);
	}
}

static void
test_anchor_every_flip(void **state)
{
	const size_t len = strlen(ANCHOR);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		for (int flip = 1; flip < 256; flip <<= 1) {
			char *p = (char *)heap_copy(ANCHOR, len);
			struct checkpoint_anchor a;

			p[i] = (char)(p[i] ^ flip);
			if (checkpoint_anchor_parse(p, len, &a, NULL) == 1 &&
			    checkpoint_anchor_check(&a, &key))
				fail_msg("byte %zu ^ %d", i, flip);
			free(p);
		}
	}
	for (size_t n = 0; n < len; n++) {
		char *p = (char *)heap_copy(ANCHOR, n);
		struct checkpoint_anchor a;

		assert_true(checkpoint_anchor_parse(p, n, &a, NULL) <= 0);
		free(p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_sign_open),
		cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_anchor),
		cmocka_unit_test(test_anchor_longest),
		cmocka_unit_test(test_anchor_put_refuses),
		cmocka_unit_test(test_anchor_lines),
		cmocka_unit_test(test_anchor_every_flip),
	};

	return cmocka_run_group_tests_name(
	    "checkpoint", tests, set_up, tear_down);
}
