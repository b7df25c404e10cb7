#include "people.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

#define WORDS_MAX 4
#define PREFIX "SHA256:"

struct line {
	char
	    text[PEOPLE_LINE_MAX + WORDS_MAX]; /* the words, a NUL after each */
	const char *word[WORDS_MAX];
	size_t words;
};

/* -- words -- */

/* One word from s[*at] on into out; 0, or what is wrong. */
static const char *
read_word(const char *s, size_t n, size_t *at, char *out, size_t *len)
{
	bool quoted = s[*at] == '"';
	size_t i = *at + quoted;

	for (*len = 0; i < n; i++) {
		char c = s[i];

		if (quoted ? c == '"' : c == ' ' || c == '\t')
			break;
		if (!quoted && c == '"')
			return "a quote within a word";
		if (quoted && c == '\\') {
			if (i + 1 == n || (s[i + 1] != '"' && s[i + 1] != '\\'))
				return "a backslash before something else "
				       "than a quote or a backslash";
			c = s[++i];
		}
		out[(*len)++] = c;
	}
	if (quoted && i == n)
		return "a quote that isn't closed";
	if (quoted && i + 1 < n && s[i + 1] != ' ' && s[i + 1] != '\t')
		return "something behind a quote";
	if (*len == 0)
		return "an empty word";
	*at = i + quoted;
	return NULL;
}

/* A name is shown on terminals, and is typed: nothing in it may hide. */
static bool
is_visible(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;

	while (n > 0) {
		size_t len = ops_text_visible_len(p, n);

		if (len == 0)
			return false;
		p += len;
		n -= len;
	}
	return true;
}

static const char *
read_words(const char *s, size_t n, struct line *l)
{
	size_t at = 0, used = 0, len;
	const char *wrong;

	l->words = 0;
	for (size_t i = 0; i < WORDS_MAX; i++)
		l->word[i] = "";
	for (;;) {
		while (at < n && (s[at] == ' ' || s[at] == '\t'))
			at++;
		if (at == n || s[at] == '#')
			return NULL;
		if (l->words == WORDS_MAX)
			return "more words than it takes";
		wrong = read_word(s, n, &at, l->text + used, &len);
		if (wrong != NULL)
			return wrong;
		if (!is_visible(l->text + used, len))
			return "characters that can't be shown";
		l->word[l->words++] = l->text + used;
		used += len;
		l->text[used++] = '\0';
	}
}

/* -- lines -- */

enum kind { KEY, CERT, PRINCIPAL, KINDS };

static const struct {
	const char *name;
	size_t words;
	const char *form;
} kinds[KINDS] = {
	[KEY] = { "key", 3, "key FINGERPRINT NAME" },
	[CERT] = { "cert", 4, "cert CA-FINGERPRINT KEY-ID NAME" },
	[PRINCIPAL] = { "principal", 4,
	    "principal CA-FINGERPRINT PRINCIPAL NAME" },
};

/* As `ssh-keygen -l` prints them. */
static bool
is_fingerprint(const char *s)
{
	size_t n = sizeof(PREFIX) - 1;

	if (strncmp(s, PREFIX, n) != 0)
		return false;
	s += n;
	n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		      "0123456789+/");
	return n == SSHKEY_FINGERPRINT_SIZE - sizeof(PREFIX) && s[n] == '\0';
}

static int
check_line(const struct line *l, enum kind *ret, struct ops_err *err)
{
	enum kind k = 0;

	while (k < KINDS && strcmp(kinds[k].name, l->word[0]) != 0)
		k++;
	if (k == KINDS)
		return ops_fail(err, OPS_EFORMAT,
		    "a line begins with key, cert or principal");
	if (l->words != kinds[k].words)
		return ops_fail(
		    err, OPS_EFORMAT, "it is to be: %s", kinds[k].form);
	if (!is_fingerprint(l->word[1]))
		return ops_fail(err, OPS_EFORMAT,
		    "no fingerprint as ssh-keygen -l prints it (SHA256:...)");
	if (strlen(l->word[l->words - 1]) > EVENT_TEXT_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "a name of more than %d bytes", EVENT_TEXT_MAX);
	*ret = k;
	return 0;
}

static bool
is_text(struct event_text t, const char *s)
{
	return t.n == strlen(s) && memcmp(t.p, s, t.n) == 0;
}

static bool
fits(const struct line *l, enum kind k, const struct people_key *who)
{
	struct event_text one;

	if (k == KEY)
		return who->fingerprint != NULL &&
		       strcmp(l->word[1], who->fingerprint) == 0;
	if (who->key == NULL || !who->key->is_cert || who->ca == NULL ||
	    strcmp(l->word[1], who->ca) != 0)
		return false;
	if (k == CERT)
		return is_text(who->key->id, l->word[2]);
	for (size_t i = 0; sshkey_principal(who->key, i, &one); i++)
		if (is_text(one, l->word[2]))
			return true;
	return false;
}

/* One line: the name, if it fits; "": it doesn't, or there is nothing in it. */
static int
read_line(const char *s, size_t n, const struct people_key *who, struct line *l,
    const char **name, struct ops_err *err)
{
	const char *wrong;
	enum kind k;

	*name = "";
	if (n > 0 && s[n - 1] == '\r')
		n--;
	if (n > PEOPLE_LINE_MAX)
		return ops_fail(err, OPS_EFORMAT,
		    "a line of more than %d bytes", PEOPLE_LINE_MAX);
	wrong = read_words(s, n, l);
	if (wrong != NULL)
		return ops_fail(err, OPS_EFORMAT, "%s", wrong);
	if (l->words == 0)
		return 0;
	if (check_line(l, &k, err) < 0)
		return -1;
	if (who != NULL && fits(l, k, who))
		*name = l->word[l->words - 1];
	return 0;
}

int
people_find(const char *file, const char *p, size_t n,
    const struct people_key *who, char ret[static EVENT_TEXT_MAX + 1],
    struct ops_err *err)
{
	char found[EVENT_TEXT_MAX + 1] = "";
	struct line l = { 0 };
	unsigned number = 0;

	if (n > PEOPLE_MAX)
		return ops_fail(err, OPS_EFORMAT, "%s: more than %d bytes",
		    file, PEOPLE_MAX);
	while (n > 0) {
		const char *end = memchr(p, '\n', n), *name;
		size_t len = end != NULL ? (size_t)(end - p) : n;

		number++;
		if (read_line(p, len, who, &l, &name, err) < 0)
			return ops_context(err, "%s:%u", file, number);
		/* check_line() has seen to its length. */
		if (found[0] == '\0')
			memcpy(found, name, strlen(name) + 1);
		len += end != NULL;
		p += len;
		n -= len;
	}
	memcpy(ret, found, strlen(found) + 1);
	return 0;
}
