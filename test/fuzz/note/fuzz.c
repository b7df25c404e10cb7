/* note - any bytes: a note that parses is its text and nothing else, and only
 * the text that was signed is found signed. */
#include "../fuzz.h"

#include "base/text.h"
#include "merkle/note.h"

static struct note_key key;
static struct ops_signer *signer;

static void
make_key(void)
{
	static const uint8_t seed[OPS_SEED_LEN] = { 1, 2, 3 };

	signer = ops_signer_new(seed);
	REQUIRE(note_key_init(&key, "fuzz.example", NOTE_ED25519,
		    ops_signer_pub(signer), NULL) == 0);
}

static void
check_note(const char *p, size_t n)
{
	struct note note;
	struct ops_err err = { 0 };

	if (note_parse(p, n, &note, &err) < 0) {
		REQUIRE(err.code == OPS_EFORMAT);
		return;
	}
	REQUIRE(note.text == p && note.text_len < n);
	REQUIRE(p[note.text_len - 1] == '\n' && p[note.text_len] == '\n');
	REQUIRE(note.sigs >= 1 && note.sigs <= NOTE_SIGS_MAX);
	for (size_t i = 0; i < note.sigs; i++) {
		const struct note_sig *s = &note.sig[i];

		REQUIRE(note_name_valid(s->name, s->name_len));
		REQUIRE(s->name > p && s->name + s->name_len < p + n);
		REQUIRE(s->sig_len >= 1 && s->sig_len <= NOTE_SIG_MAX);
	}
	/* Nobody else has the key: good only if it is our own seed file. */
	if (note_check(&note, &key, NULL, NULL) == 1)
		REQUIRE(note.text_len == 5 && memcmp(p, "fuzz\n", 5) == 0);
	note_free(&note);
}

static void
check_vkey(const char *p, size_t n)
{
	struct ops_buf b = { .max = 4096 };
	struct note_key k;

	if (note_vkey_parse(p, n, &k, NULL) < 0)
		return;
	note_vkey_put(&k, &b);
	REQUIRE(b.len == n && memcmp(b.data, p, n) == 0);
	ops_buf_free(&b);
}

/* Any valid text can be signed, and then stands; and no other does. */
static void
check_sign(const char *p, size_t n)
{
	struct ops_buf b = { .max = 2 * NOTE_MAX };
	struct note note;

	if (n > NOTE_MAX / 2)
		return;
	if (note_sign(p, n, &key, signer, &b, NULL) < 0) {
		REQUIRE(!note_text_valid(p, n) && b.len == 0);
		return;
	}
	REQUIRE(note_parse((char *)b.data, b.len, &note, NULL) == 0);
	REQUIRE(note.text_len == n && memcmp(note.text, p, n) == 0);
	REQUIRE(note.sigs == 1);
	REQUIRE(note_check(&note, &key, NULL, NULL) == 1);
	note_free(&note);
	b.data[n / 2] ^= 1;
	if (note_parse((char *)b.data, b.len, &note, NULL) == 0) {
		REQUIRE(note_check(&note, &key, NULL, NULL) <= 0);
		note_free(&note);
	}
	ops_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;

	if (signer == NULL)
		make_key();
	check_note(p, size);
	check_vkey(p, size);
	check_sign(p, size);
	return 0;
}
