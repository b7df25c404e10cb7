#include "authkeys.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "textline.h"

/* Those that take nothing from a key: "restrict" and what isn't known do. */
static const char *const harmless[] = { "agent-forwarding", "environment",
	"expiry-time", "no-touch-required", "port-forwarding", "pty", "user-rc",
	"verify-required", "X11-forwarding" };

/* Words that a key may begin with, where there are no options.  Other types than
 * these begin alike. */
static const char *const types[] = { "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-",
	"rsa-sha2-", "webauthn-" };

static bool
is_type(const char *p, size_t n)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(types); i++)
		if (n > strlen(types[i]) &&
		    memcmp(p, types[i], strlen(types[i])) == 0)
			return true;
	return false;
}

static bool
is_harmless(const char *p, size_t n)
{
	for (size_t i = 0; i < OPS_ARRAY_LEN(harmless); i++)
		if (strlen(harmless[i]) == n &&
		    strncasecmp(p, harmless[i], n) == 0)
			return true;
	return false;
}

/* The end of the word that begins at p: blanks inside quotes don't end it. */
static size_t
word(const char *p, size_t n)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\\' && i + 1 < n && p[i + 1] == '"')
			i++;
		else if (p[i] == '"')
			quoted = !quoted;
		else if (!quoted && (p[i] == ' ' || p[i] == '\t'))
			break;
	}
	return i < n ? i : n;
}

/* The end of the option that begins at p: a comma, outside of quotes. */
static size_t
option_end(const char *p, size_t n)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\\' && i + 1 < n && p[i + 1] == '"')
			i++;
		else if (p[i] == '"')
			quoted = !quoted;
		else if (!quoted && p[i] == ',')
			break;
	}
	return i < n ? i : n;
}

static bool
restricting(const char *p, size_t n, char option[static AUTHKEYS_OPTION])
{
	while (n > 0) {
		size_t len = option_end(p, n), name = 0;

		while (name < len && p[name] != '=')
			name++;
		if (!is_harmless(p, name)) {
			(void)snprintf(option, AUTHKEYS_OPTION, "%.*s",
			    (int)(name < AUTHKEYS_OPTION ? name
							 : AUTHKEYS_OPTION),
			    p);
			return true;
		}
		len += len < n; /* the comma */
		p += len;
		n -= len;
	}
	return false;
}

unsigned
authkeys_restricted(
    const char *p, size_t n, char option[static AUTHKEYS_OPTION])
{
	struct textline l;
	size_t at = 0;

	for (unsigned line = 1; textline_next(p, n, &at, &l); line++) {
		size_t from = 0, len;

		while (from < l.n && (l.p[from] == ' ' || l.p[from] == '\t'))
			from++;
		if (from == l.n || l.p[from] == '#' || l.p[from] == '\r')
			continue;
		len = word(l.p + from, l.n - from);
		if (!is_type(l.p + from, len) &&
		    restricting(l.p + from, len, option))
			return line;
	}
	return 0;
}
