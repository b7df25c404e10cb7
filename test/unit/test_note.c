#include "check.h"

#include "base/bytes.h"
#include "base/text.h"
#include "merkle/note.h"

/* test/data/vectors/note-and-cosignature.txt */
#define LOG_VKEY                                                               \
	"oplog.example/host1+bdd0779a+"                                        \
	"AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
#define WITNESS_VKEY                                                           \
	"witness.example/w1+20324abe+"                                         \
	"BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
#define TEXT                                                                   \
	"oplog.example/host1\n8\n"                                             \
	"XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n"
#define LOG_LINE                                                               \
	"\xe2\x80\x94 oplog.example/host1 "                                    \
	"vdB3mvIeEIc5h9XcRzu2piZ2PTzPAAADRy9y7FAtirT/KPb5hNsEz8ceXCd/"         \
	"G1ktmN/4WPjXVL+drxdI1hDe4I3BywE=\n"
#define WITNESS_LINE                                                           \
	"\xe2\x80\x94 witness.example/w1 "                                     \
	"IDJKvgAAAABlU/EADGPmZGJ5lHDAf27fAGUBdFXYElpiSLo2oII3Tew5rbJQkLvz"     \
	"hHp9LEaoAE2ewyCgiqrF3cWJsjO6ULPFNlRNDg==\n"
#define WHOLE TEXT "\n" LOG_LINE WITNESS_LINE

static struct note_key log_key, witness_key;
static struct ops_signer *log_signer;

static int
set_up(void **state)
{
	uint8_t seed[OPS_SEED_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)i;
	log_signer = ops_signer_new(seed);
	return note_vkey_parse(LOG_VKEY, strlen(LOG_VKEY), &log_key, NULL) +
	       note_vkey_parse(
		   WITNESS_VKEY, strlen(WITNESS_VKEY), &witness_key, NULL);
}

static int
tear_down(void **state)
{
	(void)state;
	ops_signer_free(log_signer);
	return 0;
}

/* The macros above are the file's own lines. */
static void
test_file(void **state)
{
	FILE *f = fopen(TEST_DATA "/vectors/note-and-cosignature.txt", "re");
	char text[4096] = "";
	size_t n;

	(void)state;
	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	assert_true(n > 0);
	assert_non_null(strstr(text, WHOLE));
	assert_non_null(strstr(text, LOG_VKEY));
	assert_non_null(strstr(text, WITNESS_VKEY));
}

static void
test_names(void **state)
{
	/* clang-format off */
	static const struct { const char *name; bool valid; } rows[] = {
		{ "a", true },
		{ "oplog.example/host1", true },
		{ "caf\xc3\xa9", true },
		{ "", false },
		{ "a+b", false },
		{ "a b", false },
		{ "a\tb", false },
		{ "a\nb", false },
		{ "a\x01" "b", false },
		{ "a\xc2\xa0" "b", false },	/* U+00A0 */
		{ "a\xc2\x85" "b", false },	/* U+0085 */
		{ "a\xe1\x9a\x80", false },	/* U+1680 */
		{ "a\xe2\x80\x83" "b", false },	/* U+2003 */
		{ "a\xe2\x80\xaf" "b", false },	/* U+202F */
		{ "a\xe2\x81\x9f" "b", false },	/* U+205F */
		{ "\xe3\x80\x80", false },	/* U+3000 */
		{ "a\xff", false },
		{ "a\xe2\x80", false },
	};
	/* clang-format on */
	char big[NOTE_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(rows); i++) {
		size_t n = strlen(rows[i].name);
		char *p = (char *)heap_copy(rows[i].name, n);

		CHECK(note_name_valid(p, n) == rows[i].valid, rows[i].name, "");
		free(p);
	}
	memset(big, 'a', sizeof(big));
	assert_true(note_name_valid(big, NOTE_NAME_MAX));
	assert_false(note_name_valid(big, NOTE_NAME_MAX + 1));
	assert_false(note_name_valid("a\0b", 3));
}

static void
test_vkey(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct note_key k;
	char big[NOTE_NAME_MAX + 2];
	struct ops_err err = { 0 };

	(void)state;
	assert_string_equal(log_key.name, "oplog.example/host1");
	assert_int_equal(log_key.type, NOTE_ED25519);
	assert_memory_equal(
	    log_key.pub, ops_signer_pub(log_signer), OPS_PUB_LEN);
	assert_int_equal(witness_key.type, NOTE_COSIGNATURE);
	note_vkey_put(&log_key, &b);
	ops_buf_put8(&b, 0);
	assert_string_equal((char *)b.data, LOG_VKEY);
	ops_buf_reset(&b);
	note_vkey_put(&witness_key, &b);
	ops_buf_put8(&b, 0);
	assert_string_equal((char *)b.data, WITNESS_VKEY);
	ops_buf_free(&b);

	assert_int_equal(
	    note_key_init(&k, "a b", NOTE_ED25519, log_key.pub, &err), -1);
	assert_int_equal(note_key_init(&k, "a", 2, log_key.pub, &err), -1);
	assert_string_equal(err.msg, "key type 0x02 is not known");
	memset(big, 'a', sizeof(big));
	big[NOTE_NAME_MAX + 1] = '\0';
	assert_int_equal(
	    note_key_init(&k, big, NOTE_ED25519, log_key.pub, &err), -1);
	big[NOTE_NAME_MAX] = '\0';
	assert_int_equal(
	    note_key_init(&k, big, NOTE_ED25519, log_key.pub, &err), 0);
	assert_string_equal(k.name, big);
}

/* Go's documentation of golang.org/x/mod/sumdb/note has this key. */
static void
test_vkey_go(void **state)
{
	static const char vkey[] =
	    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/"
	    "LDE4izWy10TW";
	static const char note[] =
	    "If you think cryptography is the answer to your problem,\n"
	    "then you don't know what your problem is.\n"
	    "\n"
	    "\xe2\x80\x94 PeterNeumann "
	    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
	    "qfqdngotpRZb6KE6RyyBwJnAM=\n";
	struct ops_err err = { 0 };
	struct note_key k;
	struct note n;

	(void)state;
	assert_int_equal(note_vkey_parse(vkey, strlen(vkey), &k, &err), 0);
	assert_int_equal(note_parse(note, strlen(note), &n, &err), 0);
	assert_int_equal(note_check(&n, &k, NULL, &err), 1);
	note_free(&n);
}

/* Every cut and every change of one character is refused: the id covers name,
 * type and key, and each thing has one spelling. */
static void
test_vkey_mutations(void **state)
{
	const size_t len = strlen(LOG_VKEY);
	struct note_key k;

	(void)state;
	for (size_t n = 0; n < len; n++) {
		char *p = (char *)heap_copy(LOG_VKEY, n);

		assert_int_equal(note_vkey_parse(p, n, &k, NULL), -1);
		free(p);
	}
	for (size_t i = 0; i < len; i++) {
		for (int flip = 1; flip < 256; flip <<= 1) {
			char *p = (char *)heap_copy(LOG_VKEY, len);

			p[i] = (char)(p[i] ^ flip);
			if (note_vkey_parse(p, len, &k, NULL) == 0)
				fail_msg("byte %zu ^ %d: %s", i, flip, p);
			free(p);
		}
	}
	assert_int_equal(note_vkey_parse(LOG_VKEY "\n", len + 1, &k, NULL), -1);
}

static void
test_parse(void **state)
{
	struct ops_err err = { 0 };
	uint64_t time = 7;
	struct note n;

	(void)state;
	assert_int_equal(note_parse(WHOLE, strlen(WHOLE), &n, &err), 0);
	assert_int_equal(n.text_len, strlen(TEXT));
	assert_memory_equal(n.text, TEXT, strlen(TEXT));
	assert_int_equal(n.sigs, 2);
	assert_memory_equal(n.sig[0].name, "oplog.example/host1", 19);
	assert_int_equal(n.sig[0].name_len, 19);
	assert_int_equal(n.sig[0].sig_len, 64);
	assert_memory_equal(n.sig[0].id, "\xbd\xd0\x77\x9a", 4);
	assert_int_equal(n.sig[1].sig_len, 72);

	assert_int_equal(note_check(&n, &log_key, &time, &err), 1);
	assert_int_equal(time, 0);
	assert_int_equal(note_check(&n, &witness_key, &time, &err), 1);
	assert_int_equal(time, 1700000000);
	assert_int_equal(note_check(&n, &witness_key, NULL, &err), 1);
	note_free(&n);
	note_free(&n);
}

/* The same bytes come out of signing. */
static void
test_sign(void **state)
{
	struct ops_buf b = { .max = 1000 };
	struct ops_err err = { 0 };

	(void)state;
	assert_int_equal(
	    note_sign(TEXT, strlen(TEXT), &log_key, log_signer, &b, &err), 0);
	assert_int_equal(b.len, strlen(TEXT "\n" LOG_LINE));
	assert_memory_equal(b.data, TEXT "\n" LOG_LINE, b.len);

	assert_int_equal(
	    note_sign("no end", 6, &log_key, log_signer, &b, &err), -1);
	assert_int_equal(
	    note_sign("\t\n", 2, &log_key, log_signer, &b, &err), -1);
	assert_int_equal(note_sign("", 0, &log_key, log_signer, &b, &err), -1);
	assert_int_equal(
	    note_sign("a\n", 2, &witness_key, log_signer, &b, &err), -1);
	assert_int_equal(err.code, OPS_EUSAGE);
	assert_int_equal(b.len, strlen(TEXT "\n" LOG_LINE));
	b.max = b.len + 20;
	assert_int_equal(
	    note_sign("a\n", 2, &log_key, log_signer, &b, &err), -1);
	assert_int_equal(err.code, OPS_ENOMEM);
	assert_int_equal(b.len, strlen(TEXT "\n" LOG_LINE));
	ops_buf_free(&b);
}

/* clang-format off */
#define GOOD "\xe2\x80\x94 a AAAAAAA=\n"	/* one byte of signature */
static const struct {
	const char *name, *in;
	size_t n;
	bool ok;
} notes[] = {
#define B(s) s, sizeof(s) - 1
	{ "short",		B("x\n\n" GOOD),		true },
	{ "empty text",		B("\n\n" GOOD),			true },
	{ "text has a gap",	B("x\n\ny\n\n" GOOD),		true },
	{ "two",		B("x\n\n" GOOD GOOD),		true },
	{ "nothing",		B(""),				false },
	{ "no gap",		B("x\n" GOOD),			false },
	{ "no signatures",	B("x\n\n"),			false },
	{ "gap at the end",	B("x\n\n" GOOD "\n"),		false },
	{ "text behind",	B("x\n\n" GOOD "x\n"),		false },
	{ "last line cut",	B("x\n\n\xe2\x80\x94 a AAAAAAA="), false },
	{ "hyphen",		B("x\n\n- a AAAAAAA=\n"),	false },
	{ "no space",		B("x\n\n\xe2\x80\x94" "a AAAAAAA=\n"), false },
	{ "two spaces",		B("x\n\n\xe2\x80\x94 a  AAAAAAA=\n"), false },
	{ "no name",		B("x\n\n\xe2\x80\x94 AAAAAAA=\n"), false },
	{ "empty name",		B("x\n\n\xe2\x80\x94  AAAAAAA=\n"), false },
	{ "plus in name",	B("x\n\n\xe2\x80\x94 a+b AAAAAAA=\n"), false },
	{ "id alone",		B("x\n\n\xe2\x80\x94 a AAAAAA==\n"), false },
	{ "no base64",		B("x\n\n\xe2\x80\x94 a \n"),	false },
	{ "bad padding",	B("x\n\n\xe2\x80\x94 a AAAAAAA\n"), false },
	{ "loose bits",		B("x\n\n\xe2\x80\x94 a AAAAAAB=\n"), false },
	{ "space behind",	B("x\n\n\xe2\x80\x94 a AAAAAAA= \n"), false },
	{ "carriage return",	B("x\r\n\n" GOOD),		false },
	{ "tab",		B("x\ty\n\n" GOOD),		false },
	{ "nul",		B("x\0\n\n" GOOD),		false },
	{ "invalid utf-8",	B("x\xff\n\n" GOOD),		false },
	{ "utf-8",		B("\xc3\xa9\n\n" GOOD),		true },
#undef B
};
/* clang-format on */

static void
test_syntax(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPS_ARRAY_LEN(notes); i++) {
		char *p = (char *)heap_copy(notes[i].in, notes[i].n);
		struct ops_err err = { 0 };
		struct note n = { .sigs = 42 };
		int rc = note_parse(p, notes[i].n, &n, &err);

		CHECK((rc == 0) == notes[i].ok, notes[i].name, err.msg);
		if (rc == 0)
			note_free(&n);
		else {
			CHECK(err.code == OPS_EFORMAT, notes[i].name, err.msg);
			CHECK(n.sigs == 42, notes[i].name, "touched");
		}
		free(p);
	}
}

/* Number of signatures, size of a signature, size of the whole. */
static void
test_limits(void **state)
{
	struct ops_buf b = { .max = 2 * NOTE_MAX };
	uint8_t blob[4 + NOTE_SIG_MAX + 1] = { 0 };
	char *base64 = malloc(OPS_BASE64_SIZE(sizeof(blob)));
	struct ops_err err = { 0 };
	struct note n;

	(void)state;
	assert_non_null(base64);
	ops_buf_puts(&b, "x\n\n");
	for (int i = 0; i < NOTE_SIGS_MAX; i++)
		ops_buf_puts(&b, GOOD);
	assert_int_equal(note_parse((char *)b.data, b.len, &n, &err), 0);
	assert_int_equal(n.sigs, NOTE_SIGS_MAX);
	note_free(&n);
	ops_buf_puts(&b, GOOD);
	assert_int_equal(note_parse((char *)b.data, b.len, &n, &err), -1);
	assert_string_equal(err.msg, "note: 65 signatures, the limit is 64");

	for (size_t over = 0; over < 2; over++) {
		ops_base64(blob, 4 + NOTE_SIG_MAX + over, base64);
		ops_buf_reset(&b);
		ops_buf_printf(&b, "x\n\n\xe2\x80\x94 a %s\n", base64);
		assert_int_equal(note_parse((char *)b.data, b.len, &n, &err),
		    over == 0 ? 0 : -1);
		if (over == 0) {
			assert_int_equal(n.sig[0].sig_len, NOTE_SIG_MAX);
			note_free(&n);
		}
	}

	for (size_t over = 0; over < 2; over++) {
		ops_buf_reset(&b);
		while (b.len < NOTE_MAX + over - strlen("\n\n" GOOD))
			ops_buf_put8(&b, 'x');
		ops_buf_puts(&b, "\n\n" GOOD);
		assert_int_equal(note_parse((char *)b.data, b.len, &n, &err),
		    over == 0 ? 0 : -1);
		if (over == 0)
			note_free(&n);
	}
	ops_buf_free(&b);
	free(base64);
}

/* 1 if the note still stands for both keys. */
static int
still_good(const char *p, size_t len)
{
	struct note n;
	int good;

	if (note_parse(p, len, &n, NULL) < 0)
		return 0;
	good = note_check(&n, &log_key, NULL, NULL) == 1 &&
	       note_check(&n, &witness_key, NULL, NULL) == 1;
	note_free(&n);
	return good;
}

static void
test_every_flip(void **state)
{
	const size_t len = strlen(WHOLE);

	(void)state;
	assert_true(still_good(WHOLE, len));
	for (size_t i = 0; i < len; i++) {
		for (int flip = 1; flip < 256; flip <<= 1) {
			char *p = (char *)heap_copy(WHOLE, len);

			p[i] = (char)(p[i] ^ flip);
			if (still_good(p, len))
				fail_msg("byte %zu ^ %d", i, flip);
			free(p);
		}
	}
	for (size_t n = 0; n < len; n++) {
		char *p = (char *)heap_copy(WHOLE, n);

		if (still_good(p, n))
			fail_msg("cut at %zu", n);
		free(p);
	}
}

static int
check(const char *text, const struct note_key *k, struct ops_err *err)
{
	struct note n;
	int rc;

	assert_int_equal(note_parse(text, strlen(text), &n, err), 0);
	rc = note_check(&n, k, NULL, err);
	note_free(&n);
	return rc;
}

/* 1, 0 and -1 are three different things. */
static void
test_check(void **state)
{
	struct ops_err err = { 0 };
	struct note_key other = log_key;

	(void)state;
	assert_int_equal(check(TEXT "\n" WITNESS_LINE, &log_key, &err), 0);
	assert_int_equal(check(TEXT "\n" LOG_LINE, &witness_key, &err), 0);
	assert_int_equal(check("x\n\n" GOOD, &log_key, &err), 0);
	assert_int_equal(err.code, OPS_OK);

	/* A bad one among good ones; the text of another note. */
	assert_int_equal(check("x\n\n" LOG_LINE, &log_key, &err), -1);
	assert_int_equal(err.code, OPS_ETAMPER);
	assert_int_equal(check("x\n\n" WITNESS_LINE, &witness_key, &err), -1);
	assert_int_equal(
	    check(TEXT "\n" LOG_LINE "\xe2\x80\x94 oplog.example/host1 "
		       "vdB3mvIeEIc5h9XcRzu2piZ2PTzPAAADRy9y\n",
		&log_key, &err),
	    -1);
	assert_int_equal(check(TEXT "\n" LOG_LINE LOG_LINE, &log_key, &err), 1);

	/* Same name, other id: unknown.  Same id, other name: unknown. */
	other.id[0] ^= 1;
	assert_int_equal(check(WHOLE, &other, &err), 0);
	other = log_key;
	other.name[0] = 'x';
	assert_int_equal(check(WHOLE, &other, &err), 0);
	/* A key of a type we can't check never makes a signature good. */
	other = log_key;
	other.type = 6;
	assert_int_equal(check(WHOLE, &other, &err), -1);
}

/* A cosignature line of "x\n" at this time by log_signer. */
static void
put_cosignature(struct ops_buf *b, const struct note_key *k, uint64_t time)
{
	struct ops_buf msg = { .max = 100 };
	uint8_t blob[4 + 8 + OPS_SIG_LEN];
	char base64[OPS_BASE64_SIZE(sizeof(blob))];

	ops_buf_printf(&msg, "cosignature/v1\ntime %ju\nx\n", (uintmax_t)time);
	memcpy(blob, k->id, 4);
	ops_putbe64(blob + 4, time);
	ops_signer_sign(log_signer, msg.data, msg.len, blob + 12);
	ops_base64(blob, sizeof(blob), base64);
	ops_buf_printf(b, "\xe2\x80\x94 %s %s\n", k->name, base64);
	ops_buf_free(&msg);
}

/* The latest of several counts; a time over 2^63 - 1 is no time. */
static void
test_cosignature_time(void **state)
{
	struct ops_buf b = { .max = 2000 };
	struct ops_err err = { 0 };
	struct note_key k;
	uint64_t time = 0;
	struct note n;

	(void)state;
	assert_int_equal(note_key_init(&k, "w", NOTE_COSIGNATURE,
			     ops_signer_pub(log_signer), &err),
	    0);
	ops_buf_puts(&b, "x\n\n");
	put_cosignature(&b, &k, 17);
	put_cosignature(&b, &k, INT64_MAX);
	put_cosignature(&b, &k, 18);
	assert_int_equal(note_parse((char *)b.data, b.len, &n, &err), 0);
	assert_int_equal(note_check(&n, &k, &time, &err), 1);
	assert_true(time == INT64_MAX);
	note_free(&n);

	put_cosignature(&b, &k, UINT64_C(1) << 63);
	time = 5;
	assert_int_equal(note_parse((char *)b.data, b.len, &n, &err), 0);
	assert_int_equal(note_check(&n, &k, &time, &err), -1);
	assert_int_equal(err.code, OPS_ETAMPER);
	assert_int_equal(time, 5);
	note_free(&n);
	ops_buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_vkey),
		cmocka_unit_test(test_vkey_go),
		cmocka_unit_test(test_vkey_mutations),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_flip),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_cosignature_time),
	};

	return cmocka_run_group_tests_name("note", tests, set_up, tear_down);
}
