#include "sshkey.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define PREFIX "SHA256:"
#define HASH_TEXT (SSHKEY_FINGERPRINT_SIZE - sizeof(PREFIX))

/* -- the wire -- */

struct reader {
	const uint8_t *p;
	size_t n;
};

static bool
take(struct reader *r, size_t n, struct event_text *ret)
{
	if (n > r->n)
		return false;
	*ret = (struct event_text){ r->p, n };
	r->p += n;
	r->n -= n;
	return true;
}

static bool
take_string(struct reader *r, struct event_text *ret)
{
	struct event_text len;

	return take(r, 4, &len) && take(r, ops_getbe32(len.p), ret);
}

static bool
text_is(struct event_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

/* -- keys and certificates -- */

/* Certificates: the type of the key in it, and how many strings that has. */
/* clang-format off */
static const struct kind {
	const char *cert, *plain;
	size_t fields;
} kinds[] = {
	{ "ssh-rsa-cert-v01@openssh.com",		"ssh-rsa",		2 },
	{ "ssh-dss-cert-v01@openssh.com",		"ssh-dss",		4 },
	{ "ssh-ed25519-cert-v01@openssh.com",		"ssh-ed25519",		1 },
	{ "ecdsa-sha2-nistp256-cert-v01@openssh.com",	"ecdsa-sha2-nistp256",	2 },
	{ "ecdsa-sha2-nistp384-cert-v01@openssh.com",	"ecdsa-sha2-nistp384",	2 },
	{ "ecdsa-sha2-nistp521-cert-v01@openssh.com",	"ecdsa-sha2-nistp521",	2 },
	{ "sk-ssh-ed25519-cert-v01@openssh.com",	"sk-ssh-ed25519@openssh.com", 2 },
	{ "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com", 3 },
};
/* clang-format on */

static const struct kind *
kind_of(struct event_text type)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(kinds); i++)
		if (text_is(type, kinds[i].cert))
			return &kinds[i];
	return NULL;
}

/* The strings of the key, one after the other. */
static bool
take_fields(struct reader *r, size_t n, struct event_text *ret)
{
	struct event_text one;

	ret->p = r->p;
	for (size_t i = 0; i < n; i++)
		if (!take_string(r, &one))
			return false;
	ret->n = (size_t)(r->p - ret->p);
	return true;
}

static bool
principals_hold(struct event_text list)
{
	struct reader r = { list.p, list.n };
	struct event_text one;
	size_t n = 0;

	while (r.n > 0)
		if (!take_string(&r, &one) || ++n > SSHKEY_PRINCIPALS_MAX)
			return false;
	return true;
}

static int
parse_cert(struct reader *r, const struct kind *kind, struct sshkey *k,
    struct ops_err *err)
{
	struct event_text nonce, serial, type, times, options, extensions,
	    reserved, signature;

	if (!take_string(r, &nonce) ||
	    !take_fields(r, kind->fields, &k->fields) || !take(r, 8, &serial) ||
	    !take(r, 4, &type) || !take_string(r, &k->id) ||
	    !take_string(r, &k->principals) || !take(r, 16, &times) ||
	    !take_string(r, &options) || !take_string(r, &extensions) ||
	    !take_string(r, &reserved) || !take_string(r, &k->ca) ||
	    !take_string(r, &signature) || r->n > 0)
		return ops_fail(err, OPS_EFORMAT, "certificate: malformed");
	if (ops_getbe32(type.p) != 1)
		return ops_fail(err, OPS_EFORMAT, "certificate: not of a user");
	if (!principals_hold(k->principals))
		return ops_fail(
		    err, OPS_EFORMAT, "certificate: malformed principals");
	k->serial = ops_getbe64(serial.p);
	k->plain = (struct event_text){ (const uint8_t *)kind->plain,
		strlen(kind->plain) };
	k->is_cert = true;
	return 0;
}

int
sshkey_parse(
    const uint8_t *p, size_t n, struct sshkey *ret, struct ops_err *err)
{
	struct reader r = { p, n };
	struct sshkey k = { 0 };
	const struct kind *kind;

	if (n > SSHKEY_MAX)
		return ops_fail(err, OPS_EFORMAT, "key: %zu bytes", n);
	if (!take_string(&r, &k.type) || k.type.n == 0)
		return ops_fail(err, OPS_EFORMAT, "key: malformed");
	kind = kind_of(k.type);
	if (kind != NULL && parse_cert(&r, kind, &k, err) < 0)
		return -1;
	*ret = k;
	return 0;
}

bool
sshkey_principal(const struct sshkey *k, size_t i, struct event_text *ret)
{
	struct reader r = { k->principals.p, k->principals.n };
	struct event_text one;

	for (size_t j = 0; r.n > 0 && take_string(&r, &one); j++)
		if (j == i) {
			*ret = one;
			return true;
		}
	return false;
}

/* -- fingerprints -- */

static void
put_hash(const uint8_t hash[static OPS_HASH_LEN],
    char out[static SSHKEY_FINGERPRINT_SIZE])
{
	char text[OPS_BASE64_SIZE(OPS_HASH_LEN)];

	ops_base64(hash, OPS_HASH_LEN, text);
	/* A hash's text ends in one "=", which they leave out. */
	memcpy(out, PREFIX, sizeof(PREFIX) - 1);
	memcpy(out + sizeof(PREFIX) - 1, text, HASH_TEXT);
	out[SSHKEY_FINGERPRINT_SIZE - 1] = '\0';
}

void
sshkey_hash(const void *p, size_t n, char out[static SSHKEY_FINGERPRINT_SIZE])
{
	uint8_t hash[OPS_HASH_LEN];

	ops_sha256(p, n, hash);
	put_hash(hash, out);
}

void
sshkey_fingerprint(const struct sshkey *k, const uint8_t *p, size_t n,
    char out[static SSHKEY_FINGERPRINT_SIZE])
{
	uint8_t hash[OPS_HASH_LEN], len[4];
	const struct ops_part parts[] = { { len, sizeof(len) },
		{ k->plain.p, k->plain.n }, { k->fields.p, k->fields.n } };

	if (!k->is_cert) {
		sshkey_hash(p, n, out);
		return;
	}
	ops_putbe32(len, (uint32_t)k->plain.n);
	ops_sha256_parts(parts, OPS_ARRAY_LEN(parts), hash);
	put_hash(hash, out);
}

/* -- text -- */

/* A word up to the next blank or the end of the line; quoted: blanks within
 * double quotes are part of it, as in the options of a key. */
static struct event_text
word(const char *line, size_t n, size_t *at, bool quoted)
{
	bool within = false;
	size_t from;

	while (*at < n && (line[*at] == ' ' || line[*at] == '\t'))
		++*at;
	from = *at;
	for (; *at < n; ++*at) {
		char c = line[*at];

		if (!within && (c == ' ' || c == '\t'))
			break;
		if (quoted && c == '\\' && *at + 1 < n && line[*at + 1] == '"')
			++*at;
		else if (quoted && c == '"')
			within = !within;
	}
	return (struct event_text){ (const uint8_t *)line + from, *at - from };
}

/* The next line, without its end; false: there are no more. */
static bool
next_line(const char **p, size_t *n, const char **line, size_t *len)
{
	const char *end;

	if (*n == 0)
		return false;
	end = memchr(*p, '\n', *n);
	*line = *p;
	*len = end != NULL ? (size_t)(end - *p) : *n;
	*n -= *len + (end != NULL);
	*p += *len + (end != NULL);
	if (*len > 0 && (*line)[*len - 1] == '\r')
		--*len;
	return true;
}

static void
add_method(struct sshauth *a, struct event_text name)
{
	size_t n = strlen(a->methods);
	size_t comma = n > 0;

	if (n + comma + name.n > SSHAUTH_METHODS ||
	    memchr(name.p, '\0', name.n) != NULL)
		return;
	if (comma)
		a->methods[n++] = ',';
	memcpy(a->methods + n, name.p, name.n);
	a->methods[n + name.n] = '\0';
}

int
sshauth_parse(const char *p, size_t n, struct sshauth *ret, struct ops_err *err)
{
	struct sshauth a = { 0 };
	const char *line;
	size_t len;

	if (n > SSHAUTH_MAX)
		return ops_fail(
		    err, OPS_EFORMAT, "SSH_AUTH_INFO_0: %zu bytes", n);
	while (next_line(&p, &n, &line, &len)) {
		size_t at = 0;
		struct event_text method = word(line, len, &at, false);
		struct event_text type = word(line, len, &at, false);
		struct event_text key = word(line, len, &at, false);

		if (method.n == 0)
			continue;
		add_method(&a, method);
		if (a.key.p != NULL || key.n == 0 ||
		    !text_is(method, "publickey"))
			continue;
		a.type = type;
		a.key = key;
	}
	*ret = a;
	return 0;
}

/* What is behind the key, without blanks around it. */
static bool
rest_of(const char *line, size_t n, size_t at, struct event_text *ret)
{
	while (at < n && (line[at] == ' ' || line[at] == '\t'))
		at++;
	while (n > at && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (at == n)
		return false;
	*ret = (struct event_text){ (const uint8_t *)line + at, n - at };
	return true;
}

static bool
same(struct event_text a, struct event_text b)
{
	return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

bool
sshkey_comment(
    const char *p, size_t n, struct event_text key, struct event_text *ret)
{
	const char *line;
	size_t len;

	while (key.n > 0 && next_line(&p, &n, &line, &len)) {
		size_t at = 0;
		struct event_text first = word(line, len, &at, true);

		if (first.n == 0 || first.p[0] == '#')
			continue;
		/* "TYPE KEY COMMENT", or the same behind options. */
		for (int i = 0; i < 2; i++)
			if (same(word(line, len, &at, false), key))
				return rest_of(line, len, at, ret);
	}
	return false;
}
