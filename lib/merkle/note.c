#include "note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define ID_LEN 4
#define MARK "\xe2\x80\x94 " /* U+2014, and a space */
#define MARK_LEN 4
#define COSIGNATURE_LEN (8 + OPS_SIG_LEN) /* time, signature */

/* White_Space=yes of Unicode 15. */
static bool
is_unicode_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 ||
	       c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	       c == 0x3000;
}

bool
note_name_valid(const char *name, size_t n)
{
	const uint8_t *p = (const uint8_t *)name;

	if (n == 0 || n > NOTE_NAME_MAX)
		return false;
	for (size_t i = 0; i < n;) {
		int len = ops_utf8_len(p + i, n - i);
		uint32_t c;

		if (len <= 0)
			return false;
		c = ops_utf8_value(p + i, (size_t)len);
		if (c < 0x20 || c == '+' || is_unicode_space(c))
			return false;
		i += (size_t)len;
	}
	return true;
}

bool
note_text_valid(const char *p, size_t n)
{
	if (n == 0 || p[n - 1] != '\n')
		return false;
	for (size_t i = 0; i < n; i++)
		if ((uint8_t)p[i] < 0x20 && p[i] != '\n')
			return false;
	return ops_utf8_valid((const uint8_t *)p, n);
}

/* Keys */

static bool
is_known_type(uint8_t type)
{
	return type == NOTE_ED25519 || type == NOTE_COSIGNATURE;
}

int
note_key_init(struct note_key *k, const char *name, uint8_t type,
    const uint8_t pub[static OPS_PUB_LEN], struct ops_err *err)
{
	struct note_key key = { .type = type };
	size_t n = strnlen(name, NOTE_NAME_MAX + 1);
	uint8_t middle[2] = { '\n', type }, hash[OPS_HASH_LEN];
	struct ops_part parts[] = { { name, n }, { middle, sizeof(middle) },
		{ pub, OPS_PUB_LEN } };

	if (!note_name_valid(name, n))
		return ops_fail(err, OPS_EFORMAT, "key name not valid");
	if (!is_known_type(type))
		return ops_fail(
		    err, OPS_EFORMAT, "key type 0x%02x is not known", type);
	memcpy(key.name, name, n);
	memcpy(key.pub, pub, OPS_PUB_LEN);
	ops_sha256_parts(parts, OPS_ARRAY_LEN(parts), hash);
	memcpy(key.id, hash, ID_LEN);
	*k = key;
	return 0;
}

void
note_vkey_put(const struct note_key *k, struct ops_buf *out)
{
	uint8_t key[1 + OPS_PUB_LEN];
	char id[2 * ID_LEN + 1], base64[OPS_BASE64_SIZE(sizeof(key))];

	key[0] = k->type;
	memcpy(key + 1, k->pub, OPS_PUB_LEN);
	ops_hex(k->id, ID_LEN, id);
	ops_base64(key, sizeof(key), base64);
	ops_buf_printf(out, "%s+%s+%s", k->name, id, base64);
}

int
note_vkey_parse(
    const char *s, size_t n, struct note_key *ret, struct ops_err *err)
{
	const char *end = s + n, *id, *plus = memchr(s, '+', n);
	char name[NOTE_NAME_MAX + 1], id_text[2 * ID_LEN + 1];
	uint8_t key[1 + OPS_PUB_LEN];
	struct note_key k;
	size_t name_len;

	if (plus == NULL)
		return ops_fail(err, OPS_EFORMAT, "vkey: no '+'");
	name_len = (size_t)(plus - s);
	id = plus + 1;
	if (name_len > NOTE_NAME_MAX || memchr(s, '\0', name_len) != NULL)
		return ops_fail(err, OPS_EFORMAT, "vkey: name not valid");
	if (end - id < 2 * ID_LEN + 1 || id[2 * ID_LEN] != '+')
		return ops_fail(err, OPS_EFORMAT, "vkey: key id not valid");
	memcpy(name, s, name_len);
	name[name_len] = '\0';
	s = id + 2 * ID_LEN + 1;
	if (ops_unbase64(s, (size_t)(end - s), key, sizeof(key)) !=
	    (ssize_t)sizeof(key))
		return ops_fail(err, OPS_EFORMAT, "vkey: key not valid");
	if (note_key_init(&k, name, key[0], key + 1, err) < 0)
		return ops_context(err, "vkey");
	ops_hex(k.id, ID_LEN, id_text);
	if (memcmp(id, id_text, 2 * ID_LEN) != 0)
		return ops_fail(
		    err, OPS_EFORMAT, "vkey: key id is not that of the key");
	*ret = k;
	return 0;
}

/* Parsing */

/* Where the signature lines begin: after the last empty line; 0: nowhere. */
static size_t
find_signatures(const char *p, size_t n)
{
	for (size_t i = n; i >= 2; i--)
		if (p[i - 1] == '\n' && p[i - 2] == '\n')
			return i;
	return 0;
}

static int
parse_signature(
    const char *p, size_t n, struct note_sig *ret, struct ops_err *err)
{
	uint8_t blob[ID_LEN + NOTE_SIG_MAX];
	const char *space;
	ssize_t len;

	if (n < MARK_LEN || memcmp(p, MARK, MARK_LEN) != 0)
		return ops_fail(err, OPS_EFORMAT, "no em dash and space");
	p += MARK_LEN;
	n -= MARK_LEN;
	space = memchr(p, ' ', n);
	if (space == NULL || !note_name_valid(p, (size_t)(space - p)))
		return ops_fail(err, OPS_EFORMAT, "key name not valid");
	ret->name = p;
	ret->name_len = (size_t)(space - p);
	n -= ret->name_len + 1;
	len = ops_unbase64(space + 1, n, blob, sizeof(blob));
	if (len <= ID_LEN)
		return ops_fail(err, OPS_EFORMAT, "signature not valid");
	ret->sig_len = (size_t)len - ID_LEN;
	memcpy(ret->id, blob, ID_LEN);
	memcpy(ret->sig, blob + ID_LEN, ret->sig_len);
	return 0;
}

static size_t
count_lines(const char *p, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* count lines, each ended by \n, into sig[]. */
static int
parse_signatures(
    const char *p, size_t count, struct note_sig *sig, struct ops_err *err)
{
	for (size_t i = 0; i < count; i++) {
		const char *nl = strchr(p, '\n');

		if (parse_signature(p, (size_t)(nl - p), &sig[i], err) < 0)
			return ops_context(
			    err, "note: signature line %zu", i + 1);
		p = nl + 1;
	}
	return 0;
}

int
note_parse(const char *p, size_t n, struct note *ret, struct ops_err *err)
{
	struct note_sig *sig;
	size_t at, count;

	if (n > NOTE_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "note: larger than the limit of %d bytes", NOTE_MAX);
	if (!note_text_valid(p, n))
		return ops_fail(err, OPS_EFORMAT,
		    "note: not UTF-8, control character, or last line cut");
	at = find_signatures(p, n);
	count = count_lines(p + at, n - at);
	if (at == 0 || count == 0)
		return ops_fail(err, OPS_EFORMAT, "note: no signatures");
	if (count > NOTE_SIGS_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "note: %zu signatures, the limit is %d", count,
		    NOTE_SIGS_MAX);
	sig = calloc(count, sizeof(*sig));
	if (sig == NULL)
		return ops_fail(err, OPS_ENOMEM, "note: out of memory");
	if (parse_signatures(p + at, count, sig, err) < 0) {
		free(sig);
		return -1;
	}
	ret->text = p;
	ret->text_len = at - 1;
	ret->sigs = count;
	ret->sig = sig;
	return 0;
}

void
note_free(struct note *n)
{
	free(n->sig);
	n->sig = NULL;
	n->sigs = 0;
}

/* Checking */

bool
note_sig_names(const struct note_sig *s, const struct note_key *k)
{
	return s->name_len == strlen(k->name) &&
	       memcmp(s->name, k->name, s->name_len) == 0 &&
	       memcmp(s->id, k->id, ID_LEN) == 0;
}

/* c2sp.org/tlog-cosignature: the text with two lines in front is signed.
 * 1: good.  0: bad.  -1: out of memory. */
static int
check_cosignature(const struct note *n, const struct note_sig *s,
    const uint8_t *pub, uint64_t *time)
{
	struct ops_buf b = { .max = NOTE_MAX + 64 };
	int rc;

	if (s->sig_len != COSIGNATURE_LEN)
		return 0;
	*time = ops_getbe64(s->sig);
	if (*time > INT64_MAX)
		return 0;
	ops_buf_printf(&b, "cosignature/v1\ntime %" PRIu64 "\n", *time);
	ops_buf_put(&b, n->text, n->text_len);
	rc = b.failed ? -1 : ops_verify(pub, b.data, b.len, s->sig + 8);
	ops_buf_free(&b);
	return rc;
}

static int
check_signature(const struct note *n, const struct note_sig *s,
    const struct note_key *k, uint64_t *time)
{
	*time = 0;
	if (k->type == NOTE_COSIGNATURE)
		return check_cosignature(n, s, k->pub, time);
	return k->type == NOTE_ED25519 && s->sig_len == OPS_SIG_LEN &&
	       ops_verify(k->pub, n->text, n->text_len, s->sig);
}

int
note_check(const struct note *n, const struct note_key *k, uint64_t *time,
    struct ops_err *err)
{
	uint64_t latest = 0, at;
	int found = 0, good;

	for (size_t i = 0; i < n->sigs; i++) {
		if (!note_sig_names(&n->sig[i], k))
			continue;
		good = check_signature(n, &n->sig[i], k, &at);
		if (good < 0)
			return ops_fail(err, OPS_ENOMEM, "note: out of memory");
		if (good == 0)
			return ops_fail(err, OPS_ETAMPER,
			    "note: wrong signature by %s", k->name);
		latest = at > latest ? at : latest;
		found = 1;
	}
	if (found && time != NULL)
		*time = latest;
	return found;
}

/* Signing */

int
note_sign(const char *text, size_t text_len, const struct note_key *k,
    const struct ops_signer *signer, struct ops_buf *out, struct ops_err *err)
{
	uint8_t blob[ID_LEN + OPS_SIG_LEN];
	char base64[OPS_BASE64_SIZE(sizeof(blob))];
	size_t before = out->len;

	if (k->type != NOTE_ED25519 ||
	    memcmp(k->pub, ops_signer_pub(signer), OPS_PUB_LEN) != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "note: key %s is not the signer's", k->name);
	if (!note_text_valid(text, text_len))
		return ops_fail(err, OPS_EFORMAT, "note: text not valid");
	memcpy(blob, k->id, ID_LEN);
	ops_signer_sign(signer, text, text_len, blob + ID_LEN);
	ops_base64(blob, sizeof(blob), base64);

	ops_buf_put(out, text, text_len);
	ops_buf_printf(out, "\n" MARK "%s %s\n", k->name, base64);
	if (ops_buf_check(out, "note", err) < 0) {
		out->len = before;
		return -1;
	}
	return 0;
}
