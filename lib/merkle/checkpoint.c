#include "checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define ROOT_TEXT (OPS_BASE64_SIZE(OPS_HASH_LEN) - 1)
#define BODY_MAX (NOTE_NAME_MAX + ROOT_TEXT + 32)
#define ANCHOR_WORD "opseal-anchor "

/* Bytes still to be read. */
struct rest {
	const char *p;
	size_t n;
};

/* The bytes up to the next `end`, which is skipped; false if there is none. */
static bool
take_until(struct rest *r, char end, struct rest *ret)
{
	const char *at = memchr(r->p, end, r->n);

	if (at == NULL)
		return false;
	ret->p = r->p;
	ret->n = (size_t)(at - r->p);
	r->p = at + 1;
	r->n -= ret->n + 1;
	return true;
}

static bool
parse_size(struct rest s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || (s.p[0] == '0' && s.n > 1))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' ||
		    __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

static bool
is_root_of_size(const uint8_t *root, uint64_t size)
{
	uint8_t empty[OPS_HASH_LEN];

	ops_sha256(NULL, 0, empty);
	return size != 0 || memcmp(root, empty, sizeof(empty)) == 0;
}

/* The three fields that bodies and anchors share. */
static int
parse_fields(struct rest origin, struct rest size, struct rest root,
    struct checkpoint *ret, struct ops_err *err)
{
	struct checkpoint c = { 0 };

	if (!note_name_valid(origin.p, origin.n))
		return ops_fail(err, OPS_EFORMAT, "origin not valid");
	memcpy(c.origin, origin.p, origin.n);
	if (!parse_size(size, &c.size))
		return ops_fail(err, OPS_EFORMAT, "size not valid");
	if (ops_unbase64(root.p, root.n, c.root, sizeof(c.root)) !=
		OPS_HASH_LEN ||
	    !is_root_of_size(c.root, c.size))
		return ops_fail(err, OPS_EFORMAT, "root hash not valid");
	*ret = c;
	return 0;
}

void
checkpoint_put(const struct checkpoint *c, struct ops_buf *out)
{
	char root[ROOT_TEXT + 1];

	ops_base64(c->root, sizeof(c->root), root);
	ops_buf_printf(out, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size, root);
}

int
checkpoint_parse(
    const char *p, size_t n, struct checkpoint *ret, struct ops_err *err)
{
	struct rest r = { p, n }, origin, size, root, extension;
	struct checkpoint c;

	if (!note_text_valid(p, n) || !take_until(&r, '\n', &origin) ||
	    !take_until(&r, '\n', &size) || !take_until(&r, '\n', &root))
		return ops_fail(
		    err, OPS_EFORMAT, "checkpoint: not three lines of text");
	if (parse_fields(origin, size, root, &c, err) < 0)
		return ops_context(err, "checkpoint");
	while (take_until(&r, '\n', &extension))
		if (extension.n == 0)
			return ops_fail(
			    err, OPS_EFORMAT, "checkpoint: empty line");
	*ret = c;
	return 0;
}

int
checkpoint_sign(const struct checkpoint *c, const struct note_key *k,
    const struct ops_signer *signer, struct ops_buf *out, struct ops_err *err)
{
	struct ops_buf body = { .max = BODY_MAX };
	int rc = -1;

	if (strcmp(c->origin, k->name) != 0)
		return ops_fail(err, OPS_EUSAGE,
		    "checkpoint: key %s is not that of origin %s", k->name,
		    c->origin);
	if (!is_root_of_size(c->root, c->size))
		return ops_fail(err, OPS_EUSAGE,
		    "checkpoint: size 0 without the empty root");
	checkpoint_put(c, &body);
	if (ops_buf_check(&body, "checkpoint", err) == 0)
		rc = note_sign(
		    (const char *)body.data, body.len, k, signer, out, err);
	ops_buf_free(&body);
	return rc;
}

/* Check the parsed note; its body into *ret. */
static int
open_note(const struct note *note, const struct note_key *k,
    struct checkpoint *ret, struct ops_err *err)
{
	struct checkpoint c;
	int found = note_check(note, k, NULL, err);

	if (found < 0)
		return ops_context(err, "checkpoint");
	if (found == 0)
		return ops_fail(
		    err, OPS_ETAMPER, "checkpoint: not signed by %s", k->name);
	if (checkpoint_parse(note->text, note->text_len, &c, err) < 0)
		return -1;
	if (strcmp(c.origin, k->name) != 0)
		return ops_fail(err, OPS_ETAMPER,
		    "checkpoint: origin is %s, the key is of %s", c.origin,
		    k->name);
	*ret = c;
	return 0;
}

int
checkpoint_open(const char *p, size_t n, const struct note_key *k,
    struct checkpoint *ret, struct ops_err *err)
{
	struct note note;
	int rc;

	if (note_parse(p, n, &note, err) < 0)
		return ops_context(err, "checkpoint");
	rc = open_note(&note, k, ret, err);
	note_free(&note);
	return rc;
}

/* Does the text hold nothing but what c says?  Else an anchor, which has no
 * room for more, could not be checked. */
static bool
is_whole_text(const struct note *note, const struct checkpoint *c)
{
	struct ops_buf body = { .max = BODY_MAX };
	bool same;

	checkpoint_put(c, &body);
	same = !body.failed && body.len == note->text_len &&
	       memcmp(body.data, note->text, body.len) == 0;
	ops_buf_free(&body);
	return same;
}

static void
put_anchor(const struct checkpoint *c, const struct note_key *k,
    const struct note_sig *s, struct ops_buf *out)
{
	uint8_t blob[sizeof(s->id) + OPS_SIG_LEN];
	char root[ROOT_TEXT + 1], sig[OPS_BASE64_SIZE(sizeof(blob))];

	memcpy(blob, s->id, sizeof(s->id));
	memcpy(blob + sizeof(s->id), s->sig, OPS_SIG_LEN);
	ops_base64(c->root, sizeof(c->root), root);
	ops_base64(blob, sizeof(blob), sig);
	ops_buf_printf(out, ANCHOR_WORD "%s %" PRIu64 " %s %s", k->name,
	    c->size, root, sig);
}

/* k's first signature; open_note() has found that there is one. */
static const struct note_sig *
signature_by(const struct note *note, const struct note_key *k)
{
	size_t i = 0;

	while (!note_sig_names(&note->sig[i], k))
		i++;
	return &note->sig[i];
}

int
checkpoint_anchor_put(const char *p, size_t n, const struct note_key *k,
    struct ops_buf *out, struct ops_err *err)
{
	size_t before = out->len;
	struct checkpoint c;
	struct note note;
	int rc = -1;

	if (k->type != NOTE_ED25519)
		return ops_fail(
		    err, OPS_EUSAGE, "anchor: %s is no log key", k->name);
	if (note_parse(p, n, &note, err) < 0)
		return ops_context(err, "anchor");
	if (open_note(&note, k, &c, err) < 0) {
		ops_context(err, "anchor");
		goto out;
	}
	if (!is_whole_text(&note, &c)) {
		ops_fail(err, OPS_EFORMAT,
		    "anchor: the checkpoint has extension lines");
		goto out;
	}
	put_anchor(&c, k, signature_by(&note, k), out);
	rc = ops_buf_check(out, "anchor", err);
	if (rc < 0)
		out->len = before;
out:
	note_free(&note);
	return rc;
}

/* What follows the word, up to the end of the line. */
static int
parse_anchor(struct rest r, struct checkpoint_anchor *ret, struct ops_err *err)
{
	uint8_t blob[sizeof(ret->key_id) + OPS_SIG_LEN];
	struct rest origin, size, root;
	struct checkpoint_anchor a;

	if (!take_until(&r, ' ', &origin) || !take_until(&r, ' ', &size) ||
	    !take_until(&r, ' ', &root))
		return ops_fail(err, OPS_EFORMAT, "anchor: fields missing");
	if (parse_fields(origin, size, root, &a.cp, err) < 0)
		return ops_context(err, "anchor");
	if (ops_unbase64(r.p, r.n, blob, sizeof(blob)) != (ssize_t)sizeof(blob))
		return ops_fail(
		    err, OPS_EFORMAT, "anchor: signature not valid");
	memcpy(a.key_id, blob, sizeof(a.key_id));
	memcpy(a.sig, blob + sizeof(a.key_id), sizeof(a.sig));
	*ret = a;
	return 0;
}

int
checkpoint_anchor_parse(
    const char *p, size_t n, struct checkpoint_anchor *ret, struct ops_err *err)
{
	const size_t word = sizeof(ANCHOR_WORD) - 1;
	int rc = 0;

	if (n > 0 && p[n - 1] == '\n')
		n--;
	/* The words before an anchor, or its origin, may hold the word too. */
	for (size_t i = 0; i + word <= n; i++) {
		if ((i > 0 && p[i - 1] != ' ') ||
		    memcmp(p + i, ANCHOR_WORD, word) != 0)
			continue;
		rc = -1;
		if (n - i <= CHECKPOINT_ANCHOR_MAX &&
		    parse_anchor((struct rest){ p + i + word, n - i - word },
			ret, err) == 0)
			return 1;
		if (n - i > CHECKPOINT_ANCHOR_MAX)
			ops_fail(err, OPS_EFORMAT, "anchor: line too long");
	}
	return rc;
}

bool
checkpoint_anchor_check(
    const struct checkpoint_anchor *a, const struct note_key *k)
{
	struct ops_buf body = { .max = BODY_MAX };
	bool good;

	if (k->type != NOTE_ED25519 || strcmp(a->cp.origin, k->name) != 0 ||
	    memcmp(a->key_id, k->id, sizeof(k->id)) != 0)
		return false;
	checkpoint_put(&a->cp, &body);
	good = !body.failed && ops_verify(k->pub, body.data, body.len, a->sig);
	ops_buf_free(&body);
	return good;
}
