#include "capture_mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crypto.h"

#define HASH_SHOWN 6 /* bytes */

enum kind { OPTION, SHORT, ASSIGN, AFTER, PREFIX, URL };

struct rule {
	struct rule *next;
	enum kind kind;
	char *text; /* NAME, PROGRAM, PATTERN, TEXT; owned */
	char letter;
	bool in_next;
	size_t min;
};

struct mask {
	struct rule *rules;
	uint8_t key[MASK_KEY];
};

const char mask_default_rules[] =
    "option password passwd pass passphrase token secret api-key apikey\n"
    "option api_key access-key secret-key secret-access-key client-secret\n"
    "option auth-token access-token db-password admin-password http-password\n"
    "option proxy-password bind-password new-password old-password\n"
    "short mysql p\n"
    "short mysqldump p\n"
    "short mysqladmin p\n"
    "short mariadb p\n"
    "short mariadb-dump p\n"
    "short mariadb-admin p\n"
    "short sshpass p next\n"
    "short curl u next\n"
    "short curl U next\n"
    "short redis-cli a next\n"
    "short ldapsearch w next\n"
    "short ldapadd w next\n"
    "short ldapmodify w next\n"
    "short ldappasswd w next\n"
    "short ldappasswd s next\n"
    "short mongo p next\n"
    "short mongosh p next\n"
    "short smbclient U next\n"
    "assign *password *passwd *passphrase *secret *token *pass\n"
    "assign *api_key *apikey *access_key *private_key *secret_key\n"
    "after Authorization: Bearer \n"
    "after Authorization: Basic \n"
    "after Authorization: Token \n"
    "after Bearer \n"
    "after X-Api-Key: \n"
    "after X-Auth-Token: \n"
    "prefix AKIA 16\n"
    "prefix ASIA 16\n"
    "prefix ghp_ 30\n"
    "prefix gho_ 30\n"
    "prefix ghs_ 30\n"
    "prefix github_pat_ 30\n"
    "prefix glpat- 20\n"
    "prefix xoxb- 20\n"
    "prefix xoxp- 20\n"
    "prefix eyJ 60\n" /* a JSON web token */
    "prefix pass: 1\n"
    "url\n";

/* -- reading rules -- */

static int
add(struct mask *m, const struct rule *r, const char *text, size_t n,
    struct ops_err *err)
{
	struct rule *new = malloc(sizeof(*new)), **at = &m->rules;

	if (new != NULL)
		*new = *r;
	if (new != NULL && (new->text = strndup(text, n)) == NULL) {
		free(new);
		new = NULL;
	}
	if (new == NULL)
		return ops_fail(err, OPS_ENOMEM, "rules of masking: no memory");
	while (*at != NULL)
		at = &(*at)->next;
	*at = new;
	return 0;
}

/* The next word of a line; its length, 0: none. */
static size_t
word(const char **p, const char *end, const char **ret)
{
	while (*p < end && (**p == ' ' || **p == '\t'))
		++*p;
	*ret = *p;
	while (*p < end && **p != ' ' && **p != '\t')
		++*p;
	return (size_t)(*p - *ret);
}

static bool
is(const char *p, size_t n, const char *s)
{
	return n == strlen(s) && memcmp(p, s, n) == 0;
}

static int
add_words(struct mask *m, enum kind kind, const char *p, const char *end,
    struct ops_err *err)
{
	const struct rule r = { .kind = kind };
	const char *w;
	size_t n, count = 0;

	for (; (n = word(&p, end, &w)) > 0; count++)
		if (add(m, &r, w, n, err) < 0)
			return -1;
	return count > 0 ? 0 : ops_fail(err, OPS_EFORMAT, "no name");
}

static int
add_short(struct mask *m, const char *p, const char *end, struct ops_err *err)
{
	struct rule r = { .kind = SHORT };
	const char *program, *w;
	size_t n = word(&p, end, &program), k;

	k = word(&p, end, &w);
	if (n == 0 || k != 1)
		return ops_fail(err, OPS_EFORMAT, "a program and a letter");
	r.letter = *w;
	k = word(&p, end, &w);
	r.in_next = is(w, k, "next");
	if ((k > 0 && !r.in_next) || word(&p, end, &w) > 0)
		return ops_fail(err, OPS_EFORMAT, "more than \"next\"");
	return add(m, &r, program, n, err);
}

static int
add_after(struct mask *m, const char *p, const char *end, struct ops_err *err)
{
	const struct rule r = { .kind = AFTER };

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end)
		return ops_fail(err, OPS_EFORMAT, "no text");
	return add(m, &r, p, (size_t)(end - p), err);
}

static int
add_prefix(struct mask *m, const char *p, const char *end, struct ops_err *err)
{
	struct rule r = { .kind = PREFIX };
	const char *text, *w;
	size_t n = word(&p, end, &text), k = word(&p, end, &w);

	for (size_t i = 0; i < k && r.min < 10000; i++) {
		if (w[i] < '0' || w[i] > '9')
			k = 0;
		else
			r.min = 10 * r.min + (size_t)(w[i] - '0');
	}
	if (n == 0 || k == 0 || r.min == 0)
		return ops_fail(err, OPS_EFORMAT, "a text and a number");
	return add(m, &r, text, n, err);
}

static int
add_line(struct mask *m, const char *p, const char *end, struct ops_err *err)
{
	const struct rule url = { .kind = URL };
	const char *w;
	size_t n = word(&p, end, &w);

	if (n == 0 || *w == '#')
		return 0;
	if (is(w, n, "option"))
		return add_words(m, OPTION, p, end, err);
	if (is(w, n, "assign"))
		return add_words(m, ASSIGN, p, end, err);
	if (is(w, n, "short"))
		return add_short(m, p, end, err);
	if (is(w, n, "after"))
		return add_after(m, p, end, err);
	if (is(w, n, "prefix"))
		return add_prefix(m, p, end, err);
	if (is(w, n, "url"))
		return add(m, &url, "", 0, err);
	return ops_fail(err, OPS_EFORMAT, "no such rule");
}

int
mask_new(const char *name, const char *rules, size_t n, struct mask **ret,
    struct ops_err *err)
{
	struct mask *m = calloc(1, sizeof(*m));
	const char *p = rules, *end = rules + n;
	unsigned line = 0;

	if (m == NULL)
		return ops_fail(err, OPS_ENOMEM, "rules of masking: no memory");
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl != NULL ? nl : end;

		line++;
		if (stop > p && stop[-1] == '\r')
			stop--;
		if (add_line(m, p, stop, err) < 0) {
			mask_free(m);
			return ops_context(err, "%s, line %u", name, line);
		}
		p = nl != NULL ? nl + 1 : end;
	}
	*ret = m;
	return 0;
}

void
mask_free(struct mask *m)
{
	struct rule *r;

	while (m != NULL && (r = m->rules) != NULL) {
		m->rules = r->next;
		free(r->text);
		free(r);
	}
	if (m != NULL)
		ops_wipe(m, sizeof(*m));
	free(m);
}

void
mask_key(struct mask *m, const uint8_t key[static MASK_KEY])
{
	memcpy(m->key, key, MASK_KEY);
}

/* -- what is a secret -- */

/* One argument, and what is known where it is looked at. */
struct look {
	const struct mask *m;
	const uint8_t *p; /* the argument */
	size_t n;
	bool shell; /* it is a command line, of words */
	const uint8_t *program;
	size_t program_n;
	bool next; /* the next word or argument is a secret */
};

static bool
same_letters(const uint8_t *p, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tolower(p[i]) != tolower((unsigned char)s[i]))
			return false;
	return true;
}

/* '*' is any text. */
static bool
fits(const uint8_t *p, size_t n, const char *pattern)
{
	const uint8_t *end = p + n, *back = NULL;
	const char *star = NULL;

	while (p < end) {
		if (*pattern == '*') {
			star = ++pattern;
			back = p;
		} else if (*pattern != '\0' &&
			   tolower(*p) == tolower((unsigned char)*pattern)) {
			p++;
			pattern++;
		} else if (star != NULL) {
			p = ++back;
			pattern = star;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
ends_word(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_token(uint8_t c)
{
	return isalnum(c) || (c != '\0' && strchr("-._~+/=", c) != NULL);
}

/* Where a value ends that begins at `at`: with its quote, its word, or, of an
 * argument that is no command line, with that. */
static size_t
end_of(const struct look *l, size_t at, bool whole)
{
	uint8_t quote = at < l->n ? l->p[at] : 0;
	size_t i = at;

	if (whole && !l->shell)
		return l->n;
	if (quote == '\'' || quote == '"') {
		for (i++; i < l->n && l->p[i] != quote; i++)
			continue;
		return i < l->n ? i + 1 : i;
	}
	while (i < l->n && !ends_word(l->p[i]) && l->p[i] != '\'' &&
	       l->p[i] != '"')
		i++;
	return i;
}

static size_t
name_length(const struct look *l, size_t at)
{
	size_t i = at;

	while (i < l->n && l->p[i] != '=' && !ends_word(l->p[i]))
		i++;
	return i - at;
}

/* --NAME=VALUE, --NAME VALUE.  0: it isn't one; else where the value begins. */
static size_t
match_option(struct look *l, const struct rule *r, size_t at)
{
	size_t dashes = 0, n;

	while (dashes < 2 && at + dashes < l->n && l->p[at + dashes] == '-')
		dashes++;
	n = name_length(l, at + dashes);
	if (dashes == 0 || n != strlen(r->text) ||
	    !same_letters(l->p + at + dashes, r->text, n))
		return 0;
	at += dashes + n;
	if (at < l->n && l->p[at] == '=')
		return at + 1;
	l->next = true;
	return 0;
}

static size_t
match_short(struct look *l, const struct rule *r, size_t at)
{
	if (at + 1 >= l->n || l->p[at] != '-' ||
	    l->p[at + 1] != (uint8_t)r->letter ||
	    l->program_n != strlen(r->text) ||
	    !same_letters(l->program, r->text, l->program_n))
		return 0;
	if (at + 2 < l->n && !ends_word(l->p[at + 2]))
		return at + 2;
	l->next = l->next || r->in_next;
	return 0;
}

static size_t
match_assign(const struct look *l, const struct rule *r, size_t at)
{
	size_t n = name_length(l, at);

	if (n == 0 || at + n >= l->n || l->p[at + n] != '=' ||
	    !fits(l->p + at, n, r->text))
		return 0;
	return at + n + 1;
}

static size_t
match_prefix(const struct look *l, const struct rule *r, size_t at, size_t *end)
{
	size_t n = strlen(r->text), i;

	if (l->n - at < n || memcmp(l->p + at, r->text, n) != 0)
		return 0;
	for (i = at + n; i < l->n && is_token(l->p[i]); i++)
		continue;
	if (i - at - n < r->min)
		return 0;
	*end = i;
	return at + n;
}

static size_t
match_after(const struct look *l, const struct rule *r, size_t at)
{
	size_t n = strlen(r->text);

	if (l->n - at <= n || !same_letters(l->p + at, r->text, n))
		return 0;
	return at + n;
}

/* scheme://user:password@host, at its scheme. */
static size_t
match_url(const struct look *l, size_t at, size_t *end)
{
	size_t i = at, colon = 0, sign = 0;

	while (i < l->n && (isalnum(l->p[i]) || l->p[i] == '+'))
		i++;
	if (i == at || l->n - i < 3 || memcmp(l->p + i, "://", 3) != 0)
		return 0;
	for (i += 3; i < l->n && !ends_word(l->p[i]) && l->p[i] != '/' &&
		     l->p[i] != '\'' && l->p[i] != '"';
	     i++) {
		if (l->p[i] == ':' && colon == 0)
			colon = i;
		if (l->p[i] == '@')
			sign = i; /* the last one is it */
	}
	if (colon == 0 || sign <= colon + 1)
		return 0;
	*end = sign;
	return colon + 1;
}

/* Does what stands here say that a secret follows?  From where to where. */
static bool
secret_at(
    struct look *l, size_t at, bool word_begins, size_t *from, size_t *end)
{
	/* --proxy=http://..., DATABASE_URL=db://... */
	bool value_begins = word_begins || (at > 0 && l->p[at - 1] == '=');

	for (const struct rule *r = l->m->rules; r != NULL; r = r->next) {
		*from = *end = 0;
		if (r->kind == AFTER)
			*from = match_after(l, r, at);
		else if (r->kind == PREFIX && value_begins)
			*from = match_prefix(l, r, at, end);
		else if (r->kind == URL && value_begins)
			*from = match_url(l, at, end);
		else if (!word_begins)
			continue;
		else if (r->kind == OPTION)
			*from = match_option(l, r, at);
		else if (r->kind == SHORT)
			*from = match_short(l, r, at);
		else if (r->kind == ASSIGN)
			*from = match_assign(l, r, at);
		if (*from == 0)
			continue;
		if (*end == 0)
			*end = end_of(l, *from, r->kind != AFTER && at == 0);
		if (*end > *from)
			return true;
	}
	return false;
}

/* -- replacing -- */

static void
put_mask(const struct mask *m, const uint8_t *p, size_t n, struct ops_buf *out)
{
	uint8_t mac[OPS_HASH_LEN];

	ops_hmac_sha256(m->key, MASK_KEY, p, n, mac);
	ops_buf_printf(out, "[masked %zu ", n);
	for (size_t i = 0; i < HASH_SHOWN; i++)
		ops_buf_printf(out, "%02x", mac[i]);
	ops_buf_puts(out, "]");
}

static void
set_program(struct look *l, const uint8_t *p, size_t n)
{
	const uint8_t *slash = n > 0 ? memrchr(p, '/', n) : NULL;

	l->program = slash != NULL ? slash + 1 : p;
	l->program_n = (size_t)(p + n - l->program);
}

/* In a command line this word may be the program that the next are for. */
static void
note_word(struct look *l, size_t at)
{
	size_t n = end_of(l, at, false) - at;

	if (l->shell && n > 0 && l->p[at] != '-')
		set_program(l, l->p + at, n);
}

/* The one before said that this is a secret: unless it is an option, too. */
static bool
is_awaited(struct look *l, size_t at, size_t *end)
{
	bool awaited = l->next && !ends_word(l->p[at]);

	if (!awaited)
		return false;
	l->next = false;
	if (l->n - at > 2 && l->p[at] == '-' && l->p[at + 1] == '-')
		return false;
	*end = end_of(l, at, true);
	return *end > at;
}

static bool
begins_word(uint8_t before)
{
	return ends_word(before) || strchr("'\";(|&", before) != NULL;
}

static size_t
mask_one(struct look *l, struct ops_buf *out)
{
	size_t at = 0, copied = 0, count = 0, from, end;

	while (at < l->n) {
		bool begins = at == 0 || begins_word(l->p[at - 1]), found;

		from = at;
		found = (begins && is_awaited(l, at, &end)) ||
			secret_at(l, at, begins, &from, &end);
		if (!found) {
			if (begins)
				note_word(l, at);
			at++;
			continue;
		}
		ops_buf_put(out, l->p + copied, from - copied);
		put_mask(l->m, l->p + from, end - from, out);
		count++;
		copied = at = end;
	}
	ops_buf_put(out, l->p + copied, l->n - copied);
	return count;
}

/* A shell's command line in one argument, as behind -c, or for ssh(1): words,
 * and not an option or an assignment whose value has spaces. */
static bool
is_command_line(const uint8_t *p, size_t n, bool after_c)
{
	size_t i = 0;

	while (i < n && !ends_word(p[i]) && p[i] != '=')
		i++;
	return after_c || (i < n && p[i] != '=' && p[0] != '-');
}

size_t
mask_args(const struct mask *m, const uint8_t *p, size_t n, struct ops_buf *out)
{
	struct look l = { .m = m };
	size_t count = 0;
	bool after_c = false;

	for (size_t at = 0; at < n; at += l.n + 1) {
		const uint8_t *nul = memchr(p + at, 0, n - at);

		l.p = p + at;
		l.n = nul != NULL ? (size_t)(nul - l.p) : n - at;
		l.shell = at > 0 && is_command_line(l.p, l.n, after_c);
		if (at == 0 || l.shell)
			set_program(&l, p, strnlen((const char *)p, n));
		if (at == 0)
			ops_buf_put(out, l.p, l.n);
		else
			count += mask_one(&l, out);
		if (nul != NULL)
			ops_buf_put8(out, 0);
		after_c = l.n > 1 && l.p[0] == '-' && l.p[1] != '-' &&
			  l.p[l.n - 1] == 'c';
		/* An empty one may be the secret that was awaited. */
		l.next = l.next && l.n > 0;
	}
	return count;
}
