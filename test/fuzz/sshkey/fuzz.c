/*
 * sshkey - first byte: a key, what sshd tells of how somebody got in, or a file
 * of keys; the rest: its bytes.  Whatever is told lies within the input, or is
 * one of the names that are known; a cut certificate is none.
 */
#include "../fuzz.h"

#include <stdbool.h>

#include "record/sshkey.h"

static bool
within(struct event_text t, const uint8_t *p, size_t n)
{
	return t.p >= p && t.n <= n && t.p <= p + (n - t.n);
}

static void
try_key(const uint8_t *p, size_t n)
{
	char fingerprint[SSHKEY_FINGERPRINT_SIZE];
	struct event_text one;
	struct sshkey k, cut;
	size_t i = 0;

	if (sshkey_parse(p, n, &k, NULL) < 0)
		return;
	REQUIRE(within(k.type, p, n) && k.type.n > 0);
	sshkey_fingerprint(&k, p, n, fingerprint);
	REQUIRE(strlen(fingerprint) == SSHKEY_FINGERPRINT_SIZE - 1);
	if (!k.is_cert) {
		REQUIRE(!sshkey_principal(&k, 0, &one));
		return;
	}
	REQUIRE(within(k.fields, p, n) && within(k.id, p, n) &&
		within(k.principals, p, n) && within(k.ca, p, n));
	while (sshkey_principal(&k, i, &one)) {
		REQUIRE(within(one, k.principals.p, k.principals.n));
		i++;
	}
	REQUIRE(i <= SSHKEY_PRINCIPALS_MAX);
	REQUIRE(sshkey_parse(p, n - 1, &cut, NULL) == -1);
}

static void
try_auth(const char *p, size_t n)
{
	struct sshauth a;

	if (sshauth_parse(p, n, &a, NULL) < 0) {
		REQUIRE(n > SSHAUTH_MAX);
		return;
	}
	REQUIRE(strlen(a.methods) <= SSHAUTH_METHODS);
	REQUIRE(strchr(a.methods, '\n') == NULL);
	REQUIRE((a.key.p == NULL) == (a.type.p == NULL));
	if (a.key.p != NULL)
		REQUIRE(within(a.key, (const uint8_t *)p, n) && a.key.n > 0 &&
			within(a.type, (const uint8_t *)p, n));
}

/* The first line is the key, the rest is the file. */
static void
try_comment(const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	struct event_text t;
	size_t len;

	if (end == NULL)
		return;
	len = (size_t)(end - p);
	if (!sshkey_comment(end + 1, n - len - 1,
		(struct event_text){ (const uint8_t *)p, len }, &t))
		return;
	REQUIRE(len > 0 && t.n > 0 &&
		within(t, (const uint8_t *)end + 1, n - len - 1));
	REQUIRE(memchr(t.p, '\n', t.n) == NULL);
	REQUIRE(t.p[0] != ' ' && t.p[t.n - 1] != ' ');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 3) {
	case 0:
		try_key(data + 1, size - 1);
		break;
	case 1:
		try_auth((const char *)data + 1, size - 1);
		break;
	default:
		try_comment((const char *)data + 1, size - 1);
		break;
	}
	return 0;
}
